//! The samples of a value.
//!
//! Each is passed to a closure and nothing is kept, so that a page pays only for writing it.

use std::time::Duration;

use super::name::Model;
use crate::{
    cells::histogram::cuts::BucketCounts,
    metric::{SeriesValue, SummarySnapshot},
    snapshot::Part,
};

/// A number, and which part of its series it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) part: Part,
    pub(crate) extra: Extra,
    pub(crate) number: Number,
}

/// The labels of a sample besides those of its series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Extra {
    None,
    /// `le`: the index of the bound.
    Bound(usize),
    /// `window` and `quantile`; the index of the latter in [`QUANTILES`].
    Quantile(WindowLength, usize),
}

/// The value of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Whole(u64),
    Signed(i64),
    Float(f64),
}

impl Number {
    /// The nearest float, because Prometheus stores floats.
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Whole(value) => value as f64,
            Self::Signed(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

/// The quantiles that are shown for each window of a summary, and the values of their label.
pub(crate) const QUANTILES: [(f64, &str); 3] = [(0.5, "0.5"), (0.9, "0.9"), (0.99, "0.99")];

/// The length of a window as in the label `window`, a number and a unit: `10s`, `1m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowLength {
    pub(crate) number: u64,
    pub(crate) unit: &'static str,
}

impl WindowLength {
    pub(crate) fn new(length: Duration) -> Self {
        let seconds = length.as_secs();
        let (number, unit) = match seconds {
            _ if length.subsec_nanos() != 0 => (length.as_millis() as u64, "ms"),
            1.. if seconds.is_multiple_of(3600) => (seconds / 3600, "h"),
            1.. if seconds.is_multiple_of(60) => (seconds / 60, "m"),
            _ => (seconds, "s"),
        };
        Self { number, unit }
    }
}

/// Calls `each` with the sample of a value that is one number. A sum of a counter that is negative or
/// not a number has none, because readers would refuse the whole page.
#[inline(always)]
pub(crate) fn number_samples(value: &SeriesValue, mut each: impl FnMut(Sample)) {
    let number = match *value {
        SeriesValue::Counter(sum) => Number::Whole(sum),
        SeriesValue::FloatCounter(sum) if sum.is_nan() || sum < 0.0 => return,
        SeriesValue::FloatCounter(sum) => Number::Float(sum),
        SeriesValue::UpDownCounter(sum) => Number::Signed(sum),
        SeriesValue::Gauge(value) => Number::Float(value),
        SeriesValue::State(holds) => Number::Whole(holds.into()),
        SeriesValue::Info => Number::Whole(1),
        SeriesValue::Histogram(_) | SeriesValue::Summary(_) => return, // Not one number.
    };
    each(Sample { part: Part::Value, extra: Extra::None, number });
}

/// Calls `each` with the buckets of a histogram that was counted by the shown buckets. Its
/// [sum and count](sum_samples) follow.
#[inline(always)]
pub(crate) fn bucket_samples(counts: &BucketCounts, mut each: impl FnMut(Sample)) {
    for (place, count) in counts.cumulative().enumerate() {
        let (extra, number) = (Extra::Bound(place), Number::Whole(count));
        each(Sample { part: Part::Bucket, extra, number });
    }
}

/// Calls `each` with the quantiles of a summary. Its [sum and count](sum_samples) follow.
pub(crate) fn quantile_samples(summary: &SummarySnapshot, mut each: impl FnMut(Sample)) {
    for (length, window) in &summary.windows {
        for (place, (q, _)) in QUANTILES.into_iter().enumerate() {
            let extra = Extra::Quantile(WindowLength::new(*length), place);
            let number = Number::Float(window.quantile(q).unwrap_or(f64::NAN));
            each(Sample { part: Part::Value, extra, number });
        }
    }
}

/// Calls `each` with the sum and count of a histogram or summary.
///
/// In OpenMetrics a sum is allowed only if values are not negative, and a count only beside a sum. The
/// bucket up to infinity still has the count.
#[inline(always)]
pub(crate) fn sum_samples((sum, count): (f64, u64), model: Model, mut each: impl FnMut(Sample)) {
    if model == Model::OpenMetrics && (sum < 0.0 || sum.is_nan()) {
        return;
    }
    each(Sample { part: Part::Sum, extra: Extra::None, number: Number::Float(sum) });
    each(Sample { part: Part::Count, extra: Extra::None, number: Number::Whole(count) });
}
