//! Spans as rows.

use super::{
    encoder::{Origin, Record, attributes},
    row::RowWriter,
};
use crate::{
    export::wire::{json::Json, span::attributes as field_of_attributes},
    trace::{SpanRecord, Status},
};

impl Record for SpanRecord {
    const FORMAT: &str = "sql.spans.1";

    fn cells(&self, row: &mut RowWriter<'_>, _origin: &Origin) {
        row.shown(self.trace_id());
        row.shown(self.span_id());
        row.count(self.start().unix_nanos());
        row.count(self.nanos());
        row.optional(self.parent_span_id(), RowWriter::shown);
        row.text(self.name());
        row.text(self.kind().as_str());
        row.text(self.status().as_str());
        row.optional(message(self), RowWriter::text);
        let outcome = (!self.is_open()).then(|| self.outcome().as_str());
        row.optional(outcome, RowWriter::text);
        let state = self.context().state().as_str();
        row.optional((!state.is_empty()).then_some(state), RowWriter::text);
        row.written(|out| attributes(out, self.attributes()));
        events(row, self);
        links(row, self);
    }
}

fn message(span: &SpanRecord) -> Option<&str> {
    match span.status() {
        Status::Error(text) if !text.is_empty() => Some(&**text),
        _ => None,
    }
}

fn events(row: &mut RowWriter<'_>, span: &SpanRecord) {
    if span.events().is_empty() {
        return row.null();
    }
    row.written(|out| {
        Json::new(out).array(span.events(), |json, event| {
            json.object(|object| {
                object.field("name").str(event.name());
                object.field("time").u64(event.at().unix_nanos());
                field_of_attributes(object, event.attributes(), event.dropped_attributes());
            });
        });
    });
}

fn links(row: &mut RowWriter<'_>, span: &SpanRecord) {
    if span.links().is_empty() {
        return row.null();
    }
    row.written(|out| {
        Json::new(out).array(span.links(), |json, link| {
            json.object(|object| {
                object.field("trace_id").plain(link.context().trace_id());
                object.field("span_id").plain(link.context().span_id());
                field_of_attributes(object, link.attributes(), link.dropped_attributes());
            });
        });
    });
}
