//! Where measurements are kept: cells that one thread owns and every reader sums.
//!
//! ```text
//!  id 70 ──► HOT (thread-local) ─► directory of this thread ─► chunk 1 ─► cell 6   += n
//!                                                              ▲
//!  snapshot ─► Storage: all tables ────────────────────────────┘ reads, never writes
//! ```
//!
//! - A series has a process-wide id; its value is the sum of the cells with that id in all tables of
//!   a [`Storage`].
//! - A thread writes its own table alone, so that a record is a load, an addition and a store: no
//!   lock prefix, no shared cache line. Every cell is an atomic, written with Relaxed: it publishes
//!   nothing but itself.
//! - A directory grows by chunks. Chunks and tables live as long as the process; the table of a
//!   thread that ended is adopted, values and all, by the next new thread, so that memory is bounded
//!   by the peak number of threads and no total changes.
//! - Histograms are behind more pointers than sums are, so that a thread also has *shortcuts* to those
//!   counts that records go to most.
//! - A thread whose table is gone, because its destructors run, writes to the *orphan* table under
//!   the storage's lock, and is counted.
//! - A test scope is another storage: entering it swaps what the thread-local points to.
//!
//! An id that is not registered yet is `u32::MAX`, beyond any directory: the bounds check that a safe
//! index needs anyway is the only check there is.

mod directory;
mod hot;
mod shortcuts;
mod space;
mod storage;

#[cfg(all(test, bellwether_loom))]
mod loom_tests;

pub(crate) use directory::Fresh;
pub(crate) use hot::{
    Entered, add, add_float, add_float_slow, add_slow, busy, current_storage, enter, exemplify,
    gauge, gauge_slow, guarded, record, record_explicit, record_other, record_slow,
};
pub(crate) use space::Space;
pub(crate) use storage::{GaugeCell, Reader, Storage};

use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The id of an instrument that nobody has used yet.
pub(crate) const UNREGISTERED: u32 = u32::MAX;
/// The id of an instrument that lost a conflict: it records into nothing.
pub(crate) const DISABLED: u32 = u32::MAX - 1;

/// Records of threads whose table was gone already.
pub(crate) static ORPHANED: AtomicU64 = AtomicU64::new(0);
/// Records from inside this module's own slow path (an allocator that records): dropped.
pub(crate) static REENTRANT: AtomicU64 = AtomicU64::new(0);

pub(crate) fn orphaned() -> u64 {
    ORPHANED.load(Relaxed)
}

pub(crate) fn reentrant() -> u64 {
    REENTRANT.load(Relaxed)
}
