//! Series that become one because their labels do.

use std::sync::Arc;

use crate::{
    cells::histogram::cuts::{BucketCounts, Cuts},
    clock::Ticks,
    metric::{Exemplar, SeriesValue},
    series::Reading,
};

/// Series that become one: counters, up-down counters and histograms are added, of gauges and
/// summaries the last one stays, and a state holds if it does in any.
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
    /// One series.
    pub(crate) fn new(started: Ticks, exemplar: Option<Exemplar>, reading: Reading<'_>) -> Self {
        let value = match reading {
            Reading::Counter(sum) => MergedValue::Value(SeriesValue::Counter(sum)),
            Reading::Value(value) => MergedValue::Value(value.clone()),
            Reading::Buckets(counts) => MergedValue::Buckets(counts.clone()),
        };
        Self { started, exemplar, value }
    }

    /// Adds `other`, which is later in the order of series; histograms that were counted by `cuts` and
    /// others too.
    pub(crate) fn add(&mut self, other: Self, cuts: Option<&Cuts>) {
        self.started = self.started.min(other.started);
        let exemplars = self.exemplar.take().into_iter().chain(other.exemplar);
        self.exemplar = exemplars.max_by_key(Exemplar::age);
        self.value.add(other.value, cuts);
    }

    /// When the first of them began.
    pub(crate) fn started(&self) -> Ticks {
        self.started
    }

    /// The newest exemplar.
    pub(crate) fn exemplar(&self) -> Option<&Exemplar> {
        self.exemplar.as_ref()
    }

    /// What they hold together.
    pub(crate) fn reading(&self) -> Reading<'_> {
        match &self.value {
            MergedValue::Value(value) => value.into(),
            MergedValue::Buckets(counts) => Reading::Buckets(counts),
        }
    }
}

impl MergedValue {
    /// Becomes the value of itself and `other`; of a histogram that is there by its buckets and as a
    /// snapshot, the latter is counted by `cuts`.
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

/// Makes `value` the one value of two series.
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
