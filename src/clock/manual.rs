//! A clock that only moves when told to.

use std::{cell::RefCell, sync::Arc, time::Duration};

use super::{MANUAL, MODE, Ticks};
use crate::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// A clock that only moves when told to, for tests; clones share the time.
///
/// It starts at 2020-01-01T00:00:00Z. [`testing::scope`](ManualClock) installs one.
#[derive(Clone, Debug)]
pub struct ManualClock {
    unix_nanos: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock at its start.
    #[must_use]
    pub fn new() -> Self {
        Self { unix_nanos: Arc::new(AtomicU64::new(1_577_836_800_000_000_000)) }
    }

    /// Moves the clock forward.
    pub fn advance(&self, step: Duration) {
        self.unix_nanos.fetch_add(step.as_nanos() as u64, Relaxed);
    }

    /// The time it shows.
    #[must_use]
    pub fn now(&self) -> Ticks {
        Ticks::of_unix_nanos(self.unix_nanos.load(Relaxed))
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

thread_local! {
    static INSTALLED: RefCell<Option<ManualClock>> = const { RefCell::new(None) };
}

/// How many threads have a manual clock; guards the `MANUAL` bit of the mode.
static INSTALLATIONS: Mutex<usize> = Mutex::new(0);

/// What this thread's manual clock shows, if it has one.
pub(super) fn reading() -> Option<Ticks> {
    INSTALLED.try_with(|clock| clock.borrow().as_ref().map(ManualClock::now)).ok().flatten()
}

/// This thread's manual clock, if it has one.
pub(crate) fn installed() -> Option<ManualClock> {
    INSTALLED.try_with(|clock| clock.borrow().clone()).ok().flatten()
}

/// Makes `clock` this thread's clock until the guard is dropped; `None` is the real one.
pub(crate) fn enter(clock: Option<ManualClock>) -> Entered {
    count(clock.is_some(), 1);
    let counted = clock.is_some();
    let previous = INSTALLED.try_with(|installed| installed.replace(clock)).ok().flatten();
    Entered { previous, counted }
}

/// Puts back the clock that was there before.
#[derive(Debug)]
pub(crate) struct Entered {
    previous: Option<ManualClock>,
    counted: bool,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let previous = self.previous.take();
        let _ = INSTALLED.try_with(|installed| installed.replace(previous));
        count(self.counted, -1);
    }
}

fn count(counted: bool, change: isize) {
    if !counted {
        return;
    }
    let mut installations = INSTALLATIONS.lock();
    *installations = installations.saturating_add_signed(change);
    // Relaxed: a thread that is yet to see the bit has no manual clock of its own to read.
    match *installations {
        0 => MODE.fetch_and(!MANUAL, Relaxed),
        _ => MODE.fetch_or(MANUAL, Relaxed),
    };
}
