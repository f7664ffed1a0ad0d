//! A layer that measures requests, for those libraries whose users write it themselves: the duration, by
//! method, route, status and scheme, once the response's head is there. It boxes no future.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request},
    http::{Method, StatusCode},
    response::Response,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tower::{Layer, Service};

pub const NAME: &str = "http.server.request.duration";

/// What OpenTelemetry advises, in seconds.
pub const BOUNDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

pub struct Measured<'a> {
    pub method: &'static str,
    pub route: &'a str,
    pub status: StatusCode,
    pub duration: Duration,
}

/// Hands each request that has been answered to a function.
#[derive(Clone)]
pub struct Red<R>(pub R);

#[derive(Clone)]
pub struct RedService<R, S> {
    record: R,
    service: S,
}

impl<R: Clone, S> Layer<S> for Red<R> {
    type Service = RedService<R, S>;

    fn layer(&self, service: S) -> Self::Service {
        RedService { record: self.0.clone(), service }
    }
}

impl<R, S> Service<Request> for RedService<R, S>
where
    R: Fn(&Measured<'_>) + Clone,
    S: Service<Request, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = RedFuture<R, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let start = Instant::now();
        let method = known(request.method());
        let route = request.extensions().get::<MatchedPath>().cloned();
        let inner = self.service.call(request);
        RedFuture { inner, record: self.record.clone(), start, method, route }
    }
}

pin_project_lite::pin_project! {
    pub struct RedFuture<R, F> {
        #[pin]
        inner: F,
        record: R,
        start: Instant,
        method: &'static str,
        route: Option<MatchedPath>,
    }
}

impl<R, F, E> Future for RedFuture<R, F>
where
    R: Fn(&Measured<'_>),
    F: Future<Output = Result<Response, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let result = ready!(this.inner.poll(cx));
        if let Ok(response) = &result {
            let route = this.route.as_ref().map_or("unmatched", MatchedPath::as_str);
            let (status, duration) = (response.status(), this.start.elapsed());
            (this.record)(&Measured { method: this.method, route, status, duration });
        }
        Poll::Ready(result)
    }
}

fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        _ => "_OTHER",
    }
}

/// Records by the facade `metrics`, and returns what its recorder for Prometheus holds.
///
/// Its upkeep, which drains the histograms, runs on a thread every five seconds, as its own server does it.
pub fn by_facade() -> (Red<fn(&Measured<'_>)>, PrometheusHandle) {
    let builder = PrometheusBuilder::new().set_buckets(&BOUNDS).expect("bounds");
    let handle = builder.install_recorder().expect("the first recorder");
    let upkeep = handle.clone();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(5));
            upkeep.run_upkeep();
        }
    });
    (Red(record), handle)
}

fn record(request: &Measured<'_>) {
    let status = match request.status {
        StatusCode::OK => metrics::SharedString::const_str("200"),
        other => other.as_str().to_owned().into(),
    };
    metrics::histogram!(
        NAME,
        "http.request.method" => request.method,
        "http.route" => request.route.to_owned(),
        "http.response.status_code" => status,
        "url.scheme" => "http"
    )
    .record(request.duration);
}

/// Asserts that the recorder counted so many requests.
pub fn assert_counted(handle: &PrometheusHandle, total: u64) {
    handle.run_upkeep();
    let page = handle.render();
    let counts = page.lines().filter(|line| line.starts_with("http_server_request_duration_count"));
    let counts = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    assert_eq!(counts.sum::<u64>(), total, "{page}");
}
