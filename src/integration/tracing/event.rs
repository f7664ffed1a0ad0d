//! What becomes of an event: a log record, and something on its span.

use std::{error::Error, fmt, hash::Hasher as _, sync::Arc};

use ::tracing_core::{
    Event, Level,
    field::{Field, Visit},
};

use super::{
    fields::{Fields, Take},
    filter::{self, has_error, is_of_log, severity},
    options::TracingOptions,
};
use crate::{
    context::{self, SpanContext},
    label::{KeyValue, Value},
    log::{self, CallSite, LogRecord, LogSeverity, sites},
    trace::{self, AsError, shared::SharedSpan},
    util::hash::Hash,
};

/// Whose an event is.
pub(super) enum Owner {
    /// What is current, of either library.
    Current,
    Span(Arc<SharedSpan>),
    Nobody,
}

/// Makes a log record of it, where the log filter keeps that.
pub(super) fn log(event: &Event<'_>, owner: &Owner) {
    let metadata = event.metadata();
    let severity = severity(*metadata.level());
    if !log::filter::may_keep(severity) {
        return;
    }
    let site = if is_of_log(metadata) { log_site(event) } else { filter::site(metadata) };
    let record = match site {
        Some(site) if !site.is_enabled() => return,
        Some(site) => log::begin(site),
        None => Some(siteless(event, severity)),
    };
    let Some(mut record) = record else { return };
    match owner {
        Owner::Current => {}
        Owner::Span(span) => record = record.with_context(span.context()),
        Owner::Nobody => record = record.with_context(SpanContext::NONE),
    }
    if !metadata.name().starts_with("event ") && !is_of_log(metadata) {
        record = record.with_event_name(metadata.name());
    }
    event.record(&mut Fields(&mut record));
    if site.is_some() { log::take(record) } else { log::emit(record) }
}

impl Take for LogRecord {
    fn take(&mut self, name: &'static str, value: Value) {
        match name {
            "message" => self.set_body(value),
            "log.target" | "log.module_path" | "log.file" | "log.line" => {}
            name => self.set_attribute(name, value),
        }
    }

    fn take_more(&mut self, more: KeyValue) {
        self.set_attribute(more.key, more.value);
    }
}

/// The call site of a record of `log`.
#[cold]
fn log_site(event: &Event<'_>) -> Option<&'static CallSite> {
    let mut hash = Hash::new();
    hash.push(event.metadata().level().as_str().as_bytes());
    event.record(&mut HashedSite(&mut hash));
    sites::known(hash.value()).or_else(|| {
        let LogSite { target, file, line } = LogSite::of(event);
        let severity = severity(*event.metadata().level());
        sites::find_named(hash.value(), severity, [&target, &file], line)
    })
}

/// A record of an event without a call site of its own.
#[cold]
fn siteless(event: &Event<'_>, severity: LogSeverity) -> LogRecord {
    let (metadata, record) = (event.metadata(), LogRecord::new(severity, Value::from_static("")));
    if !is_of_log(metadata) {
        return record.with_target(metadata.target());
    }
    let LogSite { target, file, line } = LogSite::of(event);
    let record = record.with_target(target);
    if file.is_empty() { record } else { record.with_location(file, line) }
}

/// A number of what `tracing-log` says of where a record comes from.
struct HashedSite<'a>(&'a mut Hash);

impl Visit for HashedSite<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if matches!(field.name(), "log.target" | "log.file") {
            self.0.push(value.as_bytes());
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "log.line" {
            self.0.write_u64(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// What `tracing-log` says of where a record comes from.
#[derive(Default)]
struct LogSite {
    target: String,
    file: String,
    line: u32,
}

impl LogSite {
    fn of(event: &Event<'_>) -> Self {
        let mut site = Self::default();
        event.record(&mut site);
        site
    }
}

impl Visit for LogSite {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "log.target" => value.clone_into(&mut self.target),
            "log.file" => value.clone_into(&mut self.file),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "log.line" {
            self.line = u32::try_from(value).unwrap_or_default();
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// Notes it on its span, as far as the options say.
pub(super) fn note(event: &Event<'_>, owner: &Owner, options: &TracingOptions) {
    let metadata = event.metadata();
    let is_error = *metadata.level() == Level::ERROR;
    let is_failure = options.error_status && (is_error || has_error(metadata));
    if !(is_failure || options.span_events) || !owner.is_recorded() {
        return;
    }
    if options.span_events {
        owner.add_event(event);
    }
    if is_failure && !owner.is_ok() {
        let mut failing = Failing { owner, is_error, is_noted: false };
        event.record(&mut failing);
        if !failing.is_noted && is_error {
            owner.note_failed();
        }
    }
}

impl Owner {
    fn is_recorded(&self) -> bool {
        match self {
            Self::Current => context::ids().is_recorded(),
            Self::Span(span) => span.is_open_to_content(),
            Self::Nobody => false,
        }
    }

    fn add_event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let (level, target) = (metadata.level().as_str(), metadata.target());
        let level = KeyValue::new("level", Value::from_static(level));
        let target = KeyValue::new("target", Value::from_static(target));
        let mut content = Content { name: None, attributes: vec![level, target] };
        event.record(&mut Fields(&mut content));
        let Content { name, attributes } = content;
        let name = name.unwrap_or_else(|| metadata.name().to_owned());
        match self {
            Self::Current => trace::add_event(name, attributes),
            Self::Span(span) => span.add_event(name, attributes),
            Self::Nobody => {}
        }
    }

    fn is_ok(&self) -> bool {
        match self {
            Self::Current => trace::is_ok(),
            Self::Span(span) => span.is_ok(),
            Self::Nobody => false,
        }
    }

    fn note_failed(&self) {
        match self {
            Self::Current => trace::note_failed(),
            Self::Span(span) => span.note_failed(),
            Self::Nobody => {}
        }
    }

    fn record_error<K>(&self, error: &(impl AsError<K> + ?Sized)) {
        match self {
            Self::Current => trace::record_error(error),
            Self::Span(span) => span.record_error(error),
            Self::Nobody => {}
        }
    }
}

/// An event of a span.
struct Content {
    name: Option<String>,
    attributes: Vec<KeyValue>,
}

impl Take for Content {
    fn take(&mut self, name: &'static str, value: Value) {
        match name {
            "message" => self.name = Some(value.to_string()),
            "log.target" | "log.module_path" | "log.file" | "log.line" => {}
            name => self.attributes.push(KeyValue::new(name, value)),
        }
    }

    fn take_more(&mut self, more: KeyValue) {
        self.attributes.push(more);
    }
}

/// Records the first error among the fields on the span.
struct Failing<'a> {
    owner: &'a Owner,
    is_error: bool,
    is_noted: bool,
}

impl Failing<'_> {
    fn note<K>(&mut self, error: &(impl AsError<K> + ?Sized)) {
        if !self.is_noted {
            self.is_noted = true;
            self.owner.record_error(error);
        }
    }
}

impl Visit for Failing<'_> {
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        if self.is_error || field.name() == "error" {
            self.note(value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "error" {
            self.note(value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "error" {
            // An error by `%` or `?`, as `#[instrument(err)]` gives it: of a type that nobody knows.
            let error: Box<dyn Error> = log::print(format_args!("{value:?}")).to_string().into();
            self.note(&error);
        }
    }
}
