//! Backends: each adds some routes to a builder.

use std::{any::Any, fmt};

use crate::pipeline::{Route, Signal};

/// A place that takes signals. Each signal has its own route, so that a stuck route holds back no
/// other.
///
/// Pass it to [`Builder::export`](crate::Builder::export). A [`Route`] is a backend of one signal, and
/// so is a [`Memory`](super::Memory). A [`File`](super::File) takes spans, logs and metrics.
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
///         routes.add(Route::new(self.spans));
///         routes.add(Route::new(self.metrics));
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

/// The routes of some backends.
#[derive(Default)]
pub struct Routes(Vec<Added>);

/// A route, whichever its signal is.
struct Added {
    signal: &'static str,
    name: String,
    route: Box<dyn Any + Send>,
}

impl Routes {
    /// Adds a route of spans, of logs, of metrics or of the notifications of alerts.
    ///
    /// [`Builder::start`](crate::Builder::start) returns an error for a route of any other signal.
    pub fn add<S: Signal>(&mut self, route: Route<S>) {
        let (signal, name) = (S::NAME, route.name().to_owned());
        self.0.push(Added { signal, name, route: Box::new(route) });
    }

    /// Removes the routes of a signal and returns them.
    pub(crate) fn take<S: Signal>(&mut self) -> Vec<Route<S>> {
        let is_of = |added: &mut Added| added.route.is::<Route<S>>();
        let taken = self.0.extract_if(.., is_of);
        taken.filter_map(|added| added.route.downcast().ok()).map(|route| *route).collect()
    }

    /// The signal and the name of a route that is left, if there is one.
    pub(crate) fn left(&self) -> Option<(&'static str, &str)> {
        self.0.first().map(|added| (added.signal, &*added.name))
    }
}

impl<S: Signal> Backend for Route<S> {
    fn routes(self, routes: &mut Routes) {
        routes.add(self);
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes = self.0.iter().map(|added| (added.signal, &added.name));
        f.debug_list().entries(routes).finish()
    }
}
