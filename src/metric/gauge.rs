//! Gauges: the last value set, whoever set it.

use std::{fmt, marker::PhantomData, time::Duration};

use super::{
    Kind, Unit, With,
    cell::{self, DISABLED},
    instrument::{Handle, Instrument, pairs, recorded_with, typed_instrument},
    stats::{self, Rejection},
};
use crate::label::{Dynamic, Labels, Text};

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
    pub fn set(&self, value: f64) {
        set(self.0.id(), value);
    }

    /// Adds to the value; as [`Gauge::add`].
    #[inline]
    pub fn add(&self, n: f64) {
        add(self.0.id(), n);
    }

    /// The value, if it was ever set in the scope that this thread is in.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        cell::current_storage().reader().gauge(self.0.id())
    }
}

recorded_with! {
    Gauge {
        /// Sets the value; as [`Gauge::set`].
        fn set(value: f64) = |id| set(id, value);
        /// Adds to the value; as [`Gauge::add`].
        fn add(n: f64) = |id| add(id, n);
    }
}

/// The way of `gauge!`: the values in the order of the keys.
impl Gauge<Dynamic> {
    #[doc(hidden)]
    #[inline]
    pub fn set_ordered(&self, value: f64, values: &[&dyn Text]) {
        let visit = |each: &mut dyn FnMut(&str)| values.iter().for_each(|value| value.visit(each));
        self.instrument.with_dynamic(visit, |id| set(id, value));
    }
}

#[inline]
pub(super) fn set(id: u32, value: f64) {
    match cell::gauge(id) {
        Some(cell) => cell.set(value),
        None => write(Some(id), |cell| cell.set(value)),
    }
}

fn add(id: u32, n: f64) {
    if let Some(n) = finite(n) {
        write(Some(id), |cell| cell.add(n));
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
