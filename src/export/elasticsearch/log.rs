//! Log records as documents.

use super::{
    encoder::{Document, Id},
    labels,
    options::Options,
};
use crate::{
    clock::Timestamp,
    context::hex,
    export::wire::{counts, familiar::Familiar, json::Object, log::date},
    label::{KeyValue, Value},
    log::LogRecord,
};

impl Document for LogRecord {
    const FORMAT: &str = "elasticsearch.logs.1";
    const DAILY_FORMAT: &str = "elasticsearch.logs.daily.1";
    const TYPE: &str = "logs";

    fn time(&self) -> Timestamp {
        LogRecord::time(self)
    }

    fn own_id(&self) -> Option<Id> {
        None
    }

    fn fields(&self, object: &mut Object<'_>, _: &Options, _: &mut Familiar) {
        object.field("event.kind").bare(b"event");
        match self.body() {
            Value::String(text) => object.field("message").str(text),
            value => object.field("message").str(&value.to_string()),
        }
        level(object, self.severity_text());
        object.field("event.severity").u64(self.severity().number().into());
        if !self.target().is_empty() {
            object.field("log.logger").str(self.target());
        }
        if let Some(name) = self.event_name() {
            object.field("event.action").str(name);
        }
        if let Some(trace) = self.trace_id() {
            object.field("trace.id").bare(&hex::encode32(trace.to_u128()));
        }
        if let Some(span) = self.span_id() {
            object.field("span.id").bare(&hex::encode16(span.to_u64()));
        }
        if let Some((file, line)) = self.location() {
            object.field("log.origin.file.name").str(file);
            object.field("log.origin.file.line").u64(line.into());
        }
        if self.observed() != LogRecord::time(self) {
            object.field("event.created").bare(&date(self.observed()));
        }
        let has_type = self.attributes().iter().any(|attribute| attribute.key == "error.type");
        error(object, self.attributes(), has_type, None);
        labels::attributes(object, self.attributes());
        for (key, n) in counts::of_log(self, counts::OF_ECS_LOGS) {
            object.field(key).u64(n);
        }
    }
}

/// Writes a level in lower case, as ECS' own loggers do; a word that is no level's as it is.
fn level(object: &mut Object<'_>, word: &str) {
    let mut room = [0; 16];
    let level = object.field("log.level");
    match room.get_mut(..word.len()) {
        Some(lower) => {
            lower.copy_from_slice(word.as_bytes());
            lower.make_ascii_lowercase();
            level.str(str::from_utf8(lower).unwrap_or(word));
        }
        None => level.str(word),
    }
}

/// Writes what the attributes of an exception, as OpenTelemetry calls them, are in the schema; they are labels too.
/// `has_type` says that `error.type` is written otherwise, and `message` stands in place of theirs.
pub(super) fn error(
    object: &mut Object<'_>,
    attributes: &[KeyValue],
    has_type: bool,
    message: Option<&str>,
) {
    let text = |key: &str| {
        let found = attributes.iter().rev().find(|attribute| attribute.key == key)?;
        match &found.value {
            Value::String(text) => Some(&**text),
            _ => None,
        }
    };
    if let Some(name) = text("exception.type").filter(|_| !has_type) {
        object.field("error.type").str(name);
    }
    if let Some(text) = message.or_else(|| text("exception.message")) {
        object.field("error.message").str(text);
    }
    if let Some(text) = text("exception.stacktrace") {
        object.field("error.stack_trace").str(text);
    }
}
