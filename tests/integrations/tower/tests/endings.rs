//! When a request ends: at its last byte, and by everything that keeps it from getting there.

use std::{
    panic::AssertUnwindSafe,
    task::{Context, Poll, Waker},
    time::Duration,
};

use axum::{Router, body::Body, routing};
use bellwether::{
    context::Outcome,
    integration::tower::ServerLayer,
    testing::{self, Scope},
    trace::Status,
};
use bellwether_tower_tests::{SERVED, Script, Step, attribute, get, send, served, service};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tower_layer::Layer as _;
use tower_service::Service;

const SECOND: Duration = Duration::from_secs(1);

fn app(answer: fn() -> Response<Body>) -> Router {
    let handler = move || async move { answer() };
    Router::new().route("/", routing::any(handler)).layer(ServerLayer::axum())
}

fn active(scope: &Scope) -> f64 {
    let labels = [("http.request.method", "GET"), ("url.scheme", "http")];
    scope.value("http.server.active_requests", &labels)
}

fn seconds(scope: &Scope, labels: &[(&str, &str)]) -> f64 {
    let snapshot = scope.snapshot();
    snapshot.value(SERVED, labels).unwrap().as_histogram().unwrap().sum()
}

fn script(steps: impl IntoIterator<Item = Step>) -> Response<Body> {
    Response::new(Body::new(Script::new(steps)))
}

#[tokio::test]
async fn the_time_and_the_span_end_at_the_last_byte() {
    let app = app(|| script([Step::Data("a"), Step::Wait, Step::Data("b")]));
    let scope = testing::scope();
    let mut body = send(&app, get("/")).await.into_body();
    scope.advance(SECOND);
    body.frame().await.unwrap().unwrap();
    body.frame().await.unwrap().unwrap();
    assert_eq!((scope.spans().len(), active(&scope)), (0, 1.0));
    scope.advance(SECOND);
    assert!(body.frame().await.is_none());
    let span = scope.span("GET /");
    assert_eq!(span.duration(), 2 * SECOND);
    assert_eq!((span.outcome(), active(&scope)), (Outcome::Ok, 0.0));
    assert_eq!(attribute(&span, "http.response.body.size"), "2");
    assert_eq!(seconds(&scope, &served("/", "200", "")), 2.0);
    scope.advance(SECOND);
    drop(body);
    assert_eq!(seconds(&scope, &served("/", "200", "")), 2.0);
}

#[tokio::test]
async fn a_body_of_known_length_ends_with_its_last_frame() {
    let declared = app(|| {
        let mut response = script([Step::Data("abc"), Step::Data("de")]);
        response.headers_mut().insert("content-length", HeaderValue::from_static("5"));
        response
    });
    for app in [declared, app(|| Response::new(Body::from("abcde")))] {
        let scope = testing::scope();
        let mut body = send(&app, get("/")).await.into_body();
        let mut n_bytes = 0;
        while n_bytes < 5 {
            assert_eq!(scope.spans().len(), 0);
            n_bytes += body.frame().await.unwrap().unwrap().into_data().unwrap().len();
        }
        assert_eq!(scope.span("GET /").outcome(), Outcome::Ok);
        drop(body);
        scope.assert_value(SERVED, &served("/", "200", ""), 1.0);
    }
}

#[tokio::test]
async fn trailers_end_a_body() {
    let app = app(|| script([Step::Data("a"), Step::Trailers(HeaderMap::new())]));
    let scope = testing::scope();
    let mut body = send(&app, get("/")).await.into_body();
    body.frame().await.unwrap().unwrap();
    assert_eq!(scope.spans().len(), 0);
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(scope.span("GET /").outcome(), Outcome::Ok);
}

#[tokio::test]
async fn a_body_that_is_dropped_halfway_was_cancelled() {
    let app = app(|| script([Step::Data("a"), Step::Data("b")]));
    let scope = testing::scope();
    let mut body = send(&app, get("/")).await.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    drop(send(&app, get("/")).await); // Not even begun.
    assert_eq!(active(&scope), 0.0);
    scope.assert_value(SERVED, &served("/", "200", "cancelled"), 2.0);
    let spans = scope.spans();
    assert!(spans.iter().all(|span| span.outcome() == Outcome::Cancelled));
    assert_eq!(spans[0].status(), &Status::Unset);
    assert_eq!(attribute(&spans[0], "error.type"), "cancelled");
}

#[tokio::test]
async fn a_body_that_never_ends_is_in_flight_until_it_is_dropped() {
    let app = app(|| script((0..100).map(|_| Step::Data("x"))));
    let scope = testing::scope();
    let mut body = send(&app, get("/")).await.into_body();
    for _ in 0..50 {
        body.frame().await.unwrap().unwrap();
    }
    assert_eq!((active(&scope), scope.spans().len()), (1.0, 0));
    drop(body);
    assert_eq!((active(&scope), scope.spans().len()), (0.0, 1));
}

#[tokio::test]
async fn a_body_that_fails_is_an_error_with_its_text() {
    let app = service(|_| Response::new(Script::new([Step::Data("a"), Step::Fail])));
    let mut app = ServerLayer::new().layer(app);
    let scope = testing::scope();
    let body = app.call(get("/")).await.unwrap().into_body();
    assert!(body.collect().await.is_err());
    let kind = "bellwether_tower_tests::Broken";
    scope.assert_value(SERVED, &served("", "200", kind), 1.0);
    let span = scope.span("GET");
    assert_eq!(span.status(), &Status::Error("the pipe is broken".into()));
    assert_eq!(attribute(&span, "error.type"), kind);
}

#[tokio::test]
async fn a_body_that_panics_is_a_panic_and_passed_on() {
    let mut app = ServerLayer::new()
        .layer(service(|_| Response::new(Script::new([Step::Data("a"), Step::Panic]))));
    let scope = testing::scope();
    let mut body = Box::pin(app.call(get("/")).await.unwrap().into_body());
    body.frame().await.unwrap().unwrap();
    assert!(AssertUnwindSafe(body.frame()).catch_unwind().await.is_err());
    scope.assert_value(SERVED, &served("", "200", "panic"), 1.0);
    assert_eq!((scope.span("GET").outcome(), active(&scope)), (Outcome::Panic, 0.0));
    // Polled again, it is what it was: nothing is recorded twice.
    assert!(body.frame().await.is_none());
    drop(body);
    assert_eq!(scope.spans().len(), 1);
    scope.assert_value(SERVED, &served("", "200", "panic"), 1.0);
}

#[tokio::test]
async fn a_handler_that_panics_is_a_panic_and_nothing_stays_in_flight() {
    async fn handler() {
        tokio::task::yield_now().await;
        panic!("expected by the test");
    }
    let app = Router::new().route("/", routing::get(handler)).layer(ServerLayer::axum());
    let scope = testing::scope();
    let mut future = Box::pin(send(&app, get("/")));
    assert!(AssertUnwindSafe(future.as_mut()).catch_unwind().await.is_err());
    assert_eq!(active(&scope), 0.0);
    drop(future);
    scope.assert_value(SERVED, &served("/", "", "panic"), 1.0);
    assert_eq!(scope.span("GET /").outcome(), Outcome::Panic);
    assert!(!bellwether::current().span().is_valid());
}

#[tokio::test]
async fn a_service_that_panics_when_it_is_called_is_a_panic_too() {
    let mut app = ServerLayer::new().layer(service(|_| -> Response<Body> {
        panic!("expected by the test");
    }));
    let scope = testing::scope();
    let call = AssertUnwindSafe(async { app.call(get("/")).await.is_ok() });
    assert!(call.catch_unwind().await.is_err());
    scope.assert_value(SERVED, &served("", "", "panic"), 1.0);
    assert_eq!((scope.span("GET").outcome(), active(&scope)), (Outcome::Panic, 0.0));
}

#[tokio::test]
async fn a_request_that_is_dropped_before_its_response_was_cancelled_within_its_span() {
    struct AtDrop;
    impl Drop for AtDrop {
        fn drop(&mut self) {
            drop(bellwether::span("rollback").enter());
        }
    }
    async fn handler() {
        let _at_drop = AtDrop;
        std::future::pending::<()>().await;
    }
    let app = Router::new().route("/", routing::get(handler)).layer(ServerLayer::axum());
    let scope = testing::scope();
    let mut future = Box::pin(send(&app, get("/")));
    assert!(future.as_mut().now_or_never().is_none());
    scope.advance(SECOND);
    assert_eq!(active(&scope), 1.0);
    drop(future);
    assert_eq!(active(&scope), 0.0);
    assert_eq!(seconds(&scope, &served("/", "", "cancelled")), 1.0);
    let span = scope.span("GET /");
    assert_eq!((span.outcome(), span.status()), (Outcome::Cancelled, &Status::Unset));
    assert_eq!(scope.span("rollback").parent_span_id(), Some(span.context().span_id()));
}

#[tokio::test]
async fn a_future_that_is_never_polled_was_cancelled() {
    let mut app = ServerLayer::new().layer(service(|_| Response::new(Body::empty())));
    let scope = testing::scope();
    drop(app.call(get("/")));
    scope.assert_value(SERVED, &served("", "", "cancelled"), 1.0);
}

#[tokio::test]
async fn what_has_no_body_or_only_events_is_over_at_its_head() {
    let answers: [fn() -> Response<Body>; 6] = [
        || Response::new(Body::empty()),
        || Response::builder().status(101).body(script([Step::Data("x")]).into_body()).unwrap(),
        || Response::builder().status(204).body(script([Step::Data("x")]).into_body()).unwrap(),
        || Response::builder().status(304).body(script([Step::Data("x")]).into_body()).unwrap(),
        || with("content-type", "text/event-stream; charset=utf-8"),
        || with("content-length", "0"),
    ];
    for answer in answers {
        let scope = testing::scope();
        let response = send(&app(answer), get("/")).await;
        let span = scope.span("GET /");
        assert_eq!((span.outcome(), active(&scope)), (Outcome::Ok, 0.0));
        scope.advance(SECOND);
        drop(response);
        let status = attribute(&span, "http.response.status_code");
        assert_eq!(seconds(&scope, &served("/", &status, "")), 0.0);
    }
}

fn with(name: &'static str, value: &'static str) -> Response<Body> {
    let mut response = script([Step::Data("x")]);
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}

#[tokio::test]
async fn head_and_connect_are_over_at_the_head() {
    let mut app = ServerLayer::new()
        .layer(service(|_| Response::new(Script::new([Step::Data("x"), Step::Data("y")]))));
    for method in ["HEAD", "CONNECT"] {
        let scope = testing::scope();
        let request = Request::builder().method(method).uri("/").body(Body::empty()).unwrap();
        drop(app.call(request).await.unwrap());
        assert_eq!(scope.span(method).outcome(), Outcome::Ok, "{method}");
    }
}

#[tokio::test]
async fn a_service_that_fails_is_an_error_without_a_status() {
    let failing = tower::service_fn(|_: Request<Body>| async {
        Err::<Response<Body>, _>(bellwether_tower_tests::Broken)
    });
    let mut app = ServerLayer::new().layer(failing);
    let scope = testing::scope();
    assert!(app.call(get("/")).await.is_err());
    scope.assert_value(SERVED, &served("", "", "bellwether_tower_tests::Broken"), 1.0);
    let span = scope.span("GET");
    assert_eq!(span.status(), &Status::Error("the pipe is broken".into()));
    assert_eq!(span.outcome(), Outcome::Error);
}

/// Is never ready.
#[derive(Clone)]
struct Unready;

impl Service<Request<Body>> for Unready {
    type Response = Response<Body>;
    type Error = &'static str;
    type Future = std::future::Ready<Result<Response<Body>, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Err("closed"))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        std::future::ready(Err("closed"))
    }
}

#[tokio::test]
async fn a_service_that_is_not_ready_has_no_request() {
    let mut app = ServerLayer::new().layer(Unready);
    let scope = testing::scope();
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(app.poll_ready(&mut context), Poll::Ready(Err("closed")));
    assert_eq!((scope.spans().len(), active(&scope)), (0, 0.0));
    assert!(app.clone().call(get("/")).await.is_err());
    scope.assert_value(SERVED, &served("", "", "str"), 1.0);
}

#[tokio::test]
async fn requests_that_take_turns_on_a_thread_keep_apart() {
    async fn handler() {
        for _ in 0..3 {
            tokio::task::yield_now().await;
            drop(bellwether::span("step").enter());
        }
    }
    let app = Router::new().route("/{id}", routing::get(handler)).layer(ServerLayer::axum());
    let scope = testing::scope();
    let requests = (0..8).map(|n| {
        let app = app.clone();
        async move { drop(send(&app, get(&format!("/{n}"))).await) }
    });
    futures_util::future::join_all(requests).await;
    let spans = scope.spans();
    for request in spans.iter().filter(|span| span.name() == "GET /{id}") {
        let id = request.context().span_id();
        let steps = spans.iter().filter(|span| span.parent_span_id() == Some(id)).count();
        assert_eq!(steps, 3);
    }
    scope.assert_value(SERVED, &served("/{id}", "200", ""), 8.0);
}

#[tokio::test]
async fn what_a_body_does_is_below_the_span_of_its_request() {
    let answer = |_| {
        let run = Step::Run(|| drop(bellwether::span("row").enter()));
        Response::new(Script::new([Step::Data("a"), run, Step::Data("b")]))
    };
    let mut app = ServerLayer::new().layer(service(answer));
    let scope = testing::scope();
    let body = app.call(get("/")).await.unwrap().into_body();
    assert_eq!(body.size_hint().exact(), None);
    body.collect().await.unwrap();
    let span = scope.span("GET");
    assert_eq!(scope.span("row").parent_span_id(), Some(span.context().span_id()));
}

#[test]
fn a_request_may_move_between_threads_at_every_poll() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let mut app = ServerLayer::new().layer(service(|_| {
        Response::new(Script::new([Step::Data("a"), Step::Wait, Step::Data("b")]))
    }));
    let before = bellwether::metric::Registry::global().snapshot();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..50)
            .map(|_| tokio::spawn(app.call(get("/moves"))))
            .map(|task| async {
                let body = task.await.unwrap().unwrap().into_body();
                tokio::spawn(body.collect()).await.unwrap().unwrap();
            })
            .collect();
        futures_util::future::join_all(tasks).await;
    });
    let served = bellwether::metric::Registry::global().snapshot().since(&before);
    let served = served.requests(SERVED).unwrap();
    assert!(served.count >= 50, "{}", served.count);
}
