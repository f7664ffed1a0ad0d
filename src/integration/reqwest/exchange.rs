//! A request from its beginning to its end: the span, and what is measured.

use std::borrow::Cow;

use ::reqwest::{Request, Response, Url, header::CONTENT_LENGTH};

use super::{
    failure::{self, WithoutUrl},
    redirect, url,
};
use crate::{
    bundle::{HttpClient, HttpRequest, Method},
    context::Outcome,
    integration::http,
    trace::{Failure, Span, SpanKind, SpanScope, inject_context, span},
};

static CLIENT: HttpClient = HttpClient::new();

/// What the caller says of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) template: Option<Cow<'static, str>>,
    pub(super) resends: u32,
}

/// A request under way. It ends once; one that is dropped before was cancelled.
#[derive(Debug)]
pub(super) struct Exchange {
    span: Span, // While no thread is in it.
    /// Measures; `None` once it is over.
    measured: Option<HttpRequest<'static>>,
    /// Where it was sent to, if that is to be compared with where the response comes from.
    sent_to: Option<Url>,
    n_redirects: u32,
    status: Option<u16>,
}

impl Exchange {
    /// Begins `request`, and writes the context into its headers.
    pub(super) fn begin(request: &mut Request, said: Said) -> Self {
        let method = Method::from(request.method().as_str());
        let (host, port) = url::server(request.url());
        let mut measured = CLIENT.start(method, host.to_owned(), port);
        let size = size_of(request);
        if let Some(bytes) = size {
            measured.request_size(bytes);
        }
        let named = http::method_in_name(method);
        let name: Cow<'static, str> = match &said.template {
            Some(template) => format!("{named} {template}").into(),
            None => named.into(),
        };
        let mut builder = span(name)
            .kind(SpanKind::Client)
            .attribute("http.request.method", method.as_str())
            .attribute("server.address", host);
        if port != 0 {
            builder = builder.attribute("server.port", i64::from(port));
        }
        let mut span = builder.start();
        if span.is_recording() {
            describe(&mut span, request, method, said);
            if let Some(bytes) = size {
                span.set_attribute("http.request.body.size", bytes);
            }
        }
        inject_context(&span.context(), request.headers_mut());
        let sent_to = span.is_recording().then(|| url::sent(request.url()));
        Self { span, measured: Some(measured), sent_to, n_redirects: 0, status: None }
    }

    /// Makes it the current one of this thread.
    pub(super) fn enter(&mut self) -> Turn<'_> {
        let scope = std::mem::take(&mut self.span).enter();
        let around = redirect::begin(self.n_redirects);
        Turn { exchange: self, scope: Some(scope), around }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.measured.is_some() {
            self.span.set_outcome(Outcome::Cancelled);
            self.span.set_attribute("error.type", "cancelled");
        }
    }
}

/// A thread's stay in an exchange. If it is dropped by a panic, the span ends with that.
#[must_use = "dropping it ends the span"]
pub(super) struct Turn<'a> {
    exchange: &'a mut Exchange,
    scope: Option<SpanScope>, // `None` once it has left.
    around: u32,
}

impl Turn<'_> {
    /// Leaves the exchange open.
    pub(super) fn leave(mut self) {
        if let Some(scope) = self.scope.take() {
            self.exchange.span = scope.leave();
        }
    }

    /// Notes the head of the response.
    pub(super) fn answered(&mut self, response: &Response) {
        let status = response.status().as_u16();
        self.exchange.status = Some(status);
        if let Some(sent_to) = self.exchange.sent_to.take()
            && let Some(scope) = &self.scope
        {
            if redirect::begin(0) == 0 && sent_to != url::sent(response.url()) {
                redirect::note(response.url(), None);
            }
            describe_answer(scope, response);
        }
    }

    /// Ends it as its status says, with the size of the response's body if it is known.
    pub(super) fn end(mut self, body_bytes: Option<u64>) {
        let (Some(mut measured), Some(status)) =
            (self.exchange.measured.take(), self.exchange.status)
        else {
            return;
        };
        if let Some(bytes) = body_bytes {
            measured.response_size(bytes);
        }
        measured.end(status); // In the span, of which the duration may be an exemplar.
        let Some(scope) = self.scope.take() else { return };
        if let Some(bytes) = body_bytes {
            scope.set_attribute("http.response.body.size", bytes);
        }
        if status >= 400 {
            scope.set_attribute("error.type", status.to_string());
            scope.conclude(Outcome::Error);
        }
        scope.end();
    }

    /// Ends it with `error`, which is given back as it was.
    pub(super) fn fail(mut self, error: ::reqwest::Error) -> ::reqwest::Error {
        let kind = failure::kind(&error);
        if let Some(mut measured) = self.exchange.measured.take() {
            measured.set_error(kind);
            match self.exchange.status {
                Some(status) => measured.end(status),
                None => drop(measured),
            }
        }
        let Some(scope) = self.scope.take().filter(SpanScope::is_recording) else { return error };
        let (shown, error) = WithoutUrl::of(error);
        scope.fail(&Failure::new::<::reqwest::Error>(Some(&shown), Some(&shown)));
        scope.set_attribute("error.type", kind);
        scope.conclude(Outcome::Error);
        scope.end();
        error
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(scope) = &self.scope {
            // A panic: it is over, and measured as one, although the future may be kept.
            scope.set_attribute("error.type", "panic");
            drop(self.exchange.measured.take());
        }
        self.exchange.n_redirects = redirect::begin(self.around);
    }
}

/// What is known before it is sent.
#[inline(never)]
fn describe(span: &mut Span, request: &Request, method: Method, said: Said) {
    span.set_attribute("url.full", url::shown(request.url()));
    if method == Method::Other {
        span.set_attribute("http.request.method_original", request.method().as_str());
    }
    if let Some(template) = said.template {
        span.set_attribute("url.template", template.into_owned());
    }
    if said.resends > 0 {
        span.set_attribute("http.request.resend_count", i64::from(said.resends));
    }
}

#[inline(never)]
fn describe_answer(scope: &SpanScope, response: &Response) {
    scope.set_attribute("http.response.status_code", i64::from(response.status().as_u16()));
    if let Some(version) = http::version_name(response.version()) {
        scope.set_attribute("network.protocol.version", version);
    }
    if let Some(peer) = response.remote_addr() {
        scope.set_attribute("network.peer.address", peer.ip().to_string());
        scope.set_attribute("network.peer.port", i64::from(peer.port()));
    }
}

/// The size of the request's body: as it is in memory, or as the caller says.
fn size_of(request: &Request) -> Option<u64> {
    let in_memory = request.body().and_then(|body| Some(body.as_bytes()?.len() as u64));
    in_memory.or_else(|| request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok())
}
