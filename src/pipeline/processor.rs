//! What changes or removes records on their way.

/// Changes records before they are exported, or removes them: to redact, to rename, to filter.
///
/// A processor stands before all routes of a signal ([`Builder::span_processor`],
/// [`Builder::metric_processor`]) or on one of them ([`Route::process`]).
///
/// What an implementor may rely on and must keep to:
///
/// - On a route it runs on the worker's thread. Before all routes it runs on the thread that hands the
///   records over, which may be any thread of the application: be quick, do not block.
/// - Several threads may call it at once. It is called with no lock of a queue held, and what it does
///   is not traced.
/// - A panic costs the records that it had: they are dropped and counted. They are never passed on
///   unprocessed.
/// - It may change and remove records, but add none: the vector is cut to the length that it had.
/// - A flush or a shutdown from within returns at once: it would wait for itself.
///
/// Any `Fn(&mut Vec<S>)` is a processor.
///
/// [`Builder::span_processor`]: crate::Builder::span_processor
/// [`Builder::metric_processor`]: crate::Builder::metric_processor
/// [`Route::process`]: super::Route::process
///
/// # Examples
///
/// ```
/// use bellwether::{pipeline::Processor, trace::SpanRecord};
///
/// /// Health checks are not worth a span.
/// struct NoHealthChecks;
///
/// impl Processor<SpanRecord> for NoHealthChecks {
///     fn process(&self, spans: &mut Vec<SpanRecord>) {
///         spans.retain(|span| span.name() != "GET /health");
///     }
/// }
///
/// let mut spans = vec![SpanRecord::new("GET /health"), SpanRecord::new("GET /orders")];
/// NoHealthChecks.process(&mut spans);
/// assert_eq!(spans.len(), 1);
/// ```
pub trait Processor<S>: Send + Sync + 'static {
    /// Changes or removes some of `records`.
    fn process(&self, records: &mut Vec<S>);
}

impl<S, F: Fn(&mut Vec<S>) + Send + Sync + 'static> Processor<S> for F {
    fn process(&self, records: &mut Vec<S>) {
        self(records);
    }
}
