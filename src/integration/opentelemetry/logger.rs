//! The loggers of the API.

use std::{borrow::Cow, time::SystemTime};

use ::opentelemetry::{
    Context as TheirContext, InstrumentationScope, Key, SpanId as TheirSpanId,
    TraceFlags as TheirFlags, TraceId as TheirTraceId,
    logs::{
        AnyValue, LogRecord as ApiRecord, Logger as ApiLogger, LoggerProvider as ApiLoggerProvider,
        Severity as TheirSeverity,
    },
    trace::{SpanContext as TheirSpanContext, TraceState as TheirState},
};

use super::{
    attributes::{Scope, key_of},
    context, ids, json,
};
use crate::{
    clock::Timestamp,
    context::SpanContext,
    label::{KeyValue, Value, truncate},
    log::{self, CallSite, LogRecord, LogSeverity, sites},
    util::hash::Hash,
};

/// Makes loggers of OpenTelemetry's API whose records go the way of ours; made by
/// [`logger_provider`](super::logger_provider).
#[derive(Clone, Debug)]
pub struct OtelLoggerProvider(());

impl OtelLoggerProvider {
    pub(super) fn new() -> Self {
        context::observe();
        Self(())
    }
}

impl ApiLoggerProvider for OtelLoggerProvider {
    type Logger = OtelLogger;

    fn logger_with_scope(&self, scope: InstrumentationScope) -> OtelLogger {
        OtelLogger { scope: Scope::of(&scope) }
    }
}

/// Takes log records of OpenTelemetry's API; made by [`OtelLoggerProvider`].
///
/// What its records are filtered by is their target, or else the name of the scope. Records with one
/// target, severity and event name are of one call site, which the
/// [limit](crate::log::LogOptions::per_call_site) of call sites applies to.
#[derive(Clone, Debug)]
pub struct OtelLogger {
    scope: Scope,
}

impl OtelLogger {
    fn target<'a>(&'a self, target: &'a str) -> &'a str {
        if target.is_empty() { self.scope.name() } else { target }
    }

    /// The call site of such records, if there is room for it.
    fn site(
        &self,
        severity: LogSeverity,
        target: &str,
        event: Option<&str>,
    ) -> Option<&'static CallSite> {
        let mut hash = Hash::new();
        hash.push(&[severity.number()]);
        hash.push(target.as_bytes());
        hash.push(event.unwrap_or_default().as_bytes());
        sites::find_named(hash.value(), severity, [target, ""], 0)
    }
}

impl ApiLogger for OtelLogger {
    type LogRecord = OtelLogRecord;

    fn create_log_record(&self) -> OtelLogRecord {
        OtelLogRecord::default()
    }

    fn emit(&self, record: OtelLogRecord) {
        if TheirContext::is_current_telemetry_suppressed() {
            return;
        }
        let severity = record.severity();
        let target = self.target(record.target.as_deref().unwrap_or_default());
        match self.site(severity, target, record.event_name) {
            Some(site) => {
                if site.is_enabled()
                    && let Some(begun) = log::begin(site)
                {
                    log::take(record.fill(begun, &self.scope));
                }
            }
            None if log::filter::may_keep(severity) => {
                let begun = LogRecord::new(severity, "").with_target(target.to_owned());
                log::emit(record.fill(begun, &self.scope));
            }
            None => {}
        }
    }

    fn event_enabled(&self, level: TheirSeverity, target: &str, name: Option<&str>) -> bool {
        let (severity, target) = (severity(level), self.target(target));
        match self.site(severity, target, name) {
            Some(site) => site.is_enabled(),
            None => log::filter::may_keep(severity) && log::filter::ask(severity, target).0,
        }
    }
}

/// A log record of OpenTelemetry's API; made by [`OtelLogger`].
#[derive(Clone, Debug, Default)]
pub struct OtelLogRecord {
    event_name: Option<&'static str>,
    target: Option<Cow<'static, str>>,
    time: Option<SystemTime>,
    observed: Option<SystemTime>,
    severity_text: Option<&'static str>,
    severity: Option<TheirSeverity>,
    body: Option<Value>,
    attributes: Vec<KeyValue>,
    n_dropped: u32,
    span: Option<SpanContext>,
}

/// How many attributes are kept; the others are counted. Arbitrary.
const MOST_ATTRIBUTES: usize = 4096;

impl OtelLogRecord {
    /// As its number says, or else its text.
    fn severity(&self) -> LogSeverity {
        let by_text = || self.severity_text?.parse().ok();
        self.severity.map(severity).or_else(by_text).unwrap_or(LogSeverity::INFO)
    }

    fn fill(self, mut record: LogRecord, scope: &Scope) -> LogRecord {
        if let Some(body) = self.body {
            record.set_body(body);
        }
        for attribute in scope.attributes() {
            record.set_attribute(attribute.key.clone(), attribute.value.clone());
        }
        for KeyValue { key, value } in self.attributes {
            record.set_attribute(key, value);
        }
        record.count_dropped(self.n_dropped);
        if let Some(time) = self.time.or(self.observed) {
            record = record.with_time(Timestamp::from(time));
        }
        if let Some(observed) = self.observed {
            record = record.with_observed(Timestamp::from(observed));
        }
        if let Some(text) = self.severity_text.filter(|text| *text != record.severity().as_str()) {
            record = record.with_severity_text(text);
        }
        if let Some(name) = self.event_name {
            record = record.with_event_name(name);
        }
        match self.span {
            Some(span) => record.with_context(span),
            None => record,
        }
    }
}

impl ApiRecord for OtelLogRecord {
    fn set_event_name(&mut self, name: &'static str) {
        self.event_name = Some(name);
    }

    fn set_target<T>(&mut self, target: T)
    where
        T: Into<Cow<'static, str>>,
    {
        let target = target.into();
        let cut = truncate(&target).len();
        self.target =
            Some(if cut < target.len() { target[..cut].to_owned().into() } else { target });
    }

    fn set_timestamp(&mut self, timestamp: SystemTime) {
        self.time = Some(timestamp);
    }

    fn set_observed_timestamp(&mut self, timestamp: SystemTime) {
        self.observed = Some(timestamp);
    }

    fn set_severity_text(&mut self, text: &'static str) {
        self.severity_text = Some(text);
    }

    fn set_severity_number(&mut self, number: TheirSeverity) {
        self.severity = Some(number);
    }

    fn set_body(&mut self, body: AnyValue) {
        self.body = Some(json::value_of(body));
    }

    fn add_attributes<I, K, V>(&mut self, attributes: I)
    where
        I: IntoIterator<Item = (K, V)>,
        K: Into<Key>,
        V: Into<AnyValue>,
    {
        attributes.into_iter().for_each(|(key, value)| self.add_attribute(key, value));
    }

    fn add_attribute<K, V>(&mut self, key: K, value: V)
    where
        K: Into<Key>,
        V: Into<AnyValue>,
    {
        if self.attributes.len() < MOST_ATTRIBUTES {
            let value = json::value_of(value.into());
            self.attributes.push(KeyValue { key: key_of(truncate(key.into().as_str())), value });
        } else {
            self.n_dropped = self.n_dropped.saturating_add(1);
        }
    }

    fn set_trace_context(
        &mut self,
        trace: TheirTraceId,
        span: TheirSpanId,
        flags: Option<TheirFlags>,
    ) {
        let flags = flags.unwrap_or_default();
        let theirs = TheirSpanContext::new(trace, span, flags, false, TheirState::NONE);
        self.span = Some(ids::to_ours(&theirs));
    }
}

fn severity(theirs: TheirSeverity) -> LogSeverity {
    LogSeverity::new(theirs as u8)
}
