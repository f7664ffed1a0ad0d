//! An operation is measured once: an observed function leaves its duration to the bundle that measures
//! the same operation.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use bellwether::{
    bundle::{Cache, ConnectionPool, Database, HttpClient, HttpServer, Queue},
    context::Outcome,
    metric::{Registry, Snapshot},
    observe,
    observe::Operation,
    testing, time,
    trace::sampler::AlwaysOff,
};

mod twin;

static HTTP: HttpServer = HttpServer::new();
static JOBS: Queue = Queue::new("once.jobs");

const REQUESTS: &str = "http.server.request.duration";
const MESSAGES: &str = "queue.processing.duration";

/// How many values a histogram has, in all of its series.
fn count(snapshot: &Snapshot, name: &str) -> u64 {
    let series = snapshot.family(name).map_or(&[][..], |family| family.series());
    let histograms = series.iter().filter_map(|series| series.value().as_histogram());
    histograms.map(|histogram| histogram.count()).sum()
}

/// Asserts how many values each of these histograms has.
#[track_caller]
fn assert_counts(scope: &testing::Scope, expected: &[(&str, u64)]) {
    let snapshot = scope.snapshot();
    for (name, n) in expected {
        assert_eq!(count(&snapshot, name), *n, "{name}");
    }
}

/// Waits for one more poll.
async fn turn() {
    let mut waited = false;
    poll_fn(|_| match std::mem::replace(&mut waited, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

fn poll<T>(future: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn finish<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = poll(future.as_mut()) {
            return value;
        }
    }
}

fn serve() {
    HTTP.start("GET", "/").end(200);
}

#[observe(name = "once.handler")]
async fn handler() -> Result<(), u8> {
    let request = HTTP.start("GET", "/");
    turn().await;
    assert_eq!((ACTIVE.active(), HTTP.in_flight()), (1, 1));
    request.end(500);
    Err(7)
}

/// The same instruments, to look at them.
static ACTIVE: Operation =
    Operation::new("once.handler", "once.handler.duration", "once.handler.active");

#[test]
fn a_request_in_an_observed_handler_is_measured_by_the_bundle_alone() {
    let scope = testing::scope();
    assert!(finish(handler()).is_err());
    assert_counts(&scope, &[("once.handler.duration", 0), (REQUESTS, 1)]);
    scope.assert_value("once.handler.active", &[], 0.0);
    assert_eq!(scope.span("once.handler").outcome(), Outcome::Error);
}

#[test]
fn a_function_that_is_not_async_leaves_its_duration_to_the_bundle_too() {
    #[observe(name = "once.plain")]
    fn plain() {
        serve();
    }
    let scope = testing::scope();
    plain();
    assert_counts(&scope, &[("once.plain.duration", 0), (REQUESTS, 1)]);
    scope.assert_value("once.plain.active", &[], 0.0);
    assert_eq!(scope.spans().len(), 1);
}

#[test]
fn a_message_is_measured_by_its_queue_alone() {
    #[observe(name = "once.leave")]
    fn leave() {
        JOBS.enter().leave().end(Outcome::Ok);
    }
    #[observe(name = "once.take")]
    fn take() {
        JOBS.take(None).end(Outcome::Ok);
    }
    #[observe(name = "once.produce")]
    fn produce() {
        drop(JOBS.enter());
    }
    let scope = testing::scope();
    leave();
    take();
    produce();
    let expected = [("once.leave.duration", 0), ("once.take.duration", 0), (MESSAGES, 2)];
    assert_counts(&scope, &expected);
    assert_counts(&scope, &[("once.produce.duration", 1)]);
}

#[test]
fn whoever_asks_for_it_has_both() {
    #[observe(name = "once.both", duration = always)]
    fn both() {
        serve();
    }
    #[observe(name = "once.both.async", duration = always)]
    async fn both_async() {
        turn().await;
        serve();
    }
    #[observe(name = "once.said", duration = once)]
    fn said() {
        serve();
    }
    let scope = testing::scope();
    both();
    finish(both_async());
    said();
    time!("once.timed", serve());
    let timer = ACTIVE.start();
    serve();
    drop(timer);
    let expected = [
        ("once.both.duration", 1),
        ("once.both.async.duration", 1),
        ("once.said.duration", 0),
        ("once.timed.duration", 1),
        ("once.handler.duration", 1),
        (REQUESTS, 5),
    ];
    assert_counts(&scope, &expected);
}

#[test]
fn what_an_operation_only_uses_does_not_measure_it() {
    static CLIENT: HttpClient = HttpClient::new();
    static DATABASE: Database = Database::new("postgresql", "once");
    static CACHE: Cache = Cache::new("once");
    static POOL: ConnectionPool = ConnectionPool::new("once");

    #[observe(name = "once.uses")]
    fn uses() {
        CLIENT.start("GET", "example.com", 443).end(200);
        DATABASE.call("SELECT").ok();
        CACHE.lookup().hit();
        drop(POOL.wait().acquired());
    }
    let scope = testing::scope();
    uses();
    let expected = [("once.uses.duration", 1), ("http.client.request.duration", 1)];
    assert_counts(&scope, &expected);
}

#[test]
fn a_batch_is_an_operation_besides_its_messages() {
    #[observe(name = "once.batch")]
    async fn batch(n: usize) {
        for _ in 0..n {
            let message = JOBS.take(None);
            turn().await;
            message.end(Outcome::Ok);
        }
    }
    let scope = testing::scope();
    finish(batch(0));
    finish(batch(2));
    finish(batch(3));
    assert_counts(&scope, &[("once.batch.duration", 3), (MESSAGES, 5)]);
    finish(batch(1));
    assert_counts(&scope, &[("once.batch.duration", 3), (MESSAGES, 6)]);
}

#[test]
fn a_bundle_measures_the_innermost_operation_alone() {
    #[observe(name = "once.outer")]
    async fn outer() {
        inner().await;
        twin();
    }
    #[observe(name = "once.inner")]
    async fn inner() {
        turn().await;
        serve();
    }
    #[observe(name = "once.twin")]
    fn twin() {
        serve();
    }
    let scope = testing::scope();
    finish(outer());
    let expected = [
        ("once.outer.duration", 1),
        ("once.inner.duration", 0),
        ("once.twin.duration", 0),
        (REQUESTS, 2),
    ];
    assert_counts(&scope, &expected);
}

#[test]
fn an_operation_that_was_measured_stays_so_after_others_in_it() {
    #[observe(name = "once.first")]
    async fn first() {
        serve();
        within();
        finish(within_async());
        turn().await;
    }
    #[observe(name = "once.within")]
    fn within() {}
    #[observe(name = "once.within.async")]
    async fn within_async() {
        turn().await;
    }
    let scope = testing::scope();
    finish(first());
    let expected = [
        ("once.first.duration", 0),
        ("once.within.duration", 1),
        ("once.within.async.duration", 1),
    ];
    assert_counts(&scope, &expected);
}

#[test]
fn each_level_of_a_recursion_is_an_operation() {
    #[observe(name = "once.levels")]
    fn levels(n: u32) {
        if n.is_multiple_of(3) {
            serve();
        }
        if n > 0 {
            levels(n - 1);
        }
    }
    let scope = testing::scope();
    levels(9); // 9, 6, 3 and 0 serve.
    assert_counts(&scope, &[("once.levels.duration", 6), (REQUESTS, 4)]);
}

#[test]
fn a_future_that_is_dropped_was_measured_by_the_bundle_if_that_had_begun() {
    #[observe(name = "once.dropped")]
    async fn dropped() {
        turn().await;
        let _request = HTTP.start("GET", "/");
        turn().await;
    }
    let scope = testing::scope();
    let cancelled = [("outcome", "cancelled")];
    for (n_polls, of_function, of_bundle) in [(0, 0, 0), (1, 1, 0), (2, 1, 1)] {
        let mut future = Box::pin(dropped());
        (0..n_polls).for_each(|_| assert!(poll(future.as_mut()).is_pending()));
        drop(future);
        assert_counts(&scope, &[("once.dropped.duration", of_function), (REQUESTS, of_bundle)]);
    }
    scope.assert_value("once.dropped.duration", &cancelled, 1.0);
    scope.assert_value("once.dropped.active", &[], 0.0);
    assert_eq!(scope.spans().len(), 2);
}

#[test]
fn a_bundle_that_begins_while_a_future_is_dropped_measures_that() {
    struct Serves;
    impl Drop for Serves {
        fn drop(&mut self) {
            serve();
        }
    }
    #[observe(name = "once.at_drop")]
    async fn at_drop() {
        let _serves = Serves;
        turn().await;
    }
    #[observe(name = "once.around_drop")]
    fn around_drop() {
        assert!(poll(pin!(at_drop())).is_pending());
    }
    let scope = testing::scope();
    around_drop();
    let expected = [("once.at_drop.duration", 0), ("once.around_drop.duration", 1), (REQUESTS, 1)];
    assert_counts(&scope, &expected);
}

#[test]
fn futures_that_take_turns_on_a_thread_are_told_apart() {
    #[observe(name = "once.serves")]
    async fn serves() {
        let request = HTTP.start("GET", "/");
        turn().await;
        request.end(200);
    }
    #[observe(name = "once.waits")]
    async fn waits() {
        turn().await;
        turn().await;
    }
    let scope = testing::scope();
    let mut futures: Vec<Pin<Box<dyn Future<Output = ()>>>> =
        vec![Box::pin(waits()), Box::pin(serves()), Box::pin(waits()), Box::pin(serves())];
    while !futures.is_empty() {
        futures.retain_mut(|future| poll(future.as_mut()).is_pending());
    }
    let expected = [("once.serves.duration", 0), ("once.waits.duration", 2), (REQUESTS, 2)];
    assert_counts(&scope, &expected);
}

#[test]
fn a_future_takes_along_to_another_thread_that_it_was_measured() {
    #[observe(name = "once.moves")]
    async fn moves() {
        let request = HTTP.start("GET", "/moves");
        turn().await;
        request.end(200);
    }
    #[observe(name = "once.stays")]
    async fn stays() {
        turn().await;
    }
    let mut futures: Vec<Pin<Box<dyn Future<Output = ()> + Send + Sync>>> =
        vec![Box::pin(moves()), Box::pin(stays())];
    futures.iter_mut().for_each(|future| assert!(poll(future.as_mut()).is_pending()));
    let moved = thread::spawn(move || futures.into_iter().for_each(finish));
    assert!(moved.join().is_ok());
    let snapshot = Registry::global().snapshot();
    assert_eq!(count(&snapshot, "once.moves.duration"), 0);
    assert_eq!(count(&snapshot, "once.stays.duration"), 1);
}

#[test]
fn a_panic_leaves_the_duration_to_the_bundle_and_the_thread_as_it_was() {
    #[observe(name = "once.panics")]
    fn panics() {
        let _request = HTTP.start("GET", "/");
        panic!("expected by the test");
    }
    #[observe(name = "once.panics.async")]
    async fn panics_async() {
        turn().await;
        let _request = HTTP.start("GET", "/");
        panic!("expected by the test");
    }
    #[observe(name = "once.catches")]
    fn catches(call: fn()) {
        let caught: Result<(), Box<dyn Any + Send>> = catch_unwind(AssertUnwindSafe(call));
        assert!(caught.is_err());
    }
    let scope = testing::scope();
    catches(panics);
    catches(|| finish(panics_async()));
    let expected = [
        ("once.panics.duration", 0),
        ("once.panics.async.duration", 0),
        ("once.catches.duration", 2),
        (REQUESTS, 2),
    ];
    assert_counts(&scope, &expected);
    assert_eq!(scope.span("once.panics").outcome(), Outcome::Panic);
}

#[test]
fn a_function_that_returns_a_future_is_one_operation_with_it() {
    #[observe(name = "once.returns")]
    fn returns(early: bool, late: bool) -> Pin<Box<dyn Future<Output = ()>>> {
        if early {
            serve();
        }
        Box::pin(async move {
            turn().await;
            if late {
                serve();
            }
        })
    }
    #[observe(name = "once.follows")]
    fn follows(early: bool) -> impl Future<Output = ()> {
        if early {
            serve();
        }
        turn()
    }
    let scope = testing::scope();
    finish(returns(true, false));
    finish(returns(false, true));
    assert_counts(&scope, &[("once.returns.duration", 0), (REQUESTS, 2)]);
    finish(returns(true, true));
    finish(returns(false, false));
    assert_counts(&scope, &[("once.returns.duration", 2), (REQUESTS, 4)]);
    drop(returns(true, false));
    assert_counts(&scope, &[("once.returns.duration", 2), (REQUESTS, 5)]);
    finish(follows(true));
    finish(follows(false));
    assert_counts(&scope, &[("once.follows.duration", 1), (REQUESTS, 6)]);
}

#[test]
fn each_operation_is_in_one_histogram_started_or_not_and_sampled_or_not() {
    #[observe(name = "once.exact")]
    async fn exact(serves: bool) {
        turn().await;
        if serves {
            HTTP.start("GET", "/exact").end(200);
        }
    }
    let mut expected = 0;
    let mut run = || {
        for serves in [false, true, false] {
            finish(exact(serves));
            expected += u64::from(!serves);
            assert_eq!(count(&Registry::global().snapshot(), "once.exact.duration"), expected);
        }
    };
    run();
    for builder in [
        bellwether::builder("once"),
        bellwether::builder("once").sampler(AlwaysOff),
        bellwether::builder("once").disabled(),
    ] {
        let telemetry = builder.start();
        assert!(telemetry.is_ok());
        run();
        drop(telemetry.map(|telemetry| telemetry.shutdown(Duration::from_secs(5))));
    }
    let snapshot = Registry::global().snapshot();
    let family = snapshot.family(REQUESTS);
    let of_route = family.iter().flat_map(|family| family.series()).filter(|series| {
        series.labels().iter().any(|(key, value)| (key, value) == ("http.route", "/exact"))
    });
    let histograms = of_route.filter_map(|series| series.value().as_histogram());
    assert_eq!(histograms.map(|histogram| histogram.count()).sum::<u64>(), 4);
}

#[test]
fn a_function_within_a_request_that_is_under_way_is_a_part_of_it_and_recorded() {
    #[observe(name = "once.part")]
    async fn part() {
        turn().await;
    }
    let scope = testing::scope();
    finish(async {
        let request = HTTP.start("GET", "/");
        part().await;
        request.end(200);
    });
    assert_counts(&scope, &[("once.part.duration", 1), (REQUESTS, 1)]);
}
