//! Explicit bounds: which bucket a value falls into, and the counts of one table.
//!
//! A bucket holds the values up to and including its bound that no earlier one holds; its number is
//! how many bounds are smaller than the value. To count them without a loop, the numbers are cut into
//! *sections*, the equal parts of the powers of two: just so narrow that none contains two bounds. A
//! table says of each section how many bounds lie before it, and which one, if any, lies in it: one
//! compare decides. Numbers far from all bounds, and bounds too close for a small table, are searched.
//!
//! A section is the leading bits of a number, less one bit, so that like a bucket it includes its
//! upper end.

use super::{
    cell::{LARGEST_SUMMAND, NO_MAX, NO_MIN, extremes},
    window::Window,
};
use crate::{
    cells::writer::{Owner, Writer},
    snapshot::{BucketLayout, HistogramSnapshot, explicit_bucket},
    sync::modelled::{AtomicU64, Ordering::Relaxed},
};

/// The bounds of a family, laid out for the look-up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    all: &'static [f64],
    /// How many bits of a number are not of its section.
    shift: u32,
    /// The number of the first section.
    first: u64,
    /// Those from some before the first bound above zero to some after the last bound. Empty if they
    /// are too many.
    sections: &'static [Section],
}

/// Some numbers, next to each other.
#[derive(Clone, Copy, Debug)]
struct Section {
    /// How many bounds are smaller than all of them.
    before: usize,
    /// The bits of the first bound that is not smaller than all of them; infinity if there is none.
    bound: u64,
}

/// The counts of one series in one table.
#[derive(Debug)]
pub(crate) struct ExplicitCell {
    /// The bits of the smallest and of the largest number so far.
    min: AtomicU64,
    max: AtomicU64,
    /// From the smallest to the largest number, and up to [`LARGEST_SUMMAND`]: what one thread that
    /// writes alone records as it is.
    known: Window,
    bounds: Bounds,
    /// [`PARTS`] of each count, next to each other. There is one count more than there are bounds.
    counts: Box<[AtomicU64]>,
    sums: [AtomicU64; PARTS], // The bits of an f64 each.
}

/// Parts of a count and of a sum, chosen by the value. Most values of a histogram fall into few of its
/// buckets, and each record would wait for the one before it (benches/peers, a histogram).
const PARTS: usize = 4;
/// The part is in these bits of a number: they differ among close ones, and among small whole ones.
const PART_SHIFT: u32 = 46;

/// So many sections take 16 kB, once for a family. Two hundred bounds at equal distances need it.
const MOST_SECTIONS: i64 = 1024;
/// So many powers of two before the first bound and after the last one are in the table as well.
const MARGIN: i64 = 10;
const MANTISSA_BITS: u32 = 52;
/// The smallest number above zero.
const SMALLEST: f64 = f64::from_bits(1);

impl Bounds {
    pub(crate) fn new(all: &'static [f64]) -> Self {
        let none = Self { all, shift: 0, first: 0, sections: &[] };
        let mut shifts = (0..=MANTISSA_BITS).rev();
        let coarsest = shifts.find(|&shift| separates(all, shift));
        coarsest.and_then(|shift| Self::cut(all, shift)).unwrap_or(none)
    }

    /// The bounds with sections of numbers that differ in the last `shift` bits; `None` if those are
    /// too many.
    fn cut(all: &'static [f64], shift: u32) -> Option<Self> {
        let positive = &all[explicit_bucket(all, SMALLEST)..];
        let (first, last) = (section(*positive.first()?, shift), section(*positive.last()?, shift));
        let left = MOST_SECTIONS.checked_sub(last - first + 1).filter(|&left| left >= 0)?;
        let margin = (MARGIN << (MANTISSA_BITS - shift)).min(left / 2);
        let first = (first - margin).max(0);
        let sections = (first..=last + margin).map(|number| {
            let before = all.partition_point(|&bound| section(bound, shift) < number);
            let bound = all.get(before).copied().unwrap_or(f64::INFINITY);
            Section { before, bound: bound.to_bits() }
        });
        let sections: Box<[_]> = sections.collect();
        Some(Self { all, shift, first: first.cast_unsigned(), sections: Box::leak(sections) })
    }

    /// The bucket of a number that is not negative, nor minus zero.
    #[inline(always)]
    fn bucket(&self, value: f64) -> usize {
        let place = section(value, self.shift).cast_unsigned().wrapping_sub(self.first);
        match self.sections.get(place as usize) {
            Some(Section { before, bound }) => before + usize::from(*bound < value.to_bits()),
            None => self.bucket_far_off(value),
        }
    }

    #[cold]
    #[inline(never)]
    fn bucket_far_off(&self, value: f64) -> usize {
        explicit_bucket(self.all, value)
    }
}

impl ExplicitCell {
    /// The bytes of a cell with these bounds, beside itself.
    pub(crate) fn bytes(bounds: Bounds) -> usize {
        PARTS * (bounds.all.len() + 1) * size_of::<AtomicU64>()
    }

    pub(crate) fn new(bounds: Bounds) -> Self {
        let counts = (0..PARTS * (bounds.all.len() + 1)).map(|_| AtomicU64::new(0)).collect();
        let sums = std::array::from_fn(|_| AtomicU64::new(0));
        let (min, max) = (AtomicU64::new(NO_MIN), AtomicU64::new(NO_MAX));
        Self { min, max, known: Window::new(), bounds, counts, sums }
    }

    /// Records a value between the smallest and the largest so far, by the only writer; `false` for
    /// others.
    #[inline(always)]
    pub(crate) fn record_known(&self, value: f64) -> bool {
        // Numbers that are not negative are ordered as their bits are; the others are beyond.
        let is_known = self.known.contains(value.to_bits());
        if is_known {
            self.add::<Owner>(value, value);
        }
        is_known
    }

    /// Records any number that is neither negative nor NaN nor infinite.
    pub(crate) fn record<W: Writer>(&self, value: f64) {
        let value = value.abs();
        W::widen(&self.min, &self.max, value.to_bits());
        if W::IS_ALONE {
            let largest = self.max.load(Relaxed).min(LARGEST_SUMMAND.to_bits());
            self.known.set(self.min.load(Relaxed), largest);
        }
        self.add::<W>(value, value.min(LARGEST_SUMMAND));
    }

    #[inline(always)]
    fn add<W: Writer>(&self, value: f64, summand: f64) {
        let part = (value.to_bits() >> PART_SHIFT) as usize % PARTS;
        if let Some(count) = self.counts.get(self.bounds.bucket(value) * PARTS + part) {
            W::add(count, 1);
        }
        W::add_float(&self.sums[part], summand);
    }

    pub(crate) fn bucket(&self, value: f64) -> usize {
        self.bounds.bucket(value.abs())
    }

    /// Back to nothing recorded, by whoever knows that nobody writes.
    pub(crate) fn reset(&self) {
        self.counts.iter().chain(&self.sums).for_each(|part| part.store(0, Relaxed));
        self.min.store(NO_MIN, Relaxed);
        self.max.store(NO_MAX, Relaxed);
        self.known.reset();
    }

    /// What was recorded. The sum first, for the reason that `HistogramCell::read_all` gives.
    pub(crate) fn read(&self) -> HistogramSnapshot {
        let (sum, cells) = (self.sum(), self.cells().filter(|&(_, count)| count > 0).collect());
        HistogramSnapshot::from_cells(BucketLayout::Explicit(self.bounds.all.into()), cells, sum)
            .with_extremes(extremes(&self.min, &self.max))
    }

    pub(crate) fn sum(&self) -> f64 {
        self.sums.iter().map(|part| f64::from_bits(part.load(Relaxed))).sum()
    }

    /// Reads a word of each cache line of the sum and the counts.
    pub(super) fn touch(&self) -> u64 {
        let words = self.sums.iter().step_by(8).chain(self.counts.iter().step_by(8));
        words.fold(0, |any, word| any ^ word.load(Relaxed))
    }

    /// The buckets and their counts, ascending.
    pub(crate) fn cells(&self) -> impl Iterator<Item = (u32, u64)> {
        let whole = |parts: &[AtomicU64]| parts.iter().map(|part| part.load(Relaxed)).sum();
        (0u32..).zip(self.counts.chunks(PARTS).map(whole))
    }
}

/// Whether no section contains two of `bounds`.
fn separates(bounds: &[f64], shift: u32) -> bool {
    let sections = bounds.iter().map(|&bound| section(bound, shift));
    sections.is_sorted_by(|a, b| a < b)
}

/// The section of a number that is not negative, nor minus zero: of zero, one before that of all
/// others.
#[inline(always)]
fn section(value: f64, shift: u32) -> i64 {
    (value.to_bits().cast_signed() - 1) >> shift
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
        }
    }
}
