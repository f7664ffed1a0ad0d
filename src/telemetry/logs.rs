//! The way of log records: counted, then to their processors and routes.

use std::sync::Arc;

use super::{log_figures::LogFigures, source::Source, wide_events::WideEvents};
use crate::log::{self, LogOptions, LogRecord, LogSink};

/// Where logs go while telemetry runs.
pub(super) struct Logs {
    pub(super) source: Arc<Source<LogRecord>>,
    pub(super) figures: Arc<LogFigures>,
    /// How they are taken; `None` if they are not.
    options: Option<LogOptions>,
    /// Where they are made of spans.
    pub(super) wide_events: Option<Arc<WideEvents>>,
}

impl Logs {
    /// Logs are taken if there is a route for them, or if `options` say how.
    pub(super) fn new(source: Arc<Source<LogRecord>>, options: Option<LogOptions>) -> Self {
        let of_routes = (!source.pipes.is_empty()).then(LogOptions::new);
        Self { source, figures: Arc::default(), options: options.or(of_routes), wide_events: None }
    }

    /// Makes wide events, if `makes` and logs are taken.
    pub(super) fn with_wide_events(self, makes: bool) -> Self {
        let wide_events = (makes && self.are_taken()).then(Arc::default);
        Self { wide_events, ..self }
    }

    /// Whether logs are taken.
    pub(super) fn are_taken(&self) -> bool {
        self.options.is_some()
    }

    /// Takes logs from here on.
    pub(super) fn install(&self) {
        if let Some(options) = &self.options {
            let (source, figures) = (self.source.clone(), self.figures.clone());
            log::install(Arc::new(ToSource { source, figures }), options.clone());
        }
    }

    /// Hands what was logged to the queues.
    pub(super) fn collect(&self) {
        if self.are_taken() {
            if let Some(wide_events) = &self.wide_events {
                wide_events.end_round(false);
            }
            log::collect();
        }
    }

    /// As [`collect`](Self::collect), with the wide events of all roots that have come.
    pub(super) fn flush(&self) {
        if let Some(wide_events) = &self.wide_events {
            wide_events.end_round(true);
        }
        self.collect();
    }

    /// As [`flush`](Self::flush), for the last time.
    pub(super) fn uninstall(&self) {
        if self.are_taken() {
            self.flush();
            log::uninstall();
        }
    }
}

/// Counts records, and passes them to their processors and routes.
struct ToSource {
    source: Arc<Source<LogRecord>>,
    figures: Arc<LogFigures>,
}

impl LogSink for ToSource {
    fn accept(&self, records: &mut Vec<LogRecord>) {
        self.figures.count(records);
        self.source.offer(records);
    }
}
