//! One thread's counts of one series of ticks.
//!
//! Five digits are six million buckets, of which few occur: the counts are a tree of two levels over
//! the number of the bucket, and a leaf of 64 counts is made where a value falls.

use super::TickBuckets;
use crate::{
    metric::histogram::{BucketLayout, HistogramSnapshot, cell::increment},
    sync::modelled::{AtomicU64, OnceRef, Ordering::Relaxed},
};

/// Written by one thread alone.
#[derive(Debug)]
pub(crate) struct HdrCell {
    significant_digits: u8,
    buckets: TickBuckets,
    sum: AtomicU64, // The bits of an f64; exact as long as it is below 2^53.
    branches: Box<[OnceRef<'static, Branch>]>,
}

#[derive(Debug)]
struct Branch([OnceRef<'static, Leaf>; FAN]);

#[derive(Debug)]
#[repr(align(128))]
struct Leaf([AtomicU64; FAN]);

const FAN: usize = 64;

impl HdrCell {
    pub(crate) fn new(significant_digits: u8) -> Self {
        let buckets = TickBuckets::new(significant_digits);
        let branches = (0..buckets.len().div_ceil(FAN * FAN)).map(|_| OnceRef::new()).collect();
        Self { significant_digits, buckets, sum: AtomicU64::new(0), branches }
    }

    /// Records `ticks` if the leaf of its bucket is there.
    #[inline(always)]
    pub(crate) fn record(&self, ticks: u64) -> bool {
        let bucket = self.buckets.bucket(ticks);
        let branch = self.branches.get(bucket / (FAN * FAN)).and_then(OnceRef::get);
        let Some(leaf) = branch.and_then(|branch| branch.0[bucket / FAN % FAN].get()) else {
            return false;
        };
        increment(&leaf.0[bucket % FAN]);
        let sum = f64::from_bits(self.sum.load(Relaxed)) + ticks as f64;
        self.sum.store(sum.to_bits(), Relaxed);
        true
    }

    /// Records `ticks`, making room as needed.
    pub(crate) fn record_slow(&self, ticks: u64) {
        let bucket = self.buckets.bucket(ticks);
        let branch = get_or_make(&self.branches[bucket / (FAN * FAN)], || {
            Branch(std::array::from_fn(|_| OnceRef::new()))
        });
        get_or_make(&branch.0[bucket / FAN % FAN], || {
            Leaf(std::array::from_fn(|_| AtomicU64::new(0)))
        });
        self.record(ticks);
    }

    /// Back to nothing recorded, by whoever knows that the owner does not write: see `series.rs`.
    pub(crate) fn reset(&self) {
        self.sum.store(0, Relaxed);
        let branches = self.branches.iter().filter_map(OnceRef::get);
        let leaves = branches.flat_map(|branch| branch.0.iter().filter_map(OnceRef::get));
        leaves.flat_map(|leaf| &leaf.0).for_each(|count| count.store(0, Relaxed));
    }

    /// What was recorded. The sum first, for the reason that `HistogramCell::read` gives.
    pub(crate) fn read(&self) -> HistogramSnapshot {
        let (sum, cells) = (self.sum(), self.cells().filter(|&(_, count)| count > 0).collect());
        let layout = BucketLayout::Hdr { significant_digits: self.significant_digits };
        HistogramSnapshot::from_cells(layout, cells, sum)
    }

    pub(crate) fn sum(&self) -> f64 {
        f64::from_bits(self.sum.load(Relaxed))
    }

    /// The buckets of the leaves that there are and their counts, ascending.
    fn cells(&self) -> impl Iterator<Item = (u32, u64)> {
        self.leaves().flat_map(|(first, counts)| {
            (first..).zip(counts.iter().map(|count| count.load(Relaxed)))
        })
    }

    /// The counts of neighbouring buckets, from the one with this number on; ascending.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = (u32, &[AtomicU64; FAN])> {
        let branches = self.branches.iter().enumerate();
        let branches = branches.filter_map(|(place, branch)| Some((place * FAN, branch.get()?)));
        let leaves = branches.flat_map(|(first, branch)| (first..).zip(&branch.0));
        leaves.filter_map(|(place, leaf)| Some(((place * FAN) as u32, &leaf.get()?.0)))
    }
}

/// What `slot` points to, made at the first call. Only the owning thread makes it.
fn get_or_make<T>(slot: &OnceRef<'static, T>, make: impl FnOnce() -> T) -> &'static T {
    if let Some(made) = slot.get() {
        return made;
    }
    let made: &'static T = Box::leak(Box::new(make()));
    let _ = slot.set(made);
    made
}
