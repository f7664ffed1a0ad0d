//! Spans as lines.

use super::{encoder::Point, line::Line, options::Options, tags::Tags};
use crate::{
    export::wire::{
        counts,
        json::Json,
        span::{attributes, count, last_of_each_key},
    },
    label::KeyValue,
    trace::{SpanRecord, Status},
};

impl Point for SpanRecord {
    const FORMAT: &str = "influx.spans.1";

    fn write(&self, out: &mut Vec<u8>, options: &Options, tags: &mut Tags) {
        let mut line = Line::new(out, "", "spans");
        let outcome = if self.is_open() { "" } else { self.outcome().as_str() };
        let own = [
            ("span.name", self.name()),
            ("span.kind", self.kind().as_str()),
            ("otel.status_code", status_word(self.status())),
            ("outcome", outcome),
        ];
        let wanted = &options.attribute_tags;
        tags.put_all(&mut line, &own, wanted, self.attributes());
        id(&mut line, "trace_id", self.trace_id());
        id(&mut line, "span_id", self.span_id());
        if let Some(parent) = self.parent_span_id() {
            id(&mut line, "parent_span_id", parent);
        }
        if !self.is_open() {
            line.count("duration_nano", self.nanos());
        }
        if let Status::Error(text) = self.status()
            && !text.is_empty()
        {
            line.str("otel.status_description", text);
        }
        json_attributes(&mut line, self.attributes());
        if !self.events().is_empty() {
            line.quoted("events", |out| events(out, self));
        }
        if !self.links().is_empty() {
            line.quoted("links", |out| links(out, self));
        }
        for (key, n) in counts::of_span(self, counts::OF_SPANS) {
            line.count(key, n);
        }
        let time = tags.distinct(self.start().unix_nanos());
        tags.note(line.end(time));
    }
}

fn status_word(status: &Status) -> &'static str {
    match status {
        Status::Unset => "",
        Status::Ok => "OK",
        Status::Error(_) => "ERROR",
    }
}

/// Adds a field of an id, which needs no escapes.
pub(super) fn id(line: &mut Line<'_>, key: &str, id: impl std::fmt::Display) {
    use std::io::Write as _;
    // Writing to a Vec cannot fail.
    line.quoted(key, |out| drop(write!(out, "{id}")));
}

/// Adds all attributes as one field, an object of JSON, if there are any.
pub(super) fn json_attributes(line: &mut Line<'_>, attributes: &[KeyValue]) {
    if attributes.is_empty() {
        return;
    }
    line.quoted("attributes", |out| {
        Json::new(out).object(|object| {
            for attribute in last_of_each_key(attributes) {
                object.field(&attribute.key).value(&attribute.value);
            }
        });
    });
}

fn events(out: &mut Vec<u8>, span: &SpanRecord) {
    Json::new(out).array(span.events(), |json, event| {
        json.object(|object| {
            object.field("name").str(event.name());
            object.field("time").u64(event.at().unix_nanos());
            attributes(object, event.attributes(), event.dropped_attributes());
        });
    });
}

fn links(out: &mut Vec<u8>, span: &SpanRecord) {
    Json::new(out).array(span.links(), |json, link| {
        json.object(|object| {
            object.field("trace_id").plain(link.context().trace_id());
            object.field("span_id").plain(link.context().span_id());
            attributes(object, link.attributes(), 0);
            count(object, "dropped_attributes", link.dropped_attributes());
        });
    });
}
