//! Time: [`Ticks`] to measure it, [`Timestamp`]s for dates, [`Deadline`]s, the slots of an interval,
//! and a manual clock for tests.
//!
//! An event takes one cheap monotonic reading; it is converted to nanoseconds only when it is read. A
//! [`Ticks`] is a raw reading of the time stamp counter, if that counter is invariant and the kernel
//! trusts it; otherwise it is the nanoseconds of [`Instant`]. The hot path only takes the reading. The
//! rate is measured against the monotonic clock, for 100 µs at the first reading, and is refined once a
//! second over the whole life of the process. For wall-clock time, an anchor is taken every second. So
//! a step of the wall clock changes dates and never a duration; `epochs` says which dates.
//!
//! A rate that is refined gives another duration from the same two readings. What is recorded at once, as in a
//! histogram, uses the best rate so far; what several exporters compute later, as of a span, uses the rates of
//! its own time (`Ticks::settled_nanos_since`), so that all say the same.
//!
//! Readings are not fenced, so they may seem to run backwards between cores by some tens of
//! nanoseconds: differences are clamped to zero.
//!
//! A test installs a [`ManualClock`] on its thread: readings are then its nanoseconds. The times of
//! other processes arrive as dates and stay dates. Both are marked by a bit that a counter at 3 GHz
//! reaches only after 48 years; a counter that is half-way there is not used.

mod deadline;
mod epochs;
mod manual;
mod mode;
mod slots;
mod timestamp;
#[cfg(target_arch = "x86_64")]
mod tsc;
#[cfg(not(target_arch = "x86_64"))]
#[path = "tsc_absent.rs"]
mod tsc;

use std::time::{Duration, Instant, SystemTime};

use self::{
    epochs::{Epochs, nanos_since_epoch},
    mode::{MANUAL, MANUAL_BIT, MODE, OS, READING, TSC, UNDECIDED},
};
pub use deadline::Deadline;
pub use manual::ManualClock;
pub(crate) use manual::{Entered, enter, installed as manual_clock};
pub(crate) use slots::{Slot, Slots};
pub use timestamp::Timestamp;

use crate::{
    sync::{
        Mutex,
        atomic::{
            AtomicU8, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    util::per_process::PerProcess,
};

/// A reading of the clock: an instant of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticks(u64);

/// Reads the clock: one instruction if the time stamp counter is used, otherwise a call of the
/// operating system's clock (`cargo bench --bench histogram` times two readings).
#[inline]
#[must_use]
pub fn now() -> Ticks {
    // Relaxed: the mode publishes nothing that a reading needs.
    if MODE.load(Relaxed) == TSC { Ticks(tsc::read()) } else { now_other() }
}

/// Nanoseconds since the Unix epoch, by the wall clock as anchored within the last second.
pub(crate) fn unix_nanos() -> u64 {
    now().unix_nanos()
}

impl ManualClock {
    /// The current reading.
    #[must_use]
    pub fn now(&self) -> Ticks {
        Ticks(self.raw())
    }
}

impl Ticks {
    /// A reading that was never taken.
    pub(crate) const ORIGIN: Self = Self(0);

    /// The time from `earlier` to this reading; zero if `earlier` is the later one.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos_since(earlier))
    }

    /// [`since`](Self::since), in nanoseconds.
    #[must_use]
    pub fn nanos_since(self, earlier: Self) -> u64 {
        (self.ticks_since(earlier) * self.nanos_per_tick()) as u64
    }

    /// [`since`](Self::since), in seconds.
    #[inline]
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.scaled_since(earlier, 1e-9)
    }

    /// [`since`](Self::since), in a unit where a nanosecond is `per_nano` units.
    #[inline]
    fn scaled_since(self, earlier: Self, per_nano: f64) -> f64 {
        self.ticks_since(earlier) * (self.nanos_per_tick() * per_nano)
    }

    /// The nanoseconds from `earlier` to this reading. The answer never changes, though the clock's rate becomes
    /// better known later. [`nanos_since`](Self::nanos_since) uses the best rate so far, and is cheaper.
    pub(crate) fn settled_nanos_since(self, earlier: Self) -> u64 {
        if self.is_nanos() || earlier.is_nanos() {
            return self.nanos_since(earlier);
        }
        source();
        ANCHORS.get().lock().between(earlier, self)
    }

    /// Reads the clock again. Returns the reading, and the time until then in a unit where a nanosecond
    /// is `per_nano` units. The counter is read only once.
    #[inline(always)]
    pub(crate) fn scaled_until_now(self, per_nano: f64) -> (Self, f64) {
        if MODE.load(Relaxed) != TSC {
            return self.scaled_until_now_other(per_nano);
        }
        // The factors come first, because they are available before the reading.
        let factor = f64::from_bits(NANOS_PER_TICK.load(Relaxed)) * per_nano;
        let now = Self(tsc::read());
        (now, now.ticks_since(self) * factor)
    }

    #[cold]
    #[inline(never)]
    fn scaled_until_now_other(self, per_nano: f64) -> (Self, f64) {
        let now = now();
        (now, now.scaled_since(self, per_nano))
    }

    /// The reading `nanos` nanoseconds later, as near as a reading comes to it.
    #[inline]
    pub(crate) fn after(self, nanos: u64) -> Self {
        let ticks = match self.is_nanos() {
            true => nanos,
            false => (nanos as f64 / self.nanos_per_tick()) as u64,
        };
        let mark = self.0 & (MANUAL_BIT | DATE_BIT);
        Self((self.0 & READING).saturating_add(ticks).min(READING) | mark)
    }

    /// Nanoseconds since the Unix epoch at this reading: its [`timestamp`](Self::timestamp) as a number.
    pub(crate) fn unix_nanos(self) -> u64 {
        if self.0 & DATE_BIT != 0 {
            return self.0 & !DATE_BIT;
        }
        if self.0 & MANUAL_BIT != 0 {
            return manual::date(self.0 & READING);
        }
        source();
        ANCHORS.get().lock().date(self)
    }

    /// The reading as a number, for storage in an atomic.
    pub(crate) const fn to_raw(self) -> u64 {
        self.0
    }

    /// The reading of a number from [`to_raw`](Self::to_raw).
    pub(crate) const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    #[inline]
    fn ticks_since(self, earlier: Self) -> f64 {
        // As i64, because its conversion to f64 is one instruction; no difference reaches bit 63.
        self.0.saturating_sub(earlier.0) as i64 as f64
    }

    #[inline]
    fn nanos_per_tick(self) -> f64 {
        if self.is_nanos() { 1.0 } else { f64::from_bits(NANOS_PER_TICK.load(Relaxed)) }
    }

    #[inline]
    fn is_nanos(self) -> bool {
        self.0 & (MANUAL_BIT | DATE_BIT) != 0
    }

    /// A date from elsewhere, in nanoseconds since the Unix epoch up to the year 2262. Compare it only
    /// with other dates, not with readings of this process's clock.
    pub(crate) const fn of_unix_nanos(unix_nanos: u64) -> Self {
        Self(unix_nanos | DATE_BIT)
    }

    /// The same instant as a date, which can be compared with dates of other processes.
    pub(crate) fn dated(self) -> Self {
        Self::of_unix_nanos(self.unix_nanos())
    }

    /// Whether both are dates, or both are readings of one kind of clock.
    pub(crate) fn is_comparable_with(self, other: Self) -> bool {
        (self.0 ^ other.0) & (DATE_BIT | MANUAL_BIT) == 0 || self.0 & other.0 & DATE_BIT != 0
    }
}

/// Takes a new anchor and refines the rate; called once a second by the tick.
pub(crate) fn anchor() {
    source();
    ANCHORS.get().lock().take();
}

/// The instant after `timeout`, for waits of the operating system; always real time.
pub(crate) fn deadline(timeout: Duration) -> Instant {
    let now = real_instant();
    // A time-out that is too large for an Instant is taken as a year.
    now.checked_add(timeout).unwrap_or(now + Duration::from_secs(365 * 24 * 3600))
}

/// The time left until `deadline`.
pub(crate) fn until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(real_instant())
}

/// The operating system's monotonic clock, for waits.
#[expect(clippy::disallowed_methods, reason = "the one place that asks the operating system")]
pub(crate) fn real_instant() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the operating system")]
fn wall_nanos() -> u64 {
    nanos_since_epoch(SystemTime::now())
}

/// Marks a time of another process, in nanoseconds since the Unix epoch.
const DATE_BIT: u64 = 1 << 63;

/// The source without a manual clock. It is decided before the rate is measured, and `MODE` after that.
static SOURCE: AtomicU8 = AtomicU8::new(UNDECIDED);

static NANOS_PER_TICK: AtomicU64 = AtomicU64::new(0x3ff0_0000_0000_0000); // 1.0

/// How far the wall clock may differ from the dates of an epoch before another one begins. A crystal is
/// off by about 1e-7 once the rate is measured: that makes a few epochs a day.
const TOLERANCE: Duration = Duration::from_millis(1);

/// A rate begins an epoch when it was measured over ten times the time of the last one: four of them in the first
/// second, and one for each power of ten later.
const MORE_EXACT: u64 = 10;

/// Guards the anchors and the first decision on the source; no lock is taken inside it. A forked child has its
/// own: exporters date each record, so its parent's is held at many a fork. It dates what its parent read from its
/// own first anchor on.
static ANCHORS: PerProcess<Mutex<Anchors>> = PerProcess::new();

#[derive(Default)]
struct Anchors {
    first: Option<Anchor>,
    /// The reading of the latest anchor.
    latest: u64,
    /// Over how many nanoseconds the rate of the latest epoch was measured.
    measured: u64,
    epochs: Epochs,
}

/// One instant on three clocks.
#[derive(Clone, Copy)]
struct Anchor {
    ticks: u64,
    instant: Instant,
    unix_nanos: u64,
}

impl Anchors {
    /// The date of a reading of this process's clock.
    fn date(&mut self, reading: Ticks) -> u64 {
        self.reach(reading);
        self.epochs.date(reading.0).unwrap_or(0)
    }

    /// The nanoseconds between two readings of this process's clock.
    fn between(&mut self, earlier: Ticks, later: Ticks) -> u64 {
        self.reach(later);
        let (earlier, later) = (self.epochs.monotonic(earlier.0), self.epochs.monotonic(later.0));
        later.unwrap_or(0).saturating_sub(earlier.unwrap_or(0)).max(0).cast_unsigned()
    }

    /// Takes an anchor if the latest is too old for a reading, or if the rate can be ten times as exact.
    fn reach(&mut self, reading: Ticks) {
        // If nothing ticks, the readers take the anchors.
        let age = reading.since(Ticks(self.latest));
        let lived = self.first.map_or(0, |first| reading.nanos_since(Ticks(first.ticks)));
        if age > Duration::from_secs(2) || lived / MORE_EXACT > self.measured {
            self.take();
        }
        if self.epochs.is_empty() {
            let anchor = self.take();
            self.date_from(anchor, 0); // In a child, whose rate is its parent's.
        }
    }

    /// Takes an anchor. The rate is measured from the first anchor to this one.
    fn take(&mut self) -> Anchor {
        let anchor = Anchor::now();
        self.latest = anchor.ticks;
        let first = *self.first.get_or_insert(anchor);
        let (ticks, elapsed) =
            (anchor.ticks.saturating_sub(first.ticks), anchor.instant - first.instant);
        if SOURCE.load(Relaxed) == TSC {
            if ticks == 0 || elapsed < Duration::from_micros(100) {
                return anchor; // No rate, and so no epoch yet.
            }
            let rate = elapsed.as_nanos() as f64 / ticks as f64;
            NANOS_PER_TICK.store(rate.to_bits(), Relaxed);
        }
        self.date_from(anchor, elapsed.as_nanos() as u64);
        anchor
    }

    /// Begins an epoch at `anchor` if it is needed. The rate was measured over `elapsed` nanoseconds.
    fn date_from(&mut self, anchor: Anchor, elapsed: u64) {
        let rate = Ticks(anchor.ticks).nanos_per_tick();
        if elapsed / MORE_EXACT >= self.measured && elapsed > 0 {
            self.measured = elapsed;
            self.epochs.refine(anchor.ticks, rate);
        }
        let foretold = self.epochs.foretold(anchor.ticks);
        let off = foretold.map_or(u64::MAX, |foretold| foretold.abs_diff(anchor.unix_nanos));
        if u128::from(off) > TOLERANCE.as_nanos() {
            self.epochs.begin(anchor.ticks, anchor.unix_nanos, rate);
        }
    }
}

impl Anchor {
    /// The tightest of at least four brackets, two of which have about the same width, so that an
    /// interruption between two readings does not matter.
    fn now() -> Self {
        let bracket = || {
            let before = real_ticks();
            let (instant, unix_nanos) = (real_instant(), wall_nanos());
            let after = real_ticks();
            (after.saturating_sub(before), Self { ticks: before, instant, unix_nanos })
        };
        let mut best = bracket();
        // 20 is arbitrary: enough that one of them is very likely not interrupted.
        for n in 0..20 {
            let next = bracket();
            let (width, other) = (best.0.min(next.0), best.0.max(next.0));
            if next.0 < best.0 {
                best = next;
            }
            if n >= 2 && other - width <= width / 4 {
                break;
            }
        }
        best.1
    }
}

/// The source in use, decided at the first call.
fn source() -> u8 {
    // Acquire: pairs with the store below, so that the measured rate is seen with the mode.
    let mode = MODE.load(Acquire) & !MANUAL;
    if mode != UNDECIDED {
        return mode;
    }
    let mut anchors = ANCHORS.get().lock();
    if MODE.load(Relaxed) & !MANUAL == UNDECIDED {
        // A counter near the marks would reach them; no ordinary machine has such a counter.
        let serves = tsc::is_trustworthy() && tsc::read() < READING / 2;
        let mode = if serves { TSC } else { OS };
        SOURCE.store(mode, Relaxed);
        let first = anchors.take();
        while mode == TSC && real_instant() - first.instant < Duration::from_micros(100) {
            std::hint::spin_loop();
        }
        anchors.take();
        // Last, because a reader that sees this mode multiplies by the rate. The mode was undecided,
        // which is zero.
        MODE.fetch_or(mode, Release);
    }
    MODE.load(Relaxed) & !MANUAL
}

/// The source's reading, even if there is a manual clock.
fn real_ticks() -> u64 {
    static ORIGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    // Relaxed: it is decided under the lock that every first reading takes.
    if SOURCE.load(Relaxed) == TSC {
        return tsc::read();
    }
    let now = real_instant();
    now.duration_since(*ORIGIN.get_or_init(|| now)).as_nanos() as u64
}

#[cold]
#[inline(never)]
fn now_other() -> Ticks {
    if MODE.load(Relaxed) & MANUAL != 0
        && let Some(reading) = manual::reading()
    {
        return Ticks(reading);
    }
    source();
    Ticks(real_ticks())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    /// Whether `holds` in one of some tries: a thread may lose its core between any two readings.
    fn holds_once(holds: impl Fn() -> bool) -> bool {
        (0..50).any(|_| holds())
    }

    #[test]
    fn a_difference_agrees_with_the_operating_systems_clock() {
        let agrees = || {
            let (ticks, instant) = (now(), real_instant());
            while real_instant() - instant < Duration::from_millis(2) {}
            let (measured, real) = (now().since(ticks), real_instant() - instant);
            (measured.as_secs_f64() / real.as_secs_f64() - 1.0).abs() < 0.01
        };
        assert!(holds_once(agrees));
    }

    #[test]
    fn a_reading_after_some_time_is_that_much_later_on_either_clock() {
        for at in [now(), ManualClock::new().now()] {
            for nanos in [0, 1_000, 1_000_000_000, 86_400_000_000_000] {
                let off = at.after(nanos).nanos_since(at).abs_diff(nanos);
                // Another test may have the rate of the counter refined in between.
                assert!(off <= 1 + nanos / 100, "{nanos}: off by {off}");
            }
            assert!(at.after(u64::MAX).is_comparable_with(at) && at.after(u64::MAX) > at);
        }
    }

    #[test]
    fn a_difference_the_wrong_way_round_is_zero() {
        let earlier = now();
        let later = Ticks(now().0 + 1000);
        assert_eq!((earlier.since(later), earlier.settled_nanos_since(later)), (Duration::ZERO, 0));
    }

    #[test]
    fn a_settled_difference_is_the_same_after_the_rate_is_refined() {
        let (start, instant) = (now(), real_instant());
        while real_instant() - instant < Duration::from_millis(2) {}
        let end = now();
        let settled = end.settled_nanos_since(start);
        assert!(settled.abs_diff(end.nanos_since(start)) <= settled / 50);
        for _ in 0..3 {
            super::anchor();
            assert_eq!(end.settled_nanos_since(start), settled);
        }
    }

    #[test]
    fn a_date_is_that_of_the_wall_clock() {
        // The latest anchor may be as old as this test's process, and its rate a little off.
        assert!(holds_once(|| unix_nanos().abs_diff(wall_nanos()) < 10_000_000));
    }

    /// An anchor some seconds after the first one, by a clock that shows `unix_nanos`.
    fn anchor(seconds: u64, unix_nanos: u64) -> Anchor {
        let since = Duration::from_secs(seconds).as_nanos() as f64;
        let ticks = 1_000 + (since / Ticks(0).nanos_per_tick()) as u64;
        Anchor { ticks, instant: real_instant(), unix_nanos }
    }

    #[test]
    fn a_step_of_the_wall_clock_moves_the_dates_after_it_alone() {
        const NOON: u64 = 1_577_880_000_000_000_000;
        const SECOND: u64 = 1_000_000_000;
        let mut anchors =
            Anchors { first: None, latest: u64::MAX, measured: u64::MAX, epochs: Epochs::new() };
        source();
        let mut date_after = |seconds: u64, unix_nanos: u64| {
            let anchor = anchor(seconds, unix_nanos);
            anchors.date_from(anchor, 0);
            let date = anchors.date(Ticks(anchor.ticks));
            assert!(date.abs_diff(unix_nanos) <= 1_000_000, "{date}");
            anchors.date(Ticks(1_000))
        };
        date_after(0, NOON);
        // Half a millisecond is what the clocks drift apart; the date of the start stands still.
        for (seconds, unix_nanos, start) in [
            (10, NOON + 10 * SECOND + 500_000, NOON),
            (20, NOON + 20 * SECOND + 1_500_000, NOON),
            (30, NOON + 3_600 * SECOND, NOON),
            (40, NOON + 60 * SECOND, NOON),
            (50, NOON - 3_600 * SECOND, NOON - 3_600 * SECOND),
            (60, NOON + 7_200 * SECOND, NOON - 3_600 * SECOND),
        ] {
            assert_eq!(date_after(seconds, unix_nanos), start, "after {seconds} s");
        }
    }

    #[test]
    fn a_manual_clock_stands_still_until_it_is_moved() {
        let clock = ManualClock::new();
        let _installed = enter(Some(clock.clone()));
        let start = now();
        assert_eq!(now(), start);
        clock.advance(Duration::from_millis(1500));
        assert_eq!(now().since(start), Duration::from_millis(1500));
        assert_eq!(now().unix_nanos() - start.unix_nanos(), 1_500_000_000);
    }

    #[test]
    fn a_stepped_manual_clock_shows_another_date_and_nearly_the_same_instant() {
        let clock = ManualClock::new();
        let _installed = enter(Some(clock.clone()));
        let before = now();
        let noon = UNIX_EPOCH + Duration::from_secs(1_577_880_000);
        clock.step_wall(noon);
        assert_eq!(now().since(before), Duration::from_nanos(1));
        assert_eq!(clock.wall(), noon);
        assert_eq!(before.unix_nanos(), 1_577_836_800_000_000_000);
        clock.step_wall(UNIX_EPOCH - Duration::from_secs(1));
        assert_eq!((now().unix_nanos(), before.unix_nanos()), (0, 0));
        // The times of other processes are not this clock's.
        assert_eq!(Ticks::of_unix_nanos(7).unix_nanos(), 7);
    }
}
