//! The instrument that records a distribution.

use std::{fmt, marker::PhantomData};

use super::HistogramSnapshot;
use crate::{
    label::Labels,
    metric::{
        Kind, Unit,
        cell::{self, DISABLED},
        instrument::Instrument,
        stats::{self, Rejection},
    },
};

/// A distribution of values: how long requests took, how large answers were.
///
/// Quantiles are within 1 % for values in [1e-9, 1e12] of the unit; count and sum are exact. Zero,
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
pub struct Histogram<L = ()> {
    instrument: Instrument,
    // Covariant: a static of `Route<'static>` binds a `Route<'_>` too.
    labels: PhantomData<fn() -> L>,
}

/// One series of a [`Histogram`]; a number, to be copied and kept.
#[derive(Clone, Copy, Debug)]
pub struct BoundHistogram(u32);

impl<L> Histogram<L> {
    /// A histogram for a static; as [`Counter::new`](crate::Counter::new).
    ///
    /// # Panics
    ///
    /// Panics if `name` is not legal: in a static, that is an error of the build.
    #[must_use]
    #[track_caller]
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self::from_instrument(Instrument::new(name, help, Kind::Histogram))
    }

    /// The histogram with a unit.
    #[must_use]
    pub const fn unit(self, unit: Unit) -> Self {
        let Self { instrument, labels } = self;
        Self { instrument: instrument.unit(unit), labels }
    }

    pub(crate) const fn from_instrument(instrument: Instrument) -> Self {
        Self { instrument, labels: PhantomData }
    }
}

impl<L: Labels> Histogram<L> {
    /// The series with `labels`; as [`Counter::bind`](crate::Counter::bind).
    #[inline]
    #[must_use]
    pub fn bind(&self, labels: L) -> BoundHistogram {
        BoundHistogram(self.instrument.series(&labels))
    }
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
    pub fn record(self, value: f64) {
        if !cell::record(self.0, value) {
            record_slow(Some(self.0), value);
        }
    }

    /// What was recorded so far, in the scope that this thread is in.
    #[must_use]
    pub fn snapshot(self) -> HistogramSnapshot {
        read(self.0)
    }
}

impl<L> fmt::Debug for Histogram<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.instrument.fmt(f)
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
