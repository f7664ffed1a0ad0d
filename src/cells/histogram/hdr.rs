//! The counts of one series of ticks in one table.
//!
//! Five digits are six million buckets, of which few occur: the counts are a tree of two levels over
//! the number of the bucket, and a leaf of 64 counts is made where a value falls. The sum of each
//! leaf stands beside the pointer to it, so that a page reads the leaves alone that a bound divides.

use super::{
    cell::{NO_MAX, NO_MIN, bits, extremes},
    window::Window,
};
use crate::{
    cells::{
        budget::Room,
        writer::{Owner, Writer},
    },
    snapshot::{BucketLayout, HistogramSnapshot, TickBuckets, WHOLE, small_to_ticks},
    sync::modelled::{AtomicU64, OnceRef, Ordering::Relaxed},
};

#[derive(Debug)]
pub(crate) struct HdrCell {
    significant_digits: u8,
    buckets: TickBuckets,
    sum: AtomicU64, // The bits of an f64; exact as long as it is below 2^53.
    /// The bits of the smallest and of the largest number so far.
    min: AtomicU64,
    max: AtomicU64,
    /// From the smallest to the largest number, below [`WHOLE`]: what one thread that writes alone
    /// records by the shortest way.
    known: Window,
    branches: Box<[OnceRef<'static, Branch>]>,
}

#[derive(Debug)]
struct Branch([Twig; FAN]);

/// A leaf and the sum of its counts, in the cache line that a record reads anyway.
#[derive(Debug)]
struct Twig {
    leaf: OnceRef<'static, Leaf>,
    total: AtomicU64,
}

/// Neighbouring buckets, as a page reads them.
#[derive(Debug)]
pub(crate) struct LeafCounts<'a> {
    /// The number of the first of them.
    pub(crate) first: u32,
    /// The sum of the counts; a record counts its bucket before it, so that it may be behind.
    pub(crate) total: u64,
    pub(crate) counts: &'a [AtomicU64],
}

#[derive(Debug)]
#[repr(align(128))]
struct Leaf([AtomicU64; FAN]);

const FAN: usize = 64;

/// Bytes of a cache line.
const LINE: usize = 64;

impl HdrCell {
    /// The bytes of a cell, beside itself.
    pub(crate) fn bytes(significant_digits: u8) -> usize {
        n_branches(&TickBuckets::new(significant_digits)) * size_of::<OnceRef<'static, Branch>>()
    }

    pub(crate) fn new(significant_digits: u8) -> Self {
        let buckets = TickBuckets::new(significant_digits);
        let branches = (0..n_branches(&buckets)).map(|_| OnceRef::new()).collect();
        let [sum, min, max] = [0, NO_MIN, NO_MAX].map(AtomicU64::new);
        Self { significant_digits, buckets, sum, min, max, known: Window::new(), branches }
    }

    /// Records a value between the smallest and the largest so far, by the only writer, if the leaf of
    /// its bucket is there; `false` for others.
    #[inline]
    pub(crate) fn record_known(&self, value: f64) -> bool {
        // Numbers that are not negative are ordered as their bits are; the others are beyond.
        self.known.contains(value.to_bits()) && self.add::<Owner>(small_to_ticks(value))
    }

    /// As [`record_known`](Self::record_known), of ticks.
    #[inline]
    pub(crate) fn record_known_ticks(&self, ticks: u64) -> bool {
        self.known.contains(to_value(ticks).to_bits()) && self.add::<Owner>(ticks)
    }

    /// Records `ticks` if the leaf of its bucket is there.
    pub(crate) fn record<W: Writer>(&self, ticks: u64) -> bool {
        let is_recorded = self.add::<W>(ticks);
        if is_recorded {
            W::widen(&self.min, &self.max, bits(to_value(ticks)));
            if W::IS_ALONE {
                let largest = self.max.load(Relaxed).min(WHOLE.to_bits() - 1);
                self.known.set(self.min.load(Relaxed), largest);
            }
        }
        is_recorded
    }

    #[inline(always)]
    fn add<W: Writer>(&self, ticks: u64) -> bool {
        let bucket = self.buckets.bucket(ticks);
        let branch = self.branches.get(bucket / (FAN * FAN)).and_then(OnceRef::get);
        let Some(Twig { leaf, total }) = branch.map(|branch| &branch.0[bucket / FAN % FAN]) else {
            return false;
        };
        let Some(leaf) = leaf.get() else { return false };
        W::add(&leaf.0[bucket % FAN], 1);
        W::add(total, 1);
        W::add_float(&self.sum, to_value(ticks));
        true
    }

    /// Makes the leaf that [`record`](Self::record) lacks; `false` if `room` refuses it. One thread at a
    /// time.
    pub(crate) fn make_room(&self, ticks: u64, room: Room<'_>) -> bool {
        let bucket = self.buckets.bucket(ticks);
        let Some(slot) = self.branches.get(bucket / (FAN * FAN)) else { return false };
        let new_branch = || Branch(std::array::from_fn(|_| Twig::new()));
        let Some(branch) = get_or_make(slot, room, new_branch) else { return false };
        let new_leaf = || Leaf(std::array::from_fn(|_| AtomicU64::new(0)));
        get_or_make(&branch.0[bucket / FAN % FAN].leaf, room, new_leaf).is_some()
    }

    /// Back to nothing recorded, by whoever knows that nobody writes.
    pub(crate) fn reset(&self) {
        self.sum.store(0, Relaxed);
        self.min.store(NO_MIN, Relaxed);
        self.max.store(NO_MAX, Relaxed);
        self.known.reset();
        let branches = self.branches.iter().filter_map(OnceRef::get);
        for twig in branches.flat_map(|branch| &branch.0) {
            let counts = twig.leaf.get().into_iter().flat_map(|leaf| &leaf.0);
            counts.chain([&twig.total]).for_each(|count| count.store(0, Relaxed));
        }
    }

    /// What was recorded. The sum first, for the reason that `HistogramCell::read_all` gives.
    pub(crate) fn read(&self) -> HistogramSnapshot {
        let (sum, cells) = (self.sum(), self.cells().filter(|&(_, count)| count > 0).collect());
        let layout = BucketLayout::Hdr { significant_digits: self.significant_digits };
        HistogramSnapshot::from_cells(layout, cells, sum)
            .with_extremes(extremes(&self.min, &self.max))
    }

    pub(crate) fn sum(&self) -> f64 {
        f64::from_bits(self.sum.load(Relaxed))
    }

    /// The buckets of the leaves that there are and their counts, ascending.
    fn cells(&self) -> impl Iterator<Item = (u32, u64)> {
        self.twigs().flat_map(|(first, leaf, _)| {
            (first..).zip(leaf.0.iter().map(|count| count.load(Relaxed)))
        })
    }

    /// Reads a word of each cache line in which leaves are found.
    pub(crate) fn touch_twigs(&self) -> u64 {
        let twigs = self.branches.iter().filter_map(OnceRef::get);
        let twigs = twigs.flat_map(|branch| branch.0.iter().step_by(LINE / size_of::<Twig>()));
        twigs.fold(0, |any, twig| any ^ twig.total.load(Relaxed))
    }

    /// Reads a word of each cache line of a leaf up to the one of these buckets that divides it.
    pub(crate) fn touch_leaves(&self, buckets: &[u32]) -> u64 {
        let counts = buckets.iter().filter_map(|&bucket| {
            let bucket = bucket as usize;
            let branch = self.branches.get(bucket / (FAN * FAN))?.get()?;
            let leaf = branch.0[bucket / FAN % FAN].leaf.get()?;
            let is_divided = bucket % FAN + 1 < FAN;
            is_divided.then(|| leaf.0[..=bucket % FAN].iter().step_by(LINE / size_of::<u64>()))
        });
        counts.flatten().fold(0, |any, count| any ^ count.load(Relaxed))
    }

    /// The leaves that there are, ascending.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = LeafCounts<'_>> {
        self.twigs().map(|(first, leaf, total)| LeafCounts {
            first,
            total: total.load(Relaxed),
            counts: &leaf.0,
        })
    }

    /// The leaves that there are, ascending: the number of the first bucket, the counts, their sum.
    fn twigs(&self) -> impl Iterator<Item = (u32, &Leaf, &AtomicU64)> {
        let branches = self.branches.iter().enumerate();
        let branches = branches.filter_map(|(place, branch)| Some((place * FAN, branch.get()?)));
        let twigs = branches.flat_map(|(first, branch)| (first..).zip(&branch.0));
        twigs.filter_map(|(place, Twig { leaf, total })| {
            Some(((place * FAN) as u32, leaf.get()?, total))
        })
    }
}

impl Twig {
    fn new() -> Self {
        Self { leaf: OnceRef::new(), total: AtomicU64::new(0) }
    }
}

/// The number of ticks. Nearly all are below 2^63, where the conversion is one instruction.
#[inline(always)]
fn to_value(ticks: u64) -> f64 {
    match i64::try_from(ticks) {
        Ok(ticks) => ticks as f64,
        Err(_) => ticks as f64,
    }
}

fn n_branches(buckets: &TickBuckets) -> usize {
    buckets.len().div_ceil(FAN * FAN)
}

/// What `slot` points to, made at the first call if there is room for it.
fn get_or_make<T>(
    slot: &OnceRef<'static, T>,
    room: Room<'_>,
    make: impl FnOnce() -> T,
) -> Option<&'static T> {
    if let Some(made) = slot.get() {
        return Some(made);
    }
    if !room.take_for::<T>() {
        return None;
    }
    let made: &'static T = Box::leak(Box::new(make()));
    let _ = slot.set(made);
    Some(made)
}
