//! Gauges: the last value set, whoever set it.

use std::{fmt, marker::PhantomData};

use super::{
    Kind, Unit,
    cell::{self, DISABLED},
    instrument::{Instrument, typed_instrument},
    stats::{self, Rejection},
};
use crate::label::Labels;

typed_instrument! {
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
    Gauge, BoundGauge, Kind::Gauge
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
