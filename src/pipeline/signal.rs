//! What the pipeline needs of a kind of record.

use super::Settings;

/// A kind of record that leaves the process: spans, log records, readings of metrics, notifications of
/// alerts.
///
/// The crate's own signals are [`SpanRecord`](crate::trace::SpanRecord),
/// [`LogRecord`](crate::log::LogRecord), [`DataPoint`](crate::metric::DataPoint) and
/// [`Notification`](crate::alert::Notification). A telemetry sends only these.
pub trait Signal: Send + Sync + Sized + 'static {
    /// The signal's name in reports, and the label `signal` of the pipeline's own series: `spans`,
    /// `logs`, `metrics` or `notifications`.
    const NAME: &'static str;

    /// The options of a [`Route`](super::Route) of this signal besides its queue: `()` for none.
    type RouteOptions: Default + Send + 'static;

    /// The approximate size in bytes: the record itself and what it holds on the heap. It bounds
    /// queues in bytes. Called once for each record, on the thread that offers it, with no lock held.
    fn weight(&self) -> usize;

    /// Whether the record goes before others when there is not room or time for all: an error, say. No
    /// record does by default. Called once for each record, as [`weight`](Self::weight) is.
    fn is_urgent(&self) -> bool {
        false
    }

    /// Whether records of one chunk stay in the order in which they are offered, though some are urgent:
    /// by default they do not, and the urgent ones of a chunk come after the others.
    #[doc(hidden)]
    const IS_ORDERED: bool = false;

    /// Takes the memory of `records` back, which weighed `bytes`, when nobody needs them any more: to be
    /// used again, where a signal does that. Called on any thread.
    #[doc(hidden)]
    fn recycle(records: Vec<Self>, bytes: usize) {
        let _ = (records, bytes);
    }

    /// The settings of a route that sets none.
    #[must_use]
    fn settings() -> Settings {
        Settings::default()
    }
}
