//! What is said of logs when telemetry is started.

use super::{LogFilter, LogLimits};

/// Which log records are kept, and how many: given to [`Builder::logs`](crate::Builder::logs).
///
/// # Examples
///
/// ```
/// use bellwether::log::LogOptions;
///
/// let logs = LogOptions::new()
///     .filter("info,shop::pay=debug".parse()?)
///     .per_call_site(100)
///     .fold_duplicates();
/// let telemetry = bellwether::builder("shop").logs(logs).start()?;
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "it says nothing before `Builder::logs` gets it"]
pub struct LogOptions {
    pub(crate) filter: Option<LogFilter>,
    pub(crate) per_call_site: u32,
    pub(crate) folds: bool,
    pub(crate) limits: LogLimits,
}

impl LogOptions {
    /// The filter of `RUST_LOG`, or `info` without it; no limit of rates; nothing is folded.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets which records are kept, in place of the environment variable `RUST_LOG`.
    /// [`Telemetry::set_log_filter`](crate::Telemetry::set_log_filter) puts another filter in place later.
    pub fn filter(self, filter: LogFilter) -> Self {
        Self { filter: Some(filter), ..self }
    }

    /// Keeps at most `records` a second of each call site; zero is no limit. What is more is suppressed
    /// before anything is formatted, and counted: once a second each such call site gets a record that says
    /// [how many](super::LogRecord::suppressed), and `telemetry.logs.suppressed` has the sum.
    pub fn per_call_site(self, records: u32) -> Self {
        Self { per_call_site: records, ..self }
    }

    /// Folds equal records that are handed over together, which is about once a second, into the first of
    /// them, which says [how many more](super::LogRecord::repeated) there were. Equal are those of one call
    /// site, with one body and the same attributes; the trace of the first one stays.
    pub fn fold_duplicates(self) -> Self {
        Self { folds: true, ..self }
    }

    /// Sets how much one record may hold.
    pub fn limits(self, limits: LogLimits) -> Self {
        Self { limits, ..self }
    }
}
