//! What spans and headers allocate: an unsampled span nothing, a sampled one nothing once there is
//! memory that was used before, a text beyond the limits only its beginning, a bad header nothing.

#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

mod counting;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bellwether::{
    export::{Batch, Deadline, ExportResult, Exporter, Route},
    extract,
    label::{KeyValue, Value},
    trace::{
        self, SpanRecord, Tracer,
        sampler::{AlwaysOff, AlwaysOn, Sampler},
    },
};

fn allocations(work: impl FnOnce()) -> u64 {
    let before = counting::allocations();
    work();
    counting::allocations() - before
}

/// One test at a time: telemetry is the process's, and so are the records that are used again.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tracer(sampler: impl Sampler) -> Arc<Tracer> {
    Tracer::builder(|spans: &mut Vec<SpanRecord>| spans.clear()).sampler(sampler).build()
}

fn nested() {
    let outer = bellwether::span("outer").enter();
    outer.set_status(trace::Status::Ok);
    let _inner = bellwether::span("inner").enter();
}

#[test]
fn an_unsampled_span_allocates_nothing() {
    let _turn = turn();
    let _entered = trace::enter(Some(tracer(AlwaysOff)));
    nested(); // The thread's memory.
    let counted = allocations(|| {
        for _ in 0..10_000 {
            nested();
            let scope = bellwether::span("owned").start().enter();
            scope.set_attribute("key", "a text that is longer than one in place");
            scope.set_attribute("array", ["a", "b"]);
            scope.leave().enter().end();
        }
    });
    assert_eq!(counted, 0);
}

#[test]
fn a_span_without_a_tracer_allocates_nothing() {
    let _turn = turn();
    assert_eq!(allocations(|| (0..1_000).for_each(|_| nested())), 0);
}

struct Nowhere;

impl Exporter<SpanRecord> for Nowhere {
    fn export(&mut self, _: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        Ok(())
    }
}

fn with_content(n: i64, user: &str) {
    let span = bellwether::span("outer").root().attribute("route", "/orders").enter();
    span.set_attribute("n", n);
    span.set_attribute("user", user);
    span.set_attribute("is", n % 2 == 0);
    span.set_attribute("long", Value::from_static("a text that is longer than one in place"));
    span.set_attribute("wide", u64::MAX);
    span.add_event("begun", []);
    span.add_event("tried", [KeyValue::new("user", user), KeyValue::new("attempt", n)]);
    span.add_link(span.context(), [KeyValue::new("why", "batch")]);
    nested();
}

/// Spans with attributes, events and links, all the way through a queue. A hand-over takes some
/// allocations for about a hundred spans; the spans themselves take none.
#[test]
fn a_sampled_span_with_content_allocates_nothing_once_there_is_memory() {
    let _turn = turn();
    const ROUNDS: u64 = 256;
    let user = "ann.smith@shop.example".to_owned();
    let telemetry = bellwether::builder("spans").export(Route::new(Nowhere)).start().unwrap();
    let round = |_| {
        for n in 0..ROUNDS as i64 {
            with_content(n, &user);
        }
        // So that the worker is done with them, and gives the memory back.
        assert!(telemetry.flush(Duration::from_secs(20)).settled);
    };
    (0..20).for_each(round);
    let spans = 3 * ROUNDS * 50;
    let counted = allocations(|| (0..50).for_each(round));
    let flushes = 50 * allocations(|| assert!(telemetry.flush(Duration::from_secs(20)).settled));
    assert!(counted - flushes < spans / 10, "{counted} less {flushes} for {spans} spans");
    assert!(telemetry.shutdown(Duration::from_secs(20)).totals().delivered >= spans);
}

#[test]
fn a_text_of_ten_megabytes_is_never_copied_whole() {
    let _turn = turn();
    let _entered = trace::enter(Some(tracer(AlwaysOn)));
    let long = "x".repeat(10 << 20);
    let texts = [&*long, &*long];
    with_content(0, "ann"); // The thread's memory.
    let before = counting::live_of_thread();
    counting::largest();
    let span = bellwether::span("long").enter();
    span.set_attribute("text", &long);
    span.set_attribute("texts", texts);
    span.add_event("e", [KeyValue::new("text", &long)]);
    span.add_link(span.context(), [KeyValue::new("text", &long)]);
    assert!(counting::largest() <= 64 << 10);
    let kept = counting::live_of_thread() - before;
    assert!(kept < 8 << 10, "{kept}");
}

#[test]
fn bad_headers_allocate_nothing() {
    let _turn = turn();
    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let long = "0".repeat(1 << 20);
    let members = "a=1,".repeat(1 << 18);
    let bad: [&[(&str, &str)]; 8] = [
        &[],
        &[("traceparent", "")],
        &[("traceparent", "garbage")],
        &[("traceparent", &long)],
        &[("traceparent", VALID), ("traceparent", VALID)],
        &[("traceparent", VALID), ("tracestate", &long)],
        &[("traceparent", VALID), ("tracestate", &members)],
        &[("traceparent", VALID), ("tracestate", "a=1"), ("tracestate", "B=1")],
    ];
    for headers in bad {
        let counted = allocations(|| assert!(extract(headers).state().is_empty()));
        assert_eq!(counted, 0);
    }
}
