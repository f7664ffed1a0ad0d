//! A span as an object of Zipkin's second format, without the local endpoint.

use std::collections::HashSet;

use super::remote::{Remote, remote_of};
use crate::{
    context::Outcome,
    export::wire::{
        counts,
        json::{Json, Object},
        span::last_of_each_key,
    },
    label::{KeyValue, Value},
    trace::{Event, Link, SpanKind, SpanRecord, Status},
};

/// Writes the fields of `span`; `tags` of the resource stand beside those of the span, which win.
pub(super) fn fields(object: &mut Object<'_>, span: &SpanRecord, tags: &[(String, String)]) {
    object.field("traceId").plain(span.trace_id());
    object.field("id").plain(span.span_id());
    if let Some(parent) = span.parent_span_id() {
        object.field("parentId").plain(parent);
    }
    if !span.name().is_empty() {
        object.field("name").str(span.name());
    }
    if let Some(kind) = kind_word(span.kind()) {
        object.field("kind").plain(kind);
    }
    object.field("timestamp").u64(micros(span.start().unix_nanos()));
    if !span.is_open() {
        let duration = micros(span.nanos());
        object.field("duration").u64(duration.max(1)); // To Zipkin, none is unknown.
    }
    if let Some(remote) = remote_of(span) {
        endpoint(object.field("remoteEndpoint"), &remote);
    }
    annotations(object, span.events());
    let own = own_tags(span);
    if !(own.is_empty() && tags.is_empty() && span.attributes().is_empty()) {
        object.field("tags").object(|object| write_tags(object, span, &own, tags));
    }
}

fn kind_word(kind: SpanKind) -> Option<&'static str> {
    match kind {
        SpanKind::Client => Some("CLIENT"),
        SpanKind::Server => Some("SERVER"),
        SpanKind::Producer => Some("PRODUCER"),
        SpanKind::Consumer => Some("CONSUMER"),
        SpanKind::Internal => None,
    }
}

fn micros(nanos: u64) -> u64 {
    nanos / 1_000
}

fn endpoint(json: Json<'_>, remote: &Remote<'_>) {
    json.object(|object| {
        match remote {
            Remote::Name(name) => object.field("serviceName").str(name),
            Remote::Ipv4(address, _) => object.field("ipv4").plain(address),
            Remote::Ipv6(address, _) => object.field("ipv6").plain(address),
        }
        if let Remote::Ipv4(_, Some(port)) | Remote::Ipv6(_, Some(port)) = remote {
            object.field("port").u64((*port).into());
        }
    });
}

/// Writes the events. Two that are alike in all that Zipkin has of them are one: it takes a set.
fn annotations(object: &mut Object<'_>, events: &[Event]) {
    if events.is_empty() {
        return;
    }
    let mut seen = HashSet::with_capacity(events.len());
    let all = events.iter().map(|event| (micros(event.at().unix_nanos()), annotation(event)));
    let distinct = all.filter(|one| seen.insert(one.clone()));
    object.field("annotations").array(distinct, |json, (at, text)| {
        json.object(|object| {
            object.field("timestamp").u64(at);
            object.field("value").str(&text);
        });
    });
}

/// The name of an event, and its attributes as OpenTelemetry puts them: `"retry": {"n": 2}`.
fn annotation(event: &Event) -> String {
    if event.attributes().is_empty() {
        return event.name().to_owned();
    }
    let mut text = Vec::new();
    Json::new(&mut text).str(event.name());
    text.push(b':');
    attributes_json(&mut text, event.attributes());
    String::from_utf8_lossy(&text).into_owned()
}

fn attributes_json(text: &mut Vec<u8>, attributes: &[KeyValue]) {
    Json::new(text).object(|object| {
        for attribute in last_of_each_key(attributes) {
            object.field(&attribute.key).value(&attribute.value);
        }
    });
}

/// The tags that tell what a span has besides attributes. They win over attributes of the same key.
fn own_tags(span: &SpanRecord) -> Vec<(String, String)> {
    let mut tags = Vec::new();
    let mut add = |key: &str, value: String| tags.push((key.to_owned(), value));
    match span.status() {
        Status::Unset => {}
        Status::Ok => add("otel.status_code", "OK".to_owned()),
        Status::Error(description) => {
            add("otel.status_code", "ERROR".to_owned());
            add("error", description.to_string());
        }
    }
    if !span.is_open() && span.outcome() != Outcome::Ok {
        add("outcome", span.outcome().as_str().to_owned());
    }
    for (place, link) in span.links().iter().enumerate() {
        add(&format!("otlp.link.{place}"), link_text(link));
    }
    for (what, n) in counts::of_span(span, COUNTS) {
        add(what, n.to_string());
    }
    tags
}

/// OpenTelemetry's names of the first three; the others are ours.
const COUNTS: [&str; 5] = [
    "otel.dropped_attributes_count",
    "otel.dropped_events_count",
    "otel.dropped_links_count",
    "bellwether.truncated_texts",
    "bellwether.dropped_array_items",
];

/// A link as the OpenTelemetry Collector writes and reads it in a tag.
fn link_text(link: &Link) -> String {
    let context = link.context();
    let (trace, span, state) = (context.trace_id(), context.span_id(), context.state().as_str());
    let mut attributes = Vec::new();
    attributes_json(&mut attributes, link.attributes());
    let attributes = String::from_utf8_lossy(&attributes);
    format!("{trace}|{span}|{state}|{attributes}|{}", link.dropped_attributes())
}

fn write_tags(
    object: &mut Object<'_>,
    span: &SpanRecord,
    own: &[(String, String)],
    of_resource: &[(String, String)],
) {
    let is_own = |key: &str| own.iter().any(|(other, _)| other == key);
    for attribute in last_of_each_key(span.attributes()) {
        if !is_own(&attribute.key) && !denies_error(attribute) {
            match &attribute.value {
                Value::String(text) => object.field(&attribute.key).str(text),
                value => object.field(&attribute.key).str(&value.to_string()),
            }
        }
    }
    let is_of_span = |key: &str| span.attributes().iter().any(|attribute| attribute.key == key);
    let of_resource = of_resource.iter().filter(|(key, _)| !is_own(key) && !is_of_span(key));
    for (key, value) in own.iter().chain(of_resource) {
        object.field(key).str(value);
    }
}

/// Whether it says that there was no error. Zipkin takes any tag `error` for one.
fn denies_error(attribute: &KeyValue) -> bool {
    attribute.key == "error"
        && match &attribute.value {
            Value::Bool(value) => !value,
            Value::String(text) => &**text == "false",
            _ => false,
        }
}
