//! A request is measured once: an observed handler leaves its duration to the layer.

use axum::{Router, extract::Request, middleware, response::Response, routing};
use bellwether::{
    bundle::Queue, context::Outcome, integration::tower::ServerLayer, observe, testing,
    testing::Scope,
};
use bellwether_tower_tests::{SERVED, fetch, get, served};

/// How many values a histogram has, in all of its series.
fn count(scope: &Scope, name: &str) -> u64 {
    let snapshot = scope.snapshot();
    let series = snapshot.family(name).map_or(&[][..], |family| family.series());
    series.iter().filter_map(|one| one.value().as_histogram()).map(|one| one.count()).sum()
}

#[observe(name = "tower.part")]
async fn part() {
    tokio::task::yield_now().await;
}

#[observe(name = "tower.plain")]
fn plain() {}

#[observe(name = "tower.handler")]
async fn handler() -> &'static str {
    part().await;
    plain();
    tokio::task::yield_now().await;
    part().await;
    "done"
}

fn app(handler: routing::MethodRouter) -> Router {
    Router::new().route("/", handler).layer(ServerLayer::axum())
}

#[tokio::test]
async fn an_observed_handler_leaves_its_duration_to_the_layer_and_what_it_calls_does_not() {
    let scope = testing::scope();
    fetch(&app(routing::get(handler)), get("/")).await;
    assert_eq!(count(&scope, "tower.handler.duration"), 0);
    assert_eq!(
        (count(&scope, "tower.part.duration"), count(&scope, "tower.plain.duration")),
        (2, 1)
    );
    scope.assert_value(SERVED, &served("/", "200", ""), 1.0);
    scope.assert_value("tower.handler.active", &[], 0.0);
    let span = scope.span("tower.handler");
    assert_eq!(span.parent_span_id(), Some(scope.span("GET /").context().span_id()));
    assert_eq!(span.outcome(), Outcome::Ok);
}

#[tokio::test]
async fn outside_of_a_layer_the_same_handler_records() {
    let scope = testing::scope();
    handler().await;
    fetch(&Router::new().route("/", routing::get(handler)), get("/")).await;
    assert_eq!(count(&scope, "tower.handler.duration"), 2);
}

#[tokio::test]
async fn a_function_that_is_not_async_is_no_handler() {
    async fn unobserved() {
        plain();
        part().await; // The first observed future: taken for the handler.
        part().await;
        plain();
    }
    let scope = testing::scope();
    fetch(&app(routing::get(unobserved)), get("/")).await;
    assert_eq!(
        (count(&scope, "tower.part.duration"), count(&scope, "tower.plain.duration")),
        (1, 2)
    );
}

#[tokio::test]
async fn where_handlers_are_not_observed_the_layer_may_be_asked_to_leave_all_durations() {
    async fn unobserved() {
        part().await;
    }
    let layer = ServerLayer::axum().keep_handler_durations();
    let app = Router::new().route("/", routing::get(unobserved)).layer(layer);
    let scope = testing::scope();
    fetch(&app, get("/")).await;
    assert_eq!(count(&scope, "tower.part.duration"), 1);
}

#[tokio::test]
async fn a_middleware_that_records_always_leaves_the_request_to_the_handler() {
    #[observe(name = "tower.auth", duration = always)]
    async fn auth() {
        part().await;
    }
    async fn check(request: Request, next: middleware::Next) -> Response {
        auth().await;
        next.run(request).await
    }
    let router = Router::new().route("/", routing::get(handler)).layer(middleware::from_fn(check));
    let app = router.layer(ServerLayer::axum());
    let scope = testing::scope();
    fetch(&app, get("/")).await;
    assert_eq!(count(&scope, "tower.auth.duration"), 1);
    assert_eq!(count(&scope, "tower.handler.duration"), 0);
    assert_eq!(count(&scope, "tower.part.duration"), 3);
}

#[tokio::test]
async fn whoever_asks_for_it_has_both() {
    #[observe(name = "tower.both", duration = always)]
    async fn both() {
        part().await;
    }
    let scope = testing::scope();
    fetch(&app(routing::get(both)), get("/")).await;
    assert_eq!(
        (count(&scope, "tower.both.duration"), count(&scope, "tower.part.duration")),
        (1, 1)
    );
}

#[tokio::test]
async fn a_bundle_within_the_handler_changes_nothing_of_it() {
    static JOBS: Queue = Queue::new("tower.jobs");

    #[observe(name = "tower.takes")]
    async fn takes() {
        for _ in 0..2 {
            let job = JOBS.take(None);
            tokio::task::yield_now().await;
            job.end(Outcome::Ok);
        }
    }
    let scope = testing::scope();
    fetch(&app(routing::get(takes)), get("/")).await;
    assert_eq!(count(&scope, "tower.takes.duration"), 0);
    assert_eq!(count(&scope, "queue.processing.duration"), 2);
}

#[tokio::test]
async fn a_task_that_is_spawned_and_a_thread_afterwards_are_no_part_of_the_request() {
    async fn spawns() {
        tokio::spawn(part()).await.unwrap();
    }
    let scope = testing::scope();
    fetch(&app(routing::get(spawns)), get("/")).await;
    part().await;
    assert_eq!(count(&scope, "tower.part.duration"), 2);
}

#[tokio::test]
async fn requests_that_take_turns_each_have_their_handler() {
    let app = app(routing::get(handler));
    let scope = testing::scope();
    let requests = (0..4).map(|_| async { drop(fetch(&app, get("/")).await) });
    futures_util::future::join_all(requests).await;
    part().await;
    assert_eq!(count(&scope, "tower.handler.duration"), 0);
    assert_eq!(count(&scope, "tower.part.duration"), 9);
}

#[tokio::test]
async fn a_handler_that_panics_or_is_dropped_is_measured_once_too() {
    use futures_util::FutureExt as _;

    #[observe(name = "tower.panics")]
    async fn panics() {
        tokio::task::yield_now().await;
        panic!("expected by the test");
    }
    #[observe(name = "tower.waits")]
    async fn waits() {
        std::future::pending::<()>().await;
    }
    let scope = testing::scope();
    let app_of = app(routing::get(panics));
    let panicked = std::panic::AssertUnwindSafe(fetch(&app_of, get("/"))).catch_unwind().await;
    assert!(panicked.is_err());
    assert!(fetch(&app(routing::get(waits)), get("/")).now_or_never().is_none());
    assert_eq!(count(&scope, "tower.panics.duration"), 0);
    assert_eq!(count(&scope, "tower.waits.duration"), 0);
    scope.assert_value(SERVED, &served("/", "", "panic"), 1.0);
    scope.assert_value(SERVED, &served("/", "", "cancelled"), 1.0);
    for active in ["tower.panics.active", "tower.waits.active"] {
        scope.assert_value(active, &[], 0.0);
    }
    part().await; // Nothing of the request is left on the thread.
    assert_eq!(count(&scope, "tower.part.duration"), 1);
}

#[tokio::test]
async fn what_the_body_observes_is_a_part_of_the_request() {
    use bellwether_tower_tests::{Script, Step};
    use futures_util::FutureExt as _;

    async fn streams() -> http::Response<axum::body::Body> {
        let row = || assert!(in_body().now_or_never().is_some());
        let steps = [Step::Run(row), Step::Data("a")];
        http::Response::new(axum::body::Body::new(Script::new(steps)))
    }
    #[observe(name = "tower.in_body")]
    async fn in_body() {}
    let scope = testing::scope();
    fetch(&app(routing::get(streams)), get("/")).await;
    assert_eq!(count(&scope, "tower.in_body.duration"), 1);
}
