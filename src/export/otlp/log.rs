//! A log record as OTLP's `LogRecord`.

use super::{
    attribute,
    form::{Field, Fields, field},
};
use crate::log::LogRecord;

const TIME: Field = field(1, "timeUnixNano");
const SEVERITY_NUMBER: Field = field(2, "severityNumber");
const SEVERITY_TEXT: Field = field(3, "severityText");
const BODY: Field = field(5, "body");
const ATTRIBUTES: Field = field(6, "attributes");
const DROPPED_ATTRIBUTES: Field = field(7, "droppedAttributesCount");
const FLAGS: Field = field(8, "flags");
const TRACE_ID: Field = field(9, "traceId");
const SPAN_ID: Field = field(10, "spanId");
const OBSERVED_TIME: Field = field(11, "observedTimeUnixNano");
const EVENT_NAME: Field = field(12, "eventName");

/// Writes the fields of `record`.
pub(super) fn write<F: Fields>(fields: &mut F, record: &LogRecord) {
    fields.fixed64(TIME, record.time().unix_nanos());
    fields.small(SEVERITY_NUMBER, record.severity().number().into());
    fields.some_text(SEVERITY_TEXT, record.severity_text());
    fields.message(BODY, |fields| attribute::value(fields, record.body()));
    fields.list(ATTRIBUTES, |fields| attributes(fields, record));
    fields.some_count(DROPPED_ATTRIBUTES, record.dropped_attributes());
    if let Some(trace_id) = record.trace_id() {
        fields.fixed32(FLAGS, record.flags().to_u8().into());
        fields.trace_id(TRACE_ID, trace_id);
    }
    if let Some(span_id) = record.span_id() {
        fields.span_id(SPAN_ID, span_id);
    }
    fields.fixed64(OBSERVED_TIME, record.observed().unix_nanos());
    fields.some_text(EVENT_NAME, record.event_name().unwrap_or_default());
}

/// Writes its attributes, and what OTLP has no field for, unless the record has attributes of these names.
fn attributes<F: Fields>(fields: &mut F, record: &LogRecord) {
    let own = record.attributes();
    let is_free = |key: &str| own.iter().all(|attribute| attribute.key != key);
    let target = record.target();
    attribute::items(fields, ATTRIBUTES, own);
    if !target.is_empty() && is_free("bellwether.target") {
        attribute::text_item(fields, ATTRIBUTES, "bellwether.target", target);
    }
    if let Some((file, line)) = record.location() {
        if is_free("code.file.path") {
            attribute::text_item(fields, ATTRIBUTES, "code.file.path", file);
        }
        if is_free("code.line.number") {
            attribute::count_item(fields, ATTRIBUTES, "code.line.number", line.into());
        }
    }
    for (key, n) in [
        ("bellwether.repeated", record.repeated().into()),
        ("bellwether.suppressed", record.suppressed()),
        ("bellwether.truncated_texts", record.truncated_texts().into()),
    ] {
        attribute::count_item(fields, ATTRIBUTES, key, n);
    }
}
