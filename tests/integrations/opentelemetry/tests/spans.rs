//! Spans that are started by OpenTelemetry's API are ours.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rule is the library's own"
)]

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use bellwether::{
    clock::Timestamp,
    context::Outcome,
    integration::opentelemetry::{OtelTracer, tracer_provider},
    label::{KeyValue as OurKeyValue, Value as OurValue},
    testing,
    trace::{SpanKind as OurKind, SpanRecord, Status as OurStatus},
};
use opentelemetry::{
    Context, InstrumentationScope, KeyValue,
    trace::{
        Event, Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _,
        TraceFlags, TraceId, TraceState, Tracer as _, TracerProvider as _,
    },
};

fn tracer() -> OtelTracer {
    tracer_provider().tracer("")
}

fn remote(sampled: bool) -> SpanContext {
    let state = TraceState::from_key_value([("rojo", "1")]).unwrap();
    let flags = TraceFlags::default().with_sampled(sampled);
    SpanContext::new(TraceId::from(0xabc), SpanId::from(0xdef), flags, true, state)
}

fn value(record: &SpanRecord, key: &str) -> Option<OurValue> {
    let mut attributes = record.attributes().iter();
    attributes.find(|attribute| attribute.key == key).map(|attribute| attribute.value.clone())
}

#[test]
fn all_that_a_builder_says_is_in_the_record() {
    let scope = testing::scope();
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let tracer = tracer();
    let builder = tracer
        .span_builder("order")
        .with_kind(SpanKind::Consumer)
        .with_start_time(start)
        .with_attributes([KeyValue::new("items", 3), KeyValue::new("user", "ann")])
        .with_links(vec![Link::new(remote(true), vec![KeyValue::new("why", "batch")], 0)])
        .with_events(vec![Event::new(
            "queued",
            start + Duration::from_secs(1),
            vec![KeyValue::new("n", 7)],
            0,
        )]);
    let mut span = builder.start(&tracer);
    assert!(span.is_recording() && span.span_context().is_sampled());
    span.end_with_timestamp(start + Duration::from_secs(5));

    let record = scope.span("order");
    assert_eq!(record.kind(), OurKind::Consumer);
    assert_eq!(record.start().timestamp(), Timestamp::from(start));
    assert_eq!(record.end().timestamp(), Timestamp::from(start + Duration::from_secs(5)));
    let expected = [OurKeyValue::new("items", 3), OurKeyValue::new("user", "ann")];
    assert_eq!(record.attributes(), expected);
    let link = &record.links()[0];
    assert_eq!(link.context().trace_id().to_u128(), 0xabc);
    assert_eq!(link.context().span_id().to_u64(), 0xdef);
    assert_eq!(link.context().state().as_str(), "rojo=1");
    assert_eq!(link.attributes(), [OurKeyValue::new("why", "batch")]);
    let event = &record.events()[0];
    assert_eq!(event.name(), "queued");
    assert_eq!(event.at().timestamp(), Timestamp::from(start + Duration::from_secs(1)));
    assert_eq!(event.attributes(), [OurKeyValue::new("n", 7)]);
    assert_eq!(record.trace_id().to_string(), span.span_context().trace_id().to_string());
    assert_eq!(record.span_id().to_string(), span.span_context().span_id().to_string());
}

#[test]
fn kinds_are_those_of_the_api() {
    for (theirs, ours) in [
        (SpanKind::Client, OurKind::Client),
        (SpanKind::Server, OurKind::Server),
        (SpanKind::Producer, OurKind::Producer),
        (SpanKind::Consumer, OurKind::Consumer),
        (SpanKind::Internal, OurKind::Internal),
    ] {
        let scope = testing::scope();
        let tracer = tracer();
        tracer.span_builder("s").with_kind(theirs).start(&tracer).end();
        assert_eq!(scope.span("s").kind(), ours);
    }
}

#[test]
fn what_is_set_on_a_span_is_in_the_record() {
    let scope = testing::scope();
    let mut span = tracer().start("order");
    span.set_attribute(KeyValue::new("a", 1));
    span.set_attributes([KeyValue::new("b", true), KeyValue::new("a", 2)]);
    span.add_event("packed", vec![KeyValue::new("boxes", 2)]);
    span.add_link(remote(false), vec![]);
    span.update_name("large order");
    span.end();

    let record = scope.span("large order");
    assert_eq!(record.attributes(), [OurKeyValue::new("a", 2), OurKeyValue::new("b", true)]);
    assert_eq!(record.events()[0].name(), "packed");
    assert_eq!(record.events()[0].at(), record.start(), "by the clock of the scope");
    assert!(!record.links()[0].context().is_sampled() && record.links()[0].context().is_remote());
    assert_eq!(record.end(), record.start(), "by the clock of the scope");
}

#[test]
fn ok_is_final_an_error_gives_way_to_it_and_unset_changes_nothing() {
    let error = |text: &'static str| Status::error(text);
    let failed = |text: &'static str| OurStatus::Error(Cow::Borrowed(text));
    for (set, expected, outcome) in [
        (vec![], OurStatus::Unset, Outcome::Ok),
        (vec![Status::Ok], OurStatus::Ok, Outcome::Ok),
        (vec![error("a")], failed("a"), Outcome::Error),
        (vec![error("b"), error("a")], failed("a"), Outcome::Error),
        (vec![error("a"), Status::Unset], failed("a"), Outcome::Error),
        (vec![error("a"), Status::Ok], OurStatus::Ok, Outcome::Ok),
        (vec![Status::Ok, error("a")], OurStatus::Ok, Outcome::Ok),
        (vec![Status::Ok, Status::Unset], OurStatus::Ok, Outcome::Ok),
    ] {
        let scope = testing::scope();
        let mut span = tracer().start("s");
        set.iter().for_each(|status| span.set_status(status.clone()));
        drop(span);
        let record = scope.span("s");
        assert_eq!((record.status(), record.outcome()), (&expected, outcome), "{set:?}");
    }
}

#[test]
fn an_error_is_an_event_and_leaves_the_status() {
    let scope = testing::scope();
    let mut span = tracer().start("s");
    span.record_error(&"five".parse::<u64>().unwrap_err());
    span.end();
    let record = scope.span("s");
    assert_eq!(record.events()[0].name(), "exception");
    let expected = OurKeyValue::new("exception.message", "invalid digit found in string");
    assert_eq!(record.events()[0].attributes(), [expected]);
    assert_eq!(record.status(), &OurStatus::Unset);
}

#[test]
fn an_error_that_panics_when_it_is_shown_costs_its_text_alone() {
    #[derive(Debug)]
    struct Panicking;
    impl std::fmt::Display for Panicking {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("expected by the test")
        }
    }
    impl std::error::Error for Panicking {}
    let scope = testing::scope();
    let mut span = tracer().start("s");
    span.record_error(&Panicking);
    span.end();
    let expected = OurKeyValue::new("exception.message", "(panicked while it was shown)");
    assert_eq!(scope.span("s").events()[0].attributes(), [expected]);
}

#[test]
fn what_is_set_on_a_span_that_has_ended_is_ignored() {
    let scope = testing::scope();
    let mut span = tracer().start("s");
    let context = span.span_context().clone();
    span.end();
    assert!(!span.is_recording());
    span.set_attribute(KeyValue::new("late", 1));
    span.add_event("late", vec![]);
    span.add_link(remote(true), vec![]);
    span.update_name("late");
    span.set_status(Status::Ok);
    span.end();
    assert_eq!(span.span_context(), &context);
    drop(span);
    assert_eq!(scope.spans().len(), 1);
    let record = scope.span("s");
    assert!(record.attributes().is_empty() && record.events().is_empty());
    assert!(record.links().is_empty() && *record.status() == OurStatus::Unset);
}

#[test]
fn a_span_that_is_dropped_or_ended_on_another_thread_ends() {
    let scope = testing::scope();
    let tracer = tracer();
    drop(tracer.start("dropped"));
    let mut span = tracer.start("moved");
    std::thread::spawn(move || {
        span.set_attribute(KeyValue::new("there", true));
        span.end();
    })
    .join()
    .unwrap();
    assert_eq!(scope.span("moved").attributes(), [OurKeyValue::new("there", true)]);
    assert_eq!(scope.span("dropped").outcome(), Outcome::Ok);
}

#[test]
fn a_span_has_the_parent_of_its_context() {
    let scope = testing::scope();
    let tracer = tracer();
    let parent = tracer.start("parent");
    let (trace, id) = (parent.span_context().trace_id(), parent.span_context().span_id());
    let context = Context::new().with_span(parent);
    tracer.start_with_context("local", &context).end();
    let caller = Context::new().with_remote_span_context(remote(true));
    tracer.start_with_context("remote", &caller).end();
    tracer.start("root").end();
    drop(context);

    let local = scope.span("local");
    assert_eq!(local.trace_id().to_string(), trace.to_string());
    assert_eq!(local.parent_span_id().unwrap().to_string(), id.to_string());
    assert!(!local.parent_is_remote());
    let record = scope.span("remote");
    assert_eq!(record.trace_id().to_u128(), 0xabc);
    assert_eq!(record.parent_span_id().unwrap().to_u64(), 0xdef);
    assert!(record.parent_is_remote());
    assert_eq!(record.context().state().as_str(), "rojo=1");
    let root = scope.span("root");
    assert_eq!(root.parent_span_id(), None);
    assert_ne!(root.trace_id().to_string(), trace.to_string());
}

#[test]
fn an_active_span_that_is_invalid_is_no_parent() {
    let scope = testing::scope();
    let _ours = bellwether::span("ours").enter();
    let none = Context::new().with_remote_span_context(SpanContext::NONE);
    tracer().start_with_context("root", &none).end();
    assert_eq!(scope.span("root").parent_span_id(), None);
}

#[test]
fn the_scope_is_in_attributes() {
    let scope = testing::scope();
    let library = InstrumentationScope::builder("http-client")
        .with_version("1.2.3")
        .with_schema_url("https://opentelemetry.io/schemas/1.17.0")
        .with_attributes([KeyValue::new("flavour", "blocking")])
        .build();
    let tracer = tracer_provider().tracer_with_scope(library);
    tracer.span_builder("get").with_attributes([KeyValue::new("n", 1)]).start(&tracer).end();
    let record = scope.span("get");
    let text = |key| value(&record, key).map(|value| value.to_string());
    assert_eq!(text("otel.scope.name").as_deref(), Some("http-client"));
    assert_eq!(text("otel.scope.version").as_deref(), Some("1.2.3"));
    assert_eq!(
        text("otel.scope.schema_url").as_deref(),
        Some("https://opentelemetry.io/schemas/1.17.0")
    );
    assert_eq!(text("otel.scope.flavour").as_deref(), Some("blocking"));
    assert_eq!(text("n").as_deref(), Some("1"));
    assert_eq!(record.attributes().len(), 5);
}

#[test]
fn in_span_nests_and_ends() {
    let scope = testing::scope();
    let tracer = tracer();
    let seen = tracer.in_span("outer", |context| {
        let ids = context.span().span_context().clone();
        tracer.in_span("inner", |_| ());
        ids
    });
    assert_eq!(scope.span_tree(), "outer ok\n  inner ok\n");
    assert_eq!(scope.span("outer").span_id().to_string(), seen.span_id().to_string());
    assert!(!Context::current().has_active_span());
    assert!(!bellwether::current().span().is_valid());
}

#[test]
fn a_suppressed_context_starts_nothing_and_passes_its_span_on() {
    let scope = testing::scope();
    let caller = Context::new().with_remote_span_context(remote(true));
    let mut span = tracer().start_with_context("s", &caller.with_telemetry_suppressed());
    assert!(!span.is_recording());
    assert_eq!(span.span_context(), &remote(true));
    span.end();
    {
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        tracer().start("s").end();
        drop(bellwether::span("ours").enter());
    }
    assert!(scope.spans().is_empty(), "neither theirs nor ours");
    tracer().start("later").end();
    drop(bellwether::span("ours, later").enter());
    assert_eq!(scope.spans().len(), 2);
}

#[test]
fn without_telemetry_a_span_records_nothing_and_passes_its_parent_on() {
    let caller = Context::new().with_remote_span_context(remote(true));
    let span = tracer().start_with_context("s", &caller);
    assert!(!span.is_recording());
    assert_eq!(span.span_context(), &remote(true));
    assert_eq!(tracer().start("s").span_context(), &SpanContext::NONE);
}
