//! Spans, field by field, as OpenTelemetry's own messages read them: from protobuf and from JSON.

use std::time::Duration;

use bellwether::{
    clock::ManualClock,
    context::{Outcome, SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    export::otlp::Otlp,
    label::{KeyValue, Value as OurValue},
    pipeline::{Batch, Setup},
    resource::Resource,
    trace::{Event, Link, SpanKind, SpanRecord, Status},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, ArrayValue, KeyValue as TheirKeyValue, any_value::Value},
    trace::v1::{Span, span, status::StatusCode},
};
use proptest::prelude::*;
use prost::Message as _;

fn setup() -> Setup {
    Setup::new(Resource::service("shop").with("host.name", "a\"b"))
}

/// The requests that the spans become, in both forms.
fn requests(spans: Vec<SpanRecord>) -> [ExportTraceServiceRequest; 2] {
    let (batch, otlp) = (Batch::from(spans), Otlp::new("https://example.com"));
    let protobuf = otlp.spans_request(&setup(), &batch);
    let json = otlp.json().spans_request(&setup(), &batch);
    [ExportTraceServiceRequest::decode(&*protobuf).unwrap(), serde_json::from_slice(&json).unwrap()]
}

/// The spans of a request of one resource and one scope.
fn spans(mut request: ExportTraceServiceRequest) -> Vec<Span> {
    assert_eq!((request.resource_spans.len(), request.resource_spans[0].scope_spans.len()), (1, 1));
    std::mem::take(&mut request.resource_spans[0].scope_spans[0].spans)
}

fn attribute(key: &str, value: Value) -> TheirKeyValue {
    TheirKeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..Default::default()
    }
}

fn array(values: impl IntoIterator<Item = Value>) -> Value {
    let values = values.into_iter().map(|value| AnyValue { value: Some(value) });
    Value::ArrayValue(ArrayValue { values: values.collect() })
}

fn text(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

fn context(trace: u128, span: u64, flags: TraceFlags, state: &str) -> SpanContext {
    let state = TraceState::parse(state).unwrap();
    SpanContext::new(TraceId::from_u128(trace), SpanId::from_u64(span), flags, state)
}

/// A span with everything that one can have.
fn full() -> SpanRecord {
    let clock = ManualClock::new();
    let start = clock.now();
    clock.advance(Duration::from_nanos(300));
    let at = clock.now();
    clock.advance(Duration::from_nanos(1_000_000_007));
    let sampled = TraceFlags::SAMPLED;
    let mut record = SpanRecord::new("GET /orders")
        .with_parent(&context(0xa, 0xb, sampled, "").into_remote())
        .with_context(context(0xa, 0xc, sampled, "ot=th:8,congo=t61"))
        .with_kind(SpanKind::Consumer)
        .with_times(start, clock.now());
    record.set_status(Status::Error("no money".into()));
    record.set_outcome(Outcome::Panic);
    *record.attributes_mut() = vec![
        KeyValue::new("s", "first"),
        KeyValue::new("s", "last"),
        KeyValue::new("empty", ""),
        KeyValue::new("b", true),
        KeyValue::new("f", false),
        KeyValue::new("i", i64::MIN),
        KeyValue::new("zero", 0),
        KeyValue::new("d", 0.1),
        KeyValue::new("infinity", f64::NEG_INFINITY),
        KeyValue::new("ss", ["x", "", "a text that is longer than what is in place"]),
        KeyValue::new("bs", [true, false]),
        KeyValue::new("is", [-1, i64::MAX]),
        KeyValue::new("ds", [1.5, f64::INFINITY]),
        KeyValue::new("none", Vec::<i64>::new()),
        KeyValue { key: "long".into(), value: OurValue::from("é".repeat(500)) },
    ];
    record.add_event(Event::new("retry", at, vec![KeyValue::new("n", 2)]));
    record.add_event(Event::new("plain", start, Vec::new()));
    record.add_link(Link::new(
        context(1, 2, TraceFlags::from_u8(3), "a=b").into_remote(),
        vec![KeyValue::new("why", "batch")],
    ));
    record.add_link(Link::new(context(3, 4, TraceFlags::default(), ""), Vec::new()));
    record
}

fn expected() -> Span {
    const START: u64 = 1_577_836_800_000_000_000;
    let event = |name: &str, after, attributes| span::Event {
        time_unix_nano: START + after,
        name: name.to_owned(),
        attributes,
        dropped_attributes_count: 0,
    };
    let link = |trace: u128, id: u64, state: &str, attributes, flags| span::Link {
        trace_id: trace.to_be_bytes().to_vec(),
        span_id: id.to_be_bytes().to_vec(),
        trace_state: state.to_owned(),
        attributes,
        dropped_attributes_count: 0,
        flags,
    };
    Span {
        trace_id: 0xa_u128.to_be_bytes().to_vec(),
        span_id: 0xc_u64.to_be_bytes().to_vec(),
        trace_state: "ot=th:8,congo=t61".to_owned(),
        parent_span_id: 0xb_u64.to_be_bytes().to_vec(),
        flags: 0x301,
        name: "GET /orders".to_owned(),
        kind: span::SpanKind::Consumer.into(),
        start_time_unix_nano: START,
        end_time_unix_nano: START + 1_000_000_307,
        attributes: vec![
            attribute("s", text("last")),
            attribute("empty", text("")),
            attribute("b", Value::BoolValue(true)),
            attribute("f", Value::BoolValue(false)),
            attribute("i", Value::IntValue(i64::MIN)),
            attribute("zero", Value::IntValue(0)),
            attribute("d", Value::DoubleValue(0.1)),
            attribute("infinity", Value::DoubleValue(f64::NEG_INFINITY)),
            attribute(
                "ss",
                array(["x", "", "a text that is longer than what is in place"].map(text)),
            ),
            attribute("bs", array([true, false].map(Value::BoolValue))),
            attribute("is", array([-1, i64::MAX].map(Value::IntValue))),
            attribute("ds", array([1.5, f64::INFINITY].map(Value::DoubleValue))),
            attribute("none", array([])),
            attribute("long", text(&"é".repeat(500))),
            attribute("bellwether.outcome", text("panic")),
        ],
        dropped_attributes_count: 0,
        events: vec![
            event("retry", 300, vec![attribute("n", Value::IntValue(2))]),
            event("plain", 0, vec![]),
        ],
        dropped_events_count: 0,
        links: vec![
            link(1, 2, "a=b", vec![attribute("why", text("batch"))], 0x303),
            link(3, 4, "", vec![], 0x100),
        ],
        dropped_links_count: 0,
        status: Some(opentelemetry_proto::tonic::trace::v1::Status {
            message: "no money".to_owned(),
            code: StatusCode::Error.into(),
        }),
    }
}

#[test]
fn every_field_of_a_span_arrives() {
    // An infinity in JSON is a word, which their reader of JSON does not know: only protobuf has them.
    let infinite = |value: &OurValue| match value {
        OurValue::F64(number) => number.is_infinite(),
        value => value.to_string().contains("Infinity"),
    };
    let [protobuf, _] = {
        let batch = Batch::from(vec![full()]);
        let body = Otlp::new("https://example.com").spans_request(&setup(), &batch);
        [ExportTraceServiceRequest::decode(&*body).unwrap(), ExportTraceServiceRequest::default()]
    };
    assert_eq!(spans(protobuf), [expected()]);

    let mut record = full();
    record.attributes_mut().retain(|attribute| !infinite(&attribute.value));
    let mut finite = expected();
    finite.attributes.retain(|attribute| !["infinity", "ds"].contains(&&*attribute.key));
    for request in requests(vec![record]) {
        assert_eq!(spans(request), [finite.clone()]);
    }
}

#[test]
fn the_resource_and_the_scope_stand_before_the_spans() {
    for request in requests(vec![SpanRecord::new("one"), SpanRecord::new("two")]) {
        let resource = &request.resource_spans[0];
        let attributes = &resource.resource.as_ref().unwrap().attributes;
        let of =
            |key: &str| attributes.iter().find(|attribute| attribute.key == key).unwrap().clone();
        assert_eq!(of("service.name"), attribute("service.name", text("shop")));
        assert_eq!(of("host.name"), attribute("host.name", text("a\"b")));
        let scope = resource.scope_spans[0].scope.as_ref().unwrap();
        assert_eq!((&*scope.name, &*scope.version), ("bellwether", "0.1.0"));
        assert_eq!((scope.attributes.len(), scope.dropped_attributes_count), (0, 0));
        let names: Vec<String> = spans(request).into_iter().map(|span| span.name).collect();
        assert_eq!(names, ["one", "two"]);
    }
}

#[test]
fn a_root_without_anything_has_only_what_every_span_has() {
    let record = SpanRecord::new("");
    for request in requests(vec![record.clone()]) {
        let span = spans(request).remove(0);
        assert_eq!(
            (span.parent_span_id, span.trace_state, span.status),
            (vec![], String::new(), None)
        );
        assert_eq!((span.name, span.kind, span.flags), (String::new(), 1, 0x101));
        assert_eq!((span.attributes, span.events, span.links), (vec![], vec![], vec![]));
        assert_eq!(span.trace_id, record.trace_id().to_u128().to_be_bytes());
        assert_eq!(span.end_time_unix_nano, span.start_time_unix_nano);
    }
}

#[test]
fn all_kinds_and_statuses_have_their_numbers() {
    use SpanKind::{Client, Consumer, Internal, Producer, Server};
    for (place, kind) in [Internal, Server, Client, Producer, Consumer].into_iter().enumerate() {
        for request in requests(vec![SpanRecord::new("x").with_kind(kind)]) {
            assert_eq!(spans(request)[0].kind, place as i32 + 1);
        }
    }
    for (status, code, message) in [
        (Status::Ok, 1, ""),
        (Status::Error("".into()), 2, ""),
        (Status::Error("é".into()), 2, "é"),
    ] {
        let mut record = SpanRecord::new("x");
        record.set_status(status);
        for request in requests(vec![record]) {
            let status = spans(request)[0].status.clone().unwrap();
            assert_eq!((status.code, &*status.message), (code, message));
        }
    }
}

#[test]
fn what_was_beyond_a_limit_is_counted() {
    let scope = bellwether::testing::scope();
    let span = bellwether::span("cut").enter();
    for n in 0..130 {
        span.set_attribute(n.to_string(), 1);
        span.add_event("e", vec![KeyValue::new("k", 1); 129 * usize::from(n == 0)]);
        span.add_link(SpanContext::NONE, vec![KeyValue::new("k", 1); 130 * usize::from(n == 1)]);
    }
    span.set_attribute("1", "x".repeat(2_000));
    span.set_attribute("2", vec![1; 131]);
    span.end();
    for request in requests(vec![scope.span("cut")]) {
        let span = spans(request).remove(0);
        assert_eq!((span.dropped_attributes_count, span.attributes.len()), (2, 130));
        assert_eq!((span.dropped_events_count, span.events.len()), (2, 128));
        assert_eq!((span.dropped_links_count, span.links.len()), (2, 128));
        assert_eq!(span.events[0].dropped_attributes_count, 1);
        assert_eq!(span.links[1].dropped_attributes_count, 2);
        let more = &span.attributes[128..];
        assert_eq!(more[0], attribute("bellwether.truncated_texts", Value::IntValue(1)));
        assert_eq!(more[1], attribute("bellwether.dropped_array_items", Value::IntValue(3)));
    }
}

#[test]
fn hostile_texts_arrive_in_every_place() {
    let Ok(folder) = std::env::var("BELLWETHER_CONFORMANCE") else {
        eprintln!("SKIPPED: hostile texts in OTLP: BELLWETHER_CONFORMANCE is unset");
        return;
    };
    let corpus = std::fs::read(format!("{folder}/generated/hostile_strings.json")).unwrap();
    let corpus: serde_json::Value = serde_json::from_slice(&corpus).unwrap();
    let strings = corpus["strings"].as_object().unwrap();
    assert!(strings.len() >= 53, "{}", strings.len());
    for (label, hostile) in strings {
        let hostile = hostile.as_str().unwrap();
        let attributes = || vec![KeyValue::new(hostile.to_owned(), hostile.to_owned())];
        let mut record = SpanRecord::new(hostile.to_owned());
        *record.attributes_mut() = attributes();
        record.set_status(Status::Error(hostile.to_owned().into()));
        record.add_event(Event::new(hostile.to_owned(), record.start(), attributes()));
        record.add_link(Link::new(SpanContext::NONE, attributes()));
        for request in requests(vec![record]) {
            let span = spans(request).remove(0);
            let attributes = vec![attribute(hostile, text(hostile))];
            assert_eq!(span.name, hostile, "{label}");
            assert_eq!(span.attributes, attributes, "{label}");
            assert_eq!(span.status.unwrap().message, hostile, "{label}");
            assert_eq!(span.events[0].name, hostile, "{label}");
            assert_eq!(span.events[0].attributes, attributes, "{label}");
            assert_eq!(span.links[0].attributes, attributes, "{label}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_spans_arrive_in_order(
        names in prop::collection::vec(".{0,300}", 1..20),
        pairs in prop::collection::vec((".{0,12}", ".{0,200}", any::<i64>()), 0..8),
    ) {
        let record = |name: &String| {
            let mut record = SpanRecord::new(name.clone());
            for (key, value, number) in &pairs {
                record.set_attribute(key.clone(), value.clone());
                record.set_attribute(format!("{key}#"), *number);
            }
            record
        };
        let records: Vec<SpanRecord> = names.iter().map(record).collect();
        for request in requests(records.clone()) {
            let read = spans(request);
            prop_assert_eq!(read.len(), names.len());
            for (span, record) in read.iter().zip(&records) {
                prop_assert_eq!(&span.name, record.name());
                prop_assert_eq!(span.attributes.len(), record.attributes().len());
                for (read, written) in span.attributes.iter().zip(record.attributes()) {
                    let value = match &written.value {
                        OurValue::I64(number) => Value::IntValue(*number),
                        other => text(&other.to_string()),
                    };
                    prop_assert_eq!(read, &attribute(&written.key, value));
                }
            }
        }
    }
}
