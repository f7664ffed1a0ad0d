//! The instrument that records a distribution.

use std::{fmt, marker::PhantomData, time::Duration};

use super::HistogramSnapshot;
use crate::{
    label::{Dynamic, Labels, Text},
    metric::{
        Kind, Unit, With,
        cell::{self, DISABLED},
        instrument::{Handle, Instrument, pairs, recorded_with, typed_instrument},
        stats::{self, Rejection},
    },
};

typed_instrument! {
    /// A distribution of values: how long requests took, how large answers were.
    ///
    /// Quantiles are within 1 % for values in [1e-9, 1e12] of the unit; count and sum are exact (a value
    /// beyond 1e290 adds that much). Zero,
    /// smaller and larger values have buckets of their own. A negative value, NaN or an infinity is not
    /// recorded but counted in `telemetry.measurements.rejected`.
    ///
    /// A thread keeps its first hundred values of a series in 256 bytes, more of them in 9 kB or less.
    /// Recording allocates only where a thread meets a new series or a new power of two.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{Histogram, Unit};
    ///
    /// static LATENCY: Histogram =
    ///     Histogram::new("shop.request.duration", "Time to answer").unit(Unit::Seconds);
    ///
    /// for milliseconds in 1..=100 {
    ///     LATENCY.record(f64::from(milliseconds) / 1000.0);
    /// }
    /// let p99 = LATENCY.snapshot().p99().unwrap();
    /// assert!((p99 / 0.099 - 1.0).abs() < 0.01);
    /// ```
    Histogram, BoundHistogram, Kind::Histogram
}

impl Histogram {
    /// Records `value`.
    #[inline]
    pub fn record(&self, value: f64) {
        if !cell::record(self.instrument.id(), value) {
            record_slow(self.instrument.register_id(), value);
        }
    }

    /// What was recorded so far, in the scope that this thread is in.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot {
        self.instrument.register_id().map_or_else(HistogramSnapshot::default, read)
    }
}

impl BoundHistogram {
    /// Records `value`.
    #[inline]
    pub fn record(&self, value: f64) {
        record(self.0.id(), value);
    }

    /// What was recorded so far, in the scope that this thread is in.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot {
        read(self.0.id())
    }
}

recorded_with! {
    Histogram {
        /// Records `value`.
        fn record(value: f64) = |id| record(id, value);
    }
}

/// The way of `histogram!`: the values in the order of the keys.
impl Histogram<Dynamic> {
    #[doc(hidden)]
    #[inline]
    pub fn record_ordered(&self, value: f64, values: &[&dyn Text]) {
        let visit = |each: &mut dyn FnMut(&str)| values.iter().for_each(|value| value.visit(each));
        self.instrument.with_dynamic(visit, |id| record(id, value));
    }
}

#[inline]
fn record(id: u32, value: f64) {
    if !cell::record(id, value) {
        record_slow(Some(id), value);
    }
}

#[cold]
#[inline(never)]
fn record_slow(id: Option<u32>, value: f64) {
    let rejection = match id {
        None | Some(DISABLED) => Rejection::Disabled,
        _ if value.is_nan() => Rejection::Nan,
        _ if value < 0.0 => Rejection::Negative,
        _ if value.is_infinite() => Rejection::Infinite,
        Some(id) => return cell::record_slow(id, value),
    };
    stats::reject(rejection);
}

fn read(id: u32) -> HistogramSnapshot {
    cell::current_storage().reader().histogram(id).unwrap_or_default()
}
