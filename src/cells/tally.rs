//! What recording has to say of itself in one storage: how much was not recorded as it was asked to be.
//!
//! These are plain numbers, below all instruments, so that whoever refuses a record can count it. The
//! registry of the statics shows them as series of its own.

use std::collections::BTreeMap;

use super::busy::busy;
use crate::{
    snapshot::ExemplarFault,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Why a measurement was not recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rejection {
    Nan,
    Infinite,
    Negative,
    /// The instrument lost a conflict.
    Disabled,
    /// The instrument has a range that the value is not in.
    OutOfRange,
}

/// Why a callback observed nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CallbackFault {
    Panicked,
    /// It took too long, and was given up.
    Overran,
    /// It was still running, or could not be run.
    Skipped,
}

/// The counts of one storage. No two of its locks are held at once, and nothing is locked inside them.
/// Who counts is inside the slow path: see `busy`.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    rejected: [AtomicU64; 5],
    clamped: AtomicU64,
    truncated: AtomicU64,
    callbacks: [AtomicU64; 3],
    exemplars: [AtomicU64; 5],
    /// By the names of the instruments.
    overflowed: Mutex<BTreeMap<Box<str>, u64>>,
    /// By the numbers of the instruments that were refused.
    refused: Mutex<Vec<u64>>,
}

impl Rejection {
    /// All reasons in their order, as the label says them.
    pub(crate) const NAMES: [&str; 5] = ["nan", "infinite", "negative", "disabled", "out_of_range"];
}

impl CallbackFault {
    /// All faults in their order, as the label says them.
    pub(crate) const NAMES: [&str; 3] = ["panicked", "overran", "skipped"];
}

impl Tally {
    /// Counts a measurement that is not recorded.
    pub(crate) fn reject(&self, reason: Rejection) {
        self.rejected[reason as usize].fetch_add(1, Relaxed);
    }

    /// Counts a measurement that is recorded as the nearer end of its instrument's range.
    pub(crate) fn clamp(&self) {
        self.clamped.fetch_add(1, Relaxed);
    }

    /// Counts label values that were cut.
    pub(crate) fn truncate(&self, values: u64) {
        self.truncated.fetch_add(values, Relaxed);
    }

    /// Counts calls of callbacks that observed nothing.
    pub(crate) fn callback_failed(&self, fault: CallbackFault, calls: usize) {
        self.callbacks[fault as usize].fetch_add(calls as u64, Relaxed);
    }

    /// Counts an exemplar, or a label of one, that was left out.
    pub(crate) fn reject_exemplar(&self, fault: ExemplarFault) {
        self.exemplars[fault as usize].fetch_add(1, Relaxed);
    }

    /// Counts look-ups or observations of the instrument called `name` that were beyond its limit.
    pub(crate) fn overflow(&self, name: &str, n: u64) {
        let mut overflowed = self.overflowed.lock();
        match overflowed.get_mut(name) {
            Some(count) => *count += n,
            None => drop(overflowed.insert(name.into(), n)),
        }
    }

    /// Counts a measurement for the refused instrument of this number.
    pub(crate) fn refuse(&self, number: usize) {
        let mut refused = self.refused.lock();
        if refused.len() <= number {
            refused.resize(number + 1, 0);
        }
        refused[number] += 1;
    }

    /// By reason, in the order of [`Rejection::NAMES`].
    pub(crate) fn rejected(&self) -> [u64; 5] {
        self.rejected.each_ref().map(|count| count.load(Relaxed))
    }

    pub(crate) fn clamped(&self) -> u64 {
        self.clamped.load(Relaxed)
    }

    pub(crate) fn truncated(&self) -> u64 {
        self.truncated.load(Relaxed)
    }

    /// By fault, in the order of [`CallbackFault::NAMES`].
    pub(crate) fn failed_callbacks(&self) -> [u64; 3] {
        self.callbacks.each_ref().map(|count| count.load(Relaxed))
    }

    /// By fault, in the order of [`ExemplarFault::NAMES`].
    pub(crate) fn rejected_exemplars(&self) -> [u64; 5] {
        self.exemplars.each_ref().map(|count| count.load(Relaxed))
    }

    pub(crate) fn overflowed(&self) -> Vec<(Box<str>, u64)> {
        let _busy = busy();
        self.overflowed.lock().iter().map(|(name, count)| (name.clone(), *count)).collect()
    }

    /// How much was refused of the instrument of this number.
    pub(crate) fn refused(&self, number: usize) -> u64 {
        let _busy = busy();
        self.refused.lock().get(number).copied().unwrap_or_default()
    }
}
