//! What the pipeline has to know of a kind of record.

use super::Settings;

/// A kind of record that leaves the process: spans, readings of metrics, notifications of alerts.
///
/// The crate's own signals are [`SpanRecord`](crate::trace::SpanRecord),
/// [`DataPoint`](crate::metric::DataPoint) and [`Notification`](crate::alert::Notification). These are
/// all that a telemetry sends.
pub trait Signal: Send + Sync + Sized + 'static {
    /// The signal's name in reports, and the label `signal` of the pipeline's own series: `spans`,
    /// `metrics` or `notifications`.
    const NAME: &'static str;

    /// What a [`Route`](super::Route) of this signal is configured with beside its queue: `()` for
    /// nothing.
    type RouteOptions: Default + Send + 'static;

    /// The approximate size in bytes: the record's own and what it holds on the heap, so that queues
    /// are bounded in bytes. Called once for each record, on the thread that offers it, with no lock
    /// held.
    fn weight(&self) -> usize;

    /// The settings of a route that is given none.
    #[must_use]
    fn settings() -> Settings {
        Settings::default()
    }
}
