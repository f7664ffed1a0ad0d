//! The server's side: a layer around what answers requests.

use std::{
    borrow::Cow,
    fmt,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response, header::USER_AGENT, request::Parts};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    attributes,
    body::ObservedBody,
    exchange::Exchange,
    future::ResponseFuture,
    grpc::{self, MethodName},
    names,
    subject::{Route, Subject},
};
use crate::{
    bundle::Method,
    clock::{self, Ticks},
    context::{self, Measured, Outcome},
    integration::http::method_in_name,
    label::Value,
    trace::{self, Filling, PlacedSpan, SpanKind},
    util::catch::catch,
};

/// A layer by which every request that a server answers has a span and is measured; what is recorded,
/// and when it ends, says [the module](super).
///
/// # Examples
///
/// Around a service of one's own; for axum see [the module](super).
///
/// ```
/// use bellwether::{integration::tower::ServerLayer, testing, trace::SpanKind};
/// use http::{Request, Response};
/// use tower_layer::Layer;
/// use tower_service::Service;
/// # use std::{convert::Infallible, future::{Ready, ready}, task::{Context, Poll}};
///
/// /// Answers every request with an empty text.
/// struct Orders;
/// # impl Service<Request<String>> for Orders {
/// #     type Response = Response<String>;
/// #     type Error = Infallible;
/// #     type Future = Ready<Result<Response<String>, Infallible>>;
/// #     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
/// #         Poll::Ready(Ok(()))
/// #     }
/// #     fn call(&mut self, _: Request<String>) -> Self::Future {
/// #         ready(Ok(Response::new(String::new())))
/// #     }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let layer = ServerLayer::new().route(|request| {
///     request.uri.path().starts_with("/orders/").then_some("/orders/{id}".into())
/// });
/// let scope = testing::scope();
/// let mut service = layer.layer(Orders);
/// service.call(Request::get("/orders/7").body(String::new()).unwrap()).await.unwrap();
///
/// assert_eq!(scope.span("GET /orders/{id}").kind(), SpanKind::Server);
/// let labels = [
///     ("http.request.method", "GET"),
///     ("url.scheme", "http"),
///     ("http.route", "/orders/{id}"),
///     ("http.response.status_code", "200"),
///     ("error.type", ""),
/// ];
/// scope.assert_value("http.server.request.duration", &labels, 1.0);
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing until it is around a service"]
pub struct ServerLayer {
    settings: Arc<Settings>,
}

#[derive(Clone, Default)]
struct Settings {
    route: Option<Arc<FindRoute>>,
    skip: Option<Arc<Skip>>,
    peer: Option<Arc<FindPeer>>,
    is_https: bool,
    has_query: bool,
    has_user_agent: bool,
    keeps_durations: bool,
}

type FindRoute = dyn for<'a> Fn(&'a Parts) -> Option<Cow<'a, str>> + Send + Sync;
type FindPeer = dyn Fn(&Parts) -> Option<SocketAddr> + Send + Sync;
type Skip = dyn Fn(&Parts) -> bool + Send + Sync;

impl ServerLayer {
    /// A layer that knows no routes: without [`route`](Self::route), spans are named by the method
    /// alone, and metrics have no label `http.route`.
    pub fn new() -> Self {
        Self { settings: Arc::default() }
    }

    /// A layer for axum's `Router::layer`, which finds routes by axum's `MatchedPath`.
    #[cfg(feature = "axum")]
    #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
    pub fn axum() -> Self {
        use ::axum::extract::MatchedPath;

        Self::new().route(|request| {
            let path = request.extensions.get::<MatchedPath>();
            path.map(|path| Cow::Borrowed(path.as_str()))
        })
    }

    /// Finds the route of a request: the pattern that a router matched (`/orders/{id}`), of which there
    /// are few, and never the path. Where it finds none, and where it panics, the label of metrics is
    /// `unmatched`.
    pub fn route<F>(mut self, find: F) -> Self
    where
        F: for<'a> Fn(&'a Parts) -> Option<Cow<'a, str>> + Send + Sync + 'static,
    {
        self.set().route = Some(Arc::new(find));
        self
    }

    /// Leaves out the requests for which `skip` is true, besides those of former calls: they have no span
    /// and are not measured, and the caller's context is not read. If it panics, the request is kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::integration::tower::ServerLayer;
    ///
    /// let layer = ServerLayer::new().skip(|request| request.uri.path() == "/health");
    /// # drop(layer);
    /// ```
    pub fn skip<F>(mut self, skip: F) -> Self
    where
        F: Fn(&Parts) -> bool + Send + Sync + 'static,
    {
        let settings = self.set();
        settings.skip = Some(match settings.skip.take() {
            Some(former) => Arc::new(move |request: &Parts| former(request) || skip(request)),
            None => Arc::new(skip),
        });
        self
    }

    /// Finds the other end of the connection, for `network.peer.address`, `network.peer.port` and
    /// `client.address` of spans; in axum, by the extension `ConnectInfo<SocketAddr>`.
    pub fn peer<F>(mut self, find: F) -> Self
    where
        F: Fn(&Parts) -> Option<SocketAddr> + Send + Sync + 'static,
    {
        self.set().peer = Some(Arc::new(find));
        self
    }

    /// Says that the server is reached by `https` where a request does not say its scheme, as those of
    /// HTTP/1 do not.
    pub fn https(mut self) -> Self {
        self.set().is_https = true;
        self
    }

    /// Has spans say the query, with the values of known secrets redacted: what OpenTelemetry names (`sig`,
    /// `X-Goog-Signature`), and the usual names of credentials (`token`, `api_key`, `password`).
    pub fn query(mut self) -> Self {
        self.set().has_query = true;
        self
    }

    /// Has spans say the header `user-agent`.
    pub fn user_agent(mut self) -> Self {
        self.set().has_user_agent = true;
        self
    }

    /// Has observed handlers record their durations too: for services whose handlers are not observed
    /// themselves, but call functions that are. What that means says [the module](super).
    pub fn keep_handler_durations(mut self) -> Self {
        self.set().keeps_durations = true;
        self
    }

    fn set(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }
}

impl Default for ServerLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for ServerLayer {
    type Service = ServerService<S>;

    fn layer(&self, service: S) -> ServerService<S> {
        ServerService { service, settings: self.settings.clone() }
    }
}

impl fmt::Debug for ServerLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerLayer").finish_non_exhaustive()
    }
}

/// A service whose requests are observed; made by a [`ServerLayer`].
#[derive(Clone)]
pub struct ServerService<S> {
    service: S,
    settings: Arc<Settings>,
}

impl<S, B, R> Service<Request<B>> for ServerService<S>
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
        let (head, body) = request.into_parts();
        if self.settings.skips(&head) {
            let request = Request::from_parts(head, body);
            return ResponseFuture::plain(self.service.call(request));
        }
        let settings = &*self.settings;
        let measured = if settings.keeps_durations { Measured::Never } else { Measured::Offered };
        let size = body.size_hint().exact();
        let (start, mut span) = (clock::now(), PlacedSpan::NONE);
        let subject = settings.begin(&head, start, &mut span);
        let mut exchange = Exchange::new(span, start, subject, Some(measured), size);
        let turn = exchange.turn(Outcome::Panic);
        let future = self.service.call(Request::from_parts(head, body));
        turn.leave();
        ResponseFuture::new(future, exchange)
    }
}

impl<S> fmt::Debug for ServerService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerService").finish_non_exhaustive()
    }
}

impl Settings {
    fn skips(&self, head: &Parts) -> bool {
        self.skip.as_ref().is_some_and(|skip| catch(|| skip(head)).unwrap_or(false))
    }

    /// Begins a request, and enters its span.
    fn begin(&self, head: &Parts, start: Ticks, span: &mut PlacedSpan) -> Subject {
        let caller = trace::extract(&head.headers);
        match grpc::is_grpc(&head.headers) {
            true => self.call_of(head, caller, start, span),
            false => self.request_of(head, caller, start, span),
        }
    }

    fn request_of(
        &self,
        head: &Parts,
        caller: context::Context,
        start: Ticks,
        span: &mut PlacedSpan,
    ) -> Subject {
        let method = Method::from(head.method.as_str());
        let name = method_in_name(method);
        let route = self.route_of(head, name);
        let mut builder = match &route {
            Route::Named(name) => trace::span(name.as_str()),
            Route::Other(route) => trace::span(format!("{name} {route}")),
            Route::Unknown | Route::Unmatched => trace::span(name),
        };
        match &route {
            Route::Named(name) => {
                builder.begin_with("http.route", Value::from_static(name.text()));
            }
            Route::Other(route) => builder.begin_with("http.route", &**route),
            // The sampler has nothing else to decide by.
            Route::Unknown | Route::Unmatched => builder.begin_with("url.path", head.uri.path()),
        }
        builder.begin_with("http.request.method", Value::from_static(method.as_str()));
        span.start(builder.kind(SpanKind::Server).parent(caller).start_at(start));
        let scheme = attributes::scheme(&head.uri, self.is_https);
        let peer = self.peer_of(head, span);
        span.fill(|span| {
            attributes::of_request(span, head, method, scheme);
            self.describe(span, head, peer);
        });
        Subject::Served { method, scheme, route }
    }

    fn call_of(
        &self,
        head: &Parts,
        caller: context::Context,
        start: Ticks,
        span: &mut PlacedSpan,
    ) -> Subject {
        let method = MethodName::new(head.uri.path_and_query());
        let builder = attributes::call(&method).kind(SpanKind::Server);
        span.start(builder.parent(caller).start_at(start));
        let peer = self.peer_of(head, span);
        span.fill(|span| self.describe(span, head, peer));
        Subject::Answered(method)
    }

    /// The route, with the name of a span for `method` and it.
    fn route_of(&self, head: &Parts, method: &'static str) -> Route {
        let Some(find) = &self.route else { return Route::Unknown };
        match catch(|| find(head)).ok().flatten() {
            Some(route) if !route.is_empty() => match names::intern(method, &route) {
                Some(name) => Route::Named(name),
                None => Route::Other(route.into()),
            },
            _ => Route::Unmatched,
        }
    }

    /// The other end of the connection, if the span is recorded that it is for.
    fn peer_of(&self, head: &Parts, span: &PlacedSpan) -> Option<SocketAddr> {
        let find = self.peer.as_ref()?;
        if span.is_recorded() { catch(|| find(head)).ok()? } else { None }
    }

    /// Sets what a request of either kind has on its span.
    fn describe(&self, span: &mut Filling<'_>, head: &Parts, peer: Option<SocketAddr>) {
        attributes::of_server(span, head);
        if self.has_query {
            attributes::query(span, &head.uri);
        }
        if self.has_user_agent
            && let Some(agent) = head.headers.get(USER_AGENT)
        {
            span.text("user_agent.original", &String::from_utf8_lossy(agent.as_bytes()));
        }
        if let Some(peer) = peer {
            attributes::peer(span, peer);
        }
    }
}
