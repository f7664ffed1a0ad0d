//! Attributes of spans, by OpenTelemetry's semantic conventions for HTTP and RPC.

use std::{borrow::Cow, net::SocketAddr};

use http::{Uri, Version, header::HOST, request::Parts, uri::Authority};

use super::{grpc::MethodName, redact, subject::Host};
use crate::{
    bundle::{Method, Scheme},
    label::Value,
    trace::{SpanBuilder, SpanScope, span},
};

/// The method as the names of spans have it.
pub(super) fn method_in_name(method: Method) -> &'static str {
    match method {
        Method::Other => "HTTP",
        known => known.as_str(),
    }
}

/// The scheme of a request that a server has got.
pub(super) fn scheme(uri: &Uri, is_https: bool) -> Scheme {
    match uri.scheme_str() {
        Some("http") => Scheme::Http,
        Some("https") => Scheme::Https,
        _ if is_https => Scheme::Https,
        _ => Scheme::Http,
    }
}

/// A span of a gRPC call.
pub(super) fn call(method: &MethodName) -> SpanBuilder {
    let builder = match method {
        MethodName::Known(name) => {
            span(name.as_str()).attribute("rpc.method", Value::from_static(name.as_str()))
        }
        MethodName::New(_) => match method.as_str() {
            "" => span("grpc"),
            name => span(Cow::Owned(name.to_owned())).attribute("rpc.method", name),
        },
    };
    builder.attribute("rpc.system.name", Value::from_static("grpc"))
}

/// What only a request of HTTP has, and only as a server gets it.
pub(super) fn of_request(span: &SpanScope, head: &Parts, method: Method, scheme: Scheme) {
    original_method(span, head, method);
    span.set_attribute("url.path", head.uri.path());
    let scheme = match scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    span.set_attribute("url.scheme", Value::from_static(scheme));
}

/// The method as it came, if it is not one of those that everybody knows.
pub(super) fn original_method(span: &SpanScope, head: &Parts, method: Method) {
    if method == Method::Other {
        span.set_attribute("http.request.method_original", head.method.as_str());
    }
}

/// What requests of both kinds have, as a server gets them.
pub(super) fn of_server(span: &SpanScope, head: &Parts) {
    version(span, head.version);
    let host = || str::from_utf8(head.headers.get(HOST)?.as_bytes()).ok();
    if let Some(authority) = head.uri.authority().map(Authority::as_str).or_else(host) {
        set_server(span, authority);
    }
}

/// The server by its name and port as they stand in a header, which is any text.
fn set_server(span: &SpanScope, authority: &str) {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let after_brackets = host.rfind(']').map_or(0, |end| end + 1);
    let (name, port) = match host[after_brackets..].rsplit_once(':') {
        Some((name, port)) => (&host[..after_brackets + name.len()], port.parse::<u16>().ok()),
        None => (host, None),
    };
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    if !name.is_empty() {
        span.set_attribute("server.address", name);
        if let Some(port) = port {
            span.set_attribute("server.port", port);
        }
    }
}

/// The query, without secrets.
pub(super) fn query(span: &SpanScope, uri: &Uri) {
    if let Some(query) = uri.query() {
        span.set_attribute("url.query", &*redact::query(query));
    }
}

/// The other end of the connection.
pub(super) fn peer(span: &SpanScope, peer: SocketAddr) {
    let address = peer.ip().to_string();
    span.set_attribute("network.peer.address", &*address);
    span.set_attribute("network.peer.port", peer.port());
    span.set_attribute("client.address", address);
}

/// The server that a client calls, as far as it is known.
pub(super) fn host(span: &SpanScope, host: &Host) {
    let name = host.name();
    if !name.is_empty() {
        span.set_attribute("server.address", name);
        if host.port != 0 {
            span.set_attribute("server.port", host.port);
        }
    }
}

/// The URL that a client asks for, as far as it is known.
pub(super) fn url(span: &SpanScope, head: &Parts) {
    if head.uri.authority().is_some() {
        span.set_attribute("url.full", redact::url(&head.uri));
    } else {
        span.set_attribute("url.path", head.uri.path());
    }
}

/// The version of HTTP.
pub(super) fn version(span: &SpanScope, version: Version) {
    let version = match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_11 => "1.1",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => return,
    };
    span.set_attribute("network.protocol.version", Value::from_static(version));
}
