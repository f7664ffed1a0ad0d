//! Wide events from a user's side: what of a request comes in one record, and when.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bellwether::{
    Builder, Telemetry,
    context::Outcome,
    export::Memory,
    label::Value,
    log::{LogFilter, LogOptions, LogRecord, LogSeverity},
    span,
    trace::{SpanRecord, sampler::AlwaysOff},
};

/// Telemetry is the process's: these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

const PATIENCE: Duration = Duration::from_secs(20);

fn start(builder: Builder) -> (Telemetry, Memory<LogRecord>) {
    let logs = Memory::new();
    (builder.wide_events().export(logs.clone()).start().unwrap(), logs)
}

fn attribute(event: &LogRecord, key: &str) -> Option<Value> {
    event.attributes().iter().find(|of| of.key == key).map(|of| of.value.clone())
}

/// A request with work on its own thread and on another one.
fn serve(fails: bool) -> bellwether::context::SpanContext {
    let request = span("GET /cart").enter();
    request.set_attribute("cart", 7);
    request.set_attribute("secret", "x");
    let context = request.context().clone();
    span("db.query").enter().end();
    let parent = bellwether::current();
    std::thread::scope(|scope| {
        scope.spawn(move || span("db.query").parent(parent).enter().end());
    });
    if fails {
        request.set_outcome(Outcome::Error);
    }
    request.end();
    context.into()
}

#[test]
fn each_request_is_one_record_of_its_whole_trace_whatever_the_filter_says() {
    let _turn = turn();
    let builder = bellwether::builder("shop")
        .logs(LogOptions::new().filter(LogFilter::off()))
        .span_processor(|spans: &mut Vec<SpanRecord>| {
            for span in spans {
                span.attributes_mut().retain(|attribute| attribute.key != "secret");
            }
        });
    let (telemetry, logs) = start(builder);
    let contexts = [serve(false), serve(true)];
    let caller = bellwether::extract(&[(
        "traceparent",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )]);
    span("remote").parent(caller).enter().end();
    assert!(telemetry.flush(PATIENCE).settled);
    let events = logs.take();
    let [ok, failed, remote] = events.as_slice() else { panic!("{events:?}") };
    for (event, context) in events.iter().zip(&contexts) {
        assert_eq!((event.body(), event.target()), (&"GET /cart".into(), "wide_event"));
        assert_eq!(event.trace_id(), Some(context.trace_id()));
        assert_eq!(event.span_id(), Some(context.span_id()));
        assert_eq!(attribute(event, "cart"), Some(7.into()));
        assert_eq!(attribute(event, "secret"), None);
        assert_eq!(attribute(event, "db.query.count"), Some(2.into()));
        assert!(matches!(attribute(event, "db.query.duration_ms"), Some(Value::F64(_))));
    }
    let of = |event: &LogRecord| (event.severity(), attribute(event, "outcome").unwrap());
    assert_eq!(of(ok), (LogSeverity::INFO, "ok".into()));
    assert_eq!(of(failed), (LogSeverity::ERROR, "error".into()));
    assert_eq!((remote.body(), remote.attributes().len()), (&"remote".into(), 3));
    telemetry.shutdown(PATIENCE);
}

#[test]
fn events_come_by_themselves_and_the_last_ones_at_shutdown() {
    let _turn = turn();
    let (telemetry, logs) = start(bellwether::builder("shop").tick(Duration::from_millis(5)));
    serve(false);
    while logs.is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(logs.take().len(), 1);
    serve(false);
    let report = telemetry.shutdown(PATIENCE);
    assert_eq!((logs.take().len(), report.totals().delivered), (1, 2));
}

#[test]
fn without_sampling_or_logs_there_are_none() {
    let _turn = turn();
    let (telemetry, logs) = start(bellwether::builder("shop").sampler(AlwaysOff));
    serve(false);
    telemetry.shutdown(PATIENCE);
    assert!(logs.is_empty());
    let spans = Memory::<SpanRecord>::new();
    let builder = bellwether::builder("shop").wide_events().export(spans.clone());
    let telemetry = builder.start().unwrap();
    serve(false);
    telemetry.shutdown(PATIENCE);
    assert_eq!(spans.len(), 3);
}
