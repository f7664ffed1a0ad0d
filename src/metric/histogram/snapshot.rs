//! A histogram at one instant: counts by bucket, and what they tell.

use super::layout;
use crate::metric::Exemplar;

/// The distribution that a histogram recorded: exact counts by bucket and an exact sum.
///
/// Quantiles are within 1 % of the nearest-rank value of the sorted data, for values in
/// [1e-9, 1e12] of the unit. Smaller and larger ones are counted apart: a quantile that falls on
/// them is the edge of the range, 2^-30 or 2^40.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistogramSnapshot {
    pub(super) cells: Vec<(u16, u64)>, // Invariant: cells of `layout`, ascending, counts not zero.
    count: u64,                        // Invariant: the sum of the counts.
    sum: f64,
    pub(in crate::metric) exemplars: Vec<Exemplar>, // Sorted by value.
}

impl HistogramSnapshot {
    /// A snapshot of these cells, which are ascending and not zero.
    pub(crate) fn from_cells(cells: Vec<(u16, u64)>, sum: f64) -> Self {
        debug_assert!(cells.is_sorted_by(|a, b| a.0 < b.0));
        let count = cells.iter().map(|&(_, count)| count).sum();
        Self { cells, count, sum, exemplars: Vec::new() }
    }

    /// The snapshot of a histogram that recorded `values`, which are not negative.
    #[cfg(test)]
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut cells = std::collections::BTreeMap::new();
        for &value in values {
            *cells.entry(layout::cell(value) as u16).or_insert(0) += 1;
        }
        Self::from_cells(cells.into_iter().collect(), values.iter().sum())
    }

    /// How many bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>()
            + self.cells.capacity() * size_of::<(u16, u64)>()
            + self.exemplars.capacity() * size_of::<Exemplar>()
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

    /// The mean of the values; `None` where there is none.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// The `q` quantile by nearest rank: the ceil(q n)-th smallest value, within 1 %.
    ///
    /// `None` where there is no value. A `q` outside [0, 1] is taken as the nearer end, NaN as 0.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let rank =
            ((q.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        let (cell, _) = self.cells.iter().find(|&&(_, count)| {
            seen += count;
            seen >= rank
        })?;
        Some(middle(usize::from(*cell)))
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

    /// The largest value, within 1 %.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        self.quantile(1.0)
    }

    /// The smallest value, within 1 %.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        self.quantile(0.0)
    }

    /// The buckets that are not empty, ascending: (lower bound, upper bound, count).
    ///
    /// A bucket holds the values above its lower bound up to and including its upper one; the first
    /// may be that of zero, (0, 0), and the last that beyond the range, up to infinity.
    pub fn buckets(&self) -> impl ExactSizeIterator<Item = (f64, f64, u64)> {
        self.cells.iter().map(|&(cell, count)| {
            let cell = usize::from(cell);
            let lower = if cell < layout::FIRST { 0.0 } else { layout::lower_bound(cell) };
            (lower, layout::upper_bound(cell), count)
        })
    }

    /// Measurements of sampled spans, sorted by value: at most one for each of the wide buckets that a
    /// Prometheus page shows.
    #[must_use]
    pub fn exemplars(&self) -> &[Exemplar] {
        &self.exemplars
    }

    /// Adds the counts and the sum of `other`: what one histogram of both would have recorded.
    pub fn merge(&mut self, other: &Self) {
        self.combine(other, u64::wrapping_add);
        self.sum += other.sum;
    }

    /// What was recorded after `earlier`, a snapshot of the same series, was taken.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut later = self.clone();
        later.combine(earlier, u64::saturating_sub);
        later.sum = if later.count == 0 { 0.0 } else { self.sum - earlier.sum };
        later
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
        self.count = cells.iter().map(|&(_, count)| count).sum();
        self.cells = cells;
    }
}

/// The number that stands for the values of a cell: as far, relatively, from one bound as from the
/// other. At the ends of the range it is the edge.
pub(super) fn middle(cell: usize) -> f64 {
    match cell {
        layout::ZERO | layout::UNDERFLOW => layout::upper_bound(cell),
        layout::OVERFLOW.. => layout::lower_bound(cell),
        _ => {
            let (lower, upper) = (layout::lower_bound(cell), layout::upper_bound(cell));
            2.0 * lower * upper / (lower + upper)
        }
    }
}
