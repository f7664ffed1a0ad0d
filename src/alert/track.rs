//! The samples of one series: a ring aligned with the window's column of times.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    clock::Ticks,
    label::LabelSet,
    metric::{HistogramSnapshot, Kind, Series, SeriesValue},
};

/// The ring of one series.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) labels: LabelSet,
    pub(super) range: usize, // The longest one that selects it, in `SampleWindow::ranges`.
    pub(super) is_sum: bool,
    pub(super) ended: bool,
    pub(super) first: u64,
    pub(super) values: VecDeque<f64>,
    // Of each tick, as `values`; absent where no selection needs distributions.
    pub(super) histograms: Option<VecDeque<Option<Arc<HistogramSnapshot>>>>,
    // Of a sum: the ticks at which it fell, and from what value. A scan of the ring for each range
    // and rule would be the cost of the whole tick.
    pub(super) resets: VecDeque<(u64, f64)>,
    pub(super) previous: f64,
    /// When its sum began, and the first tick at which this sum was there; `None` for a sum that may be
    /// older than the window.
    pub(super) started: Ticks,
    pub(super) born: Option<u64>,
    pub(super) histogram_bytes: usize, // Of those in `histograms`, shared ones once.
    pub(super) charged: usize,
}

/// The number of a tick, and the value at it.
pub(super) type Sample = (u64, f64);

impl Track {
    pub(super) fn new(
        labels: LabelSet,
        kind: Kind,
        range: usize,
        distributions: bool,
        (first, is_new): (u64, bool),
    ) -> Self {
        let has_distributions = distributions && kind.is_distribution();
        Self {
            labels,
            range,
            is_sum: kind == Kind::Counter || kind.is_distribution(),
            ended: false,
            first,
            values: VecDeque::new(),
            histograms: has_distributions.then(VecDeque::new),
            resets: VecDeque::new(),
            previous: f64::NEG_INFINITY,
            started: Ticks::ORIGIN,
            born: is_new.then_some(first),
            histogram_bytes: 0,
            charged: 0,
        }
    }

    /// One past the last tick of the ring.
    pub(super) fn end(&self) -> u64 {
        self.first + self.values.len() as u64
    }

    pub(super) fn value(&self, tick: u64) -> Option<f64> {
        let place = tick.checked_sub(self.first)?;
        let value = *self.values.get(place as usize)?;
        (value.to_bits() != END_MARK).then_some(value)
    }

    pub(super) fn histogram(&self, tick: u64) -> Option<&Arc<HistogramSnapshot>> {
        self.histograms.as_ref()?.get(tick.checked_sub(self.first)? as usize)?.as_ref()
    }

    /// Adds the value of `tick`, which is after the last.
    pub(super) fn push(&mut self, series: &Series, tick: u64) {
        let value = series.value();
        let is_other = !self.values.is_empty() && self.started != series.started();
        if self.values.is_empty() {
            self.first = tick;
        }
        if is_other {
            self.born = Some(tick);
        }
        self.started = series.started();
        while self.end() < tick {
            self.push_absent(self.end());
        }
        self.ended = false;
        let number = value.as_f64();
        if self.is_sum && (number < self.previous || is_other) {
            self.resets.push_back((tick, self.previous));
        }
        self.previous = number;
        let histogram = match value {
            SeriesValue::Histogram(histogram) => Some(self.shared(histogram)),
            _ => None,
        };
        self.push_raw(number, histogram);
    }

    pub(super) fn push_absent(&mut self, tick: u64) {
        debug_assert_eq!(tick, self.end());
        self.push_raw(f64::from_bits(END_MARK), None);
    }

    pub(super) fn push_raw(&mut self, number: f64, histogram: Option<Arc<HistogramSnapshot>>) {
        if self.values.len() == self.values.capacity() {
            // In small steps: doubling would waste up to half of the budget.
            self.values.reserve_exact((self.values.len() / 4).max(8));
        }
        self.values.push_back(number);
        let Some(histograms) = &mut self.histograms else { return };
        let is_shared = match (histograms.back(), &histogram) {
            (Some(Some(last)), Some(new)) => Arc::ptr_eq(last, new),
            _ => false,
        };
        if let Some(new) = histogram.as_ref().filter(|_| !is_shared) {
            self.histogram_bytes += histogram_bytes(new);
        }
        histograms.push_back(histogram);
    }

    /// The last tick's histogram if nothing was recorded since, so that it is kept once.
    pub(super) fn shared(&self, histogram: &Arc<HistogramSnapshot>) -> Arc<HistogramSnapshot> {
        match self.histograms.as_ref().and_then(VecDeque::back) {
            Some(Some(last))
                if last.count() == histogram.count() && last.sum() == histogram.sum() =>
            {
                Arc::clone(last)
            }
            _ => Arc::clone(histogram),
        }
    }

    pub(super) fn trim(&mut self, needed: u64) {
        while self.first < needed && !self.values.is_empty() {
            self.values.pop_front();
            self.forget_oldest_histogram();
            self.first += 1;
        }
        while self.resets.front().is_some_and(|&(tick, _)| tick <= self.first) {
            self.resets.pop_front();
        }
    }

    pub(super) fn forget_oldest_histogram(&mut self) {
        let Some(histograms) = &mut self.histograms else { return };
        let Some(Some(gone)) = histograms.pop_front() else { return };
        let is_shared = matches!(histograms.front(), Some(Some(next)) if Arc::ptr_eq(next, &gone));
        if !is_shared {
            self.histogram_bytes -= histogram_bytes(&gone);
        }
    }

    pub(super) fn shrink(&mut self) {
        self.values.shrink_to(self.values.len() + 8);
        if let Some(histograms) = &mut self.histograms {
            histograms.shrink_to(histograms.len() + 8);
        }
    }

    /// What the ring costs, remembered as charged.
    pub(super) fn charge(&mut self) -> usize {
        self.charged = SERIES_BYTES
            + self.histogram_bytes
            + self.values.capacity() * size_of::<f64>()
            + self.histograms.as_ref().map_or(0, VecDeque::capacity) * size_of::<Arc<()>>()
            + self.resets.capacity() * size_of::<(u64, f64)>();
        self.charged
    }

    /// By how much it grew from one sample to the other.
    pub(super) fn increase(&self, from: Sample, to: Sample) -> f64 {
        let mut amount = to.1 - from.1;
        if self.is_sum {
            return amount + self.before_resets(from.0, to.0);
        }
        let mut previous = from.1;
        for value in (from.0 + 1..=to.0).filter_map(|tick| self.value(tick)) {
            if value < previous {
                amount += previous;
            }
            previous = value;
        }
        amount
    }

    /// By how much a sum grew that was not there at the tick `from`, and has the sample `to`.
    pub(super) fn increase_from_nothing(&self, from: u64, to: Sample) -> f64 {
        let first = (from + 1..=to.0).find(|&tick| self.value(tick).is_some()).unwrap_or(to.0);
        to.1 + self.before_resets(first, to.0)
    }

    /// What the sum was before it fell or began anew, after one tick and at another at the latest.
    fn before_resets(&self, from: u64, to: u64) -> f64 {
        let inside = self.resets.iter().filter(|&&(tick, _)| tick > from && tick <= to);
        inside.map(|&(_, before)| before).sum()
    }

    /// Whether its sum began after the tick `tick`, and counts from zero there.
    pub(super) fn is_born_after(&self, tick: u64) -> bool {
        self.is_sum && self.value(tick).is_none() && self.born.is_some_and(|born| born > tick)
    }
}

/// What a histogram takes, about: its cells, and the counts around them.
fn histogram_bytes(histogram: &HistogramSnapshot) -> usize {
    histogram.buckets().len() * size_of::<(u16, u64)>() + 64
}

/// Marks a tick in which the series was absent (Prometheus, `value.StaleNaN`).
const END_MARK: u64 = 0x7ff0_0000_0000_0002;

/// What a series costs beside its samples: labels, ring headers, places in lists. An estimate.
pub(super) const SERIES_BYTES: usize = 400;
