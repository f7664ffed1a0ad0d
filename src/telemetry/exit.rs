//! Delivery when the process ends: a static knows the running telemetry, and the exit hook delivers it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    time::Duration,
};

use super::running::{FAREWELL, Running};
use crate::{
    clock,
    error::{Error, ErrorKind},
    sync::Mutex,
    util::{per_process::PerProcess, process},
};

/// The running telemetry, if any. Locked only for a moment, because the user's code runs during a start
/// and may ask for it. A forked child has its own, which is empty.
static RUNNING: PerProcess<Mutex<Place>> = PerProcess::new();

#[derive(Default)]
enum Place {
    #[default]
    Empty,
    /// Starting in the process of this generation; a forked child may start its own.
    Starting(u32),
    Running(Weak<Running>),
}

/// A reserved place for a start; freed if it is dropped without being filled.
pub(super) struct Slot(());

/// Reserves the place for a start, if nothing is running.
pub(super) fn slot() -> Result<Slot, Error> {
    let mut place = RUNNING.get().lock();
    let running = place.running();
    let text = match &*place {
        Place::Starting(generation) if *generation == process::generation() => {
            "telemetry is being started already: wait for that start"
        }
        // A forked child inherits its parent's telemetry without the threads: it may start its own.
        _ if running.as_ref().is_some_and(|run| !run.is_inherited() && !run.has_ended()) => {
            "telemetry is running already: shut it down before starting it again"
        }
        _ => {
            *place = Place::Starting(process::generation());
            drop(place);
            return Ok(Slot(()));
        }
    };
    drop(place); // Before `running`, which may hold the last reference to it.
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

/// Delivers what is queued, for at most two seconds, and ends the process with `code`.
///
/// On Linux and macOS `std::process::exit` does the same. Windows ends other threads before any exit
/// hook runs, so a service there must exit with this.
pub fn exit(code: i32) -> ! {
    deliver();
    std::process::exit(code)
}

/// Whether this process was forked from one that used the crate.
pub(super) fn is_child() -> bool {
    process::generation() > 1
}

/// Called by the exit hook, on the thread that ends the process, after its thread-locals are gone.
fn deliver() {
    deliver_within(FAREWELL);
}

/// Shuts down what is running, for at most `timeout`.
pub(super) fn deliver_within(timeout: Duration) {
    // A panic in an exit hook aborts. Waiting for a lock that the exiting thread holds would never end.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let deadline = clock::deadline(timeout);
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
