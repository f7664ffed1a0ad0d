//! Spans as rows of the Collector's table `otel_traces`.

use super::encoder::{Row, map, text, time};
use crate::{
    export::wire::{counts, familiar::Familiar, json::Object, span::last_of_each_key},
    trace::{SpanKind, SpanRecord, Status},
};

impl Row for SpanRecord {
    const FORMAT: &str = "clickhouse.spans.1";
    const TABLE: &str = "traces";

    fn columns(&self, row: &mut Object<'_>, _: &mut Familiar) {
        time(row.field("Timestamp"), self.start().timestamp());
        row.field("TraceId").plain(self.trace_id());
        row.field("SpanId").plain(self.span_id());
        if let Some(parent) = self.parent_span_id() {
            row.field("ParentSpanId").plain(parent);
        }
        row.field("TraceState").str(self.context().state().as_str());
        row.field("SpanName").str(self.name());
        row.field("SpanKind").str(kind(self.kind()));
        row.field("SpanAttributes").object(|map| {
            for one in last_of_each_key(self.attributes()) {
                text(map.field(&one.key), &one.value);
            }
            for (key, n) in counts::of_span(self, counts::OF_SPANS) {
                if self.attributes().iter().all(|one| one.key != key) {
                    map.field(key).plain(n);
                }
            }
        });
        let nanos = if self.is_open() { 0 } else { self.nanos() };
        row.field("Duration").u64(nanos);
        let (word, message) = match self.status() {
            Status::Unset => ("Unset", ""),
            Status::Ok => ("Ok", ""),
            Status::Error(text) => ("Error", &**text),
        };
        row.field("StatusCode").str(word);
        row.field("StatusMessage").str(message);
        let events = || self.events().iter();
        row.field("Events.Timestamp")
            .array(events(), |json, event| time(json, event.at().timestamp()));
        row.field("Events.Name").array(events(), |json, event| json.str(event.name()));
        row.field("Events.Attributes")
            .array(events(), |json, event| map(json, last_of_each_key(event.attributes())));
        let links = || self.links().iter();
        row.field("Links.TraceId")
            .array(links(), |json, link| json.plain(link.context().trace_id()));
        row.field("Links.SpanId").array(links(), |json, link| json.plain(link.context().span_id()));
        row.field("Links.TraceState")
            .array(links(), |json, link| json.str(link.context().state().as_str()));
        row.field("Links.Attributes")
            .array(links(), |json, link| map(json, last_of_each_key(link.attributes())));
    }
}

/// The Collector's word.
fn kind(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Internal => "Internal",
        SpanKind::Server => "Server",
        SpanKind::Client => "Client",
        SpanKind::Producer => "Producer",
        SpanKind::Consumer => "Consumer",
    }
}
