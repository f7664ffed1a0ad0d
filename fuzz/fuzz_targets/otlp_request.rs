#![no_main]
//! Spans of any content become requests of OTLP, which prost and serde_json read: all of it is there.
use std::{collections::BTreeMap, time::Duration};

use bellwether::{
    clock::ManualClock,
    context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    export::otlp::Otlp,
    label::{KeyValue, Value},
    pipeline::{Batch, Setup},
    resource::Resource,
    trace::{Event, Link, SpanKind, SpanRecord, Status},
};
use bellwether_fuzz::{
    messages::{self, AnyValue, Request},
    taken::Taken,
};
use prost::Message as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut taken = Taken(data);
    let resource = Resource::service(&taken.text()).with("any", taken.text());
    let spans = taken.some(span);
    if spans.is_empty() {
        return;
    }
    let (setup, batch, otlp) =
        (Setup::new(resource), Batch::from(spans), Otlp::new("https://a.example"));
    let body = otlp.spans_request(&setup, &batch);
    let request = Request::decode(&*body).expect("a message");
    let [of_resource] = &request.resources[..] else { panic!("one resource") };
    let [scope] = &of_resource.scopes[..] else { panic!("one scope") };
    let of_ours = of_resource.resource.as_ref().expect("a resource");
    check_attributes(&of_ours.attributes, setup.resource().attributes());
    assert_eq!(scope.spans.len(), batch.len());
    scope.spans.iter().zip(&batch).for_each(|(theirs, ours)| check(theirs, ours));

    let json = otlp.json().spans_request(&setup, &batch);
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let spans = json["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("a list");
    assert_eq!(spans.len(), batch.len());
    for (theirs, ours) in spans.iter().zip(&batch) {
        assert_eq!(theirs["name"], ours.name());
        let n = theirs.get("attributes").map_or(0, |list| list.as_array().expect("a list").len());
        assert_eq!(n, last_of_each(ours.attributes()).len());
    }
});

fn span(taken: &mut Taken<'_>) -> SpanRecord {
    let clock = ManualClock::new();
    let start = clock.now();
    clock.advance(Duration::from_nanos(taken.u64() >> 16));
    let kinds = [
        SpanKind::Internal,
        SpanKind::Server,
        SpanKind::Client,
        SpanKind::Producer,
        SpanKind::Consumer,
    ];
    let mut span = SpanRecord::new(taken.text())
        .with_parent(&context(taken))
        .with_context(context(taken))
        .with_kind(kinds[usize::from(taken.byte()) % kinds.len()])
        .with_times(start, clock.now());
    span.set_status(match taken.byte() % 3 {
        0 => Status::Unset,
        1 => Status::Ok,
        _ => Status::Error(taken.text().into()),
    });
    *span.attributes_mut() = attributes(taken);
    for (name, attributes) in taken.some(|taken| (taken.text(), attributes(taken))) {
        span.add_event(Event::new(name, start, attributes));
    }
    for (context, attributes) in taken.some(|taken| (context(taken), attributes(taken))) {
        span.add_link(Link::new(context, attributes));
    }
    span
}

fn context(taken: &mut Taken<'_>) -> SpanContext {
    let (trace, span) = (u128::from_le_bytes(taken.bytes()), taken.u64());
    let (flags, state) = (TraceFlags::from_u8(taken.byte()), TraceState::parse(&taken.text()));
    let (trace, span) = (TraceId::from_u128(trace), SpanId::from_u64(span));
    SpanContext::new(trace, span, flags, state.unwrap_or_default())
}

fn attributes(taken: &mut Taken<'_>) -> Vec<KeyValue> {
    taken.some(|taken| KeyValue { key: taken.text().into(), value: value(taken) })
}

fn value(taken: &mut Taken<'_>) -> Value {
    match taken.byte() % 8 {
        0 => Value::from(taken.text()),
        1 => Value::from(taken.byte() % 2 == 0),
        2 => Value::from(taken.u64().cast_signed()),
        3 => Value::from(f64::from_bits(taken.u64())),
        4 => Value::from(taken.some(Taken::text)),
        5 => Value::from(taken.some(|taken| taken.byte() % 2 == 0)),
        6 => Value::from(taken.some(|taken| taken.u64().cast_signed())),
        _ => Value::from(taken.some(|taken| f64::from_bits(taken.u64()))),
    }
}

fn check(theirs: &messages::Span, ours: &SpanRecord) {
    let context = ours.context();
    assert_eq!(theirs.trace_id, context.trace_id().to_u128().to_be_bytes());
    assert_eq!(theirs.span_id, context.span_id().to_u64().to_be_bytes());
    assert_eq!(theirs.trace_state, context.state().as_str());
    let parent = ours.parent_span_id().map(|id| id.to_u64().to_be_bytes().to_vec());
    assert_eq!(theirs.parent_span_id, parent.unwrap_or_default());
    assert_eq!(theirs.name, ours.name());
    let kinds = [
        SpanKind::Internal,
        SpanKind::Server,
        SpanKind::Client,
        SpanKind::Producer,
        SpanKind::Consumer,
    ];
    assert_eq!(kinds[theirs.kind as usize - 1], ours.kind());
    // The manual clock begins with the year 2020.
    assert_eq!(theirs.start, 1_577_836_800_000_000_000);
    let took = u128::from(theirs.end - theirs.start);
    assert_eq!(took, ours.end().since(ours.start()).as_nanos());
    check_attributes(&theirs.attributes, ours.attributes());
    assert_eq!(theirs.events.len(), ours.events().len());
    for (theirs, ours) in theirs.events.iter().zip(ours.events()) {
        assert_eq!(theirs.name, ours.name());
        check_attributes(&theirs.attributes, ours.attributes());
    }
    assert_eq!(theirs.links.len(), ours.links().len());
    for (theirs, ours) in theirs.links.iter().zip(ours.links()) {
        assert_eq!(theirs.span_id, ours.context().span_id().to_u64().to_be_bytes());
        assert_eq!(theirs.trace_state, ours.context().state().as_str());
        check_attributes(&theirs.attributes, ours.attributes());
    }
    let status = theirs.status.as_ref().map(|status| (status.code, &*status.message));
    assert_eq!(
        status,
        match ours.status() {
            Status::Ok => Some((1, "")),
            Status::Error(text) => Some((2, &**text)),
            _ => None,
        }
    );
    assert_eq!(theirs.flags & 0xff, u32::from(context.flags().to_u8()));
}

/// The last value of each key is there, and once.
fn check_attributes(theirs: &[messages::KeyValue], ours: &[KeyValue]) {
    let expected = last_of_each(ours);
    assert_eq!(theirs.len(), expected.len());
    for attribute in theirs {
        let value = attribute.value.as_ref().expect("a value");
        assert!(is_same(value, expected[&*attribute.key]), "{attribute:?} of {ours:?}");
    }
}

fn last_of_each(attributes: &[KeyValue]) -> BTreeMap<&str, &Value> {
    attributes.iter().map(|attribute| (&*attribute.key, &attribute.value)).collect()
}

fn is_same(theirs: &AnyValue, ours: &Value) -> bool {
    use bellwether::label::Array;
    use messages::Value as Their;
    let of = |value: &AnyValue| value.value.clone();
    match (of(theirs), ours) {
        (Some(Their::String(theirs)), Value::String(ours)) => theirs == **ours,
        (Some(Their::Bool(theirs)), Value::Bool(ours)) => theirs == *ours,
        (Some(Their::Int(theirs)), Value::I64(ours)) => theirs == *ours,
        (Some(Their::Double(theirs)), Value::F64(ours)) => theirs.to_bits() == ours.to_bits(),
        (Some(Their::Array(theirs)), Value::Array(ours)) => {
            let items: Vec<Value> = match &**ours {
                Array::Strings(items) => {
                    items.iter().map(|text| Value::from(text.to_string())).collect()
                }
                Array::Bools(items) => items.iter().copied().map(Value::from).collect(),
                Array::I64s(items) => items.iter().copied().map(Value::from).collect(),
                Array::F64s(items) => items.iter().copied().map(Value::from).collect(),
                _ => return false,
            };
            let n = theirs.values.len();
            n == items.len()
                && theirs.values.iter().zip(&items).all(|(theirs, ours)| is_same(theirs, ours))
        }
        _ => false,
    }
}
