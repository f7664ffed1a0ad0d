//! The client's side: a layer around what sends requests.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{
    Request, Response,
    header::HOST,
    request::Parts,
    uri::{Authority, InvalidUri},
};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    attributes,
    body::ObservedBody,
    exchange::Exchange,
    future::ResponseFuture,
    grpc::{self, MethodName},
    subject::{Host, Subject},
};
use crate::{
    bundle::Method,
    clock::{self, Ticks},
    context::Outcome,
    integration::http::method_in_name,
    label::Value,
    trace::{self, PlacedSpan, SpanKind, inject},
    util::catch::catch,
};

/// A layer by which every request that a client sends has a span, is measured, and has the headers of
/// the context; what is recorded, and when it ends, says [the module](super).
///
/// The headers are those of the installed [propagators](crate::trace::propagator). Where no span is
/// recorded, the current context goes out as it came in.
///
/// # Examples
///
/// ```
/// use bellwether::integration::tower::ClientLayer;
/// use tower_layer::Layer;
///
/// # let client = ();
/// // Around a client of hyper-util, a `Channel` of tonic, or any other service.
/// let client = ClientLayer::new().layer(client);
/// # drop(client);
/// ```
#[derive(Clone, Default)]
#[must_use = "a layer does nothing until it is around a service"]
pub struct ClientLayer {
    server: Option<Host>,
    skip: Option<Arc<Skip>>,
}

type Skip = dyn Fn(&Parts) -> bool + Send + Sync;

impl ClientLayer {
    /// A layer that takes the server's name and port from each request: from its URI, or else from its
    /// header `host`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says which server all requests go to, where they do not: above tonic's `Channel`, they have a path
    /// alone.
    ///
    /// # Errors
    ///
    /// Refuses what is no name or address with or without a port.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::integration::tower::ClientLayer;
    ///
    /// let layer = ClientLayer::new().server("stock.internal:50051")?;
    /// # drop(layer);
    /// # Ok::<(), http::uri::InvalidUri>(())
    /// ```
    pub fn server(mut self, address: &str) -> Result<Self, InvalidUri> {
        self.server = Some(Host::new(Some(address.parse()?), None));
        Ok(self)
    }

    /// Leaves out the requests for which `skip` is true, besides those of former calls: they have no span,
    /// are not measured, and get no headers. If it panics, the request is kept.
    pub fn skip<F>(mut self, skip: F) -> Self
    where
        F: Fn(&Parts) -> bool + Send + Sync + 'static,
    {
        self.skip = Some(match self.skip.take() {
            Some(former) => Arc::new(move |request: &Parts| former(request) || skip(request)),
            None => Arc::new(skip),
        });
        self
    }

    fn skips(&self, head: &Parts) -> bool {
        self.skip.as_ref().is_some_and(|skip| catch(|| skip(head)).unwrap_or(false))
    }

    /// Begins a request, and enters its span.
    fn begin(&self, head: &Parts, start: Ticks, span: &mut PlacedSpan) -> Subject {
        let host = self.server.clone().unwrap_or_else(|| host_of(head));
        match grpc::is_grpc(&head.headers) {
            true => call_of(head, host, start, span),
            false => request_of(head, host, start, span),
        }
    }
}

fn request_of(head: &Parts, host: Host, start: Ticks, span: &mut PlacedSpan) -> Subject {
    let method = Method::from(head.method.as_str());
    let mut builder = trace::span(method_in_name(method)).kind(SpanKind::Client).start_at(start);
    builder.begin_with("http.request.method", Value::from_static(method.as_str()));
    span.start(builder);
    span.fill(|span| {
        attributes::original_method(span, head, method);
        attributes::host(span, &host);
        attributes::url(span, head);
    });
    Subject::Sent { method, host }
}

fn call_of(head: &Parts, host: Host, start: Ticks, span: &mut PlacedSpan) -> Subject {
    let method = MethodName::new(head.uri.path_and_query());
    span.start(attributes::call(&method).kind(SpanKind::Client).start_at(start));
    span.fill(|span| attributes::host(span, &host));
    Subject::Called { method, host }
}

fn host_of(head: &Parts) -> Host {
    let named = || Authority::try_from(head.headers.get(HOST)?.as_bytes()).ok();
    let authority = head.uri.authority().cloned().or_else(named);
    Host::new(authority, head.uri.scheme_str())
}

impl<S> Layer<S> for ClientLayer {
    type Service = ClientService<S>;

    fn layer(&self, service: S) -> ClientService<S> {
        ClientService { service, layer: self.clone() }
    }
}

impl fmt::Debug for ClientLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientLayer").field("server", &self.server).finish_non_exhaustive()
    }
}

/// A service whose requests are observed where they are sent; made by a [`ClientLayer`].
#[derive(Clone)]
pub struct ClientService<S> {
    service: S,
    layer: ClientLayer,
}

impl<S, B, R> Service<Request<B>> for ClientService<S>
where
    S: Service<Request<B>, Response = Response<R>, Error: fmt::Display>,
    B: Body,
    R: Body,
{
    type Response = Response<ObservedBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    /// As the service within. An error here is of no request, and none is counted.
    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(task)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        if self.layer.skips(&head) {
            let request = Request::from_parts(head, body);
            return ResponseFuture::plain(self.service.call(request));
        }
        let size = body.size_hint().exact();
        let (start, mut span) = (clock::now(), PlacedSpan::NONE);
        let subject = self.layer.begin(&head, start, &mut span);
        let mut exchange = Exchange::new(span, start, subject, None, size);
        let turn = exchange.turn(Outcome::Panic);
        inject(&mut head.headers);
        let future = self.service.call(Request::from_parts(head, body));
        turn.leave();
        ResponseFuture::new(future, exchange)
    }
}

impl<S> fmt::Debug for ClientService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientService").field("layer", &self.layer).finish_non_exhaustive()
    }
}
