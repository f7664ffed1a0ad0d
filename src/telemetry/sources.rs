//! Sources of figures from elsewhere, for as long as the telemetry runs.

use std::time::Instant;

use super::{Builder, running::Part};
use crate::{
    collect::{Registered, Source},
    metric::Registry,
};

impl Builder {
    /// Adds the figures of `source` to those of the instruments until shutdown. A source is a
    /// [`Collector`](crate::collect::Collector) of your own, or one of [`collect`](crate::collect).
    ///
    /// If its names are taken or its settings are wrong, that is an error of the start.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{Unit, collect::{Collector, Description, Failure, Reading, Source}};
    ///
    /// struct License;
    ///
    /// impl Collector for License {
    ///     fn families(&self) -> Vec<Description> {
    ///         vec![Description::gauge("license.seats", "Seats that are paid for", Unit::NONE)]
    ///     }
    ///
    ///     fn collect(&mut self, to: &mut Reading) -> Result<(), Failure> {
    ///         to.observe("license.seats", 40.0, &[]);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let telemetry = bellwether::builder("shop").source(Source::new("license", License)).start()?;
    /// let snapshot = telemetry.snapshot();
    /// assert_eq!(snapshot.value("license.seats", &[]).unwrap().as_f64(), 40.0);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn source(self, source: impl Into<Source>) -> Self {
        let source = source.into();
        self.part(move |_| Ok(Box::new(Some(source.register(Registry::global())?))))
    }
}

/// Removed from the registry at the end.
impl Part for Option<Registered> {
    fn stop(&mut self, _deadline: Instant) {
        *self = None;
    }
}
