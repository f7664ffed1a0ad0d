//! Records are used again: what a sink sees of a span is what was set on it, whatever the spans before it
//! had, and whatever processors made of their records.
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::sync::{Arc, Mutex, PoisonError};

use bellwether::{
    context::SpanContext,
    label::{KeyValue, Value},
    span,
    trace::{self, Event, Link, SpanRecord, SpanScope, Status, Tracer},
};
use proptest::prelude::*;

/// What is set on a span.
#[derive(Clone, Debug)]
enum Change {
    Attribute(String, Value),
    /// A key and a value that own nothing.
    Plain(&'static str, i64),
    BareEvent,
    Event(String, Vec<KeyValue>),
    Link(Vec<KeyValue>),
    Status(Status),
}

/// What is seen of a span.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    attributes: Vec<KeyValue>,
    events: Vec<(String, Vec<KeyValue>)>,
    links: Vec<Vec<KeyValue>>,
    status: Option<Status>,
}

impl Seen {
    /// As a naive span has it.
    fn after(changes: &[Change]) -> Self {
        let mut seen = Self { status: Some(Status::Unset), ..Self::default() };
        changes.iter().cloned().for_each(|change| seen.add(change));
        seen
    }

    fn add(&mut self, change: Change) {
        match change {
            Change::Attribute(key, value) => self.set(KeyValue::new(key, value)),
            Change::Plain(key, value) => self.set(KeyValue::new(key, value)),
            Change::BareEvent => self.events.push(("bare".to_owned(), Vec::new())),
            Change::Event(name, attributes) => self.events.push((name, attributes)),
            Change::Link(attributes) => self.links.push(attributes),
            Change::Status(status) => self.status = Some(status),
        }
    }

    fn set(&mut self, attribute: KeyValue) {
        match self.attributes.iter_mut().find(|other| other.key == attribute.key) {
            Some(other) => *other = attribute,
            None => self.attributes.push(attribute),
        }
    }

    fn of(span: &SpanRecord) -> Self {
        let event = |event: &Event| (event.name().to_owned(), event.attributes().to_vec());
        let counts = [span.dropped_attributes(), span.dropped_events(), span.dropped_links()];
        assert!(counts == [0; 3] && !span.is_open());
        Self {
            attributes: span.attributes().to_vec(),
            events: span.events().iter().map(event).collect(),
            links: span.links().iter().map(|link| link.attributes().to_vec()).collect(),
            status: Some(span.status().clone()),
        }
    }
}

fn set(span: &SpanScope, change: Change) {
    match change {
        Change::Attribute(key, value) => span.set_attribute(key, value),
        Change::Plain(key, value) => span.set_attribute(key, value),
        Change::BareEvent => span.add_event("bare", []),
        Change::Event(name, attributes) => span.add_event(name, attributes),
        Change::Link(attributes) => span.add_link(SpanContext::NONE, attributes),
        Change::Status(status) => span.set_status(status),
    }
}

/// Changes a record after it was seen.
fn process(span: &mut SpanRecord, how: u8) {
    let long = || KeyValue::new("processed", "p".repeat(40));
    match how {
        0 => span.set_attribute("processed", "p".repeat(40)),
        1 => *span.attributes_mut() = vec![long(); 50],
        2 => span.retain_events(|event| {
            event.attributes_mut().push(long());
            event.name() != "bare"
        }),
        3 => span.retain_links(|_| false),
        4 => span.add_event(Event::new("p".repeat(40), span.start(), vec![long()])),
        5 => span.add_link(Link::new(SpanContext::NONE, vec![long()])),
        6 => span.set_status(Status::Error("of the processor".into())),
        _ => {}
    }
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let attribute = ("[a-z]{0,3}", "[a-z]{0,40}").prop_map(|(key, text)| KeyValue::new(key, text));
    prop::collection::vec(attribute, 0..5)
}

fn change() -> impl Strategy<Value = Change> {
    let value = prop_oneof![
        any::<bool>().prop_map(Value::from),
        "[a-z]{0,40}".prop_map(Value::from),
        prop::collection::vec(any::<i64>(), 0..4).prop_map(Value::from),
    ];
    let status = prop_oneof![
        Just(Status::Unset),
        Just(Status::Ok),
        "[a-z]{0,3}".prop_map(|text| Status::Error(text.into())),
    ];
    prop_oneof![
        ("[a-c]", value).prop_map(|(key, value)| Change::Attribute(key, value)),
        (prop::sample::select(&["a", "b", "long.er"][..]), any::<i64>())
            .prop_map(|(key, value)| Change::Plain(key, value)),
        Just(Change::BareEvent),
        ("[a-z]{0,40}", attributes()).prop_map(|(name, of)| Change::Event(name, of)),
        attributes().prop_map(Change::Link),
        status.prop_map(Change::Status),
    ]
}

proptest! {
    #[test]
    fn a_span_is_seen_as_it_was_set_whatever_its_record_held_before(
        spans in prop::collection::vec((prop::collection::vec(change(), 0..8), 0..10_u8), 1..20),
    ) {
        let state = Arc::new(Mutex::new((0, Vec::new())));
        let sink = Arc::clone(&state);
        let tracer = Tracer::builder(move |batch: &mut Vec<SpanRecord>| {
            let mut state = sink.lock().unwrap_or_else(PoisonError::into_inner);
            for span in batch {
                let seen = Seen::of(span);
                process(span, state.0); // Left in the batch, to be used again.
                state.1.push(seen);
            }
        })
        .build();
        let _entered = trace::enter(Some(Arc::clone(&tracer)));
        for (changes, how) in &spans {
            let open = span("span").enter();
            changes.iter().cloned().for_each(|change| set(&open, change));
            drop(open);
            state.lock().unwrap_or_else(PoisonError::into_inner).0 = *how;
            tracer.collect(); // Its record is the next one's.
        }
        let seen = &state.lock().unwrap_or_else(PoisonError::into_inner).1;
        let expected: Vec<_> = spans.iter().map(|(changes, _)| Seen::after(changes)).collect();
        prop_assert_eq!(seen, &expected);
    }
}
