//! Spans of `tracing` become spans of their names, fields, parents and states.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rules are the library's own"
)]

use bellwether::{
    context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    integration::tracing::{TracingOptions, TracingSpanExt as _},
    label::Value,
    trace::{SpanKind, SpanLimits, Status},
};
use bellwether_integration_tracing::{Ran, run, run_in, run_with};
use tracing::{Dispatch, Level, field::Empty, info_span, span};
use tracing_subscriber::layer::SubscriberExt as _;

/// The attributes of the span `name`, but for its target.
fn attributes(ran: &Ran, name: &str) -> Vec<(String, Value)> {
    let own = ran.span(name).attributes().iter().filter(|one| one.key != "target");
    own.map(|one| (one.key.to_string(), one.value.clone())).collect()
}

#[derive(Debug)]
struct Caused(std::num::ParseIntError);

impl std::fmt::Display for Caused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not read")
    }
}

impl std::error::Error for Caused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn fields_of_every_type_are_attributes() {
    let error = Caused("five".parse::<u8>().unwrap_err());
    let error: &(dyn std::error::Error + 'static) = &error;
    let ran = run(|| {
        drop(info_span!(
            "all",
            a = 7_i64,
            b = u64::MAX,
            c = 0.5,
            d = true,
            e = "text",
            f = ?Some(1),
            g = %"shown",
            h = u128::MAX,
            i = i128::from(i64::MIN),
            error,
        ));
        drop(info_span!("more", a.b = 1_u8, c = Empty));
    });
    let expected: [(&str, Value); 11] = [
        ("a", 7.into()),
        ("b", u64::MAX.to_string().into()),
        ("c", 0.5.into()),
        ("d", true.into()),
        ("e", "text".into()),
        ("f", "Some(1)".into()),
        ("g", "shown".into()),
        ("h", u128::MAX.to_string().into()),
        ("i", i64::MIN.into()),
        ("error", "not read".into()),
        ("error.chain", vec!["invalid digit found in string"].into()),
    ];
    let expected = expected.map(|(key, value)| (key.to_owned(), value));
    assert_eq!(attributes(&ran, "all"), expected);
    assert_eq!(attributes(&ran, "more"), [("a.b".to_owned(), 1.into())]);
}

#[test]
fn targets_levels_and_places_are_attributes_by_choice() {
    let ran = run(|| drop(span!(target: "there", Level::WARN, "plain")));
    assert_eq!(ran.span("plain").attributes().len(), 1);
    assert_eq!(ran.attribute("plain", "target").as_deref(), Some("there"));
    let options = TracingOptions::new().target(false).level(true).location(true);
    let ran = run_with(options, || drop(span!(target: "there", Level::WARN, "placed")));
    let line = ran.attribute("placed", "code.line.number").unwrap().parse::<u32>().unwrap();
    assert!((line!() - 2..line!()).contains(&line));
    for (key, value) in [
        ("level", Some("WARN")),
        ("target", None),
        ("code.file.path", Some(file!())),
        ("code.module.name", Some(module_path!())),
    ] {
        assert_eq!(ran.attribute("placed", key).as_deref(), value, "{key}");
    }
}

#[test]
fn parents_are_contextual_explicit_or_none() {
    let ran = run(|| {
        let outer = info_span!("outer").entered();
        let other = info_span!(parent: None, "other");
        drop(info_span!("contextual"));
        drop(info_span!(parent: &other, "explicit"));
        drop(info_span!(parent: None, "root"));
        drop(info_span!(parent: other.id(), "by id"));
        drop(outer);
        drop(other);
        drop(info_span!("alone"));
    });
    let parents = ["contextual", "explicit", "by id", "root", "other", "outer", "alone"];
    let parents = parents.map(|name| ran.parent(name));
    let expected = [Some("outer"), Some("other"), Some("other"), None, None, None, None];
    assert_eq!(parents, expected);
    let trace = |name: &str| ran.span(name).trace_id();
    assert_eq!(trace("contextual"), trace("outer"));
    assert_eq!(trace("explicit"), trace("other"));
    assert_ne!(trace("root"), trace("outer"));
}

#[test]
fn what_is_recorded_late_is_there_and_replaces() {
    let ran = run(|| {
        let span = info_span!("late", a = 1, b = Empty, c = Empty, d = Empty);
        span.record("b", 2);
        span.in_scope(|| span.record("c", "three"));
        span.record("a", 10);
        span.record("unknown", 1);
    });
    let found = attributes(&ran, "late");
    let expected = [("a", 10.into()), ("b", 2.into()), ("c", "three".into())];
    assert_eq!(found, expected.map(|(key, value): (&str, Value)| (key.to_owned(), value)));
}

#[test]
fn what_follows_is_linked_before_and_after_its_start() {
    let ran = run(|| {
        let (first, second) = (info_span!("first"), info_span!("second"));
        second.follows_from(&first);
        let third = info_span!("third");
        third.in_scope(|| {});
        third.follows_from(first.id());
        third.follows_from(&second);
    });
    let id = |name: &str| ran.span(name).span_id();
    let links = |name: &str| {
        let links = ran.span(name).links().iter();
        links.map(|link| link.context().span_id()).collect::<Vec<_>>()
    };
    assert_eq!(links("second"), [id("first")]);
    assert_eq!(links("third"), [id("first"), id("second")]);
    assert_eq!(links("first"), []);
}

#[test]
fn names_kinds_and_states_are_set_by_their_fields() {
    let ran = run(|| {
        drop(info_span!("a", otel.name = "GET /", otel.kind = "Server", otel.status_code = "ok"));
        drop(info_span!("b", otel.kind = ?SpanKind::Client, otel.status_description = %"broke"));
        drop(info_span!("c", otel.status_description = "why", otel.status_code = "ERROR"));
        let late = info_span!(
            "d",
            otel.name = Empty,
            otel.kind = Empty,
            otel.status_code = Empty,
            otel.other = 1
        );
        late.record("otel.kind", "producer");
        late.in_scope(|| late.record("otel.name", "renamed"));
        late.record("otel.status_code", "error");
        late.record("otel.kind", "client"); // Too late.
        drop(info_span!("e", otel.kind = "sideways", otel.status_code = "odd"));
    });
    let error = |text: &'static str| Status::Error(text.into());
    for (name, kind, status) in [
        ("GET /", SpanKind::Server, Status::Ok),
        ("b", SpanKind::Client, error("broke")),
        ("c", SpanKind::Internal, error("why")),
        ("renamed", SpanKind::Producer, error("")),
        ("e", SpanKind::Internal, Status::Unset),
    ] {
        let span = ran.span(name);
        assert_eq!((span.kind(), span.status()), (kind, &status), "{name}");
    }
    assert_eq!(attributes(&ran, "GET /"), []);
    assert_eq!(attributes(&ran, "renamed"), [("otel.other".to_owned(), 1.into())]);
}

fn remote() -> SpanContext {
    let (trace, span) = (TraceId::from_u128(1 << 64 | 2), SpanId::from_u64(3));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, TraceState::EMPTY).into_remote()
}

#[test]
fn a_remote_parent_is_taken_until_the_span_is_entered() {
    let ran = run(|| {
        let outer = info_span!("outer").entered();
        let request = info_span!("request", path = "/");
        assert!(request.set_parent(remote()));
        request.in_scope(|| drop(info_span!("inner")));
        assert!(!request.set_parent(SpanContext::NONE));
        assert_eq!(request.context().trace_id(), remote().trace_id());
        let asked = info_span!("asked");
        let context = asked.context();
        assert!(!asked.set_parent(remote()));
        assert_eq!(context.trace_id(), outer.context().trace_id());
        asked.add_link(remote());
        asked.set_attribute(String::from("made"), 1);
        assert!(!tracing::Span::none().set_parent(remote()));
        assert_eq!(tracing::Span::none().context(), bellwether::current());
    });
    let request = ran.span("request");
    assert_eq!(request.trace_id(), remote().trace_id());
    assert_eq!(request.parent_span_id(), Some(remote().span_id()));
    assert!(request.parent_is_remote());
    assert_eq!(attributes(&ran, "request"), [("path".to_owned(), "/".into())]);
    assert_eq!(ran.parent("inner"), Some("request"));
    assert_eq!(ran.parent("asked"), Some("outer"));
    assert_eq!(ran.span("asked").links()[0].context().span_id(), remote().span_id());
    assert_eq!(ran.attribute("asked", "made").as_deref(), Some("1"));
}

#[test]
fn limits_hold_and_are_counted() {
    let limits = SpanLimits { attributes: 3, value_chars: 4, ..SpanLimits::DEFAULT };
    let layer = TracingOptions::new().target(false).layer();
    let subscriber = Dispatch::new(tracing_subscriber::registry().with(layer));
    let ran = run_in(
        &subscriber,
        |builder| builder.span_limits(limits),
        |_| {
            let span = info_span!("full", a = "longer", b = 2, c = 3, d = 4, e = Empty);
            span.in_scope(|| span.record("e", 5));
        },
    );
    assert_eq!(attributes(&ran, "full")[0], ("a".to_owned(), "long".into()));
    let span = ran.span("full");
    assert_eq!((span.attributes().len(), span.dropped_attributes()), (3, 2));
    assert_eq!(span.truncated_texts(), 1);
}

#[test]
fn what_the_sampler_does_not_want_is_not_recorded_and_carries_the_decision_on() {
    use bellwether::trace::sampler::{AlwaysOff, AlwaysOn};
    let layer = TracingOptions::new().layer();
    let subscriber = Dispatch::new(tracing_subscriber::registry().with(layer));
    let ran = run_in(
        &subscriber,
        |builder| builder.sampler(AlwaysOff),
        |telemetry| {
            let span = info_span!("out").entered();
            let context = bellwether::current();
            assert!(context.span().is_valid() && !context.span().is_sampled());
            assert_eq!(info_span!("below").context().trace_id(), context.trace_id());
            tracing::info!("in it");
            telemetry.set_sampler(AlwaysOn);
            drop(span);
            drop(info_span!("in"));
        },
    );
    assert_eq!(ran.names(), ["in"]);
    assert!(ran.log("in it").span_id().is_some());
}
