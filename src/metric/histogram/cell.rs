//! One thread's cells of one histogram: first a log of buckets, then counts by bucket.
//!
//! Most series of a process see few values on most threads, so the first values are kept as a list
//! of 16-bit bucket numbers in 256 bytes. When it is full, it is counted once into the dense form, 64
//! counters for each power of two that occurs, and the log is left as it is. Readers take the dense
//! form if it is published, else the published part of the log: either is complete by itself, its sum
//! included.

use std::ops::Range;

use super::{BucketLayout, HistogramSnapshot, exemplars::Exemplars, layout};
use crate::{
    metric::cell::Fresh,
    sync::modelled::{
        AtomicU32, AtomicU64, OnceRef,
        Ordering::{Acquire, Relaxed, Release},
    },
};

/// How many values the log holds: as many as fill 256 bytes. Two bucket numbers share a word.
#[cfg(not(any(miri, bellwether_loom)))]
const LOG: usize = 112;
#[cfg(any(miri, bellwether_loom))]
const LOG: usize = 2;

/// Parts of a sum: a cache line of them.
const SUMS: usize = 8;

/// What a value adds to the sum at most, so that 10^18 values cannot make it infinite for ever.
pub(super) const LARGEST_SUMMAND: f64 = 1e290;

/// Where a table keeps its pointer to a histogram's cells.
#[derive(Debug)]
pub(crate) struct HistogramSlot(OnceRef<'static, HistogramCell>);

/// One thread's values of one series; written by that thread alone.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct HistogramCell {
    dense: OnceRef<'static, Dense>,
    /// The sum of the logged values: the bits of an f64.
    sum: AtomicU64,
    pub(crate) exemplars: Exemplars,
    /// How many numbers the log holds. Release: publishes them.
    logged: AtomicU32,
    /// Pairs of cell numbers, the earlier one in the low half.
    log: [AtomicU32; LOG / 2],
}

/// Counts by bucket.
#[derive(Debug)]
#[repr(C, align(128))] // What a text page reads stands in front: two lines, and a part of `totals`.
pub(crate) struct Dense {
    /// The sum, in parts by the bucket: a single one would let each record wait for the addition of the
    /// one before it (bench histogram).
    sums: [AtomicU64; SUMS],
    /// From the first octave that occurred to behind the last one, of 70: a text page reads no more.
    first_octave: AtomicU32,
    end_octave: AtomicU32,
    pub(super) zero: AtomicU64,
    pub(super) underflow: AtomicU64,
    pub(super) overflow: AtomicU64,
    /// The sums of the octaves' counts: an eighth of the cache lines.
    pub(super) totals: [AtomicU64; layout::OCTAVES],
    octaves: [OnceRef<'static, Octave>; layout::OCTAVES],
}

/// The counts between two powers of two.
#[derive(Debug)]
#[repr(align(128))]
struct Octave([AtomicU64; layout::PER_OCTAVE]);

impl HistogramSlot {
    #[inline(always)]
    pub(crate) fn get(&self) -> Option<&'static HistogramCell> {
        self.0.get()
    }

    /// The cells, made at the first call. Only the owning thread makes them.
    pub(crate) fn get_or_make(&self) -> &'static HistogramCell {
        if let Some(cell) = self.0.get() {
            return cell;
        }
        let cell: &'static HistogramCell = Box::leak(Box::new(HistogramCell::new()));
        let _ = self.0.set(cell);
        cell
    }
}

impl Fresh for HistogramSlot {
    fn fresh() -> Self {
        Self(OnceRef::new())
    }
}

impl HistogramCell {
    pub(super) fn new() -> Self {
        Self {
            dense: OnceRef::new(),
            sum: AtomicU64::new(0),
            exemplars: Exemplars::new(),
            logged: AtomicU32::new(0),
            log: std::array::from_fn(|_| AtomicU32::new(0)),
        }
    }

    /// Records a value whose bucket is at hand; `false` if [`record_slow`](Self::record_slow) must.
    pub(crate) fn record(&self, value: f64) -> bool {
        if let Some(dense) = self.dense.get() {
            return dense.record(value);
        }
        match layout::place(value) {
            layout::Place::Regular { octave, bucket } => {
                self.append(value, layout::regular_cell(octave, bucket) as u32)
            }
            layout::Place::Irregular => false,
        }
    }

    /// The counts by bucket, once there are any.
    pub(crate) fn dense(&self) -> Option<&'static Dense> {
        self.dense.get()
    }

    /// Records any number that is neither negative nor NaN nor infinite, making room as needed.
    pub(crate) fn record_slow(&self, value: f64) {
        let (cell, summand) = (layout::cell(value), value.min(LARGEST_SUMMAND));
        if self.dense.get().is_none() {
            if self.append(summand, cell as u32) {
                return;
            }
            self.make_dense();
        }
        let dense = self.dense.get().expect("made above, and never taken back");
        dense.increment(cell);
        add(&dense.sums[0], summand);
    }

    /// What was recorded.
    pub(crate) fn read(&self) -> HistogramSnapshot {
        // The sum first: a value that is recorded meanwhile is then counted and not summed, or
        // neither, and a mean is never too large by a value that is not counted.
        let (sum, cells) = match self.dense.get() {
            Some(dense) => (dense.sum(), dense.counts()),
            None => (self.logged_sum(), self.logged_counts()),
        };
        let mut snapshot = HistogramSnapshot::from_cells(BucketLayout::Exponential, cells, sum);
        snapshot.add_exemplars(&self.exemplars.read());
        snapshot
    }

    /// Where the exemplar of a value that was recorded belongs.
    pub(crate) fn exemplars(&self, value: f64) -> (&Exemplars, u32) {
        (&self.exemplars, layout::exemplar_key(value))
    }

    /// Back to nothing recorded, by whoever knows that the owner does not write: see `series.rs`.
    pub(crate) fn reset(&self) {
        self.logged.store(0, Relaxed);
        self.sum.store(0, Relaxed);
        if let Some(dense) = self.dense.get() {
            dense.reset();
        }
        self.exemplars.reset();
    }

    #[inline(always)]
    fn append(&self, value: f64, cell: u32) -> bool {
        let logged = self.logged.load(Relaxed);
        let Some(pair) = self.log.get(logged as usize / 2) else { return false };
        let half = if logged.is_multiple_of(2) { cell } else { pair.load(Relaxed) | cell << 16 };
        pair.store(half, Relaxed);
        self.logged.store(logged + 1, Release);
        add(&self.sum, value);
        true
    }

    fn make_dense(&self) {
        let dense = Dense::new();
        self.logged_cells().for_each(|cell| dense.increment(cell));
        add(&dense.sums[0], self.logged_sum());
        // Published complete: a reader that finds it needs the log no more.
        let _ = self.dense.set(Box::leak(Box::new(dense)));
    }

    pub(super) fn logged_sum(&self) -> f64 {
        f64::from_bits(self.sum.load(Relaxed))
    }

    /// The numbers of the published part of the log.
    pub(super) fn logged_cells(&self) -> impl Iterator<Item = usize> {
        let logged = self.logged.load(Acquire) as usize;
        (0..logged).map(|place| {
            let pair = self.log[place / 2].load(Relaxed);
            (pair >> (16 * (place % 2)) & 0xffff) as usize
        })
    }

    fn logged_counts(&self) -> Vec<(u32, u64)> {
        let mut cells: Vec<u32> = self.logged_cells().map(|cell| cell as u32).collect();
        cells.sort_unstable();
        let mut counts: Vec<(u32, u64)> = Vec::with_capacity(cells.len());
        for cell in cells {
            match counts.last_mut() {
                Some((last, count)) if *last == cell => *count += 1,
                _ => counts.push((cell, 1)),
            }
        }
        counts
    }
}

impl Dense {
    fn new() -> Self {
        Self {
            sums: std::array::from_fn(|_| AtomicU64::new(0)),
            octaves: std::array::from_fn(|_| OnceRef::new()),
            totals: std::array::from_fn(|_| AtomicU64::new(0)),
            zero: AtomicU64::new(0),
            underflow: AtomicU64::new(0),
            overflow: AtomicU64::new(0),
            first_octave: AtomicU32::new(layout::OCTAVES as u32),
            end_octave: AtomicU32::new(0),
        }
    }

    /// Records a value whose bucket is at hand; `false` if [`HistogramCell::record_slow`] must.
    #[inline(always)]
    pub(crate) fn record(&self, value: f64) -> bool {
        let layout::Place::Regular { octave, bucket } = layout::place(value) else { return false };
        let Some(counts) = self.octaves[octave].get() else { return false };
        // The mask is no check: a bucket is always below it.
        increment(&counts.0[bucket % layout::PER_OCTAVE]);
        increment(&self.totals[octave]);
        add(&self.sums[bucket % SUMS], value);
        true
    }

    pub(super) fn sum(&self) -> f64 {
        self.sums.iter().map(|part| f64::from_bits(part.load(Relaxed))).sum()
    }

    /// From the first octave that occurred to behind the last one.
    pub(super) fn octaves(&self) -> Range<usize> {
        // Relaxed, as the counts are: what an octave holds that is not seen yet came meanwhile.
        self.first_octave.load(Relaxed) as usize..self.end_octave.load(Relaxed) as usize
    }

    fn increment(&self, cell: usize) {
        match cell {
            layout::ZERO => increment(&self.zero),
            layout::UNDERFLOW => increment(&self.underflow),
            layout::OVERFLOW.. => increment(&self.overflow),
            _ => {
                let place = cell - layout::FIRST;
                let octave = self.octave(place / layout::PER_OCTAVE);
                increment(&octave.0[place % layout::PER_OCTAVE]);
                increment(&self.totals[place / layout::PER_OCTAVE]);
            }
        }
    }

    fn reset(&self) {
        let octaves = self.octaves.iter().filter_map(OnceRef::get);
        let regular = octaves.flat_map(|octave| &octave.0);
        let all = regular.chain([&self.zero, &self.underflow, &self.overflow]);
        all.chain(&self.sums).chain(&self.totals).for_each(|count| count.store(0, Relaxed));
    }

    /// The counts of an octave, made at the first call. Only the owning thread makes them.
    fn octave(&self, octave: usize) -> &'static Octave {
        if let Some(counts) = self.octaves[octave].get() {
            return counts;
        }
        let place = octave as u32;
        self.first_octave.store(self.first_octave.load(Relaxed).min(place), Relaxed);
        self.end_octave.store(self.end_octave.load(Relaxed).max(place + 1), Relaxed);
        let counts = Octave(std::array::from_fn(|_| AtomicU64::new(0)));
        let counts: &'static Octave = Box::leak(Box::new(counts));
        let _ = self.octaves[octave].set(counts);
        counts
    }

    /// The counts of an octave, if it occurred.
    #[cfg(feature = "prometheus")]
    pub(super) fn cells(&self, octave: usize) -> Option<&[AtomicU64; layout::PER_OCTAVE]> {
        self.octaves[octave].get().map(|octave| &octave.0)
    }

    /// The counts that are not zero, by cell, ascending.
    fn counts(&self) -> Vec<(u32, u64)> {
        let ends = [(layout::ZERO, &self.zero), (layout::UNDERFLOW, &self.underflow)];
        let regular = self.octaves.iter().enumerate().filter_map(|(octave, counts)| {
            let first = layout::FIRST + octave * layout::PER_OCTAVE;
            let counts = counts.get()?.0.iter().enumerate();
            Some(counts.map(move |(bucket, count)| (first + bucket, count)))
        });
        let all = ends.into_iter().chain(regular.flatten());
        all.chain([(layout::OVERFLOW, &self.overflow)])
            .map(|(cell, count)| (cell as u32, count.load(Relaxed)))
            .filter(|&(_, count)| count > 0)
            .collect()
    }
}

/// Adds to a sum that this thread owns.
#[inline(always)]
pub(super) fn add(sum: &AtomicU64, value: f64) {
    let sum_after = f64::from_bits(sum.load(Relaxed)) + value;
    sum.store(sum_after.to_bits(), Relaxed);
}

/// Adds one to a counter that this thread owns.
#[inline(always)]
pub(super) fn increment(count: &AtomicU64) {
    count.store(count.load(Relaxed) + 1, Relaxed);
}

#[cfg(not(any(miri, bellwether_loom)))]
const _: () = assert!(size_of::<HistogramCell>() == 256, "a short series costs 256 bytes");
