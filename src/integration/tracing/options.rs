//! What is recorded.

use ::tracing_core::LevelFilter;

/// What the layer records beside names and fields.
///
/// # Examples
///
/// ```no_run
/// use bellwether::integration::tracing::TracingOptions;
/// use tracing::level_filters::LevelFilter;
/// use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};
///
/// let options = TracingOptions::new().location(true).spans_from(LevelFilter::INFO);
/// tracing_subscriber::registry().with(options.layer()).init();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TracingOptions {
    pub(super) spans_from: LevelFilter,
    pub(super) target: bool,
    pub(super) level: bool,
    pub(super) location: bool,
    pub(super) span_events: bool,
    pub(super) error_status: bool,
}

impl TracingOptions {
    /// Spans from `INFO` on, their fields and targets, and the status of errors.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            spans_from: LevelFilter::INFO,
            target: true,
            level: false,
            location: false,
            span_events: false,
            error_status: true,
        }
    }

    /// Spans below this level are not recorded; by default those from `INFO` on are, which is the level that
    /// `#[instrument]` gives. Below it, libraries have spans for their own authors: h2, which is under every
    /// client and server of tonic, makes dozens for each request, and one for as long as a connection is open.
    #[must_use]
    pub const fn spans_from(mut self, level: LevelFilter) -> Self {
        self.spans_from = level;
        self
    }

    /// Whether spans have the attribute `target`; by default they have.
    #[must_use]
    pub const fn target(mut self, target: bool) -> Self {
        self.target = target;
        self
    }

    /// Whether spans have the attribute `level`; by default they have not.
    #[must_use]
    pub const fn level(mut self, level: bool) -> Self {
        self.level = level;
        self
    }

    /// Whether spans have the attributes `code.file.path`, `code.line.number` and `code.module.name`; by
    /// default they have not. Log records have file and line anyway.
    #[must_use]
    pub const fn location(mut self, location: bool) -> Self {
        self.location = location;
        self
    }

    /// Whether events become events of their spans besides; by default they do not. It holds for those that
    /// are kept as log records, and, where the log filter keeps less, for those of the levels of spans.
    #[must_use]
    pub const fn span_events(mut self, span_events: bool) -> Self {
        self.span_events = span_events;
        self
    }

    /// Whether events of level `ERROR`, and those that have only a field `error`, set the status of their
    /// span; by default they do. A status `Ok` that was set stays.
    #[must_use]
    pub const fn error_status(mut self, error_status: bool) -> Self {
        self.error_status = error_status;
        self
    }
}

impl Default for TracingOptions {
    fn default() -> Self {
        Self::new()
    }
}
