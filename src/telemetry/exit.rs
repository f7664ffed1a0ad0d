//! Delivery when the process ends: what runs is known to a static, which the exit hook empties.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
};

use super::running::{FAREWELL, Running};
use crate::{
    clock,
    error::{Error, ErrorKind},
    sync::Mutex,
    util::{per_process::PerProcess, process},
};

/// What runs, if anything does. Held for a glance: code of the user's runs during a start, and may ask.
/// A forked child has its own, empty.
static RUNNING: PerProcess<Mutex<Place>> = PerProcess::new();

#[derive(Default)]
enum Place {
    #[default]
    Empty,
    /// In the process of this generation: a forked child may start its own.
    Starting(u32),
    Running(Weak<Running>),
}

/// The place of what is about to run; given up when it is dropped without having been filled.
pub(super) struct Slot(());

/// The place for a start, if nothing runs.
pub(super) fn slot() -> Result<Slot, Error> {
    let mut place = RUNNING.get().lock();
    let running = place.running();
    let text = match &*place {
        Place::Starting(generation) if *generation == process::generation() => {
            "telemetry is being started already: wait for that start"
        }
        // A forked child inherits what its parent ran, without the threads: it may start its own.
        _ if running.as_ref().is_some_and(|run| !run.is_inherited() && !run.has_ended()) => {
            "telemetry is running already: shut it down before starting it again"
        }
        _ => {
            *place = Place::Starting(process::generation());
            drop(place);
            return Ok(Slot(()));
        }
    };
    drop(place); // Before `running`, which may be the last share in it.
    Err(Error::new(ErrorKind::State, text))
}

impl Slot {
    pub(super) fn fill(self, running: &Arc<Running>) {
        *RUNNING.get().lock() = Place::Running(Arc::downgrade(running));
        process::at_exit(deliver);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut place = RUNNING.get().lock();
        if matches!(*place, Place::Starting(_)) {
            *place = Place::Empty;
        }
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
        let Some(place) = RUNNING.get().try_lock_until(deadline) else { return };
        let running = place.running();
        drop(place);
        if let Some(running) = running {
            running.shutdown(deadline);
        }
    }));
}

impl Place {
    fn running(&self) -> Option<Arc<Running>> {
        match self {
            Self::Running(running) => running.upgrade(),
            Self::Empty | Self::Starting(_) => None,
        }
    }
}
