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

    /// What was recorded. The sum first, for the reason that `HistogramCell::read` gives.
    pub(crate) fn read(&self) -> HistogramSnapshot {
        let sum = f64::from_bits(self.sum.load(Relaxed));
        let mut cells = Vec::new();
        for (place, branch) in self.branches.iter().enumerate() {
            let Some(branch) = branch.get() else { continue };
            for (leaf, first) in branch.0.iter().zip((place * FAN..).map(|leaf| leaf * FAN)) {
                let counts = leaf.get().into_iter().flat_map(|leaf| &leaf.0).zip(first as u32..);
                let counts = counts.map(|(count, bucket)| (bucket, count.load(Relaxed)));
                cells.extend(counts.filter(|&(_, count)| count > 0));
            }
        }
        let layout = BucketLayout::Hdr { significant_digits: self.significant_digits };
        HistogramSnapshot::from_cells(layout, cells, sum)
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
