//! Log records as lines.

use super::{
    line::Line,
    options::Options,
    span::{id, json_attributes},
    tags::Tags,
};
use crate::{
    error::Error,
    label::Value,
    log::LogRecord,
    pipeline::{Batch, Encoder, Payload, Setup},
};

/// Encodes log records.
#[derive(Debug)]
pub(super) struct Logs {
    options: Options,
    tags: Tags,
}

impl Logs {
    pub(super) fn new(options: Options) -> Self {
        Self { options, tags: Tags::default() }
    }

    fn log(&mut self, out: &mut Vec<u8>, record: &LogRecord) {
        let mut line = Line::new(out, "", "logs");
        let own = [
            ("severity_text", record.severity_text()),
            ("target", record.target()),
            ("event.name", record.event_name().unwrap_or_default()),
        ];
        let wanted = &self.options.attribute_tags;
        self.tags.put_all(&mut line, &own, wanted, record.attributes());
        line.int("severity_number", record.severity().number().into());
        match record.body() {
            Value::String(text) => line.str("body", text),
            value => line.str("body", &value.to_string()),
        }
        if let (Some(trace), Some(span)) = (record.trace_id(), record.span_id()) {
            id(&mut line, "trace_id", trace);
            id(&mut line, "span_id", span);
        }
        json_attributes(&mut line, record.attributes());
        if let Some((file, at)) = record.location() {
            line.str("code.file.path", file);
            line.int("code.line.number", at.into());
        }
        for (key, n) in [
            ("dropped_attributes_count", record.dropped_attributes().into()),
            ("repeated", record.repeated().into()),
            ("suppressed", record.suppressed()),
        ] {
            if n > 0 {
                line.count(key, n);
            }
        }
        let time = self.tags.distinct(record.time().unix_nanos());
        self.tags.note(line.end(time));
    }
}

impl Encoder<LogRecord> for Logs {
    fn encode(&mut self, batch: &Batch<LogRecord>) -> Payload {
        let mut payload = Payload::new();
        for record in batch {
            payload.record(|out| self.log(out, record));
        }
        self.tags.report();
        payload
    }

    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        self.tags.read(&self.options.resource_tags, setup);
        Ok(())
    }

    fn format(&self) -> &str {
        "influx.logs.1"
    }
}
