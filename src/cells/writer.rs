//! How a cell is written: by the one thread that owns it, or by several that share it.
//!
//! Both do the same to a cell. An owner loads and stores, because nobody else writes; threads that
//! share use atomic additions. All is relaxed: a cell publishes nothing but itself.

use crate::sync::modelled::{
    AtomicU32, AtomicU64,
    Ordering::{Relaxed, Release},
};

/// The ways to write a cell.
pub(crate) trait Writer {
    /// Adds `n`, wrapping around.
    fn add(sum: &AtomicU64, n: u64);

    /// Adds `n` to a sum whose bits are those of an `f64`.
    fn add_float(sum: &AtomicU64, n: f64);

    /// Makes the smallest and the largest number seen include `bits`.
    fn widen(min: &AtomicU64, max: &AtomicU64, bits: u64);

    /// The next place of a list of `end` places; `None` if it is full.
    fn claim(len: &AtomicU32, end: u32) -> Option<u32>;

    /// Sets bits of a word at a claimed place; the lowest bits are set first, by whoever claims them.
    fn fill(word: &AtomicU32, bits: u32);

    /// Tells readers that the first `len` places are filled.
    fn publish(len: &AtomicU32, filled: u32);
}

/// The only writer of its cells.
#[derive(Debug)]
pub(crate) enum Owner {}

/// One of several threads that write the same cells.
#[derive(Debug)]
pub(crate) enum Sharer {}

impl Writer for Owner {
    #[inline(always)]
    fn add(sum: &AtomicU64, n: u64) {
        sum.store(sum.load(Relaxed).wrapping_add(n), Relaxed);
    }

    #[inline(always)]
    fn add_float(sum: &AtomicU64, n: f64) {
        let after = f64::from_bits(sum.load(Relaxed)) + n;
        sum.store(after.to_bits(), Relaxed);
    }

    fn widen(min: &AtomicU64, max: &AtomicU64, bits: u64) {
        // Most values widen nothing.
        if bits < min.load(Relaxed) {
            min.store(bits, Relaxed);
        }
        if bits > max.load(Relaxed) {
            max.store(bits, Relaxed);
        }
    }

    #[inline(always)]
    fn claim(len: &AtomicU32, end: u32) -> Option<u32> {
        let place = len.load(Relaxed);
        (place < end).then_some(place)
    }

    #[inline(always)]
    fn fill(word: &AtomicU32, bits: u32) {
        word.store(word.load(Relaxed) | bits, Relaxed);
    }

    #[inline(always)]
    fn publish(len: &AtomicU32, filled: u32) {
        len.store(filled, Release);
    }
}

impl Writer for Sharer {
    #[inline(always)]
    fn add(sum: &AtomicU64, n: u64) {
        sum.fetch_add(n, Relaxed);
    }

    #[inline(always)]
    fn add_float(sum: &AtomicU64, n: f64) {
        let mut before = sum.load(Relaxed);
        loop {
            let after = (f64::from_bits(before) + n).to_bits();
            match sum.compare_exchange_weak(before, after, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(newer) => before = newer,
            }
        }
    }

    fn widen(min: &AtomicU64, max: &AtomicU64, bits: u64) {
        // Loaded first: most values widen nothing, and a load leaves the cache line shared.
        if bits < min.load(Relaxed) {
            min.fetch_min(bits, Relaxed);
        }
        if bits > max.load(Relaxed) {
            max.fetch_max(bits, Relaxed);
        }
    }

    #[inline(always)]
    fn claim(len: &AtomicU32, end: u32) -> Option<u32> {
        // Checked first, so that the number cannot wrap around however often it is asked for.
        if len.load(Relaxed) >= end {
            return None;
        }
        let place = len.fetch_add(1, Relaxed);
        (place < end).then_some(place)
    }

    #[inline(always)]
    fn fill(word: &AtomicU32, bits: u32) {
        word.fetch_or(bits, Relaxed);
    }

    #[inline(always)]
    fn publish(_len: &AtomicU32, _filled: u32) {
        // Places are filled in any order: a reader knows a filled one by its bits, which are not zero.
    }
}
