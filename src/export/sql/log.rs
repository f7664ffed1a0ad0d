//! Log records as rows.

use super::{
    encoder::{Origin, Record},
    row::RowWriter,
};
use crate::{
    export::wire::{json::Json, span::last_of_each_key},
    label::Value,
    log::LogRecord,
};

impl Record for LogRecord {
    const FORMAT: &str = "sql.logs.1";

    fn cells(&self, row: &mut RowWriter<'_>, origin: &Origin) {
        row.count(self.time().unix_nanos());
        row.int(origin.batch);
        row.int(origin.place);
        row.int(self.severity().number().into());
        row.text(self.severity_text());
        match self.body() {
            Value::String(text) => row.text(text),
            other => row.shown(other),
        }
        row.text(self.target());
        row.optional(self.event_name(), RowWriter::text);
        row.optional(self.trace_id(), RowWriter::shown);
        row.optional(self.span_id(), RowWriter::shown);
        row.written(|out| attributes(out, self));
    }
}

/// Writes the attributes, with the place in the source and the counts that there are.
fn attributes(out: &mut Vec<u8>, log: &LogRecord) {
    let lacks = |key: &str| log.attributes().iter().all(|one| one.key != key);
    Json::new(out).object(|object| {
        for one in last_of_each_key(log.attributes()) {
            object.field(&one.key).value(&one.value);
        }
        if let Some((file, line)) = log.location() {
            if lacks("code.file.path") {
                object.field("code.file.path").str(file);
            }
            if lacks("code.line.number") {
                object.field("code.line.number").u64(line.into());
            }
        }
        for (key, n) in [("repeated", log.repeated().into()), ("suppressed", log.suppressed())] {
            if n > 0 && lacks(key) {
                object.field(key).u64(n);
            }
        }
    });
}
