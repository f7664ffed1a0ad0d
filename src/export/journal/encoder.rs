//! Log records as entries of the journal.

use super::{
    field::{self, attribute, plain, text},
    options::Options,
};
use crate::{
    error::{Error, ErrorKind},
    export::wire::{counts, log::date, priority, span::last_of_each_key},
    label::{KeyValue, Value},
    log::LogRecord,
    pipeline::{Batch, Encoder, Payload, Setup},
};

/// Encodes log records.
#[derive(Debug)]
pub(super) struct Entries {
    options: Options,
    /// Fields that are the same in all entries.
    same: Vec<u8>,
}

/// The journal takes no entry of more than 1,024 fields; those that are no attributes need room too.
const MOST_ATTRIBUTES: usize = 960;

impl Entries {
    pub(super) fn new(options: Options) -> Self {
        Self { options, same: Vec::new() }
    }

    fn write(&self, out: &mut Vec<u8>, record: &LogRecord) {
        match record.body() {
            Value::String(body) => text(out, "MESSAGE", body),
            body => plain(out, "MESSAGE", body),
        }
        plain(out, "PRIORITY", priority::of(record.severity()));
        out.extend_from_slice(&self.same);
        text(out, "TIMESTAMP", str::from_utf8(&date(record.time())).unwrap_or_default());
        if !record.target().is_empty() {
            text(out, "TARGET", record.target());
        }
        if let (Some(trace), Some(span)) = (record.trace_id(), record.span_id()) {
            plain(out, "TRACE_ID", trace);
            plain(out, "SPAN_ID", span);
        }
        if let Some((file, line)) = record.location() {
            text(out, "CODE_FILE", file);
            plain(out, "CODE_LINE", line);
        }
        if let Some(name) = record.event_name() {
            text(out, "EVENT_NAME", name);
        }
        if let Some(more) = priority::more_than_that(record.severity(), record.severity_text()) {
            text(out, "SEVERITY_TEXT", more);
        }
        if record.observed() != record.time() {
            text(out, "OBSERVED", str::from_utf8(&date(record.observed())).unwrap_or_default());
        }
        let n_left_out = attributes(out, record);
        if n_left_out > 0 {
            plain(out, "LEFT_OUT", n_left_out);
        }
        for (name, n) in counts::of_log(record, COUNTS) {
            plain(out, name, n);
        }
    }
}

const COUNTS: [&str; 4] = ["DROPPED_ATTRIBUTES", "TRUNCATED_TEXTS", "REPEATED", "SUPPRESSED"];

/// Writes the attributes; how many are too many.
fn attributes(out: &mut Vec<u8>, record: &LogRecord) -> u32 {
    let mut n = 0_usize;
    for KeyValue { key, value } in last_of_each_key(record.attributes()) {
        n += 1;
        match value {
            _ if n > MOST_ATTRIBUTES => {}
            Value::String(function) if key == FUNCTION => text(out, "CODE_FUNC", function),
            value => attribute(out, key, value),
        }
    }
    n.saturating_sub(MOST_ATTRIBUTES) as u32
}

/// OpenTelemetry's key for where in the source a record is from.
const FUNCTION: &str = "code.function.name";

impl Encoder<LogRecord> for Entries {
    fn encode(&mut self, batch: &Batch<LogRecord>) -> Payload {
        Payload::each(batch, |out, record| self.write(out, record))
    }

    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        let identifier = self.options.identifier.as_deref().unwrap_or(setup.service_name());
        self.same.clear();
        if !identifier.is_empty() {
            text(&mut self.same, "SYSLOG_IDENTIFIER", identifier);
        }
        for (name, value) in &self.options.fields {
            if !field::is_name(name) {
                let text = format!("the journal takes no field by the name {name:?}");
                return Err(Error::new(ErrorKind::InvalidName, text));
            }
            text(&mut self.same, name, value);
        }
        Ok(())
    }

    fn format(&self) -> &str {
        "journal.logs.1"
    }
}
