//! The instrument that records a distribution.

use std::{fmt, marker::PhantomData};

use super::{
    Admitted, Aggregation, HistogramOptions, HistogramSnapshot, OutOfRange, chosen::Amount,
};
use crate::{
    context,
    label::Labels,
    metric::{
        Kind, Unit,
        cell::{self, DISABLED},
        instrument::{Instrument, typed_instrument},
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
    /// By choice it keeps its values by explicit [`bounds`](Self::bounds) or in whole ticks
    /// ([`hdr`](Self::hdr)), and in a [`range`](Self::range) only.
    ///
    /// A record in a span that is sampled is kept as an [exemplar](HistogramSnapshot::exemplars).
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

impl<L> Histogram<L> {
    /// The histogram with a bucket up to and including each of `bounds`, and one beyond the last.
    ///
    /// # Panics
    ///
    /// Panics if there are more than 256, or if they are not ascending, finite and at least zero: in
    /// a static, that is an error of the build.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::Histogram;
    ///
    /// static SIZE: Histogram = Histogram::new("cart.size", "Items").bounds(&[1.0, 5.0, 25.0]);
    ///
    /// [1.0, 2.0, 30.0].into_iter().for_each(|items| SIZE.record(items));
    /// assert_eq!(SIZE.snapshot().cumulative(&[1.0, 5.0, 25.0]), [1, 2, 2]);
    /// ```
    ///
    /// Bounds that do not ascend do not compile:
    ///
    /// ```compile_fail
    /// use bellwether::Histogram;
    ///
    /// static SIZE: Histogram = Histogram::new("cart.size", "Items").bounds(&[5.0, 1.0]);
    /// ```
    #[must_use]
    pub const fn bounds(self, bounds: &'static [f64]) -> Self {
        let options = self.instrument.histogram().aggregation(Aggregation::Explicit(bounds));
        self.told(options)
    }

    /// The histogram of whole ticks, one to the unit, told apart to so many significant digits: its
    /// buckets are those of the crate `hdrhistogram`.
    ///
    /// A recorded value is rounded to the nearest tick; [`record_ticks`](Self::record_ticks) takes
    /// it as it is. For durations, give the histogram a unit as fine as its ticks shall be.
    ///
    /// # Panics
    ///
    /// Panics if `significant_digits` is not in 1 to 5: in a static, that is an error of the build.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{Histogram, Unit};
    ///
    /// static PAUSE: Histogram = Histogram::new("gc.pause", "Pauses").unit(Unit::new("ns")).hdr(3);
    ///
    /// PAUSE.record_ticks(1_234_567);
    /// assert_eq!(PAUSE.snapshot().p50(), Some(1_235_967.0)); // 1,023 x 1,208 ns and up.
    /// ```
    #[must_use]
    pub const fn hdr(self, significant_digits: u8) -> Self {
        let hdr = Aggregation::Hdr { significant_digits };
        let options = self.instrument.histogram().aggregation(hdr);
        self.told(options)
    }

    /// The histogram for values from `min` to `max`, both included: one outside is clamped to the
    /// nearer end or dropped, and counted.
    ///
    /// # Panics
    ///
    /// Panics if `min` is negative, above `max` or not finite, or `max` is not finite: in a static,
    /// that is an error of the build.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{Histogram, metric::OutOfRange};
    ///
    /// static LOAD: Histogram =
    ///     Histogram::new("load", "Share of the time").range(0.0, 1.0, OutOfRange::Clamp);
    ///
    /// LOAD.record(1.25);
    /// assert_eq!(LOAD.snapshot().sum(), 1.0);
    /// ```
    #[must_use]
    pub const fn range(self, min: f64, max: f64, outside: OutOfRange) -> Self {
        let options = self.instrument.histogram().range(min, max, outside);
        self.told(options)
    }

    const fn told(self, options: HistogramOptions) -> Self {
        let Self { instrument, labels } = self;
        Self { instrument: instrument.with_histogram(options), labels }
    }
}

impl Histogram {
    /// Records `value`.
    #[inline]
    pub fn record(&self, value: f64) {
        let id = self.instrument.id();
        if !cell::record(id, value) && !record_chosen(id, value) {
            record_slow(self.instrument.register_id(), Amount { value, ticks: None });
        }
        if context::is_sampled() {
            cell::exemplify(self.instrument.id(), value);
        }
    }

    /// Records so many ticks, exactly in a histogram of [ticks](Self::hdr).
    #[inline]
    pub fn record_ticks(&self, ticks: u64) {
        let amount = Amount { value: ticks as f64, ticks: Some(ticks) };
        let id = self.instrument.id();
        if !cell::record_chosen(id, amount) && !cell::record(id, amount.value) {
            record_slow(self.instrument.register_id(), amount);
        }
        if context::is_sampled() {
            cell::exemplify(self.instrument.id(), amount.value);
        }
    }

    /// What was recorded so far, in the scope that this thread is in.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot {
        let recorded = self.instrument.register_id().and_then(read);
        recorded.unwrap_or_else(|| super::chosen::empty(&self.instrument.histogram()))
    }
}

impl BoundHistogram {
    /// Records `value`.
    #[inline]
    pub fn record(self, value: f64) {
        if !cell::record(self.0, value) && !record_chosen(self.0, value) {
            record_slow(Some(self.0), Amount { value, ticks: None });
        }
        if context::is_sampled() {
            cell::exemplify(self.0, value);
        }
    }

    /// Records so many ticks; as [`Histogram::record_ticks`].
    #[inline]
    pub fn record_ticks(self, ticks: u64) {
        let amount = Amount { value: ticks as f64, ticks: Some(ticks) };
        if !cell::record_chosen(self.0, amount) && !cell::record(self.0, amount.value) {
            record_slow(Some(self.0), amount);
        }
        if context::is_sampled() {
            cell::exemplify(self.0, amount.value);
        }
    }

    /// What was recorded so far, in the scope that this thread is in.
    #[must_use]
    pub fn snapshot(self) -> HistogramSnapshot {
        read(self.0).unwrap_or_default()
    }
}

/// Out of line, so that what most histograms do not need takes no room where they record.
#[inline(never)]
fn record_chosen(id: u32, value: f64) -> bool {
    cell::record_chosen(id, Amount { value, ticks: None })
}

#[cold]
#[inline(never)]
fn record_slow(id: Option<u32>, amount: Amount) {
    let rejection = match id {
        None | Some(DISABLED) => Rejection::Disabled,
        _ if amount.value.is_nan() => Rejection::Nan,
        _ if amount.value < 0.0 => Rejection::Negative,
        _ if amount.value.is_infinite() => Rejection::Infinite,
        Some(id) => match cell::record_slow(id, amount) {
            Admitted::Within(_) => return,
            Admitted::Clamped(_) => return stats::CLAMPED.inc(),
            Admitted::Dropped => Rejection::OutOfRange,
        },
    };
    stats::reject(rejection);
}

fn read(id: u32) -> Option<HistogramSnapshot> {
    cell::current_storage().reader().histogram(id)
}
