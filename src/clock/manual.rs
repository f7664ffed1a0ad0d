//! A clock that moves only when it is advanced.

use std::{
    cell::RefCell,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{
    epochs::{Epochs, nanos_since_epoch},
    mode::{MANUAL, MANUAL_BIT, MODE, READING},
};
use crate::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// A clock for tests that moves only when it is advanced; clones share the time.
///
/// It starts at 2020-01-01T00:00:00Z. [`testing::scope`](ManualClock) installs one.
///
/// # Examples
///
/// A service on a machine whose clock is set back by an hour:
///
/// ```
/// use std::time::Duration;
/// use bellwether::{Counter, clock::Timestamp, testing};
///
/// static ORDERS: Counter = Counter::new("clock.orders", "Orders accepted");
///
/// let scope = testing::scope();
/// ORDERS.inc();
/// let before = scope.snapshot();
/// let hour = Duration::from_secs(3600);
/// scope.clock().step_wall(scope.clock().wall() - hour);
/// scope.advance(Duration::from_secs(10));
/// let after = scope.snapshot();
/// assert_eq!(after.elapsed_since(&before).as_secs(), 10); // Durations know nothing of it.
/// let start_of_2020 = Timestamp::from_unix_nanos(1_577_836_800_000_000_000);
/// assert!(after.taken().timestamp() < start_of_2020); // Dates do.
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The reading, which only grows; also the date, until the wall clock is stepped.
    nanos: AtomicU64,
    /// Guards itself; no lock is taken inside it.
    epochs: Mutex<Epochs>,
}

/// 2020-01-01T00:00:00Z.
const START: u64 = 1_577_836_800_000_000_000;

impl ManualClock {
    /// A clock at its start.
    #[must_use]
    pub fn new() -> Self {
        let mut epochs = Epochs::new();
        epochs.begin(START, START, 1.0);
        Self(Arc::new(Inner { nanos: AtomicU64::new(START), epochs: Mutex::new(epochs) }))
    }

    /// Moves the clock forward, and its wall clock with it.
    pub fn advance(&self, step: Duration) {
        self.0.nanos.fetch_add(step.as_nanos() as u64, Relaxed);
    }

    /// Sets the wall clock, like an administrator or a time server. The monotonic clock moves by a
    /// nanosecond, so that readings before and after the step differ.
    ///
    /// Dates are from 1970 to 2262; others become the nearer end.
    pub fn step_wall(&self, to: SystemTime) {
        let mut epochs = self.0.epochs.lock();
        let nanos = self.0.nanos.fetch_add(1, Relaxed) + 1;
        epochs.begin(nanos, nanos_since_epoch(to), 1.0);
    }

    /// The time, as a raw reading.
    pub(super) fn raw(&self) -> u64 {
        self.0.nanos.load(Relaxed) & READING | MANUAL_BIT
    }

    /// The date.
    #[must_use]
    pub fn wall(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.date(self.0.nanos.load(Relaxed)))
    }

    fn date(&self, nanos: u64) -> u64 {
        self.0.epochs.lock().date(nanos).unwrap_or(nanos)
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

/// The reading of this thread's manual clock, if it has one.
pub(super) fn reading() -> Option<u64> {
    INSTALLED.try_with(|clock| clock.borrow().as_ref().map(ManualClock::raw)).ok().flatten()
}

/// The date of the reading `nanos` by this thread's manual clock; if it has none, by a clock that was
/// never stepped.
pub(super) fn date(nanos: u64) -> u64 {
    installed().map_or(nanos, |clock| clock.date(nanos))
}

/// This thread's manual clock, if it has one.
pub(crate) fn installed() -> Option<ManualClock> {
    INSTALLED.try_with(|clock| clock.borrow().clone()).ok().flatten()
}

/// Makes `clock` this thread's clock until the guard is dropped; `None` stands for the real clock.
pub(crate) fn enter(clock: Option<ManualClock>) -> Entered {
    count(clock.is_some(), 1);
    let counted = clock.is_some();
    let previous = INSTALLED.try_with(|installed| installed.replace(clock)).ok().flatten();
    Entered { previous, counted }
}

/// Restores the previous clock when dropped.
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
    // Relaxed: a thread that does not see the bit yet has no manual clock to read.
    match *installations {
        0 => MODE.fetch_and(!MANUAL, Relaxed),
        _ => MODE.fetch_or(MANUAL, Relaxed),
    };
}
