//! Explicit bounds: which bucket a value falls into, and one thread's counts.
//!
//! A bucket holds the values up to and including its bound that no earlier one holds; its number is
//! how many bounds are smaller than the value. Few bounds are all compared, eight at a time and
//! without a branch that could be guessed wrongly: this is faster than any search as long as it is
//! some dozens of them (bench `histogram`).

use super::{BucketLayout, HistogramSnapshot, cell::increment};
use crate::sync::modelled::{AtomicU64, Ordering::Relaxed};

/// The bounds of a family, laid out for the look-up.
#[derive(Debug)]
pub(crate) struct Bounds {
    all: &'static [f64],
    /// Filled up with infinity, which is smaller than no value. Empty if there are too many to scan.
    scanned: Box<[[f64; LANES]]>,
}

/// One thread's counts of one series; written by that thread alone.
#[derive(Debug)]
pub(crate) struct ExplicitCell {
    bounds: &'static Bounds,
    sum: AtomicU64,           // The bits of an f64.
    counts: Box<[AtomicU64]>, // One more than there are bounds.
}

/// Comparisons made at once.
const LANES: usize = 8;
/// From here on halving the bounds is faster (bench `histogram`, 64 and 65 bounds).
const MOST_SCANNED: usize = 64;

impl Bounds {
    pub(crate) fn new(all: &'static [f64]) -> Self {
        let scanned = if all.len() <= MOST_SCANNED { all } else { &[] };
        let lanes = |bounds: &[f64]| {
            std::array::from_fn(|lane| bounds.get(lane).copied().unwrap_or(f64::INFINITY))
        };
        Self { all, scanned: scanned.chunks(LANES).map(lanes).collect() }
    }

    /// The bucket of a finite value.
    #[inline(always)]
    pub(crate) fn bucket(&self, value: f64) -> usize {
        if self.all.len() > MOST_SCANNED {
            return bucket(self.all, value);
        }
        let smaller =
            |lanes: &[f64; LANES]| lanes.iter().map(|&bound| u64::from(bound < value)).sum::<u64>();
        self.scanned.iter().map(smaller).sum::<u64>() as usize
    }
}

impl ExplicitCell {
    pub(crate) fn new(bounds: &'static Bounds) -> Self {
        let counts = (0..=bounds.all.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, sum: AtomicU64::new(0), counts }
    }

    /// Records a finite value.
    #[inline(always)]
    pub(crate) fn record(&self, value: f64, summand: f64) {
        if let Some(count) = self.counts.get(self.bounds.bucket(value)) {
            increment(count);
        }
        let sum = f64::from_bits(self.sum.load(Relaxed)) + summand;
        self.sum.store(sum.to_bits(), Relaxed);
    }

    pub(crate) fn bucket(&self, value: f64) -> usize {
        self.bounds.bucket(value)
    }

    /// What was recorded. The sum first, for the reason that `HistogramCell::read` gives.
    pub(crate) fn read(&self) -> HistogramSnapshot {
        let sum = f64::from_bits(self.sum.load(Relaxed));
        let counts = self.counts.iter().zip(0u32..);
        let cells = counts.map(|(count, bucket)| (bucket, count.load(Relaxed)));
        let cells = cells.filter(|&(_, count)| count > 0).collect();
        HistogramSnapshot::from_cells(BucketLayout::Explicit(self.bounds.all.into()), cells, sum)
    }
}

/// The bucket of a number among `bounds`, however many.
pub(super) fn bucket(bounds: &[f64], value: f64) -> usize {
    bounds.partition_point(|&bound| bound < value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The bucket as its definition has it.
    fn naive(bounds: &[f64], value: f64) -> usize {
        for (bucket, &bound) in bounds.iter().enumerate() {
            if value <= bound {
                return bucket;
            }
        }
        bounds.len()
    }

    proptest! {
        #[test]
        fn a_bucket_is_the_first_whose_bound_is_not_smaller(
            bounds in prop::collection::btree_set(0u32..10_000, 0..256),
            values in prop::collection::vec(0.0f64..10_500.0, 1..100),
        ) {
            let bounds: Vec<f64> = bounds.into_iter().map(f64::from).collect();
            let bounds: &'static [f64] = bounds.leak();
            let laid_out = Bounds::new(bounds);
            for value in values.iter().chain(bounds).flat_map(|&v| [v, v.next_up(), v.next_down()]) {
                prop_assert_eq!(laid_out.bucket(value), naive(bounds, value), "{}", value);
            }
            prop_assert_eq!(laid_out.bucket(f64::MAX), bounds.len());
            prop_assert_eq!(laid_out.bucket(0.0), 0);
        }
    }
}
