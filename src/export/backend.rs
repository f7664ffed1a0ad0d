//! What a builder is given to send to: some routes.

use std::fmt;

use crate::{metric::DataPoint, pipeline::Route, trace::SpanRecord};

/// A place that takes signals, each by a route of its own: one that is stuck holds back no other.
///
/// [`Builder::export`](crate::Builder::export) takes one. A [`Route`] is a backend of one signal, and
/// so is a [`Memory`](super::Memory); a [`File`](super::File) takes all.
///
/// # Examples
///
/// ```
/// use bellwether::{
///     export::{Backend, Memory, Routes},
///     metric::DataPoint,
///     pipeline::Route,
///     trace::SpanRecord,
/// };
///
/// /// Keeps spans and metrics apart.
/// #[derive(Clone, Default)]
/// struct Both {
///     spans: Memory<SpanRecord>,
///     metrics: Memory<DataPoint>,
/// }
///
/// impl Backend for Both {
///     fn routes(self, routes: &mut Routes) {
///         routes.spans(Route::new(self.spans));
///         routes.metrics(Route::new(self.metrics));
///     }
/// }
///
/// let both = Both::default();
/// let telemetry = bellwether::builder("shop").export(both.clone()).start()?;
/// bellwether::span("checkout").enter().end();
/// telemetry.flush(std::time::Duration::from_secs(5));
/// assert_eq!(both.spans.len(), 1);
/// assert!(!both.metrics.is_empty());
/// # Ok::<(), bellwether::Error>(())
/// ```
pub trait Backend {
    /// Adds the routes to `routes`.
    fn routes(self, routes: &mut Routes);
}

/// The routes of some backends, by signal.
#[derive(Default)]
pub struct Routes {
    pub(crate) spans: Vec<Route<SpanRecord>>,
    pub(crate) metrics: Vec<Route<DataPoint>>,
}

impl Routes {
    /// Adds a route of spans.
    pub fn spans(&mut self, route: Route<SpanRecord>) {
        self.spans.push(route);
    }

    /// Adds a route of metrics.
    pub fn metrics(&mut self, route: Route<DataPoint>) {
        self.metrics.push(route);
    }
}

impl Backend for Route<SpanRecord> {
    fn routes(self, routes: &mut Routes) {
        routes.spans(self);
    }
}

impl Backend for Route<DataPoint> {
    fn routes(self, routes: &mut Routes) {
        routes.metrics(self);
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { spans, metrics } = self;
        f.debug_struct("Routes").field("spans", spans).field("metrics", metrics).finish()
    }
}
