//! Merges series whose labels become equal.

use std::sync::Arc;

use crate::{
    cells::histogram::cuts::{BucketCounts, Cuts},
    clock::Ticks,
    metric::{Exemplar, SeriesValue},
    series::Reading,
};

/// Series that become one. Counters, up-down counters and histograms are added up; of gauges and
/// summaries, the last one is kept; a state holds if any of them does.
#[derive(Debug)]
pub(crate) struct Merged {
    started: Ticks,
    exemplar: Option<Exemplar>,
    value: MergedValue,
}

#[derive(Debug)]
enum MergedValue {
    Value(SeriesValue),
    Buckets(BucketCounts),
}

impl Merged {
    /// Starts with one series.
    pub(crate) fn new(started: Ticks, exemplar: Option<Exemplar>, reading: Reading<'_>) -> Self {
        let value = match reading {
            Reading::Counter(sum) => MergedValue::Value(SeriesValue::Counter(sum)),
            Reading::Value(value) => MergedValue::Value(value.clone()),
            Reading::Buckets(counts) => MergedValue::Buckets(counts.clone()),
        };
        Self { started, exemplar, value }
    }

    /// Adds `other`, which comes later in the order of series. Histograms may be counted by `cuts` or
    /// not.
    pub(crate) fn add(&mut self, other: Self, cuts: Option<&Cuts>) {
        self.started = self.started.min(other.started);
        let exemplars = self.exemplar.take().into_iter().chain(other.exemplar);
        self.exemplar = exemplars.max_by_key(Exemplar::age);
        self.value.add(other.value, cuts);
    }

    /// When the first of the series began.
    pub(crate) fn started(&self) -> Ticks {
        self.started
    }

    /// The newest exemplar.
    pub(crate) fn exemplar(&self) -> Option<&Exemplar> {
        self.exemplar.as_ref()
    }

    /// The merged value.
    pub(crate) fn reading(&self) -> Reading<'_> {
        match &self.value {
            MergedValue::Value(value) => value.into(),
            MergedValue::Buckets(counts) => Reading::Buckets(counts),
        }
    }
}

impl MergedValue {
    /// Merges `other` into this value. If one of two histograms is counted by its buckets and the other
    /// is a snapshot, the snapshot is counted by `cuts`.
    fn add(&mut self, other: Self, cuts: Option<&Cuts>) {
        let counted = |value: &SeriesValue| {
            let mut counts = BucketCounts::default();
            if let (SeriesValue::Histogram(histogram), Some(cuts)) = (value, cuts) {
                counts.read_snapshot(histogram, cuts);
            }
            counts
        };
        match (&mut *self, other) {
            (Self::Value(value), Self::Value(other)) => merge(value, &other),
            (Self::Buckets(counts), Self::Buckets(other)) => counts.merge(&other),
            (Self::Buckets(counts), Self::Value(other)) => counts.merge(&counted(&other)),
            (Self::Value(value), Self::Buckets(mut counts)) => {
                counts.merge(&counted(value));
                *self = Self::Buckets(counts);
            }
        }
    }
}

/// Merges `other` into `value`.
fn merge(value: &mut SeriesValue, other: &SeriesValue) {
    match (value, other) {
        (SeriesValue::Counter(value), SeriesValue::Counter(other)) => {
            *value = value.wrapping_add(*other);
        }
        (SeriesValue::FloatCounter(value), SeriesValue::FloatCounter(other)) => *value += other,
        (SeriesValue::UpDownCounter(value), SeriesValue::UpDownCounter(other)) => {
            *value = value.wrapping_add(*other);
        }
        (SeriesValue::Histogram(value), SeriesValue::Histogram(other)) => {
            Arc::make_mut(value).merge(other);
        }
        (SeriesValue::State(value), SeriesValue::State(other)) => *value |= other,
        (value, other) => *value = other.clone(),
    }
}
