//! HTTP requests, served and sent, by OpenTelemetry's semantic conventions.
//!
//! The label `error.type` is the status if that is an error (5xx for a server, 4xx and 5xx for a
//! client), or the argument of [`HttpRequest::error`]. If the guard is dropped without a status, it is
//! `cancelled` or `panic`.

use std::borrow::Cow;

use bellwether_macros::Labels;

use super::{Begun, given::Given};
use crate::{
    context,
    label::Labels,
    metric::{Held, Histogram, Unit, UpDownCounter},
};

/// The requests that a server answers.
///
/// Records `http.server.request.duration` and, if they are given, the sizes
/// `http.server.request.body.size` and `http.server.response.body.size`, by `http.request.method`,
/// `url.scheme`, `http.route`, `http.response.status_code` and `error.type`.
/// `http.server.active_requests` are those in flight. [`Window::requests`] derives throughput, error
/// rates and quantiles from them.
///
/// [`Window::requests`]: crate::metric::Window::requests
///
/// # What to alert on
///
/// Many responses are errors of the server (5xx):
///
/// ```promql
/// sum(rate(http_server_request_duration_seconds_count{http_response_status_code=~"5.."}[5m]))
///   / sum(rate(http_server_request_duration_seconds_count[5m])) > 0.01
/// ```
///
/// Responses are slow:
///
/// ```promql
/// histogram_quantile(0.99,
///   sum by (le, http_route) (rate(http_server_request_duration_seconds_bucket[5m]))) > 1
/// ```
///
/// Requests pile up, or a handler panics:
///
/// ```promql
/// sum(http_server_active_requests) > 100
///
/// sum(http_server_request_duration_seconds_count{error_type="panic"})
///   - (sum(http_server_request_duration_seconds_count{error_type="panic"} offset 5m)
///     or vector(0)) > 0
/// ```
///
/// (A difference, because the first panic begins a series, which `increase` does not see.) Responses of
/// 4xx are worth a look when they jump, not when they occur: clients cause them.
///
/// # Examples
///
/// ```
/// use bellwether::{bundle::HttpServer, testing};
///
/// static HTTP: HttpServer = HttpServer::new();
///
/// let scope = testing::scope();
/// HTTP.start("GET", "/orders/{id}").end(404);
/// drop(HTTP.start("PURGE", ""));
/// let labels = [
///     ("http.request.method", "GET"),
///     ("url.scheme", "http"),
///     ("http.route", "/orders/{id}"),
///     ("http.response.status_code", "404"),
///     ("error.type", ""),
/// ];
/// scope.assert_value("http.server.request.duration", &labels, 1.0);
/// let labels = [
///     ("http.request.method", "_OTHER"),
///     ("url.scheme", "http"),
///     ("http.route", ""),
///     ("http.response.status_code", ""),
///     ("error.type", "cancelled"),
/// ];
/// scope.assert_value("http.server.request.duration", &labels, 1.0);
/// ```
///
/// An alert at the first response of 500, and until none has come for a minute:
///
/// ```
/// use std::time::Duration;
/// use bellwether::{alert::{AlertState, Rule, series}, bundle::HttpServer, testing};
///
/// static HTTP: HttpServer = HttpServer::new();
///
/// let failed = series("http.server.request.duration").label("error.type", "500");
/// let rule = Rule::new("Failing", failed.increase(Duration::from_secs(60)).above(0.0));
/// # let scope = testing::scope();
/// # let mut alerts = scope.alerts(vec![rule])?;
/// # let mut second = |status: u16| {
/// #     HTTP.start("GET", "/orders/{id}").end(status);
/// #     scope.advance(Duration::from_secs(1));
/// #     alerts.tick();
/// #     alerts.alerts().iter().any(|alert| alert.state() == AlertState::Firing)
/// # };
/// # assert!(!second(200) && !second(404) && second(500) && second(200));
/// # assert!((0..60).any(|_| !second(200)), "it is over when a minute has passed");
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Debug)]
pub struct HttpServer {
    scheme: Scheme,
    pub(super) exchanges: Exchanges<Served<'static>>,
    active: UpDownCounter<BeingServed>,
}

/// The requests that a client sends.
///
/// Records `http.client.request.duration` and, if they are given, the sizes
/// `http.client.request.body.size` and `http.client.response.body.size`, by `http.request.method`,
/// `server.address`, `server.port`, `http.response.status_code` and `error.type`.
/// `http.client.active_requests` are those in flight.
///
/// # What to alert on
///
/// A service that ours depends on fails: responses of 5xx, and requests without a response.
///
/// ```promql
/// sum by (server_address) (rate(http_client_request_duration_seconds_count{error_type!="",
///     http_response_status_code!~"4.."}[5m]))
///   / sum by (server_address) (rate(http_client_request_duration_seconds_count[5m])) > 0.05
/// ```
///
/// It is slow, or more and more requests wait for a response:
///
/// ```promql
/// histogram_quantile(0.99,
///   sum by (le, server_address) (rate(http_client_request_duration_seconds_bucket[5m]))) > 2
///
/// sum by (server_address) (http_client_active_requests) > 50
/// ```
///
/// Requests are refused: responses of 401, 403 and 429 mean that credentials or a quota ran out.
///
/// ```promql
/// sum by (server_address) (rate(
///   http_client_request_duration_seconds_count{http_response_status_code=~"401|403|429"}[5m])) > 0
/// ```
///
/// # Examples
///
/// ```
/// use bellwether::{bundle::{HttpClient, Method}, testing};
///
/// static API: HttpClient = HttpClient::new();
///
/// let scope = testing::scope();
/// let mut request = API.start(Method::Post, "api.example.com", 443);
/// request.set_error("connection_refused");
/// drop(request);
/// let labels = [
///     ("http.request.method", "POST"),
///     ("server.address", "api.example.com"),
///     ("server.port", "443"),
///     ("http.response.status_code", ""),
///     ("error.type", "connection_refused"),
/// ];
/// scope.assert_value("http.client.request.duration", &labels, 1.0);
/// ```
#[derive(Debug)]
pub struct HttpClient {
    exchanges: Exchanges<Sent<'static>>,
    active: UpDownCounter<BeingSent<'static>>,
}

/// A request under way: recorded when it is dropped, with what was set until then.
#[derive(Debug)]
#[must_use = "a request that is dropped without a status was cancelled"]
pub struct HttpRequest<'a> {
    side: Side<'a>,
    method: Method,
    begun: Begun,
    status: Option<u16>,
    error: Option<Cow<'static, str>>,
    request_bytes: Option<u64>,
    response_bytes: Option<u64>,
    _active: Held,
}

/// The method of a request: a closed set, so that unknown methods do not make series.
#[derive(Labels, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[label(name = "http.request.method")]
#[non_exhaustive]
#[expect(missing_docs, reason = "they are their names")]
pub enum Method {
    #[label(name = "CONNECT")]
    Connect,
    #[label(name = "DELETE")]
    Delete,
    #[label(name = "GET")]
    Get,
    #[label(name = "HEAD")]
    Head,
    #[label(name = "OPTIONS")]
    Options,
    #[label(name = "PATCH")]
    Patch,
    #[label(name = "POST")]
    Post,
    #[label(name = "PUT")]
    Put,
    #[label(name = "TRACE")]
    Trace,
    /// Any other method; `_OTHER` as a label.
    #[label(name = "_OTHER")]
    Other,
}

/// The scheme under which a server is reached.
#[derive(Labels, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[label(name = "url.scheme")]
#[expect(clippy::exhaustive_enums, reason = "HTTP has these two")]
pub enum Scheme {
    /// Plain, or behind a proxy that ends TLS.
    Http,
    /// With TLS.
    Https,
}

impl HttpServer {
    /// A server of the scheme `http`, for a static.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            scheme: Scheme::Http,
            exchanges: Exchanges::new([
                ("http.server.request.duration", "Duration of HTTP server requests"),
                ("http.server.request.body.size", "Size of HTTP server request bodies"),
                ("http.server.response.body.size", "Size of HTTP server response bodies"),
            ]),
            active: UpDownCounter::new(
                "http.server.active_requests",
                "HTTP server requests in flight",
            )
            .unit(Unit::new("{request}")),
        }
    }

    /// Sets another scheme.
    #[must_use]
    pub const fn scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// Starts a request that was received: the method by its name, with its case as it was sent, and
    /// the pattern that the router matched (`/orders/{id}`), not the path; empty if none matched.
    pub fn start(
        &self,
        method: impl Into<Method>,
        route: impl Into<Cow<'static, str>>,
    ) -> HttpRequest<'_> {
        let method = method.into();
        context::note_measured();
        let active = self.hold(method);
        HttpRequest::new(Side::Server(self, route.into()), method, active)
    }

    /// Counts a request as in flight: for one that whoever measures it will [`record`](Self::record).
    pub(crate) fn hold(&self, method: Method) -> Held {
        self.active.bind(BeingServed { method, scheme: self.scheme }).hold()
    }

    /// Records a request that is over.
    pub(crate) fn record(&self, route: &str, over: &HttpExchange<'_>) {
        let exchanges: &Exchanges<Served<'_>> = &self.exchanges;
        exchanges.record(over, self.labels(route, over));
    }

    pub(super) fn labels<'a>(&self, route: &'a str, over: &HttpExchange<'a>) -> Served<'a> {
        let (status, error) = (over.status(), over.error_type(500));
        Served { method: over.method, scheme: self.scheme, route, status, error }
    }

    /// How many requests are in flight, in the scope of this thread.
    #[must_use]
    pub fn in_flight(&self) -> i64 {
        let of = |method| self.active.bind(BeingServed { method, scheme: self.scheme }).value();
        Method::ALL.into_iter().map(of).sum()
    }
}

impl Default for HttpServer {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpClient {
    /// A client for a static.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            exchanges: Exchanges::new([
                ("http.client.request.duration", "Duration of HTTP client requests"),
                ("http.client.request.body.size", "Size of HTTP client request bodies"),
                ("http.client.response.body.size", "Size of HTTP client response bodies"),
            ]),
            active: UpDownCounter::new(
                "http.client.active_requests",
                "HTTP client requests in flight",
            )
            .unit(Unit::new("{request}")),
        }
    }

    /// Starts a request to the host `address` at `port`; an empty address, and a port of 0, are not
    /// known and no labels.
    pub fn start(
        &self,
        method: impl Into<Method>,
        address: impl Into<Cow<'static, str>>,
        port: u16,
    ) -> HttpRequest<'_> {
        let (method, address) = (method.into(), address.into());
        let active = self.hold(method, &address, port);
        HttpRequest::new(Side::Client(self, address, port), method, active)
    }

    /// As [`HttpServer::hold`].
    pub(crate) fn hold(&self, method: Method, address: &str, port: u16) -> Held {
        let series: &UpDownCounter<BeingSent<'_>> = &self.active;
        series.bind(BeingSent { method, address, port: Given::port(port) }).hold()
    }

    /// Records a request that is over.
    pub(crate) fn record(&self, address: &str, port: u16, over: &HttpExchange<'_>) {
        let (status, error) = (over.status(), over.error_type(400));
        let labels = Sent { method: over.method, address, port: Given::port(port), status, error };
        let exchanges: &Exchanges<Sent<'_>> = &self.exchanges;
        exchanges.record(over, labels);
    }
}

impl Default for HttpClient {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> HttpRequest<'a> {
    fn new(side: Side<'a>, method: Method, active: Held) -> Self {
        Self {
            side,
            method,
            begun: Begun::now(),
            status: None,
            error: None,
            request_bytes: None,
            response_bytes: None,
            _active: active,
        }
    }

    /// Ends the request with the status of its response.
    pub fn end(mut self, status: u16) {
        self.status = Some(status);
    }

    /// Sets what went wrong, with or without a status: a word from a small set, such as `timeout` or
    /// the name of an error's variant, because each is a series of its own.
    pub fn set_error(&mut self, kind: impl Into<Cow<'static, str>>) {
        self.error = Some(kind.into());
    }

    /// Sets the size of the request's body, as it was transferred.
    pub fn request_size(&mut self, bytes: u64) {
        self.request_bytes = Some(bytes);
    }

    /// Sets the size of the response's body, as it was transferred.
    pub fn response_size(&mut self, bytes: u64) {
        self.response_bytes = Some(bytes);
    }
}

impl Drop for HttpRequest<'_> {
    fn drop(&mut self) {
        let error = match (&self.error, self.status) {
            (Some(kind), _) => Some(&**kind),
            (None, Some(_)) => None,
            (None, None) => Some(self.begun.abandoned().as_str()),
        };
        let over = HttpExchange {
            method: self.method,
            status: self.status,
            error,
            seconds: self.begun.seconds(),
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
        };
        match &self.side {
            Side::Server(server, route) => server.record(route, &over),
            Side::Client(client, address, port) => client.record(address, *port, &over),
        }
    }
}

/// What is recorded of a request that is over.
#[derive(Debug)]
pub(crate) struct HttpExchange<'a> {
    pub(crate) method: Method,
    pub(crate) status: Option<u16>,
    /// What went wrong besides the status.
    pub(crate) error: Option<&'a str>,
    pub(crate) seconds: f64,
    pub(crate) request_bytes: Option<u64>,
    pub(crate) response_bytes: Option<u64>,
}

impl<'a> HttpExchange<'a> {
    fn status(&self) -> Given<'a> {
        self.status.map_or(Given::Nothing, Given::Code)
    }

    /// The label `error.type`, where a status is an error from `errors` on.
    fn error_type(&self, errors: u16) -> Given<'a> {
        match (self.error, self.status) {
            (Some(kind), _) => Given::Text(kind),
            (None, Some(code)) if code >= errors => Given::Code(code),
            (None, _) => Given::Nothing,
        }
    }
}

impl Method {
    const ALL: [Self; 10] = [
        Self::Connect,
        Self::Delete,
        Self::Get,
        Self::Head,
        Self::Options,
        Self::Patch,
        Self::Post,
        Self::Put,
        Self::Trace,
        Self::Other,
    ];

    /// The name; `_OTHER` of any other method.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Trace => "TRACE",
            Self::Other => "_OTHER",
        }
    }
}

/// The case of methods counts (RFC 9110, 9.1): `get` is another method.
impl From<&str> for Method {
    fn from(name: &str) -> Self {
        match name {
            "CONNECT" => Self::Connect,
            "DELETE" => Self::Delete,
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "OPTIONS" => Self::Options,
            "PATCH" => Self::Patch,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "TRACE" => Self::Trace,
            _ => Self::Other,
        }
    }
}

/// The side of the request, and what only this side knows of it.
#[derive(Debug)]
enum Side<'a> {
    /// With the route.
    Server(&'a HttpServer, Cow<'static, str>),
    /// With the address and port.
    Client(&'a HttpClient, Cow<'static, str>, u16),
}

/// The instruments that record each request once.
#[derive(Debug)]
pub(super) struct Exchanges<L> {
    pub(super) duration: Histogram<L>,
    pub(super) request_size: Histogram<L>,
    pub(super) response_size: Histogram<L>,
}

impl<L> Exchanges<L> {
    /// Instruments with these names and descriptions: the duration, and the sizes of requests and
    /// responses.
    const fn new(
        [duration, request_size, response_size]: [(&'static str, &'static str); 3],
    ) -> Self {
        Self {
            duration: Histogram::new(duration.0, duration.1).unit(Unit::Seconds),
            request_size: Histogram::new(request_size.0, request_size.1).unit(Unit::Bytes),
            response_size: Histogram::new(response_size.0, response_size.1).unit(Unit::Bytes),
        }
    }
}

impl<L: Labels + Copy> Exchanges<L> {
    fn record(&self, over: &HttpExchange<'_>, labels: L) {
        self.duration.with(labels).record(over.seconds);
        let sizes =
            [(&self.request_size, over.request_bytes), (&self.response_size, over.response_bytes)];
        for (histogram, bytes) in sizes {
            if let Some(bytes) = bytes {
                histogram.with(labels).record(bytes as f64);
            }
        }
    }
}

#[derive(Labels, Clone, Copy, Debug)]
struct BeingServed {
    #[label(name = "http.request.method")]
    method: Method,
    #[label(name = "url.scheme")]
    scheme: Scheme,
}

#[derive(Labels, Clone, Copy, Debug)]
pub(super) struct Served<'a> {
    #[label(name = "http.request.method")]
    method: Method,
    #[label(name = "url.scheme")]
    scheme: Scheme,
    #[label(name = "http.route")]
    route: &'a str,
    #[label(name = "http.response.status_code")]
    status: Given<'a>,
    #[label(name = "error.type")]
    error: Given<'a>,
}

#[derive(Labels, Clone, Copy, Debug)]
struct BeingSent<'a> {
    #[label(name = "http.request.method")]
    method: Method,
    #[label(name = "server.address")]
    address: &'a str,
    #[label(name = "server.port")]
    port: Given<'a>,
}

#[derive(Labels, Clone, Copy, Debug)]
struct Sent<'a> {
    #[label(name = "http.request.method")]
    method: Method,
    #[label(name = "server.address")]
    address: &'a str,
    #[label(name = "server.port")]
    port: Given<'a>,
    #[label(name = "http.response.status_code")]
    status: Given<'a>,
    #[label(name = "error.type")]
    error: Given<'a>,
}

#[cfg(test)]
mod tests {
    use std::{panic, time::Duration};

    use super::*;
    use crate::{
        label::LabelValue,
        testing::{self, Scope},
    };

    static SERVER: HttpServer = HttpServer::new();
    static CLIENT: HttpClient = HttpClient::new();

    const DURATION: &str = "http.server.request.duration";

    fn served<'a>(route: &'a str, status: &'a str, error: &'a str) -> [(&'a str, &'a str); 5] {
        [
            ("http.request.method", "GET"),
            ("url.scheme", "http"),
            ("http.route", route),
            ("http.response.status_code", status),
            ("error.type", error),
        ]
    }

    fn sum(scope: &Scope, name: &str, labels: &[(&str, &str)]) -> f64 {
        scope.snapshot().value(name, labels).unwrap().as_histogram().unwrap().sum()
    }

    #[test]
    fn a_request_is_recorded_with_its_route_status_time_and_sizes() {
        let scope = testing::scope();
        let mut request = SERVER.start("GET", "/orders");
        let active = [("http.request.method", "GET"), ("url.scheme", "http")];
        scope.assert_value("http.server.active_requests", &active, 1.0);
        request.request_size(100);
        request.response_size(2_000);
        scope.advance(Duration::from_millis(250));
        request.end(200);
        let labels = served("/orders", "200", "");
        scope.assert_value(DURATION, &labels, 1.0);
        assert_eq!(sum(&scope, DURATION, &labels), 0.25);
        assert_eq!(sum(&scope, "http.server.request.body.size", &labels), 100.0);
        assert_eq!(sum(&scope, "http.server.response.body.size", &labels), 2_000.0);
        scope.assert_value("http.server.active_requests", &active, 0.0);
    }

    #[test]
    fn the_error_type_is_the_status_from_500_on_for_a_server_and_from_400_on_for_a_client() {
        let scope = testing::scope();
        for (code, status, of_server, of_client) in
            [(399, "399", "", ""), (404, "404", "", "404"), (503, "503", "503", "503")]
        {
            SERVER.start(Method::Get, "/").end(code);
            CLIENT.start(Method::Get, "db", 80).end(code);
            scope.assert_value(DURATION, &served("/", status, of_server), 1.0);
            let labels = [
                ("http.request.method", "GET"),
                ("server.address", "db"),
                ("server.port", "80"),
                ("http.response.status_code", status),
                ("error.type", of_client),
            ];
            scope.assert_value("http.client.request.duration", &labels, 1.0);
        }
    }

    #[test]
    fn a_panic_and_a_cancelled_future_leave_nothing_in_flight() {
        let scope = testing::scope();
        let panicking = panic::catch_unwind(|| {
            let _request = SERVER.start("GET", "/panic");
            panic::resume_unwind(Box::new(()));
        });
        assert!(panicking.is_err());
        let mut handler = Box::pin(async {
            let request = SERVER.start("GET", "/slow");
            std::future::pending::<()>().await;
            request.end(200);
        });
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(handler.as_mut().poll(&mut context).is_pending());
        assert_eq!(SERVER.in_flight(), 1);
        drop(handler);
        assert_eq!(SERVER.in_flight(), 0);
        scope.assert_value(DURATION, &served("/panic", "", "panic"), 1.0);
        scope.assert_value(DURATION, &served("/slow", "", "cancelled"), 1.0);
    }

    #[test]
    fn an_error_that_was_told_stands_with_its_status_and_without() {
        let scope = testing::scope();
        let mut request = SERVER.start("GET", "/");
        request.set_error("empty_cart");
        request.end(500);
        let mut request = SERVER.start("GET", "/");
        request.set_error("timeout");
        drop(request);
        scope.assert_value(DURATION, &served("/", "500", "empty_cart"), 1.0);
        scope.assert_value(DURATION, &served("/", "", "timeout"), 1.0);
    }

    #[test]
    fn the_figures_of_a_window_follow_from_it() {
        let scope = testing::scope();
        let earlier = scope.snapshot();
        let held = SERVER.start("GET", "/");
        for status in [200, 200, 404, 500] {
            SERVER.start("GET", "/").end(status);
        }
        drop(SERVER.start("GET", "/"));
        CLIENT.start("GET", "db", 80).end(200);
        let sending = CLIENT.start("GET", "db", 80);
        scope.advance(Duration::from_secs(10));
        let window = scope.snapshot().since(&earlier);
        let served = window.requests(DURATION).unwrap();
        assert_eq!((served.count, served.server_errors, served.client_errors), (5, 1, 1));
        assert_eq!((served.errors, served.cancelled, served.in_flight), (1, 1, Some(1)));
        assert_eq!((served.rate(), served.throughput()), (0.5, 0.3));
        let sent = window.requests("http.client.request.duration").unwrap();
        assert_eq!((sent.count, sent.errors, sent.in_flight), (1, 0, Some(1)));
        drop((held, sending));
    }

    #[test]
    fn a_method_is_known_by_its_name_in_capitals() {
        for method in Method::ALL {
            let mut name = String::new();
            LabelValue::visit(&method, &mut |text| name.push_str(text));
            assert_eq!((Method::from(&*name), &*name), (method, method.as_str()));
        }
        assert_eq!(Method::from("get"), Method::Other);
        assert_eq!(Method::from("QUERY\n"), Method::Other);
    }

    #[test]
    fn servers_of_two_schemes_share_their_families() {
        static SECURE: HttpServer = HttpServer::new().scheme(Scheme::Https);
        let scope = testing::scope();
        SERVER.start("GET", "/").end(200);
        SECURE.start("GET", "/").end(200);
        assert_eq!(scope.snapshot().family(DURATION).unwrap().series().len(), 2);
    }
}
