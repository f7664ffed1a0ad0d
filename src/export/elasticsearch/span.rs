//! Spans as documents.

use super::{
    encoder::{Document, Id},
    labels,
    log::error,
    options::Options,
};
use crate::{
    clock::Timestamp,
    context::{Outcome, hex},
    export::wire::{counts, familiar::Familiar, json::Object, log::date, span::count},
    trace::{Event, SpanRecord, Status},
};

impl Document for SpanRecord {
    const FORMAT: &str = "elasticsearch.spans.1";
    const DAILY_FORMAT: &str = "elasticsearch.spans.daily.1";
    const TYPE: &str = "traces";

    fn time(&self) -> Timestamp {
        self.start().timestamp()
    }

    /// Its trace's and its own. One that is open has a document for each time that it is exported.
    fn own_id(&self) -> Option<Id> {
        let until = self.is_open().then(|| self.end().unix_nanos());
        Some(Id::of_span(self.trace_id().to_u128(), self.span_id().to_u64(), until))
    }

    fn fields(&self, object: &mut Object<'_>, _: &Options, _: &mut Familiar) {
        object.field("event.kind").bare(b"event");
        object.field("trace.id").bare(&hex::encode32(self.trace_id().to_u128()));
        object.field("span.id").bare(&hex::encode16(self.span_id().to_u64()));
        if let Some(parent) = self.parent_span_id() {
            object.field("parent.id").bare(&hex::encode16(parent.to_u64()));
        }
        object.field("span.name").str(self.name());
        object.field("span.kind").bare(self.kind().as_str().as_bytes());
        object.field("event.outcome").bare(outcome(self));
        if !self.is_open() {
            object.field("event.duration").u64(self.nanos());
            object.field("event.end").bare(&date(self.end().timestamp()));
            object.field("bellwether.span.outcome").bare(self.outcome().as_str().as_bytes());
        }
        failure(object, self);
        labels::attributes(object, self.attributes());
        if !self.events().is_empty() {
            events(object, self.events());
        }
        if !self.links().is_empty() {
            links(object, self);
        }
        for (key, n) in counts::of_span(self, COUNTS) {
            object.field(key).u64(n);
        }
    }
}

const COUNTS: [&str; 5] = [
    "bellwether.span.dropped_attributes",
    "bellwether.span.dropped_events",
    "bellwether.span.dropped_links",
    "bellwether.span.truncated_texts",
    "bellwether.span.dropped_array_items",
];

/// One of the three words that the schema has.
fn outcome(span: &SpanRecord) -> &'static [u8] {
    match (span.is_open(), span.outcome(), span.status()) {
        (_, Outcome::Error | Outcome::Panic, _) | (_, _, Status::Error(_)) => b"failure",
        (true, ..) | (_, Outcome::Cancelled, _) => b"unknown",
        (false, Outcome::Ok, _) => b"success",
    }
}

/// Writes what is known of an error: the description of the status before the text of the newest exception.
fn failure(object: &mut Object<'_>, span: &SpanRecord) {
    let status = match span.status() {
        Status::Unset => "",
        Status::Ok => "OK",
        Status::Error(_) => "ERROR",
    };
    if !status.is_empty() {
        object.field("otel.status_code").bare(status.as_bytes());
    }
    let exception = span.events().iter().rev().find(|event| event.name() == "exception");
    let attributes = exception.map_or(&[][..], Event::attributes);
    let has_type = span.attributes().iter().any(|attribute| attribute.key == "error.type");
    match span.status() {
        Status::Error(text) if !text.is_empty() => {
            error(object, attributes, has_type, Some(text));
        }
        _ => error(object, attributes, has_type, None),
    }
}

fn events(object: &mut Object<'_>, events: &[Event]) {
    object.field("span.events").array(events, |json, event| {
        json.object(|object| {
            object.field("name").str(event.name());
            object.field("time").bare(&date(event.at().timestamp()));
            labels::attributes(object, event.attributes());
            count(object, "dropped_attributes", event.dropped_attributes());
        });
    });
}

fn links(object: &mut Object<'_>, span: &SpanRecord) {
    object.field("span.links").array(span.links(), |json, link| {
        json.object(|object| {
            let context = link.context();
            let (trace, span) = (context.trace_id().to_u128(), context.span_id().to_u64());
            object.field("trace.id").bare(&hex::encode32(trace));
            object.field("span.id").bare(&hex::encode16(span));
            labels::attributes(object, link.attributes());
            count(object, "dropped_attributes", link.dropped_attributes());
        });
    });
}
