//! Log records as rows of the Collector's table `otel_logs`.

use super::encoder::{Row, text, time};
use crate::{
    export::wire::{counts, familiar::Familiar, json::Object, span::last_of_each_key},
    log::LogRecord,
};

impl Row for LogRecord {
    const FORMAT: &str = "clickhouse.logs.1";
    const TABLE: &str = "logs";

    fn columns(&self, row: &mut Object<'_>, _: &mut Familiar) {
        time(row.field("Timestamp"), self.time());
        if let (Some(trace), Some(span)) = (self.trace_id(), self.span_id()) {
            row.field("TraceId").plain(trace);
            row.field("SpanId").plain(span);
            row.field("TraceFlags").u64(self.flags().to_u8().into());
        }
        row.field("SeverityText").str(self.severity_text());
        row.field("SeverityNumber").u64(self.severity().number().into());
        text(row.field("Body"), self.body());
        row.field("ScopeName").str(self.target());
        row.field("EventName").str(self.event_name().unwrap_or_default());
        row.field("LogAttributes").object(|map| {
            for one in last_of_each_key(self.attributes()) {
                text(map.field(&one.key), &one.value);
            }
            if let Some((file, line)) = self.location() {
                if self.lacks("code.file.path") {
                    map.field("code.file.path").str(file);
                }
                if self.lacks("code.line.number") {
                    map.field("code.line.number").plain(line);
                }
            }
            if self.observed() != self.time() && self.lacks("observed_timestamp") {
                map.field("observed_timestamp").plain(self.observed().unix_nanos());
            }
            for (key, n) in counts::of_log(self, counts::OF_LOGS) {
                if self.lacks(key) {
                    map.field(key).plain(n);
                }
            }
        });
    }
}

impl LogRecord {
    fn lacks(&self, key: &str) -> bool {
        self.attributes().iter().all(|one| one.key != key)
    }
}
