//! Explicit bounds: which bucket a value falls into, and one thread's counts.
//!
//! A bucket holds the values up to and including its bound that no earlier one holds; its number is
//! how many bounds are smaller than the value. To count them without a loop, the numbers are cut into
//! *sections*, the equal parts of the powers of two: just so narrow that none contains two bounds. A
//! table says of each section how many bounds lie before it, and which one, if any, lies in it: one
//! compare decides. Where bounds are too close for a small table, they are searched.
//!
//! A section is the leading bits of a number, less one bit, so that like a bucket it includes its
//! upper end.

use super::{BucketLayout, HistogramSnapshot, cell::increment};
use crate::sync::modelled::{AtomicU64, Ordering::Relaxed};

/// The bounds of a family, laid out for the look-up.
#[derive(Debug)]
pub(crate) struct Bounds {
    all: &'static [f64],
    /// How many bits of a number are not of its section.
    shift: u32,
    before_first: i64, // The section before that of the first bound above zero.
    /// All sections up to that one as one, then each up to that of the last bound. Empty if they are
    /// too many.
    sections: Box<[Section]>,
}

/// Some numbers, next to each other.
#[derive(Clone, Copy, Debug)]
struct Section {
    /// How many bounds are smaller than all of them.
    before: u32,
    /// The first bound that is not smaller than all of them; infinity if there is none.
    bound: f64,
}

/// One thread's counts of one series; written by that thread alone.
#[derive(Debug)]
pub(crate) struct ExplicitCell {
    bounds: &'static Bounds,
    sum: AtomicU64,           // The bits of an f64.
    counts: Box<[AtomicU64]>, // One more than there are bounds.
}

/// So many sections take 16 kB, once for a family. Two hundred bounds at equal distances need it.
const MOST_SECTIONS: i64 = 1024;
const MANTISSA_BITS: u32 = 52;
/// The smallest number above zero.
const SMALLEST: f64 = f64::from_bits(1);

impl Bounds {
    pub(crate) fn new(all: &'static [f64]) -> Self {
        let shifts = (0..=MANTISSA_BITS).rev();
        let fitting = shifts.map_while(|shift| Self::cut(all, shift));
        let separated = |bounds: &Self| bounds.separates();
        let none = Self { all, shift: 0, before_first: 0, sections: [].into() };
        { fitting }.find(separated).unwrap_or(none)
    }

    /// The bounds with sections of numbers that differ in the last `shift` bits; `None` if those are
    /// too many.
    fn cut(all: &'static [f64], shift: u32) -> Option<Self> {
        let positive = &all[bucket(all, SMALLEST)..];
        let (first, last) = (section(*positive.first()?, shift), section(*positive.last()?, shift));
        if last - first >= MOST_SECTIONS {
            return None;
        }
        // Among all those up to the first lies no bound but zero, which is the first one then.
        let up_to_first = Section { before: 0, bound: all[0] };
        let sections = (first..=last).map(|number| {
            let before = all.partition_point(|&bound| section(bound, shift) < number);
            let bound = all.get(before).copied().unwrap_or(f64::INFINITY);
            Section { before: before as u32, bound }
        });
        let sections = std::iter::once(up_to_first).chain(sections).collect();
        Some(Self { all, shift, before_first: first - 1, sections })
    }

    /// Whether no section contains two bounds.
    fn separates(&self) -> bool {
        let sections = self.all.iter().map(|&bound| section(bound, self.shift));
        sections.is_sorted_by(|a, b| a < b)
    }

    /// The bucket of a number that is not negative.
    #[inline(always)]
    pub(crate) fn bucket(&self, value: f64) -> usize {
        let Some(last) = self.sections.len().checked_sub(1) else {
            return bucket(self.all, value);
        };
        // Not `clamp`, which is a call.
        let place = (section(value, self.shift) - self.before_first).max(0) as usize;
        let Section { before, bound } = self.sections[place.min(last)];
        before as usize + usize::from(bound < value)
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

    /// Back to nothing recorded, by whoever knows that the owner does not write: see `series.rs`.
    pub(crate) fn reset(&self) {
        self.sum.store(0, Relaxed);
        self.counts.iter().for_each(|count| count.store(0, Relaxed));
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

/// The section of a number that is not negative: of zero, one before that of all others.
#[inline(always)]
fn section(value: f64, shift: u32) -> i64 {
    // Minus zero is zero.
    (value.abs().to_bits().cast_signed() - 1) >> shift
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

    /// Bounds at all distances, zero and the smallest numbers among them.
    fn bounds() -> impl Strategy<Value = &'static [f64]> {
        let close = prop::collection::btree_set(0u32..10_000, 0..256)
            .prop_map(|bounds| bounds.into_iter().map(f64::from).collect());
        let wide = prop::collection::btree_set(0u64..f64::MAX.to_bits(), 0..40)
            .prop_map(|bounds| bounds.into_iter().map(f64::from_bits).collect());
        let tiny = prop::collection::btree_set(0u64..300, 0..40)
            .prop_map(|bounds| bounds.into_iter().map(f64::from_bits).collect());
        prop_oneof![close, wide, tiny].prop_map(|bounds: Vec<f64>| &*bounds.leak())
    }

    #[test]
    fn usual_bounds_are_looked_up_and_not_searched() {
        let even: Vec<f64> = (0..=200).map(f64::from).collect();
        let decades: Vec<f64> = (-9..9).map(|n| 10f64.powi(n)).collect();
        let prometheus = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        for bounds in [even.leak(), decades.leak(), prometheus.to_vec().leak()] {
            assert!(!Bounds::new(bounds).sections.is_empty(), "{bounds:?}");
        }
    }

    proptest! {
        #[test]
        fn a_bucket_is_the_first_whose_bound_is_not_smaller(
            bounds in bounds(),
            values in prop::collection::vec(0.0f64..10_500.0, 1..100),
        ) {
            let laid_out = Bounds::new(bounds);
            let near = |&v: &f64| [v, v.next_up(), v.next_down(), 2.0 * v, 0.5 * v];
            let ends = [0.0, f64::MIN_POSITIVE, f64::MIN_POSITIVE.next_down(), f64::MAX];
            for value in values.iter().chain(bounds).flat_map(near).chain(ends) {
                let value = value.max(0.0); // `next_down` of zero is negative.
                prop_assert_eq!(laid_out.bucket(value), naive(bounds, value), "{}", value);
            }
            prop_assert_eq!(laid_out.bucket(-0.0), 0);
        }
    }
}
