//! A histogram at one instant: counts by bucket, and the values computed from them.

use std::collections::BTreeMap;

use super::buckets::BucketLayout;
use crate::{
    error::{Error, ErrorKind},
    snapshot::exemplar::{self, Exemplar},
};

/// The distribution that a histogram recorded: exact counts by bucket and an exact sum.
///
/// The error of a quantile depends on how the histogram divides its values:
///
/// - Exponentially, by default: within 1 % of the nearest-rank value of the sorted data, for values in
///   [1e-9, 1e12] of the unit. Smaller and larger values have buckets of their own: a quantile that
///   falls on them is the edge of the range, 2^-30 or 2^40.
/// - In ticks ([`Histogram::hdr`](crate::Histogram::hdr)): the largest number of ticks in the same
///   bucket as the nearest-rank value, as in `hdrhistogram`.
/// - By explicit bounds: interpolated within the bucket, as by Prometheus' function
///   `histogram_quantile`. So the error is at most the width of a bucket; beyond the last bound, the
///   result is that bound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistogramSnapshot {
    layout: BucketLayout,
    cells: Vec<(u32, u64)>, // Invariant: buckets of `layout`, ascending, counts not zero.
    count: u64,             // Invariant: the sum of the counts.
    sum: f64,
    /// The smallest and the largest value, if they are known exactly.
    extremes: Option<(f64, f64)>,
    pub(crate) exemplars: Vec<Exemplar>, // Sorted by value, one for each key of `layout`.
}

/// The parts of a [`HistogramSnapshot`]: to write it down and to read it again.
///
/// # Examples
///
/// ```
/// use bellwether::metric::{HistogramSnapshot, Registry, Unit};
///
/// let latency = Registry::new().histogram("latency", "").unit(Unit::Seconds).build()?;
/// latency.record(0.25);
/// let parts = latency.snapshot().parts();
/// assert_eq!(HistogramSnapshot::from_parts(parts)?, latency.snapshot());
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "to be made as well as taken apart")]
pub struct HistogramParts {
    /// How the buckets are divided.
    pub layout: BucketLayout,
    /// The number of each bucket that is not empty, ascending, and its count.
    pub buckets: Vec<(u32, u64)>,
    /// The sum of the values.
    pub sum: f64,
    /// The smallest and the largest value, if they are known exactly.
    pub extremes: Option<(f64, f64)>,
    /// Measurements of sampled spans, ascending: at most one for each bucket if bounds are explicit,
    /// otherwise one for each third of a power of two.
    pub exemplars: Vec<Exemplar>,
}

impl HistogramSnapshot {
    /// A snapshot of these cells, which ascend and have no zero counts.
    pub(crate) fn from_cells(layout: BucketLayout, cells: Vec<(u32, u64)>, sum: f64) -> Self {
        debug_assert!(cells.is_sorted_by(|a, b| a.0 < b.0));
        let count = cells.iter().fold(0u64, |count, cell| count.saturating_add(cell.1));
        Self { layout, cells, count, sum, extremes: None, exemplars: Vec::new() }
    }

    /// The snapshot with these exact extremes, if it has values.
    pub(crate) fn with_extremes(self, extremes: Option<(f64, f64)>) -> Self {
        Self { extremes: extremes.filter(|_| self.count > 0), ..self }
    }

    /// The snapshot of a histogram that recorded nothing.
    pub(crate) fn empty(layout: BucketLayout) -> Self {
        Self { layout, ..Self::default() }
    }

    /// The snapshot of a histogram that recorded `values`, which are not negative.
    #[cfg(test)]
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut snapshot = Self::default();
        snapshot.fill(values.iter().map(|&value| (value, 1)));
        snapshot.sum = values.iter().sum();
        let min = values.iter().copied().reduce(f64::min);
        snapshot.with_extremes(min.zip(values.iter().copied().reduce(f64::max)))
    }

    /// Builds a snapshot from these parts.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`] if
    ///
    /// - the layout is not legal;
    /// - the numbers of the buckets do not ascend, or the layout has no such buckets;
    /// - a count is zero, or the counts add up to more than 2^64;
    /// - the sum is negative or not finite;
    /// - the extremes are not in the first and the last bucket;
    /// - an exemplar has such a value or an id of zero, does not ascend, or is the second of its
    ///   bucket.
    pub fn from_parts(parts: HistogramParts) -> Result<Self, Error> {
        let HistogramParts { layout, buckets, sum, extremes, exemplars } = parts;
        let error = |text: &str| Error::new(ErrorKind::InvalidOption, format!("histogram: {text}"));
        let refused = |text| Err(error(text));
        if let Some(fault) = layout.fault() {
            return refused(fault);
        }
        if !buckets.is_sorted_by(|a, b| a.0 < b.0) {
            return refused("buckets do not ascend");
        }
        if buckets.last().is_some_and(|&(last, _)| last as usize >= layout.len()) {
            return refused("a bucket that there is not");
        }
        if buckets.iter().any(|&(_, count)| count == 0) {
            return refused("a bucket without values");
        }
        if buckets.iter().try_fold(0u64, |sum, &(_, count)| sum.checked_add(count)).is_none() {
            return refused("more than 2^64 values");
        }
        if !(0.0..f64::INFINITY).contains(&sum) {
            return refused("a sum that is negative or no number");
        }
        if extremes.is_some_and(|extremes| !are_extremes(extremes, &layout, &buckets)) {
            return refused("extremes outside of the first and the last bucket");
        }
        check_exemplars(&layout, &exemplars).map_err(|fault| error(&fault))?;
        Ok(Self { extremes, exemplars, ..Self::from_cells(layout, buckets, sum) })
    }

    /// The parts of the snapshot.
    #[must_use]
    pub fn parts(&self) -> HistogramParts {
        HistogramParts {
            layout: self.layout.clone(),
            buckets: self.cells.clone(),
            sum: self.sum,
            extremes: self.extremes,
            exemplars: self.exemplars.clone(),
        }
    }

    /// How many bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>()
            + self.cells.capacity() * size_of::<(u32, u64)>()
            + self.exemplars.capacity() * size_of::<Exemplar>()
    }

    /// How the buckets are divided.
    #[must_use]
    pub fn layout(&self) -> &BucketLayout {
        &self.layout
    }

    /// The bounds, if the histogram has explicit ones.
    #[must_use]
    pub fn explicit_bounds(&self) -> Option<&[f64]> {
        match &self.layout {
            BucketLayout::Explicit(bounds) => Some(bounds),
            _ => None,
        }
    }

    /// The numbers of the buckets that are not empty, and their counts.
    pub(crate) fn cells(&self) -> &[(u32, u64)] {
        &self.cells
    }

    /// How many values were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of the values.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// The mean of the values; `None` if there are none.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// The `q` quantile by nearest rank: the ceil(q n)-th smallest value, as exactly as the buckets
    /// allow (see [above](Self)).
    ///
    /// `None` if there are no values, or if the list of explicit bounds is empty. A `q` outside [0, 1]
    /// is taken as the nearer end, NaN as 0.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let rank = q.clamp(0.0, 1.0) * self.count as f64;
        // A cast turns NaN into zero.
        let nearest = (rank.ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0u64;
        let &(bucket, count) = self.cells.iter().find(|&&(_, count)| {
            seen = seen.saturating_add(count);
            seen >= nearest
        })?;
        match &self.layout {
            BucketLayout::Exponential => Some(self.layout.middle(bucket)),
            BucketLayout::Hdr { .. } if rank > 0.0 => Some(self.layout.upper_bound(bucket)),
            &BucketLayout::Hdr { significant_digits } => {
                Some(super::hdr::TickBuckets::new(significant_digits).lowest(bucket as usize) as f64)
            }
            BucketLayout::Explicit(bounds) => {
                let lower = self.layout.lower_bound(bucket);
                let Some(upper) = bounds.get(bucket as usize) else {
                    return bounds.last().copied();
                };
                let inside = rank.max(0.0) - (seen - count) as f64;
                Some(lower + (upper - lower) * (inside / count as f64))
            }
        }
    }

    /// The median.
    #[must_use]
    pub fn p50(&self) -> Option<f64> {
        self.quantile(0.5)
    }

    /// The 90th percentile.
    #[must_use]
    pub fn p90(&self) -> Option<f64> {
        self.quantile(0.9)
    }

    /// The 99th percentile.
    #[must_use]
    pub fn p99(&self) -> Option<f64> {
        self.quantile(0.99)
    }

    /// The largest value: exact for everything that a series recorded since it began, and for merged
    /// snapshots of such series.
    ///
    /// In a window, a difference, or a series that was removed and came back, earlier values cannot be
    /// told apart. The result is then that of [`quantile`](Self::quantile): the middle or the edge of a
    /// bucket.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        self.extremes.map(|(_, max)| max).or_else(|| self.quantile(1.0))
    }

    /// The smallest value; exact where [`max`](Self::max) is.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        self.extremes.map(|(min, _)| min).or_else(|| self.quantile(0.0))
    }

    /// The smallest and the largest value, if they are known: of a difference they are not.
    #[cfg(feature = "otlp")]
    pub(crate) fn extremes(&self) -> Option<(f64, f64)> {
        self.extremes
    }

    /// The buckets that are not empty, ascending: (lower bound, upper bound, count).
    ///
    /// A bucket holds the values above its lower bound, up to and including its upper bound. The first
    /// may be the bucket of zero, (0, 0); the last may end at infinity.
    pub fn buckets(&self) -> impl ExactSizeIterator<Item = (f64, f64, u64)> {
        self.cells.iter().map(|&(bucket, count)| {
            (self.layout.lower_bound(bucket), self.layout.upper_bound(bucket), count)
        })
    }

    /// For each of `bounds`, which must ascend, how many values are at most that bound.
    ///
    /// Exact at the bound of a bucket. Between two bounds, a bucket counts only once its upper bound is
    /// reached.
    #[must_use]
    pub fn cumulative(&self, bounds: &[f64]) -> Vec<u64> {
        let mut cells = self.cells.iter().peekable();
        let mut seen = 0u64;
        let counts = bounds.iter().map(|&bound| {
            while let Some((_, count)) =
                cells.next_if(|&&(bucket, _)| self.layout.upper_bound(bucket) <= bound)
            {
                seen = seen.saturating_add(*count);
            }
            seen
        });
        counts.collect()
    }

    /// Measurements of sampled spans, sorted by value: one for each bucket if bounds are explicit,
    /// otherwise one for each third of a power of two.
    ///
    /// Each thread keeps the first one after a tick, or after any read of the process. If several
    /// threads have one, the newest is shown. So it belongs to the newest tick in which there was one.
    #[must_use]
    pub fn exemplars(&self) -> &[Exemplar] {
        &self.exemplars
    }

    /// The newest exemplar above `lower` and at most `upper`, the bounds of a bucket.
    #[must_use]
    pub fn exemplar_within(&self, lower: f64, upper: f64) -> Option<&Exemplar> {
        let inside = self.exemplars.iter().filter(|one| lower < one.value && one.value <= upper);
        inside.max_by_key(|one| one.age())
    }

    /// Adds the counts and the sum of `other`: the result is what one histogram of both would have
    /// recorded.
    ///
    /// Exact if both divide their values in the same way, as all series of one family do. Otherwise
    /// count and sum are exact, and each bucket of `other` is counted whole where its middle falls, or
    /// for ticks its smallest number. An empty exponential snapshot takes on the layout of `other`
    /// instead.
    ///
    /// Of two exemplars in one bucket, or in one third of a power of two, the newer is kept.
    pub fn merge(&mut self, other: &Self) {
        let extremes = match (self.count, other.count) {
            (_, 0) => self.extremes,
            (0, _) => other.extremes,
            _ => self
                .extremes
                .zip(other.extremes)
                .map(|(own, other)| (own.0.min(other.0), own.1.max(other.1))),
        };
        if self.layout == other.layout || other.cells.is_empty() {
            self.combine(other, u64::saturating_add);
        } else if self.cells.is_empty() && self.layout == BucketLayout::Exponential {
            (self.layout, self.cells) = (other.layout.clone(), other.cells.clone());
            self.count = other.count;
            let own = std::mem::take(&mut self.exemplars);
            self.add_exemplars(&own); // By the buckets of `other`.
        } else {
            let mut converted = Self::empty(self.layout.clone());
            let values = other.cells.iter();
            converted.fill(values.map(|&(b, count)| (other.layout.representative(b), count)));
            self.combine(&converted, u64::saturating_add);
        }
        self.sum += other.sum;
        self.extremes = extremes;
        self.add_exemplars(&other.exemplars);
    }

    /// The values recorded after `earlier`, a snapshot of the same series, was taken.
    ///
    /// If `earlier` divides its values in another way, it belongs to another series, and all values are
    /// returned.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut later = self.clone();
        if self.layout != earlier.layout {
            return later;
        }
        later.combine(earlier, u64::saturating_sub);
        later.sum = if later.count == 0 { 0.0 } else { self.sum - earlier.sum };
        if earlier.count > 0 {
            later.extremes = None;
        }
        later.exemplars.retain(|one| !earlier.exemplars.contains(one));
        later
    }

    /// Counts these values, each so many times. The sum does not change.
    pub(crate) fn fill(&mut self, values: impl Iterator<Item = (f64, u64)>) {
        let mut cells: BTreeMap<u32, u64> = self.cells.iter().copied().collect();
        for (value, count) in values.filter(|&(_, count)| count > 0) {
            let cell = cells.entry(self.layout.bucket(value)).or_insert(0);
            *cell = cell.saturating_add(count);
            self.count = self.count.saturating_add(count);
        }
        self.cells = cells.into_iter().collect();
    }

    /// Keeps the newest exemplar of each key, among its own and `others`.
    pub(crate) fn add_exemplars(&mut self, others: &[Exemplar]) {
        if others.is_empty() {
            return;
        }
        let layout = &self.layout;
        self.exemplars.extend_from_slice(others);
        let first = self.exemplars[0].taken;
        if !self.exemplars.iter().all(|one| one.taken.is_comparable_with(first)) {
            // Some come from another process.
            self.exemplars.iter_mut().for_each(|one| one.taken = one.taken.dated());
        }
        exemplar::keep_newest(&mut self.exemplars, |value| layout.exemplar_key(value));
    }

    /// The snapshot with these exemplars, sorted by value.
    #[cfg(all(test, feature = "prometheus"))]
    pub(crate) fn with_exemplars(mut self, exemplars: Vec<Exemplar>) -> Self {
        self.exemplars = exemplars;
        self
    }

    fn combine(&mut self, other: &Self, operation: impl Fn(u64, u64) -> u64) {
        let (mut left, mut right) =
            (self.cells.iter().copied().peekable(), other.cells.iter().copied().peekable());
        let mut cells = Vec::with_capacity(self.cells.len().max(other.cells.len()));
        while let Some(cell) = [left.peek(), right.peek()].into_iter().flatten().map(|c| c.0).min()
        {
            let mine = left.next_if(|next| next.0 == cell).map_or(0, |(_, count)| count);
            let theirs = right.next_if(|next| next.0 == cell).map_or(0, |(_, count)| count);
            match operation(mine, theirs) {
                0 => {}
                count => cells.push((cell, count)),
            }
        }
        self.count = cells.iter().fold(0u64, |count, cell| count.saturating_add(cell.1));
        self.cells = cells;
    }
}

/// Whether these can be the smallest and the largest value of the buckets.
fn are_extremes(extremes: (f64, f64), layout: &BucketLayout, buckets: &[(u32, u64)]) -> bool {
    let in_bucket = |value: f64, bucket: Option<&(u32, u64)>| {
        let is_number = (0.0..f64::INFINITY).contains(&value);
        is_number && bucket.is_some_and(|&(bucket, _)| layout.bucket(value) == bucket)
    };
    extremes.0 <= extremes.1
        && in_bucket(extremes.0, buckets.first())
        && in_bucket(extremes.1, buckets.last())
}

/// What is wrong with one of these exemplars, with its index.
fn check_exemplars(layout: &BucketLayout, exemplars: &[Exemplar]) -> Result<(), String> {
    let mut last: Option<&Exemplar> = None;
    for (place, one) in exemplars.iter().enumerate() {
        let key = |exemplar: &Exemplar| layout.exemplar_key(exemplar.value);
        let fault = one.fault().or_else(|| match last {
            Some(last) if one.value < last.value => Some("a value below that of the one before"),
            Some(last) if key(one) == key(last) => Some("the bucket of the one before"),
            _ => None,
        });
        if let Some(fault) = fault {
            return Err(format!("exemplar {place}, of {}: {fault}", one.value));
        }
        last = Some(one);
    }
    Ok(())
}
