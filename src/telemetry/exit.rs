//! Delivery when the process ends: what runs is known to a static, which the exit hook empties.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
};

use super::{FAREWELL, Running};
use crate::{
    clock,
    error::{Error, ErrorKind},
    sync::{Mutex, MutexGuard},
    util::{per_process::PerProcess, process},
};

/// What runs, if anything does. Held while telemetry is started, and by the exit hook only for a
/// glance; nothing else is locked inside it but by a start. A forked child has its own, empty.
static RUNNING: PerProcess<Mutex<Option<Weak<Running>>>> = PerProcess::new();

/// The place of what is about to run.
pub(super) struct Slot(MutexGuard<'static, Option<Weak<Running>>>);

/// The place for a start, if nothing runs.
pub(super) fn slot() -> Result<Slot, Error> {
    let guard = RUNNING.get().lock();
    if current(&guard).is_some() {
        let text = "telemetry is running already: shut it down before starting it again";
        return Err(Error::new(ErrorKind::State, text));
    }
    Ok(Slot(guard))
}

impl Slot {
    pub(super) fn fill(&mut self, running: &Arc<Running>) {
        *self.0 = Some(Arc::downgrade(running));
        process::at_exit(deliver);
    }
}

/// Empties the slot of `running`, which has shut down.
pub(super) fn forget(running: &Running) {
    // A start that holds the slot has found it empty or finds it stale.
    let Some(mut slot) = RUNNING.get().try_lock() else { return };
    if slot.as_ref().is_some_and(|known| std::ptr::eq(known.as_ptr(), running)) {
        *slot = None;
    }
}

/// Delivers what is queued, for two seconds at most, and leaves the process with `code`.
///
/// On Linux and macOS `std::process::exit` does the same; Windows ends other threads before any hook
/// runs, so that a service there leaves by this.
pub fn exit(code: i32) -> ! {
    deliver();
    std::process::exit(code)
}

/// Whether this process was forked off one that used the crate.
pub(super) fn is_child() -> bool {
    process::generation() > 1
}

/// What the exit hook calls: on whichever thread left the process, its thread-locals gone.
fn deliver() {
    // A panic in an exit hook aborts, and so would waiting for a lock that the exiting thread holds.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let deadline = clock::deadline(FAREWELL);
        let Some(slot) = RUNNING.get().try_lock_until(deadline) else { return };
        let running = current(&slot);
        drop(slot);
        if let Some(running) = running {
            running.shutdown(deadline);
        }
    }));
}

fn current(slot: &Option<Weak<Running>>) -> Option<Arc<Running>> {
    slot.as_ref().and_then(Weak::upgrade)
}
