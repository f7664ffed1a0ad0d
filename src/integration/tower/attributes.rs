//! Attributes of spans, by OpenTelemetry's semantic conventions for HTTP and RPC.

use std::{borrow::Cow, net::SocketAddr};

use http::{Uri, header::HOST, request::Parts, uri::Authority};

use super::{grpc::MethodName, subject::Host};
use crate::{
    bundle::{Method, Scheme},
    integration::http as shared,
    label::Value,
    trace::{Filling, SpanBuilder, span},
};

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
    let mut builder = match method {
        MethodName::Known(name) => span(name.as_str()),
        MethodName::New(_) => match method.as_str() {
            "" => span("grpc"),
            name => span(Cow::Owned(name.to_owned())),
        },
    };
    match method {
        MethodName::Known(name) => {
            builder.begin_with("rpc.method", Value::from_static(name.as_str()));
        }
        MethodName::New(_) if method.as_str().is_empty() => {}
        MethodName::New(_) => builder.begin_with("rpc.method", method.as_str()),
    }
    builder.begin_with("rpc.system.name", Value::from_static("grpc"));
    builder
}

/// What only a request of HTTP has, and only as a server gets it.
pub(super) fn of_request(span: &mut Filling<'_>, head: &Parts, method: Method, scheme: Scheme) {
    original_method(span, head, method);
    span.text("url.path", head.uri.path());
    let scheme = match scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    span.fixed("url.scheme", scheme);
}

/// The method as it came, if it is not one of those that everybody knows.
pub(super) fn original_method(span: &mut Filling<'_>, head: &Parts, method: Method) {
    if method == Method::Other {
        span.text("http.request.method_original", head.method.as_str());
    }
}

/// What requests of both kinds have, as a server gets them.
pub(super) fn of_server(span: &mut Filling<'_>, head: &Parts) {
    if let Some(version) = shared::version_name(head.version) {
        span.fixed("network.protocol.version", version);
    }
    let host = || str::from_utf8(head.headers.get(HOST)?.as_bytes()).ok();
    if let Some(authority) = head.uri.authority().map(Authority::as_str).or_else(host) {
        set_server(span, authority);
    }
}

/// The server by its name and port as they stand in a header, which is any text.
fn set_server(span: &mut Filling<'_>, authority: &str) {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let after_brackets = host.rfind(']').map_or(0, |end| end + 1);
    let (name, port) = match host[after_brackets..].rsplit_once(':') {
        Some((name, port)) => (&host[..after_brackets + name.len()], port.parse::<u16>().ok()),
        None => (host, None),
    };
    let name = shared::bare_host(name);
    if !name.is_empty() {
        span.text("server.address", name);
        if let Some(port) = port {
            span.number("server.port", port.into());
        }
    }
}

/// The query, without secrets.
pub(super) fn query(span: &mut Filling<'_>, uri: &Uri) {
    if let Some(query) = uri.query() {
        span.text("url.query", &shared::shown_query(query));
    }
}

/// The other end of the connection.
pub(super) fn peer(span: &mut Filling<'_>, peer: SocketAddr) {
    let address = peer.ip().to_string();
    span.text("network.peer.address", &address);
    span.number("network.peer.port", peer.port().into());
    span.owned("client.address", address);
}

/// The server that a client calls, as far as it is known.
pub(super) fn host(span: &mut Filling<'_>, host: &Host) {
    let name = host.name();
    if !name.is_empty() {
        span.text("server.address", name);
        if host.port != 0 {
            span.number("server.port", host.port.into());
        }
    }
}

/// The URL that a client asks for, as far as it is known.
pub(super) fn url(span: &mut Filling<'_>, head: &Parts) {
    let uri = &head.uri;
    match uri.authority() {
        Some(authority) => {
            let scheme = uri.scheme_str().unwrap_or("http");
            let url = shared::shown_url(scheme, authority.as_str(), uri.path(), uri.query());
            span.owned("url.full", url);
        }
        None => span.text("url.path", uri.path()),
    }
}
