//! The values of one series in one table: first a log of buckets, then counts by bucket.
//!
//! Most series of a process see few values on most threads, so the first values are kept as a list
//! of 16-bit bucket numbers in 256 bytes. When it is full, values are counted in the dense form, 64
//! counters for each power of two that occurs. An owner counts its log into the dense form once,
//! before that is published, so that readers take one or the other. Threads that share a cell cannot
//! stop each other, so there the log stays and readers take both.

use std::ops::Range;

use super::{exemplars::Exemplars, window::Window};
use crate::{
    cells::{
        budget::Room,
        directory::Fresh,
        writer::{Owner, Writer},
    },
    snapshot::{BucketLayout, Exemplar, HistogramSnapshot, histogram::layout},
    sync::modelled::{
        AtomicU32, AtomicU64, OnceRef,
        Ordering::{Acquire, Relaxed},
    },
};

/// How many values the log holds: as many as fill 256 bytes. Two bucket numbers share a word.
#[cfg(not(any(miri, bellwether_loom)))]
const LOG: u32 = 108;
#[cfg(any(miri, bellwether_loom))]
const LOG: u32 = 2;

/// Parts of a sum: a cache line of them.
const SUMS: usize = 8;

/// What a value adds to the sum at most, so that 10^18 values cannot make it infinite for ever.
pub(crate) const LARGEST_SUMMAND: f64 = 1e290;

/// The bits of the smallest number before there is one, and of the largest: no number is between.
pub(crate) const NO_MIN: u64 = u64::MAX;
pub(crate) const NO_MAX: u64 = 0;

/// Where a table keeps the values of a histogram.
#[derive(Debug)]
pub(crate) struct HistogramCell {
    dense: OnceRef<'static, Dense>,
    /// Made before `dense`.
    log: OnceRef<'static, Log>,
}

/// The first values of a series.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Log {
    /// The sum of the logged values: the bits of an f64.
    sum: AtomicU64,
    /// The bits of the smallest and the largest logged value.
    min: AtomicU64,
    max: AtomicU64,
    exemplars: Exemplars,
    /// How many places are claimed, and in an owner's log also filled. In a shared one it may be more
    /// than there are.
    len: AtomicU32,
    /// Pairs of bucket numbers and one, the earlier one in the low half. Zero is a place not filled.
    places: [AtomicU32; LOG as usize / 2],
    /// Whether several threads write, so that the dense form does not include it.
    is_shared: bool,
}

/// Counts by bucket.
#[derive(Debug)]
#[repr(C, align(128))] // What a text page reads stands in front: two lines, and a part of `totals`.
pub(crate) struct Dense {
    /// The sum, in parts by the bucket: a single one would let each record wait for the addition of the
    /// one before it (bench histogram).
    sums: [AtomicU64; SUMS],
    /// The bits of the smallest and the largest value.
    min: AtomicU64,
    max: AtomicU64,
    /// From the smallest to the largest value, if one thread alone writes: what widens nothing.
    known: Window,
    /// From the first octave that occurred to behind the last one, of 70: a text page reads no more.
    first_octave: AtomicU64,
    end_octave: AtomicU64,
    pub(crate) zero: AtomicU64,
    pub(crate) underflow: AtomicU64,
    pub(crate) overflow: AtomicU64,
    /// The sums of the octaves' counts: an eighth of the cache lines. Zero where threads share: each of
    /// them would pay for a further atomic addition.
    totals: [AtomicU64; layout::OCTAVES],
    octaves: [OnceRef<'static, Octave>; layout::OCTAVES],
    /// Those of the log: near, for records in sampled spans.
    exemplars: &'static Exemplars,
}

/// The counts between two powers of two.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Octave(pub(crate) [AtomicU64; layout::PER_OCTAVE]);

impl HistogramCell {
    pub(crate) fn new() -> Self {
        Self { dense: OnceRef::new(), log: OnceRef::new() }
    }

    /// The counts by bucket, once there are any.
    #[inline(always)]
    pub(crate) fn dense(&self) -> Option<&'static Dense> {
        self.dense.get()
    }

    /// The counts by bucket, and the log of values that they do not include. Asked for together: a log
    /// may be counted between two questions.
    #[inline]
    pub(crate) fn parts(&self) -> (Option<&'static Dense>, Option<&'static Log>) {
        let dense = self.dense.get();
        (dense, self.log.get().filter(|log| dense.is_none() || log.is_shared))
    }

    /// Records any number that is neither negative nor NaN nor infinite; `false` if room must be made.
    pub(crate) fn record<W: Writer>(&self, value: f64) -> bool {
        match (self.dense.get(), self.log.get()) {
            (Some(dense), _) => dense.record_any::<W>(value),
            (None, Some(log)) => log.append::<W>(value),
            (None, None) => false,
        }
    }

    /// Makes what [`record`](Self::record) lacks for `value`; `false` if `room` refuses it. One thread
    /// at a time.
    pub(crate) fn make_room<W: Writer>(&self, value: f64, is_shared: bool, room: Room<'_>) -> bool {
        let Some(log) = self.log.get() else {
            return room.take_for::<Log>() && self.log.set(leak(Log::new(is_shared))).is_ok();
        };
        let Some(dense) = self.dense.get() else {
            if !log.is_full() {
                return true;
            }
            return self.make_dense(log, room);
        };
        dense.make_octave::<W>(layout::cell(value), room)
    }

    /// What was recorded; `None` if nothing ever was.
    pub(crate) fn read(&'static self) -> Option<HistogramSnapshot> {
        Self::read_all(std::iter::once(self))
    }

    /// What was recorded in all of `cells`, of one series; `None` if nothing ever was.
    pub(crate) fn read_all(
        cells: impl Iterator<Item = &'static Self> + Clone,
    ) -> Option<HistogramSnapshot> {
        // First, so that none is seen of a value that is not counted.
        let exemplars: Vec<Exemplar> = cells.clone().flat_map(Self::read_exemplars).collect();
        let (dense, logs): (Vec<_>, Vec<_>) = cells.map(Self::parts).unzip();
        let dense: Vec<&Dense> = dense.into_iter().flatten().collect();
        let logs: Vec<&Log> = logs.into_iter().flatten().collect();
        if dense.is_empty() && logs.is_empty() {
            return None;
        }
        // The sums first: a value that is recorded meanwhile is then counted and not summed, or
        // neither, and a mean is never too large by a value that is not counted.
        let dense_sum: f64 = dense.iter().map(|dense| dense.sum()).sum();
        let sum = dense_sum + logs.iter().map(|log| log.sum()).sum::<f64>();
        let counts = counts(&dense, &logs);
        let extremes = dense.iter().filter_map(|dense| dense.extremes());
        let extremes = extremes.chain(logs.iter().filter_map(|log| log.extremes()));
        let extremes = extremes.reduce(|all, one| (all.0.min(one.0), all.1.max(one.1)));
        let mut snapshot = HistogramSnapshot::from_cells(BucketLayout::Exponential, counts, sum)
            .with_extremes(extremes);
        snapshot.add_exemplars(&exemplars);
        Some(snapshot)
    }

    /// How many values were recorded.
    pub(crate) fn n_values(&self) -> u64 {
        let (dense, log) = self.parts();
        let counted = dense.map_or(0, Dense::n_values);
        counted.wrapping_add(log.map_or(0, Log::n_values))
    }

    /// Where the exemplar of a value that was recorded belongs.
    pub(crate) fn exemplars(&self, value: f64) -> Option<(&'static Exemplars, u32)> {
        Some((&self.log.get()?.exemplars, layout::exemplar_key(value)))
    }

    /// All exemplars.
    pub(crate) fn read_exemplars(&self) -> Vec<Exemplar> {
        self.log.get().map(|log| log.exemplars.read()).unwrap_or_default()
    }

    fn make_dense(&self, log: &'static Log, room: Room<'_>) -> bool {
        let octaves = log.octaves();
        let bytes = size_of::<Dense>() + octaves.len() * size_of::<Octave>();
        if log.is_shared {
            return room.take_for::<Dense>()
                && self.dense.set(leak(Dense::new(&log.exemplars))).is_ok();
        }
        if !room.take(bytes) {
            return false;
        }
        let dense = Dense::new(&log.exemplars);
        octaves.into_iter().for_each(|octave| dense.add_octave::<Owner>(octave));
        dense.take_over(log);
        // Published complete: a reader that finds it needs the log no more.
        self.dense.set(leak(dense)).is_ok()
    }
}

impl Fresh for HistogramCell {
    fn fresh() -> Self {
        Self::new()
    }

    fn reset(&self) {
        self.log.get().into_iter().for_each(|log| log.reset());
        self.dense.get().into_iter().for_each(Dense::reset);
    }
}

impl Log {
    fn new(is_shared: bool) -> Self {
        Self {
            sum: AtomicU64::new(0),
            min: AtomicU64::new(NO_MIN),
            max: AtomicU64::new(NO_MAX),
            exemplars: Exemplars::new(),
            len: AtomicU32::new(0),
            places: std::array::from_fn(|_| AtomicU32::new(0)),
            is_shared,
        }
    }

    fn append<W: Writer>(&self, value: f64) -> bool {
        let Some(place) = W::claim(&self.len, LOG) else { return false };
        W::fill(
            &self.places[place as usize / 2],
            (layout::cell(value) as u32 + 1) << (16 * (place % 2)),
        );
        W::publish(&self.len, place + 1);
        W::widen(&self.min, &self.max, bits(value));
        W::add_float(&self.sum, value.min(LARGEST_SUMMAND));
        true
    }

    fn is_full(&self) -> bool {
        self.len.load(Relaxed) >= LOG
    }

    pub(crate) fn sum(&self) -> f64 {
        f64::from_bits(self.sum.load(Relaxed))
    }

    fn n_values(&self) -> u64 {
        match self.is_shared {
            true => self.buckets().count() as u64,
            false => self.len.load(Acquire).min(LOG).into(),
        }
    }

    /// The bucket numbers that are there.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = usize> {
        let claimed = self.len.load(Acquire).min(LOG);
        (0..claimed).filter_map(|place| {
            let pair = self.places[place as usize / 2].load(Relaxed);
            ((pair >> (16 * (place % 2)) & 0xffff) as usize).checked_sub(1)
        })
    }

    pub(crate) fn extremes(&self) -> Option<(f64, f64)> {
        extremes(&self.min, &self.max)
    }

    /// The octaves that occur.
    fn octaves(&self) -> Vec<usize> {
        let mut octaves: Vec<usize> = self.buckets().filter_map(octave_of).collect();
        octaves.sort_unstable();
        octaves.dedup();
        octaves
    }

    fn reset(&self) {
        self.len.store(0, Relaxed);
        self.places.iter().for_each(|pair| pair.store(0, Relaxed));
        self.sum.store(0, Relaxed);
        self.min.store(NO_MIN, Relaxed);
        self.max.store(NO_MAX, Relaxed);
        self.exemplars.reset();
    }
}

impl Dense {
    fn new(exemplars: &'static Exemplars) -> Self {
        Self {
            sums: std::array::from_fn(|_| AtomicU64::new(0)),
            min: AtomicU64::new(NO_MIN),
            max: AtomicU64::new(NO_MAX),
            known: Window::new(),
            octaves: std::array::from_fn(|_| OnceRef::new()),
            totals: std::array::from_fn(|_| AtomicU64::new(0)),
            zero: AtomicU64::new(0),
            underflow: AtomicU64::new(0),
            overflow: AtomicU64::new(0),
            first_octave: AtomicU64::new(layout::OCTAVES as u64),
            end_octave: AtomicU64::new(0),
            exemplars,
        }
    }

    /// Whether there is an exemplar of this turn where that of `value` belongs.
    #[inline(always)]
    pub(crate) fn has_exemplar_of(&self, value: f64) -> bool {
        self.exemplars.is_kept(layout::exemplar_key(value))
    }

    /// Records a value between the smallest and the largest so far whose bucket is at hand; `false` for
    /// every other number.
    #[inline(always)]
    pub(crate) fn record<W: Writer>(&self, value: f64) -> bool {
        // Numbers that are not negative are ordered as their bits are; the others are beyond.
        if !self.is_known::<W>(value.to_bits()) {
            return false;
        }
        let layout::Place::Regular { octave, bucket } = layout::place(value) else { return false };
        let Some(counts) = self.octaves[octave].get() else { return false };
        W::add(&counts.0[bucket], 1);
        if W::IS_ALONE {
            W::add(&self.totals[octave], 1);
        }
        W::add_float(&self.sums[bucket % SUMS], value);
        true
    }

    /// Records any number that is neither negative nor NaN nor infinite; `false` if its octave must be
    /// made.
    fn record_any<W: Writer>(&self, value: f64) -> bool {
        if self.record::<W>(value) {
            return true;
        }
        let cell = layout::cell(value);
        let Some(count) = self.count(cell) else { return false };
        W::add(count, 1);
        if let Some(octave) = octave_of(cell).filter(|_| W::IS_ALONE) {
            W::add(&self.totals[octave], 1);
        }
        W::widen(&self.min, &self.max, bits(value));
        if W::IS_ALONE {
            self.know();
        }
        W::add_float(&self.sums[cell % SUMS], value.min(LARGEST_SUMMAND));
        true
    }

    #[inline(always)]
    fn is_known<W: Writer>(&self, bits: u64) -> bool {
        if W::IS_ALONE {
            return self.known.contains(bits);
        }
        self.min.load(Relaxed) <= bits && bits <= self.max.load(Relaxed)
    }

    /// Takes note of what is known, by the only writer.
    fn know(&self) {
        self.known.set(self.min.load(Relaxed), self.max.load(Relaxed));
    }

    pub(crate) fn sum(&self) -> f64 {
        self.sums.iter().map(|part| f64::from_bits(part.load(Relaxed))).sum()
    }

    pub(crate) fn extremes(&self) -> Option<(f64, f64)> {
        extremes(&self.min, &self.max)
    }

    /// From the first octave that occurred to behind the last one.
    pub(crate) fn octaves(&self) -> Range<usize> {
        // Relaxed, as the counts are: what an octave holds that is not seen yet came meanwhile.
        self.first_octave.load(Relaxed) as usize..self.end_octave.load(Relaxed) as usize
    }

    /// The counts of an octave, if a value of it occurred.
    pub(crate) fn octave(&self, octave: usize) -> Option<&'static Octave> {
        self.octaves.get(octave)?.get()
    }

    fn n_values(&self) -> u64 {
        let octaves =
            self.octaves().fold(0, |sum: u64, octave| sum.wrapping_add(self.total(octave)));
        [&self.zero, &self.underflow, &self.overflow]
            .iter()
            .fold(octaves, |sum, count| sum.wrapping_add(count.load(Relaxed)))
    }

    /// The sum of the counts of an octave.
    pub(super) fn total(&self, octave: usize) -> u64 {
        match self.totals[octave].load(Relaxed) {
            0 => self.octave(octave).map_or(0, |octave| {
                octave.0.iter().map(|count| count.load(Relaxed)).fold(0, u64::wrapping_add)
            }),
            total => total,
        }
    }

    /// The counts of the cells of an octave, if a value of it occurred.
    pub(crate) fn cells(&self, octave: usize) -> Option<&[AtomicU64; layout::PER_OCTAVE]> {
        self.octave(octave).map(|octave| &octave.0)
    }

    /// The count of a bucket, if it is at hand.
    fn count(&self, cell: usize) -> Option<&AtomicU64> {
        match cell {
            layout::ZERO => Some(&self.zero),
            layout::UNDERFLOW => Some(&self.underflow),
            layout::OVERFLOW.. => Some(&self.overflow),
            _ => {
                let place = cell - layout::FIRST;
                let octave = self.octaves[place / layout::PER_OCTAVE].get()?;
                Some(&octave.0[place % layout::PER_OCTAVE])
            }
        }
    }

    fn make_octave<W: Writer>(&self, cell: usize, room: Room<'_>) -> bool {
        match octave_of(cell) {
            Some(octave) if self.octaves[octave].get().is_none() => {
                let is_room = room.take_for::<Octave>();
                if is_room {
                    self.add_octave::<W>(octave);
                }
                is_room
            }
            _ => true,
        }
    }

    fn add_octave<W: Writer>(&self, octave: usize) {
        W::widen(&self.first_octave, &self.end_octave, octave as u64);
        W::widen(&self.first_octave, &self.end_octave, octave as u64 + 1);
        let _ = self.octaves[octave].set(leak(Octave(std::array::from_fn(|_| AtomicU64::new(0)))));
    }

    /// Becomes what a log is, whose octaves are there.
    fn take_over(&self, log: &Log) {
        for cell in log.buckets() {
            self.count(cell).into_iter().for_each(|count| Owner::add(count, 1));
            octave_of(cell).into_iter().for_each(|octave| Owner::add(&self.totals[octave], 1));
        }
        Owner::add_float(&self.sums[0], log.sum());
        self.min.store(log.min.load(Relaxed), Relaxed);
        self.max.store(log.max.load(Relaxed), Relaxed);
        self.know();
    }

    fn reset(&self) {
        let octaves = self.octaves.iter().filter_map(OnceRef::get);
        let regular = octaves.flat_map(|octave| &octave.0);
        let all = regular.chain([&self.zero, &self.underflow, &self.overflow]);
        all.chain(&self.sums).chain(&self.totals).for_each(|count| count.store(0, Relaxed));
        self.min.store(NO_MIN, Relaxed);
        self.max.store(NO_MAX, Relaxed);
        self.known.reset();
    }
}

/// The counts of all together that are not zero, by cell, ascending.
fn counts(all: &[&Dense], logs: &[&Log]) -> Vec<(u32, u64)> {
    let logged: Vec<usize> = logs.iter().flat_map(|log| log.buckets()).collect();
    let ranges = all.iter().map(|dense| dense.octaves());
    let ranges = ranges.chain(logged.iter().filter_map(|&cell| octave_of(cell)).map(|n| n..n + 1));
    let octaves = ranges.reduce(|all, one| all.start.min(one.start)..all.end.max(one.end));
    let octaves = octaves.unwrap_or(0..0);
    let first = layout::regular_cell(octaves.start, 0);
    let mut regular = vec![0u64; octaves.len() * layout::PER_OCTAVE];
    let total = |count: fn(&Dense) -> &AtomicU64| {
        all.iter().map(|dense| count(dense).load(Relaxed)).fold(0, u64::wrapping_add)
    };
    let mut zero = total(|dense| &dense.zero);
    let mut underflow = total(|dense| &dense.underflow);
    let mut overflow = total(|dense| &dense.overflow);
    for dense in all {
        for (sums, octave) in regular.chunks_exact_mut(layout::PER_OCTAVE).zip(octaves.clone()) {
            let counts = dense.octave(octave).into_iter().flat_map(|octave| &octave.0);
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum = sum.wrapping_add(count.load(Relaxed));
            }
        }
    }
    for cell in logged {
        match cell {
            layout::ZERO => zero += 1,
            layout::UNDERFLOW => underflow += 1,
            layout::OVERFLOW.. => overflow += 1,
            cell => regular[cell - first] += 1,
        }
    }
    let below = [(layout::ZERO as u32, zero), (layout::UNDERFLOW as u32, underflow)];
    let regular = (first as u32..).zip(regular);
    let all = below.into_iter().chain(regular).chain([(layout::OVERFLOW as u32, overflow)]);
    all.filter(|&(_, count)| count > 0).collect()
}

/// The octave of a cell, if it is in one.
fn octave_of(cell: usize) -> Option<usize> {
    let place = cell.checked_sub(layout::FIRST)?;
    (cell < layout::OVERFLOW).then_some(place / layout::PER_OCTAVE)
}

/// The bits of a number that is not negative; of minus zero, those of zero.
pub(crate) fn bits(value: f64) -> u64 {
    value.abs().to_bits()
}

/// The smallest and the largest number, if there is one.
pub(crate) fn extremes(min: &AtomicU64, max: &AtomicU64) -> Option<(f64, f64)> {
    let (min, max) = (min.load(Relaxed), max.load(Relaxed));
    // A reader may see one of two that were widened.
    (min <= max).then(|| (f64::from_bits(min), f64::from_bits(max)))
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

#[cfg(not(any(miri, bellwether_loom)))]
const _: () = assert!(size_of::<Log>() == 256, "a short series costs 256 bytes");
