//! Gauges: the last value set, whoever set it.

use std::{fmt, marker::PhantomData};

use super::{
    Kind, Unit,
    cell::{self, DISABLED},
    instrument::Instrument,
    stats::{self, Rejection},
};
use crate::label::Labels;

/// A value that is set: a temperature, a pool's size, the time of the last success.
///
/// All threads share one cell for each series: setting is one store, and the last one holds. Where
/// threads add to a common sum, an [`UpDownCounter`](super::UpDownCounter) is faster. A gauge that was
/// never set is on no page.
///
/// # Examples
///
/// ```
/// use bellwether::Gauge;
///
/// static TEMPERATURE: Gauge = Gauge::new("room.temperature", "As measured").unit(bellwether::Unit::new("Cel"));
///
/// assert_eq!(TEMPERATURE.value(), None);
/// TEMPERATURE.set(20.5);
/// TEMPERATURE.add(-0.5);
/// assert_eq!(TEMPERATURE.value(), Some(20.0));
/// ```
pub struct Gauge<L = ()> {
    instrument: Instrument,
    // Covariant: a static of `Route<'static>` binds a `Route<'_>` too.
    labels: PhantomData<fn() -> L>,
}

/// One series of a [`Gauge`]; a number, to be copied and kept.
#[derive(Clone, Copy, Debug)]
pub struct BoundGauge(u32);

impl<L> Gauge<L> {
    /// A gauge for a static; as [`Counter::new`](super::Counter::new).
    ///
    /// # Panics
    ///
    /// Panics if `name` is not legal: in a static, that is an error of the build.
    #[must_use]
    #[track_caller]
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self::from_instrument(Instrument::new(name, help, Kind::Gauge))
    }

    /// The gauge with a unit.
    #[must_use]
    pub const fn unit(self, unit: Unit) -> Self {
        let Self { instrument, labels } = self;
        Self { instrument: instrument.unit(unit), labels }
    }

    pub(crate) const fn from_instrument(instrument: Instrument) -> Self {
        Self { instrument, labels: PhantomData }
    }
}

impl<L: Labels> Gauge<L> {
    /// The series with `labels`; as [`Counter::bind`](super::Counter::bind).
    #[inline]
    #[must_use]
    pub fn bind(&self, labels: L) -> BoundGauge {
        BoundGauge(self.instrument.series(&labels))
    }
}

impl Gauge {
    /// Sets the value. NaN and infinities are values too, as on a Prometheus page.
    #[inline]
    pub fn set(&self, value: f64) {
        match cell::gauge(self.instrument.id()) {
            Some(cell) => cell.set(value),
            None => write(self.instrument.register_id(), |cell| cell.set(value)),
        }
    }

    /// Adds to the value, zero at first. NaN and infinities, which could never be taken back, are
    /// rejected and counted.
    #[inline]
    pub fn add(&self, n: f64) {
        if let Some(n) = finite(n) {
            write(self.instrument.register_id(), |cell| cell.add(n));
        }
    }

    /// The value, if it was ever set in the scope that this thread is in.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        cell::current_storage().reader().gauge(self.instrument.register_id()?)
    }
}

impl BoundGauge {
    /// Sets the value; as [`Gauge::set`].
    #[inline]
    pub fn set(self, value: f64) {
        match cell::gauge(self.0) {
            Some(cell) => cell.set(value),
            None => write(Some(self.0), |cell| cell.set(value)),
        }
    }

    /// Adds to the value; as [`Gauge::add`].
    #[inline]
    pub fn add(self, n: f64) {
        if let Some(n) = finite(n) {
            write(Some(self.0), |cell| cell.add(n));
        }
    }

    /// The value, if it was ever set in the scope that this thread is in.
    #[must_use]
    pub fn value(self) -> Option<f64> {
        cell::current_storage().reader().gauge(self.0)
    }
}

impl<L> fmt::Debug for Gauge<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.instrument.fmt(f)
    }
}

fn write(id: Option<u32>, write: impl FnOnce(&cell::GaugeCell)) {
    match id {
        None | Some(DISABLED) => stats::reject(Rejection::Disabled),
        Some(id) => match cell::gauge(id) {
            Some(cell) => write(cell),
            None => cell::gauge_slow(id, write),
        },
    }
}

fn finite(n: f64) -> Option<f64> {
    if n.is_finite() {
        return Some(n);
    }
    stats::reject(if n.is_nan() { Rejection::Nan } else { Rejection::Infinite });
    None
}
