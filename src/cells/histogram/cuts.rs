//! Counts by the few buckets that a page shows, read in place from cells that are kept finer.
//!
//! A [`Cuts`] says which cells lie within each bound; all series of a family share one. A
//! [`BucketCounts`] is what one series holds by it, in memory that serves the next series. Of an
//! exponential histogram the sums by powers of two are read, and single cells only of a power of two
//! that a bound divides.

use super::{
    cell::{Dense, HistogramCell},
    hdr::LeafCounts,
};
use crate::{
    snapshot::{BucketLayout, Exemplar, histogram::layout},
    sync::{atomic::Ordering::Relaxed, modelled::AtomicU64},
};

/// Which cells of a layout lie within which of a few ascending bounds.
#[derive(Debug)]
pub(crate) struct Cuts {
    /// For each bound the cell that it lies in, which counts as within. Ascending; of two bounds in one
    /// cell, the first has its values.
    last_cells: Box<[u32]>,
    /// Of an exponential layout, the bucket of each cell; else empty.
    bucket_of: Box<[u16]>,
}

/// How many histograms are read together: more than a processor fetches at once, and few enough that
/// what was fetched is still in its near caches.
pub(crate) const GROUP: usize = 16;

/// What a histogram holds by the buckets of a [`Cuts`].
#[derive(Clone, Debug, Default)]
pub(crate) struct BucketCounts {
    counts: Vec<u64>, // One more than there are bounds.
    sum: f64,
    exemplars: Vec<Exemplar>, // Sorted by value.
}

impl Cuts {
    /// The bytes that it takes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.last_cells) + size_of_val(&*self.bucket_of)
    }

    pub(crate) fn new(layout: &BucketLayout, bounds: &[f64]) -> Self {
        let last_cells: Box<[u32]> = bounds.iter().map(|&bound| layout.bucket(bound)).collect();
        let bucket = |cell: u32| last_cells.partition_point(|&last| last < cell) as u16;
        let bucket_of = match layout {
            BucketLayout::Exponential => (0..=layout::OVERFLOW as u32).map(bucket).collect(),
            _ => Box::default(),
        };
        Self { last_cells, bucket_of }
    }

    /// For each bound the cell that it lies in.
    pub(super) fn last_cells(&self) -> &[u32] {
        &self.last_cells
    }

    /// Reads a word of each cache line that counting will read.
    fn touch(&self, dense: &Dense) -> u64 {
        let mut any = 0;
        for octave in dense.octaves() {
            let first = layout::regular_cell(octave, 0);
            let end = first + layout::PER_OCTAVE;
            let (bucket, last) = (self.bucket_of(first), self.bucket_of(end - 1));
            if let (Some(cells), true) = (dense.cells(octave), bucket < last) {
                let end = self.last_cells[last - 1] as usize + 1 - first;
                any ^= cells[..end].iter().step_by(8).fold(0, |any, cell| any ^ cell.load(Relaxed));
            }
        }
        any
    }

    /// The bucket of a cell of an exponential histogram.
    fn bucket_of(&self, cell: usize) -> usize {
        self.bucket_of.get(cell).copied().unwrap_or(0).into()
    }
}

impl BucketCounts {
    /// The bytes that it takes beside itself.
    pub(crate) fn weight(&self) -> usize {
        self.counts.capacity() * size_of::<u64>()
            + self.exemplars.capacity() * size_of::<Exemplar>()
    }

    /// Back to nothing, with as many buckets as `cuts` makes.
    pub(crate) fn clear(&mut self, cuts: &Cuts) {
        self.counts.clear();
        self.counts.resize(cuts.last_cells.len() + 1, 0);
        self.sum = 0.0;
        self.exemplars.clear();
    }

    /// Becomes what a snapshot says; `cuts` are those of its layout.
    #[cfg(any(test, feature = "prometheus"))]
    pub(crate) fn read_snapshot(
        &mut self,
        histogram: &crate::snapshot::HistogramSnapshot,
        cuts: &Cuts,
    ) {
        self.clear(cuts);
        self.sum = histogram.sum();
        self.add_ascending(cuts, histogram.cells().iter().copied());
        self.exemplars.extend_from_slice(histogram.exemplars());
    }

    /// Adds the counts of a series that has the same buckets.
    #[cfg(any(test, feature = "prometheus"))]
    pub(crate) fn merge(&mut self, other: &Self) {
        for (own, count) in self.counts.iter_mut().zip(&other.counts) {
            *own = own.wrapping_add(*count);
        }
        self.sum += other.sum;
        self.add_exemplars(other.exemplars.iter().cloned());
    }

    pub(crate) fn add_sum(&mut self, sum: f64) {
        self.sum += sum;
    }

    #[cfg(any(test, feature = "prometheus"))]
    pub(crate) fn add_exemplars(&mut self, exemplars: impl Iterator<Item = Exemplar>) {
        self.exemplars.extend(exemplars);
        self.exemplars.sort_by(|a, b| a.value.total_cmp(&b.value));
    }

    /// Counts cells whose numbers ascend.
    #[inline]
    pub(crate) fn add_ascending(&mut self, cuts: &Cuts, cells: impl Iterator<Item = (u32, u64)>) {
        let mut bucket = 0;
        for (cell, count) in cells {
            while cuts.last_cells.get(bucket).is_some_and(|&last| last < cell) {
                bucket += 1;
            }
            self.add(bucket, count);
        }
    }

    /// Counts leaves, which ascend; of one that no bound divides the total alone is read.
    pub(super) fn add_leaves<'c>(
        &mut self,
        cuts: &Cuts,
        leaves: impl Iterator<Item = LeafCounts<'c>>,
    ) {
        let mut bucket = 0;
        for LeafCounts { first, total, counts } in leaves {
            let mut rest = total;
            if rest == 0 {
                continue; // What is counted and not yet in the total came meanwhile.
            }
            while cuts.last_cells.get(bucket).is_some_and(|&last| last < first) {
                bucket += 1;
            }
            let mut start = 0;
            while let Some(&last) = cuts.last_cells.get(bucket) {
                let end = (last - first) as usize + 1;
                if end >= counts.len() {
                    break; // The next leaf may have more of this bucket.
                }
                let within = sum(&counts[start..end]);
                self.add(bucket, within);
                // A record counts its cell before the total, which may be behind.
                rest = rest.saturating_sub(within);
                (start, bucket) = (end, bucket + 1);
            }
            self.add(bucket, rest);
        }
    }

    /// Counts what one table has of some exponential histograms, at most [`GROUP`].
    ///
    /// Reading them is waiting for memory, so that one waits for all at once: for where their counts
    /// lie, then for the counts.
    pub(crate) fn add_group<'c>(
        group: &mut [Self],
        cuts: &Cuts,
        cells: impl Iterator<Item = Option<&'c HistogramCell>>,
    ) {
        let mut found = [const { None }; GROUP];
        for (found, cell) in found.iter_mut().zip(cells) {
            *found = cell.map(|cell| (cell, cell.dense()));
        }
        let dense = || found.iter().flatten().filter_map(|(_, dense)| *dense);
        let ranges = dense().fold(0, |any, dense| any ^ dense.octaves().start);
        let counts = dense().fold(0, |any, dense| any ^ cuts.touch(dense));
        std::hint::black_box((ranges, counts));
        for (counts, found) in group.iter_mut().zip(found) {
            if let Some((cell, _)) = found {
                counts.add_exponential(cuts, cell);
            }
        }
    }

    /// Counts what one table has of an exponential histogram.
    pub(crate) fn add_exponential(&mut self, cuts: &Cuts, cell: &HistogramCell) {
        // The sum first, as in `HistogramCell::read_all`.
        let (dense, log) = cell.parts();
        if let Some(dense) = dense {
            self.sum += dense.sum();
            self.add_dense(cuts, dense);
        }
        if let Some(log) = log {
            self.sum += log.sum();
            log.buckets().for_each(|cell| self.add(cuts.bucket_of(cell), 1));
        }
    }

    fn add_dense(&mut self, cuts: &Cuts, dense: &Dense) {
        self.add(cuts.bucket_of(layout::ZERO), dense.zero.load(Relaxed));
        self.add(cuts.bucket_of(layout::UNDERFLOW), dense.underflow.load(Relaxed));
        self.add(cuts.bucket_of(layout::OVERFLOW), dense.overflow.load(Relaxed));
        for octave in dense.octaves() {
            let first = layout::regular_cell(octave, 0);
            let (bucket, last_bucket) =
                (cuts.bucket_of(first), cuts.bucket_of(first + layout::PER_OCTAVE - 1));
            let mut rest = dense.total(octave);
            if bucket < last_bucket && rest > 0 {
                let Some(cells) = dense.cells(octave) else { continue };
                let mut start = 0;
                let ends = cuts.last_cells[bucket..last_bucket].iter();
                for (bucket, end) in (bucket..).zip(ends.map(|&last| last as usize + 1 - first)) {
                    let within = sum(&cells[start..end]);
                    self.add(bucket, within);
                    // A record counts its cell before the total, which may be behind.
                    rest = rest.saturating_sub(within);
                    start = end;
                }
            }
            self.add(last_bucket, rest);
        }
    }

    #[inline(always)]
    fn add(&mut self, bucket: usize, count: u64) {
        if let Some(own) = self.counts.get_mut(bucket) {
            *own = own.wrapping_add(count);
        }
    }

    /// How many values lie within each bound and above the one before, and above the last.
    pub(crate) fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// How many values there are.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.wrapping_add(*count))
    }

    /// The sum of the values.
    pub(crate) fn sum(&self) -> f64 {
        self.sum
    }

    /// How many values lie within each bound, and within infinity.
    #[cfg(any(test, feature = "prometheus"))]
    pub(crate) fn cumulative(&self) -> impl Iterator<Item = u64> {
        self.counts.iter().scan(0u64, |below, count| {
            *below = below.wrapping_add(*count);
            Some(*below)
        })
    }

    /// The exemplars, sorted by value.
    #[cfg(any(test, feature = "prometheus"))]
    pub(crate) fn exemplars(&self) -> &[Exemplar] {
        &self.exemplars
    }
}

fn sum(cells: &[AtomicU64]) -> u64 {
    cells.iter().fold(0, |sum, cell| sum.wrapping_add(cell.load(Relaxed)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        cells::{
            Sharer,
            budget::Room,
            histogram::hdr::HdrCell,
            writer::{Owner, Writer},
        },
        snapshot::histogram::hdr::TickBuckets,
    };

    /// How many of `values` are at most each bound or in the cell that it lies in.
    fn naive(layout: &BucketLayout, bounds: &[f64], values: &[f64]) -> Vec<u64> {
        let within = |&bound: &f64| {
            let end = layout.bucket(bound);
            values.iter().filter(|&&value| layout.bucket(value) <= end).count() as u64
        };
        bounds.iter().map(within).chain([values.len() as u64]).collect()
    }

    fn record<W: Writer>(cell: &HistogramCell, value: f64, is_shared: bool) {
        while !cell.record::<W>(value) {
            assert!(cell.make_room::<W>(value, is_shared, Room::unlimited()));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn counts_in_place_and_of_a_snapshot_are_those_of_the_values(
            bounds in prop::collection::btree_set(0u64..1 << 20, 0..40),
            values in prop::collection::vec(prop_oneof![Just(0.0), 1e-12..1e-3, 1e-3..1e3, 1e3..1e14], 0..300),
        ) {
            let layout = BucketLayout::Exponential;
            let bounds: Vec<f64> = bounds.into_iter().map(|bound| bound as f64 / 1e3).collect();
            let cuts = Cuts::new(&layout, &bounds);
            // One that a thread owns, and one that several share.
            let cells: &'static _ = Box::leak(Box::new([false, true].map(|_| HistogramCell::new())));
            let [own, shared] = cells;
            let mut counts = BucketCounts::default();
            for n in 0..=values.len() {
                if n > 0 {
                    record::<Owner>(own, values[n - 1], false);
                    record::<Sharer>(shared, values[n - 1], true);
                }
                if n % 37 != 0 && n != values.len() {
                    continue;
                }
                let expected = naive(&layout, &bounds, &values[..n]);
                for cell in cells {
                    counts.clear(&cuts);
                    counts.add_exponential(&cuts, cell);
                    prop_assert_eq!(counts.cumulative().collect::<Vec<_>>(), &expected[..]);
                    prop_assert_eq!(counts.count(), n as u64);
                    counts.read_snapshot(&cell.read().unwrap_or_default(), &cuts);
                    prop_assert_eq!(counts.cumulative().collect::<Vec<_>>(), &expected[..]);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn ticks_in_place_are_those_of_the_values_and_of_a_snapshot(
            digits in 1u8..=5,
            bounds in prop::collection::btree_set(prop_oneof![0u64..300, 0u64..1 << 40], 0..40),
            ticks in prop::collection::vec(prop_oneof![0u64..300, 0u64..1 << 20, any::<u64>()], 0..300),
        ) {
            let layout = BucketLayout::Hdr { significant_digits: digits };
            let bounds: Vec<f64> = bounds.into_iter().map(|bound| bound as f64).collect();
            let cuts = Cuts::new(&layout, &bounds);
            let (own, shared) = (HdrCell::new(digits), HdrCell::new(digits));
            for &ticks in &ticks {
                while !own.record::<Owner>(ticks) {
                    prop_assert!(own.make_room(ticks, Room::unlimited()));
                }
                while !shared.record::<Sharer>(ticks) {
                    prop_assert!(shared.make_room(ticks, Room::unlimited()));
                }
            }
            // By the ticks themselves: what is beyond 2^53 may round to another cell.
            let cells: Vec<u32> =
                ticks.iter().map(|&ticks| TickBuckets::new(digits).bucket(ticks) as u32).collect();
            let within = |&bound: &f64| {
                let end = layout.bucket(bound);
                cells.iter().filter(|&&cell| cell <= end).count() as u64
            };
            let expected: Vec<u64> =
                bounds.iter().map(within).chain([ticks.len() as u64]).collect();
            for cell in [own, shared] {
                let mut counts = BucketCounts::default();
                counts.clear(&cuts);
                counts.add_leaves(&cuts, cell.leaves());
                prop_assert_eq!(counts.cumulative().collect::<Vec<_>>(), &expected[..]);
                counts.read_snapshot(&cell.read(), &cuts);
                prop_assert_eq!(counts.cumulative().collect::<Vec<_>>(), &expected[..]);
                cell.reset();
                counts.clear(&cuts);
                counts.add_leaves(&cuts, cell.leaves());
                prop_assert_eq!(counts.count(), 0);
            }
        }
    }

    #[test]
    fn a_value_on_a_bound_is_within_and_one_beyond_its_cell_is_not() {
        for layout in [BucketLayout::Exponential, BucketLayout::Hdr { significant_digits: 2 }] {
            let bounds = [1.0, 10.0, 75.0, 1_000.0];
            let cuts = Cuts::new(&layout, &bounds);
            for (place, bound) in bounds.into_iter().enumerate() {
                let last = layout.upper_bound(layout.bucket(bound));
                assert!(last <= bound * 1.011, "{last} is too far above {bound}");
                for (value, bucket) in [(bound, place), (last, place), (last + 1.0, place + 1)] {
                    let mut counts = BucketCounts::default();
                    counts.clear(&cuts);
                    counts.add_ascending(&cuts, std::iter::once((layout.bucket(value), 1)));
                    let first = counts.cumulative().position(|count| count == 1);
                    assert_eq!(first, Some(bucket), "{layout:?}: {value}");
                }
            }
        }
    }
}
