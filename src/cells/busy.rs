//! Whether a thread is inside the slow path of recording already: an allocator may record.

use std::cell::Cell;

use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

thread_local! {
    // Constant and without a destructor: read in every destructor and exit hook.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// Records from inside the slow path: dropped.
static REENTRANT: AtomicU64 = AtomicU64::new(0);

/// How many records were dropped because their thread was inside already.
pub(crate) fn reentrant() -> u64 {
    REENTRANT.load(Relaxed)
}

/// Runs `work` unless this thread is inside it already: an allocator that records would wait for a
/// lock that its own thread holds. What it wanted to record is then dropped and counted.
pub(crate) fn guarded<R>(work: impl FnOnce() -> R) -> Option<R> {
    if BUSY.get() {
        REENTRANT.fetch_add(1, Relaxed);
        return None;
    }
    let _busy = busy();
    Some(work())
}

/// Marks this thread as inside until it is dropped: for readers, which hold the same locks.
pub(crate) fn busy() -> Busy {
    Busy { was_busy: BUSY.replace(true) }
}

/// Puts back whether the thread was inside before.
pub(crate) struct Busy {
    was_busy: bool,
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.set(self.was_busy);
    }
}
