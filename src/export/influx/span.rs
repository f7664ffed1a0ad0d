//! Spans as lines.

use super::{line::Line, options::Options, tags::Tags};
use crate::{
    error::Error,
    export::wire::{
        json::Json,
        span::{attributes, count, last_of_each_key},
    },
    label::KeyValue,
    pipeline::{Batch, Encoder, Payload, Setup},
    trace::{SpanRecord, Status},
};

/// Encodes spans.
#[derive(Debug)]
pub(super) struct Spans {
    options: Options,
    tags: Tags,
}

impl Spans {
    pub(super) fn new(options: Options) -> Self {
        Self { options, tags: Tags::default() }
    }

    fn span(&mut self, out: &mut Vec<u8>, span: &SpanRecord) {
        let mut line = Line::new(out, "", "spans");
        let outcome = if span.is_open() { "" } else { span.outcome().as_str() };
        let own = [
            ("span.name", span.name()),
            ("span.kind", span.kind().as_str()),
            ("otel.status_code", status_word(span.status())),
            ("outcome", outcome),
        ];
        let wanted = &self.options.attribute_tags;
        self.tags.put_all(&mut line, &own, wanted, span.attributes());
        id(&mut line, "trace_id", span.trace_id());
        id(&mut line, "span_id", span.span_id());
        if let Some(parent) = span.parent_span_id() {
            id(&mut line, "parent_span_id", parent);
        }
        if !span.is_open() {
            line.count("duration_nano", span.end().nanos_since(span.start()));
        }
        if let Status::Error(text) = span.status()
            && !text.is_empty()
        {
            line.str("otel.status_description", text);
        }
        json_attributes(&mut line, span.attributes());
        if !span.events().is_empty() {
            line.quoted("events", |out| events(out, span));
        }
        if !span.links().is_empty() {
            line.quoted("links", |out| links(out, span));
        }
        for (key, n) in [
            ("dropped_attributes_count", span.dropped_attributes()),
            ("dropped_events_count", span.dropped_events()),
            ("dropped_links_count", span.dropped_links()),
        ] {
            if n > 0 {
                line.int(key, n.into());
            }
        }
        let time = self.tags.distinct(span.start().unix_nanos());
        self.tags.note(line.end(time));
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

impl Encoder<SpanRecord> for Spans {
    fn encode(&mut self, batch: &Batch<SpanRecord>) -> Payload {
        let mut payload = Payload::new();
        for span in batch {
            payload.record(|out| self.span(out, span));
        }
        self.tags.report();
        payload
    }

    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        self.tags.read(&self.options.resource_tags, setup);
        Ok(())
    }

    fn format(&self) -> &str {
        "influx.spans.1"
    }
}
