//! A histogram by powers of two: all that a text page shows of it, and so all that one reads.

use std::ops::Range;

use super::{
    BucketLayout, HistogramSnapshot,
    cell::{Dense, HistogramCell, Log},
    exemplars, layout,
};
use crate::{
    metric::{
        Exemplar,
        cell::{Reader, Space, slot},
    },
    sync::atomic::Ordering::Relaxed,
};

/// How many values there are of zero, below the first octave, of each octave, and above the last.
const PLACES: usize = layout::OCTAVES + 3;

/// No place; widened by any other range to that one.
const NONE: Range<usize> = Range { start: PLACES, end: 0 };

/// The place of the first octave.
const FIRST: usize = 2;

/// Counts by powers of two, of one series after the other: the memory is the same.
#[derive(Debug)]
pub(crate) struct OctaveCounts {
    counts: [u64; PLACES],
    /// Invariant: outside of it all counts are zero. Most series have a few octaves of 70.
    used: Range<usize>,
    sum: f64,
    exemplars: Vec<Exemplar>, // Sorted by value, one for each octave.
}

impl Default for OctaveCounts {
    fn default() -> Self {
        Self { counts: [0; PLACES], used: NONE, sum: 0.0, exemplars: Vec::new() }
    }
}

impl OctaveCounts {
    fn clear(&mut self) {
        if let Some(counts) = self.counts.get_mut(self.used.clone()) {
            counts.fill(0);
        }
        self.used = NONE;
        self.sum = 0.0;
        self.exemplars.clear();
    }

    /// Adds a log, the sum first, as in `HistogramCell::read`.
    fn add_log(&mut self, log: &Log) {
        self.sum += log.sum();
        log.buckets().for_each(|bucket| self.add_bucket(bucket, 1));
    }

    fn add_counts(&mut self, dense: &Dense, octaves: Range<usize>) {
        if let Some(totals) = dense.totals.get(octaves.clone()) {
            self.add(FIRST + octaves.start, totals.iter().map(|total| total.load(Relaxed)));
        }
        for (bucket, count) in [
            (layout::ZERO, &dense.zero),
            (layout::UNDERFLOW, &dense.underflow),
            (layout::OVERFLOW, &dense.overflow),
        ] {
            match count.load(Relaxed) {
                0 => {}
                count => self.add_bucket(bucket, count),
            }
        }
    }

    fn add_bucket(&mut self, bucket: usize, count: u64) {
        self.add(place_of(bucket), std::iter::once(count));
    }

    /// Counts what neighbouring places hold, from `first` on.
    #[inline]
    fn add(&mut self, first: usize, counts: impl ExactSizeIterator<Item = u64>) {
        let used = first..first + counts.len();
        let Some(own) = self.counts.get_mut(used.clone()) else { return };
        own.iter_mut().zip(counts).for_each(|(own, count)| *own = own.wrapping_add(count));
        self.used = self.used.start.min(used.start)..self.used.end.max(used.end);
    }

    /// How many values there are.
    #[inline]
    pub(crate) fn count(&self) -> u64 {
        self.used().iter().fold(0, |sum, count| sum.wrapping_add(*count))
    }

    /// The sum of the values.
    pub(crate) fn sum(&self) -> f64 {
        self.sum
    }

    /// The newest exemplar of each octave, by value.
    pub(crate) fn exemplars(&self) -> &[Exemplar] {
        &self.exemplars
    }

    /// How many values lie in the places before each of `ends`, which ascend.
    #[inline]
    pub(crate) fn before<'a>(&'a self, ends: &'a [usize]) -> impl Iterator<Item = u64> + 'a {
        let (mut place, mut below) = (self.used.start, 0u64);
        ends.iter().map(move |&end| {
            let end = end.min(self.used.end);
            while place < end {
                below = below.wrapping_add(self.counts[place]);
                place += 1;
            }
            below
        })
    }

    /// The same as a snapshot, in which each value lies in the last bucket of its octave.
    pub(crate) fn to_snapshot(&self) -> HistogramSnapshot {
        let counts = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        let cells = counts.map(|(place, count)| (last_cell(place) as u32, *count)).collect();
        let mut snapshot =
            HistogramSnapshot::from_cells(BucketLayout::Exponential, cells, self.sum);
        snapshot.add_exemplars(&self.exemplars);
        snapshot
    }

    #[inline]
    fn used(&self) -> &[u64] {
        self.counts.get(self.used.clone()).unwrap_or_default()
    }
}

/// A few neighbouring series. Reading them is waiting for memory, and one waits for all at once.
#[derive(Debug, Default)]
pub(crate) struct OctaveGroup {
    each: [OctaveCounts; Self::LEN],
    is_read: [bool; Self::LEN],
}

impl OctaveGroup {
    /// More than a processor fetches at once, and few enough to stay in its nearest cache.
    pub(crate) const LEN: usize = 16;

    /// Becomes what the histograms `ids` are, of which there are at most [`LEN`](Self::LEN).
    pub(crate) fn read(&mut self, reader: &Reader, ids: impl Iterator<Item = u32> + Clone) {
        self.each.iter_mut().for_each(OctaveCounts::clear);
        for &table in reader.histogram_tables() {
            let mut found = [const { None }; Self::LEN];
            for (found, id) in found.iter_mut().zip(ids.clone()) {
                *found = slot(table, id);
            }
            let mut dense = [const { None }; Self::LEN];
            for ((octaves, dense), found) in self.each.iter_mut().zip(&mut dense).zip(found) {
                let Some(found) = found else { continue };
                if let Some(found) = found.dense() {
                    octaves.sum += found.sum(); // First, as in `HistogramCell::read`.
                    *dense = Some((found, found.octaves()));
                }
                found.log().into_iter().for_each(|log| octaves.add_log(log));
            }
            for (octaves, dense) in self.each.iter_mut().zip(dense) {
                if let Some((dense, range)) = dense {
                    octaves.add_counts(dense, range);
                }
            }
        }
        self.is_read = [false; Self::LEN];
        for ((octaves, is_read), id) in self.each.iter_mut().zip(&mut self.is_read).zip(ids) {
            let is_removed = reader.removed_at(Space::Histogram, id).is_some();
            *is_read = !is_removed && octaves.used().iter().any(|&count| count > 0);
        }
    }

    /// Adds the exemplars of the histograms `ids`, which were read.
    pub(crate) fn read_exemplars(&mut self, reader: &Reader, ids: impl Iterator<Item = u32>) {
        for (octaves, id) in self.each.iter_mut().zip(ids) {
            let cells = reader.histogram_cells(id);
            octaves.exemplars.extend(cells.flat_map(HistogramCell::read_exemplars));
            exemplars::keep_newest(&mut octaves.exemplars, layout::octave_key);
        }
    }

    /// Each of them; `None` of one that is not kept exponentially, was removed, or that nobody has
    /// recorded.
    pub(crate) fn each(&self) -> impl Iterator<Item = Option<&OctaveCounts>> {
        self.each.iter().zip(self.is_read).map(|(octaves, is_read)| is_read.then_some(octaves))
    }
}

/// How many places lie within each bound whose last bucket is named, and within infinity. Every bound
/// is a power of two, where a place ends as well.
pub(crate) fn places_within(last_buckets: &[Option<u32>]) -> Vec<usize> {
    let within = |bucket: &Option<u32>| bucket.map_or(0, |bucket| place_of(bucket as usize) + 1);
    last_buckets.iter().map(within).chain([PLACES]).collect()
}

fn place_of(cell: usize) -> usize {
    match cell.checked_sub(layout::FIRST) {
        None => cell,
        Some(regular) => FIRST + regular / layout::PER_OCTAVE,
    }
}

fn last_cell(place: usize) -> usize {
    match place.checked_sub(FIRST) {
        None => place,
        Some(octave) => {
            (layout::FIRST + (octave + 1) * layout::PER_OCTAVE - 1).min(layout::OVERFLOW)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cell_has_a_place_and_each_place_a_last_cell() {
        for cell in layout::ZERO..=layout::OVERFLOW {
            let place = place_of(cell);
            assert!(cell <= last_cell(place));
            assert_eq!(place_of(last_cell(place)), place);
        }
        assert_eq!(place_of(layout::OVERFLOW), PLACES - 1);
    }

    #[test]
    fn counts_before_a_place_are_sums_and_nothing_is_left_of_the_series_before() {
        let mut octaves = OctaveCounts::default();
        octaves.add(70, [1, 2, 3].into_iter());
        octaves.add(0, std::iter::once(4));
        octaves.add_bucket(layout::FIRST, 1);
        octaves.add_bucket(layout::FIRST + layout::PER_OCTAVE - 1, 1);
        let ends = [0, 1, 2, 3, 71, 72, 73];
        assert_eq!(octaves.before(&ends).collect::<Vec<_>>(), [0, 4, 4, 6, 7, 9, 12]);
        assert_eq!((octaves.count(), octaves.to_snapshot().count()), (12, 12));
        octaves.clear();
        octaves.add(2, std::iter::once(7));
        assert_eq!(octaves.before(&ends).collect::<Vec<_>>(), [0, 0, 0, 7, 7, 7, 7]);
    }
}
