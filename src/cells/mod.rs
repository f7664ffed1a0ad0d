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
//! - In a sampled span, a record of a histogram leaves an exemplar beside its cell (`sampled.rs`).
//! - A test scope is another storage: entering it swaps what the thread-local points to.
//!
//! An id that is not registered yet is `u32::MAX`, beyond any directory: the bounds check that a safe
//! index needs anyway is the only check there is.

mod word;
mod budget;
mod busy;
mod directory;
mod exemplified;
mod hot;
mod ids;
mod noted;
mod owners;
mod reader;
mod record;
mod sampled;
mod scalars;
mod shortcuts;
mod shown;
mod sliding;
mod space;
mod storage;
mod table;
mod tally;
mod tenant;
mod writer;
mod written;

pub(crate) mod histogram;

#[cfg(all(test, bellwether_loom))]
mod loom_tests;

pub(crate) use budget::Budget;
pub(crate) use busy::{busy, guarded, reentrant};
pub(crate) use hot::{gauge, is_shown};
pub(crate) use ids::Ids;
pub(crate) use noted::{exemplify_with, keep_exemplar, note_written};
pub(crate) use owners::set_most_owners;
pub(crate) use reader::{Reader, Removals};
pub(crate) use record::{
    add, add_float, add_float_slow, add_slow, gauge_slow, record, record_chosen, record_explicit,
    record_other, record_slow, record_ticks, show,
};
pub(crate) use sampled::exemplify;
pub(crate) use scalars::GaugeCell;
pub(crate) use sliding::{Baseline, SPANS, per_second};
pub(crate) use space::{DISABLED, REFUSED as FIRST_REFUSED, Space, UNREGISTERED};
pub(crate) use storage::Storage;
pub(crate) use tally::{CallbackFault, Rejection, Tally};
pub(crate) use tenant::{
    Entered, current_storage, enter, orphaned, process_storage, shared_records, tally,
};
#[cfg(all(test, feature = "prometheus"))]
pub(crate) use writer::Sharer;
pub(crate) use written::{Tags, series_id, untagged};
