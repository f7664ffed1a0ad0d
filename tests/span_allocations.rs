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
    observe, testing, time,
    trace::{
        self, InSpan as _, SpanRecord, Tracer,
        propagator::{
            B3, Datadog, Jaeger, OtTrace, Propagator as _, Propagators, TraceContext, XRay,
        },
        sampler::{
            self, Adaptive, AlwaysOff, AlwaysOn, ConsistentProbability, IntoSampler, RateLimited,
            Sampler, SpanCondition, TraceIdRatio,
        },
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

fn tracer(sampler: impl IntoSampler) -> Arc<Tracer> {
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

/// Each after the few traces that it samples at first.
#[test]
fn samplers_allocate_nothing_for_what_they_do_not_sample() {
    let _turn = turn();
    let rules = sampler::rules().route("/health", 0.0).when(SpanCondition::has_attribute("a"), 1.0);
    let samplers: [Box<dyn Sampler>; 5] = [
        Box::new(TraceIdRatio::new(1e-15)),
        Box::new(ConsistentProbability::new(1e-15)),
        Box::new(RateLimited::new(1e-6).per_route()),
        Box::new(rules.otherwise(AlwaysOff)),
        Box::new(Adaptive::per_second(1e-6)),
    ];
    for sampler in samplers {
        let shown = format!("{sampler:?}").chars().take(40).collect::<String>();
        let _entered = trace::enter(Some(tracer(sampler)));
        (0..10).for_each(|_| nested());
        let counted = allocations(|| (0..10_000).for_each(|_| nested()));
        assert_eq!(counted, 0, "{shown}");
    }
}

#[test]
fn a_probability_that_is_said_allocates_nothing() {
    let _turn = turn();
    let _entered = trace::enter(Some(tracer(ConsistentProbability::new(1.0))));
    (0..1_000).for_each(|_| nested());
    // A full buffer is handed over, and the sink lets the records go.
    let with_state = allocations(|| (0..10_000).for_each(|_| nested()));
    let _entered = trace::enter(Some(tracer(AlwaysOn)));
    (0..1_000).for_each(|_| nested());
    let without = allocations(|| (0..10_000).for_each(|_| nested()));
    assert!(with_state <= without + 10, "{with_state}, and {without} without a state");
}

#[test]
fn a_span_without_a_tracer_allocates_nothing() {
    let _turn = turn();
    assert_eq!(allocations(|| (0..1_000).for_each(|_| nested())), 0);
}

#[observe]
fn fails(text: &str) -> Result<u8, std::num::ParseIntError> {
    time!("fails.timed", text.parse::<u8>()).and(Ok(text.parse()?))
}

#[observe]
async fn fails_later(text: &str) -> Result<u8, std::num::ParseIntError> {
    std::future::ready(text.parse()).await
}

#[test]
fn an_err_of_a_span_that_is_not_recorded_allocates_nothing() {
    let _turn = turn();
    let fail = || {
        let error = fails("x").unwrap_err();
        let mut task = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::pin::pin!(fails_later("x")).poll(&mut task).is_ready());
        trace::record_error(&error);
        let mut span = bellwether::span("owned").start();
        span.record_error(&error);
        let future = std::pin::pin!(std::future::ready(Err::<(), _>(error)).try_in_span(span));
        assert!(future.poll(&mut task).is_ready());
    };
    let _time_stands_still = testing::scope();
    for (case, tracer) in [("without a tracer", None), ("unsampled", Some(tracer(AlwaysOff)))] {
        let _entered = trace::enter(tracer);
        (0..200).for_each(|_| fail()); // The instruments, and the thread's memory.
        assert_eq!(allocations(|| (0..1_000).for_each(|_| fail())), 0, "{case}");
    }
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
    let spans = 3 * ROUNDS * 5;
    // The fewest of ten tries: on a busy machine the worker takes spans before there are a hundred.
    let counted = (0..10).map(|_| allocations(|| (0..5).for_each(round))).min().unwrap();
    let flushes = 5 * allocations(|| assert!(telemetry.flush(Duration::from_secs(20)).settled));
    let made = counted.saturating_sub(flushes);
    assert!(made < spans / 10, "{counted} less {flushes} for {spans} spans");
    assert!(telemetry.shutdown(Duration::from_secs(20)).totals().delivered >= 10 * spans);
}

const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

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
        let counted = allocations(|| assert!(extract(headers).span().state().is_empty()));
        assert_eq!(counted, 0);
    }
}

#[test]
fn bad_headers_of_other_formats_allocate_nothing() {
    let _turn = turn();
    let all = Propagators::none()
        .with(TraceContext)
        .with(B3::single())
        .with(Jaeger)
        .with(XRay)
        .with(OtTrace)
        .with(Datadog);
    let names = [
        "traceparent",
        "b3",
        "x-b3-traceid",
        "x-b3-spanid",
        "x-b3-sampled",
        "x-b3-flags",
        "uber-trace-id",
        "x-amzn-trace-id",
        "ot-tracer-traceid",
        "ot-tracer-spanid",
        "ot-tracer-sampled",
        "x-datadog-trace-id",
        "x-datadog-parent-id",
        "x-datadog-tags",
    ];
    let (zeros, fields) = ("0".repeat(1 << 20), "a=1;-:,".repeat(1 << 17));
    for value in ["", " ", "\u{e9} ", "0-", ":::", "Root=1-;", &zeros, &fields] {
        let headers = names.map(|name| (name, value));
        let many: Vec<_> = headers.iter().cycle().take(1_000).copied().collect();
        let counted = allocations(|| assert!(all.extract(&many).is_none(), "{value:.20}"));
        assert_eq!(counted, 0, "{value:.20}");
    }
}

#[test]
fn headers_of_80_megabytes_are_refused_in_little_memory() {
    let _turn = turn();
    let value = "key=value,".repeat(819) + "a=";
    let (baggage, state) = (("baggage", value.as_str()), ("tracestate", value.as_str()));
    let headers: Vec<_> = [("traceparent", VALID)]
        .into_iter()
        .chain([baggage, state].into_iter().cycle().take(20_000))
        .collect();
    let before = counting::allocated();
    let context = extract(&headers);
    let allocated = counting::allocated() - before;
    assert!(context.span().is_valid() && context.span().state().is_empty());
    assert!(context.baggage().is_empty());
    assert!(allocated < 64 << 10, "{allocated} bytes");
    // Of what was refused only the report, once a minute, allocates.
    assert_eq!(allocations(|| drop(extract(&headers))), 0);
}
