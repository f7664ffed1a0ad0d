//! Sources of figures that live elsewhere, for as long as the telemetry runs.

use std::time::Instant;

use super::{Builder, Part};
use crate::{
    collect::{Registered, Source},
    metric::Registry,
};

impl Builder {
    /// Puts the figures of `source` beside those of the instruments until shutdown: a
    /// [`Collector`](crate::collect::Collector) of your own, or one of [`collect`](crate::collect).
    ///
    /// A source whose names are taken, or that finds its settings wrong, is an error of the start.
    pub fn source(self, source: impl Into<Source>) -> Self {
        let source = source.into();
        self.part(move |_| Ok(Box::new(Some(source.register(Registry::global())?))))
    }
}

/// Taken off the registry at the end.
impl Part for Option<Registered> {
    fn stop(&mut self, _deadline: Instant) {
        *self = None;
    }
}
