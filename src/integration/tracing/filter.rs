//! What the layer wants to see: asked once for each call site, and again when the log filter changes.

use std::borrow::Cow;

use ::tracing_core::{Interest, Level, LevelFilter, Metadata};
use ::tracing_subscriber::layer::{Context, Filter};

use super::options::TracingOptions;
use crate::log::{self, CallSite, LogSeverity, sites};

/// Lets the layer see the spans that it is to record, and the events that the log filter in force keeps.
#[derive(Clone, Debug)]
pub struct TracingFilter {
    options: TracingOptions,
}

impl TracingFilter {
    pub(super) const fn new(options: TracingOptions) -> Self {
        Self { options }
    }

    fn wants(&self, metadata: &Metadata<'_>, is_logged: impl FnOnce() -> bool) -> bool {
        let TracingOptions { spans_from, span_events, error_status, .. } = self.options;
        if metadata.is_span() {
            return *metadata.level() <= spans_from;
        }
        (error_status && (*metadata.level() == Level::ERROR || has_error(metadata)))
            || (span_events && *metadata.level() <= spans_from)
            || is_logged()
    }
}

impl<S> Filter<S> for TracingFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        let severity = severity(*metadata.level());
        self.wants(metadata, || {
            log::filter::may_keep(severity) && (is_of_log(metadata) || is_known_logged(metadata))
        })
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        let severity = severity(*metadata.level());
        let is_wanted = self.wants(metadata, || {
            log::filter::may_keep(severity) && (is_of_log(metadata) || is_logged(metadata))
        });
        if is_wanted { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let TracingOptions { spans_from, error_status, .. } = self.options;
        let of_errors = if error_status { LevelFilter::ERROR } else { LevelFilter::OFF };
        let of_logs = log::filter::lowest().map_or(LevelFilter::OFF, level_filter);
        // By `max` of the filters: the more verbose one is the greater.
        Some(spans_from.max(of_errors).max(of_logs))
    }
}

fn level_filter(severity: LogSeverity) -> LevelFilter {
    match severity.level() {
        "TRACE" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "INFO" => LevelFilter::INFO,
        "WARN" => LevelFilter::WARN,
        "ERROR" => LevelFilter::ERROR,
        _ => LevelFilter::OFF, // Nothing in `tracing` is worse than an error.
    }
}

pub(super) fn severity(level: Level) -> LogSeverity {
    match level {
        Level::TRACE => LogSeverity::TRACE,
        Level::DEBUG => LogSeverity::DEBUG,
        Level::INFO => LogSeverity::INFO,
        Level::WARN => LogSeverity::WARN,
        Level::ERROR => LogSeverity::ERROR,
    }
}

/// Whether it is a call site of `tracing-log`, whose events say themselves where they come from.
pub(super) fn is_of_log(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "log" && metadata.fields().field("log.target").is_some()
}

/// Whether it is an event of an error alone, as `#[instrument(err)]` makes them.
pub(super) fn has_error(metadata: &Metadata<'_>) -> bool {
    metadata.fields().field("error").is_some() && metadata.fields().field("message").is_none()
}

fn is_logged(metadata: &'static Metadata<'static>) -> bool {
    match site(metadata) {
        Some(site) => site.is_enabled(),
        None => log::filter::ask(severity(*metadata.level()), metadata.target()).0,
    }
}

/// As [`is_logged`], for metadata that may be of no site, as `tracing-log` makes some up.
fn is_known_logged(metadata: &Metadata<'_>) -> bool {
    match sites::known(number(metadata)) {
        Some(site) => site.is_enabled(),
        None => log::filter::ask(severity(*metadata.level()), metadata.target()).0,
    }
}

/// What tells call sites apart.
fn number(metadata: &Metadata<'_>) -> u64 {
    std::ptr::from_ref(metadata).addr() as u64
}

/// The call site of an event; none if there are too many.
pub(super) fn site(metadata: &'static Metadata<'static>) -> Option<&'static CallSite> {
    sites::find(number(metadata), || {
        let (target, file) = (metadata.target(), metadata.file().unwrap_or_default());
        let (target, file) = (Cow::Borrowed(target), Cow::Borrowed(file));
        CallSite::of(severity(*metadata.level()), target, file, metadata.line().unwrap_or_default())
    })
}
