//! Processors: they change or remove records before these are exported.

/// Changes records before they are exported, or removes them: to redact, to rename, to filter.
///
/// A processor stands before all routes of a signal ([`Builder::span_processor`],
/// [`Builder::metric_processor`]) or on one of them ([`Route::process`]).
///
/// What an implementor may rely on and must keep to:
///
/// - On a route it runs on the worker's thread. Before all routes it runs on the thread that hands the
///   records over, which may be any thread of the application: be quick, do not block.
/// - Several threads may call it at once. No lock of a queue is held meanwhile, and spans that it
///   starts are not recorded.
/// - If it panics, the records of that call are dropped and counted. They are never passed on
///   unprocessed.
/// - It may change and remove records, but not add any: the vector is cut to its previous length.
/// - A flush or a shutdown from within it returns at once: it would wait for itself.
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
