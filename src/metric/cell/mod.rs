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
//! - A few threads *own* a table each. An owner writes its table alone, so that a record is a load, an
//!   addition and a store: no lock prefix, no shared cache line. Every cell is an atomic, written with
//!   Relaxed: it publishes nothing but itself.
//! - Every further thread *shares* one of a few tables, by atomic additions to cells of the same kind,
//!   and takes a table that has become free at its next record. So memory, and what a reader walks,
//!   are bounded whatever the threads.
//! - A directory grows by chunks. Chunks and tables live as long as the process; the table of a
//!   thread that ended is adopted, values and all, by the next one, so that no total changes.
//! - The registry's byte budget pays for what is allocated (`budget.rs`). An owner that it refuses a
//!   cell uses the shared one.
//! - A thread whose table is gone, because its destructors run, writes to a shared one, and is counted.
//! - A series that can expire, or keeps exemplars of a sum, is written by a tagged id, which leads to
//!   a path that notes so (`written.rs`, `exemplified.rs`).
//! - A test scope is another storage: entering it swaps what the thread-local points to.
//!
//! An id that is not registered yet is `u32::MAX`, beyond any directory: the bounds check that a safe
//! index needs anyway is the only check there is.

mod budget;
mod directory;
mod exemplified;
mod hot;
mod ids;
mod owners;
mod storage;
mod writer;
mod written;

#[cfg(all(test, bellwether_loom))]
mod loom_tests;

pub(crate) use budget::{Budget, Room};
pub(crate) use directory::Fresh;
pub(crate) use exemplified::keep_exemplar;
pub(crate) use hot::{
    Entered, add, add_float, add_float_slow, add_slow, busy, current_storage, enter, exemplify,
    exemplify_with, gauge, gauge_slow, guarded, record, record_explicit, record_other, record_slow,
    shared_records, show,
};
pub(crate) use ids::{Ids, Space, block_of};
pub(crate) use owners::set_most_owners;
pub(crate) use storage::{GaugeCell, Reader, Storage};
#[cfg(all(test, feature = "prometheus"))]
pub(crate) use writer::Sharer;
pub(crate) use writer::{Owner, Writer};
pub(crate) use written::{Tags, note_written, series_id, untagged};

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
