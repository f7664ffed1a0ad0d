//! Which signals a backend takes, and how often it takes metrics.

use std::time::Duration;

use crate::{
    export::Routes, log::LogRecord, metric::DataPoint, pipeline::Route, trace::SpanRecord,
};

/// What the builder of a backend says of signals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signals {
    pub(crate) metrics: bool,
    pub(crate) spans: bool,
    pub(crate) logs: bool,
    /// How often metrics are read and sent, unless it is the usual interval.
    pub(crate) interval: Option<Duration>,
}

impl Signals {
    /// All signals, at the usual interval.
    pub(crate) const ALL: Self = Self { metrics: true, spans: true, logs: true, interval: None };

    /// Adds the route of each signal that `backend` takes.
    pub(crate) fn add<B>(self, backend: B, routes: &mut Routes)
    where
        B: Clone + Into<Route<DataPoint>> + Into<Route<SpanRecord>> + Into<Route<LogRecord>>,
    {
        if self.metrics {
            routes.add::<DataPoint>(backend.clone().into());
        }
        if self.spans {
            routes.add::<SpanRecord>(backend.clone().into());
        }
        if self.logs {
            routes.add::<LogRecord>(backend.into());
        }
    }

    /// The route of metrics, at its interval.
    pub(crate) fn at_interval(self, route: Route<DataPoint>) -> Route<DataPoint> {
        match self.interval {
            Some(interval) => route.interval(interval),
            None => route,
        }
    }
}
