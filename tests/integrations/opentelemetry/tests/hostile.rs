//! Whatever is recorded by the API: nothing panics, memory is bounded, and what is left out is counted.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rule is the library's own"
)]

use std::time::{Duration, SystemTime};

use bellwether::{
    integration::opentelemetry::{OtelMeterProvider, tracer_provider},
    label::KeyValue as OurKeyValue,
    metric::{Kind, Registry},
    testing,
    trace::{SpanLimits, Status as OurStatus},
};
use opentelemetry::{
    InstrumentationScope, KeyValue, StringValue, Value,
    metrics::MeterProvider as _,
    trace::{
        Event, Link, Span as _, SpanContext, SpanId, Status, TraceContextExt as _, TraceFlags,
        TraceId, TraceState, Tracer as _, TracerProvider as _, mark_span_as_active,
    },
};

fn link() -> SpanContext {
    let (trace, span) = (TraceId::from(1), SpanId::from(2));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE)
}

#[test]
fn ten_megabytes_are_cut() {
    let scope = testing::scope();
    let huge = "x".repeat(10 << 20);
    let tracer = tracer_provider().tracer(huge.clone());
    let list: Vec<StringValue> = vec![huge.clone().into(); 3];
    let mut span = tracer
        .span_builder(huge.clone())
        .with_attributes([
            KeyValue::new("text", huge.clone()),
            KeyValue::new(huge.clone(), 1),
            KeyValue::new("list", Value::Array(list.into())),
        ])
        .with_events(vec![Event::new(huge.clone(), SystemTime::now(), vec![], 0)])
        .with_links(vec![Link::new(link(), vec![KeyValue::new("text", huge.clone())], 0)])
        .start(&tracer);
    span.set_attribute(KeyValue::new("later", huge.clone()));
    span.set_status(Status::error(huge.clone()));
    span.end();

    let spans = scope.spans();
    let record = &spans[0];
    assert!(format!("{record:?}").len() < 2 << 20);
    assert!(record.truncated_texts() >= 6, "{}", record.truncated_texts());
    assert!(matches!(record.status(), OurStatus::Error(text) if text.len() < 1 << 20));
}

#[test]
fn a_hundred_thousand_of_each_are_limited_and_counted() {
    let scope = testing::scope();
    let many = || (0..100_000_i64).map(|n| KeyValue::new(format!("k{n}"), n)).collect::<Vec<_>>();
    let linked = |attributes| Link::new(link(), attributes, 0);
    let tracer = tracer_provider().tracer("");
    let mut span = tracer
        .span_builder("s")
        .with_attributes(many())
        .with_links([vec![many()], vec![vec![]; 299]].concat().into_iter().map(linked).collect())
        .start(&tracer);
    for _ in 0..300 {
        span.add_event("e", vec![KeyValue::new("k", 1)]);
    }
    span.add_event("beyond", many());
    span.end();
    let (record, limits) = (scope.span("s"), SpanLimits::DEFAULT);
    assert_eq!(record.attributes().len(), limits.attributes as usize);
    assert_eq!(record.dropped_attributes(), 100_000 - limits.attributes);
    assert_eq!(record.events().len(), limits.events as usize);
    assert_eq!(record.dropped_events(), 301 - limits.events);
    assert_eq!(record.links().len(), limits.links as usize);
    assert_eq!(record.dropped_links(), 300 - limits.links);
    let link = &record.links()[0];
    assert_eq!(link.dropped_attributes(), 100_000 - limits.link_attributes);
}

#[test]
fn times_out_of_every_range_are_kept_in_order() {
    let scope = testing::scope();
    let tracer = tracer_provider().tracer("");
    let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1 << 30);
    for (start, end) in [(far, before), (before, far), (before, before)] {
        let mut span = tracer.span_builder("s").with_start_time(start).start(&tracer);
        span.add_event_with_timestamp("e", before, vec![]);
        span.end_with_timestamp(end);
    }
    for span in scope.spans() {
        assert!(span.end() >= span.start() && span.events()[0].at() >= span.start());
    }
    assert_eq!(scope.spans().len(), 3);
}

#[test]
fn a_span_that_is_dropped_while_it_is_active_ends_and_is_no_longer_current() {
    let scope = testing::scope();
    let guard = mark_span_as_active(tracer_provider().tracer("").start("active"));
    let context = opentelemetry::Context::current();
    context.span().end();
    assert!(!context.span().is_recording());
    context.span().set_attribute(KeyValue::new("late", 1));
    context.span().end();
    drop(bellwether::span("child").enter());
    drop((guard, context));
    assert_eq!(scope.spans().len(), 2);
    let (parent, child) = (scope.span("active"), scope.span("child"));
    assert_eq!(child.parent_span_id(), Some(parent.span_id()));
    assert!(parent.attributes().is_empty());
    assert!(!bellwether::current().span().is_valid());
}

#[test]
fn numbers_that_are_none_are_left_out_of_sums() {
    let registry = Registry::new();
    let meter = OtelMeterProvider::new(&registry).meter("");
    let (counter, gauge) = (meter.f64_counter("c").build(), meter.f64_gauge("g").build());
    let (sum, histogram) =
        (meter.f64_up_down_counter("s").build(), meter.f64_histogram("h").build());
    gauge.record(7.0, &[]);
    for odd in [f64::NAN, f64::INFINITY, -f64::INFINITY, 1.0] {
        counter.add(odd, &[]);
        sum.add(odd, &[]);
        histogram.record(odd, &[]);
    }
    counter.add(-1.0, &[]);
    let snapshot = registry.snapshot();
    let value = |name| snapshot.value(name, &[]).unwrap().as_f64();
    assert_eq!((value("c"), value("s"), value("g")), (1.0, 1.0, 7.0));
    let histogram = snapshot.value("h", &[]).unwrap().as_histogram().unwrap().clone();
    assert!(histogram.sum().is_finite(), "{}", histogram.sum());
}

#[test]
fn attribute_sets_of_any_size_are_recorded_somewhere() {
    let registry = Registry::new();
    let scope = InstrumentationScope::builder("x".repeat(10 << 20))
        .with_attributes((0..1_000).map(|n| KeyValue::new(format!("s{n}"), n)))
        .build();
    let meter = OtelMeterProvider::new(&registry).meter_with_scope(scope);
    let counter = meter.u64_counter("c").build();
    let many: Vec<_> = (0..100_000_i64).map(|n| KeyValue::new(format!("k{n}"), n)).collect();
    for attributes in [
        &many[..],
        &[KeyValue::new("text", "x".repeat(10 << 20))],
        &[KeyValue::new("k".repeat(10 << 20), 1)],
        &[KeyValue::new("", ""), KeyValue::new("\0", "\n")],
        &[KeyValue::new("f", f64::NAN)],
        &[KeyValue::new("f", f64::NAN)],
    ] {
        counter.add(1, attributes);
    }
    let snapshot = registry.snapshot();
    let family = snapshot.family("c").unwrap();
    let sum: f64 = family.series().iter().map(|series| series.value().as_f64()).sum();
    assert_eq!(sum, 6.0);
    assert!(format!("{family:?}").len() < 1 << 20);
}

#[test]
fn instruments_without_end_are_limited() {
    let registry = Registry::new();
    let meter = OtelMeterProvider::new(&registry).meter("");
    for n in 0..10_000 {
        meter.u64_counter(format!("c{n}")).build().add(1, &[]);
        meter.u64_observable_gauge(format!("g{n}")).with_callback(|to| to.observe(1, &[])).build();
    }
    let snapshot = registry.snapshot();
    let n_families = |kind| snapshot.families().iter().filter(|of| of.kind() == kind).count();
    assert_eq!((n_families(Kind::Counter), n_families(Kind::Gauge)), (4_096, 4_096));
}

#[test]
fn attributes_that_start_spans_and_panics_in_them_harm_nothing() {
    let scope = testing::scope();
    let tracer = tracer_provider().tracer("");
    let guard = mark_span_as_active(tracer.start("outer"));
    let context = opentelemetry::Context::current();
    context.span().set_attributes((0..3).map(|n| {
        tracer.start("inside").end();
        KeyValue::new(format!("k{n}"), n)
    }));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        context.span().set_attributes((0..3).map(|n| {
            assert!(n < 1, "on purpose");
            KeyValue::new("before", n)
        }));
    }));
    assert!(panicked.is_err());
    drop((guard, context));
    let outer = scope.span("outer");
    assert!(outer.attributes().contains(&OurKeyValue::new("k2", 2)));
    assert_eq!(scope.spans().len(), 4);
}
