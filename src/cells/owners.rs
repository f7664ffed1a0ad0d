//! How many threads own a table, and when another one may.

use std::thread;

use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// How many threads may own a table; zero until somebody asks or sets it.
static MOST_OWNERS: AtomicUsize = AtomicUsize::new(0);

/// How often a table became free: threads that wait for one look at it. Relaxed: whoever sees it late
/// asks at a later record.
static FREED: AtomicU64 = AtomicU64::new(0);

/// Lets at most `n` threads own a table of a storage from now on; who owns one keeps it.
pub(crate) fn set_most_owners(n: usize) {
    MOST_OWNERS.store(n.max(1), Relaxed);
    note_freed();
}

/// How many threads may own a table of a storage: twice the cores, from 8 to 32, unless it was set.
pub(crate) fn most_owners() -> usize {
    match MOST_OWNERS.load(Relaxed) {
        0 => {
            let by_cores = (2 * cores()).clamp(8, 32);
            // Of two that cross, a setting wins.
            let _ = MOST_OWNERS.compare_exchange(0, by_cores, Relaxed, Relaxed);
            MOST_OWNERS.load(Relaxed)
        }
        most => most,
    }
}

/// How many tables are shared: no more than threads run at once, and few, for each has cells of its own.
/// One alone would save a reading some percent, and cost a record ten times as much where two threads
/// meet in it (`benches/peers`, a thread beyond those that own a table).
pub(crate) fn n_shared() -> usize {
    cores().clamp(1, 4)
}

/// Tells waiting threads that a table became free.
pub(crate) fn note_freed() {
    FREED.fetch_add(1, Relaxed);
}

/// How often a table became free.
#[inline(always)]
pub(crate) fn freed() -> u64 {
    FREED.load(Relaxed)
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
