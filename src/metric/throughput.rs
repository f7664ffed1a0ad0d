//! A counter that also knows its rate over the last minutes.

use std::time::Duration;

use super::{counter::Counter, observable::Observations, registry::Registry};
use crate::{
    cells::{self, Baseline, SPANS},
    clock,
    error::Error,
    snapshot::{Kind, Unit},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

/// A meter of events: a counter, and its rates per second over the last 10 s, 1 min and 5 min.
///
/// Marking is adding to a [`Counter`]. The rates are on every snapshot as a gauge `NAME.rate` with the
/// label `window`, `10s`, `1m` or `5m`; another process's are not to be added to them, which is what
/// the counter is for. A rate is worked out from the readings that every snapshot leaves behind, once
/// a second under a started telemetry, so that it costs nothing while events are marked.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::{metric::Throughput, testing};
///
/// static ORDERS: Throughput = Throughput::new("shop.orders", "Orders accepted");
///
/// let scope = testing::scope();
/// for _ in 0..30 {
///     ORDERS.mark(5);
///     scope.advance(Duration::from_secs(1));
///     let _ = scope.snapshot(); // As a tick would.
/// }
/// assert_eq!(ORDERS.count(), 150);
/// assert_eq!(ORDERS.rate(Duration::from_secs(10)), 5.0);
/// scope.assert_value("shop.orders.rate", &[("window", "10s")], 5.0);
/// ```
#[derive(Debug)]
pub struct Throughput {
    counter: Counter,
    help: &'static str,
    /// Whether the rates are on the page, or will never be.
    observed: AtomicBool,
}

/// How many events a [`Throughput`] counted within a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked {
    count: u64,
    covers: Duration,
}

impl Throughput {
    /// A meter for a static. Its rates take the name with `.rate` appended.
    ///
    /// # Panics
    ///
    /// Panics if `name` is not legal: in a static, that is an error of the build.
    #[must_use]
    #[track_caller]
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self { counter: Counter::new(name, help), help, observed: AtomicBool::new(false) }
    }

    /// The meter with a unit of what is counted, such as `{order}`.
    #[must_use]
    pub const fn unit(mut self, unit: Unit) -> Self {
        self.counter.set_unit(unit);
        self
    }

    /// Counts `n` events.
    #[inline]
    pub fn mark(&'static self, n: u64) {
        if !self.counter.try_add(n) {
            self.mark_slow(n);
        }
    }

    /// How many events were counted so far, in the scope that this thread is in.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counter.value()
    }

    /// Events per second over the last `window`: [`window`](Self::window) says over which time, in
    /// fact. Zero while no time has passed.
    #[must_use]
    pub fn rate(&self, window: Duration) -> f64 {
        self.window(window).rate()
    }

    /// The events of the last `window`, of at most 5 minutes: a longer one is answered as far back as
    /// there are readings.
    #[must_use]
    pub fn window(&self, window: Duration) -> Marked {
        let [marked] = self.read([window]);
        marked
    }

    /// The last 10 s, 1 min and 5 min, read at one instant.
    #[must_use]
    pub fn windows(&self) -> [Marked; 3] {
        self.read(SPANS.map(|(span, _)| span))
    }

    fn read<const N: usize>(&self, windows: [Duration; N]) -> [Marked; N] {
        let Some(id) = self.counter.series_id() else {
            return windows.map(|_| Marked { count: 0, covers: Duration::ZERO });
        };
        let storage = cells::current_storage();
        let (count, started) = (self.count(), storage.started());
        let before = storage.sliding().sums_before(id, started, (clock::now(), count), windows);
        before.map(|Baseline { value, age, .. }| Marked {
            count: count.saturating_sub(value), // Another thread may have read later.
            covers: age,
        })
    }

    /// The first mark of the process, and the first of a thread.
    #[cold]
    #[inline(never)]
    fn mark_slow(&'static self, n: u64) {
        if !self.observed.swap(true, Relaxed) {
            self.keep_first();
            // A thread that is inside already, because its allocator records, leaves it to the next.
            match cells::guarded(|| self.observe()) {
                Some(Ok(())) => {}
                Some(Err(error)) => Registry::global().refuse(error),
                None => self.observed.store(false, Relaxed),
            }
        }
        self.counter.add(n);
    }

    /// Leaves a reading before the first mark: the events came after it, and not at any time since
    /// the process began.
    fn keep_first(&self) {
        if let Some(id) = self.counter.series_id() {
            let storage = cells::current_storage();
            storage.sliding().keep_sum(id, storage.started(), clock::now(), self.count());
        }
    }

    fn observe(&'static self) -> Result<(), Error> {
        let observe = |to: &mut Observations| {
            for ((_, label), marked) in SPANS.iter().zip(self.windows()) {
                to.observe(marked.rate(), &[("window", label)]);
            }
        };
        let (name, unit) = (format!("{}.rate", self.counter.name()), Unit::new("{event}/s"));
        Registry::global().observe(Kind::Gauge, &name, self.help, unit, observe)?.keep();
        Ok(())
    }
}

impl Marked {
    /// How many events there were.
    #[must_use]
    pub fn count(self) -> u64 {
        self.count
    }

    /// The time that they are from: shorter than asked for where counting began later, up to a tenth
    /// longer where there was a reading each second, and longer still after a gap.
    #[must_use]
    pub fn covers(self) -> Duration {
        self.covers
    }

    /// Events per second; zero while no time has passed.
    #[must_use]
    pub fn rate(self) -> f64 {
        let seconds = self.covers.as_secs_f64();
        if seconds > 0.0 { self.count as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn rates_are_of_the_last_seconds_and_minutes() {
        static EVENTS: Throughput = Throughput::new("test.throughput.events", "");
        let scope = testing::scope();
        // A second each: 240 at 2 a second, 50 at 10, 10 at 30.
        for second in 0..300 {
            EVENTS.mark(match second {
                0..240 => 2,
                240..290 => 10,
                _ => 30,
            });
            scope.advance(SECOND);
            let _ = scope.snapshot();
        }
        assert_eq!(EVENTS.count(), 480 + 500 + 300);
        assert_eq!(EVENTS.windows().map(Marked::count), [300, 800, 1_280]);
        let labels = ["10s", "1m", "5m"].map(|window| [("window", window)]);
        for (labels, rate) in labels.iter().zip([30.0, 800.0 / 60.0, 1_280.0 / 300.0]) {
            scope.assert_value("test.throughput.events.rate", labels, rate);
        }
        scope.assert_value("test.throughput.events", &[], 1_280.0);
    }

    #[test]
    fn a_meter_that_nobody_reads_tells_the_time_that_its_events_are_from() {
        static EVENTS: Throughput = Throughput::new("test.throughput.gap", "");
        let scope = testing::scope();
        EVENTS.mark(0);
        scope.advance(SECOND * 3);
        EVENTS.mark(12);
        assert_eq!(EVENTS.rate(SECOND * 10), 4.0);
        scope.advance(SECOND * 120);
        EVENTS.mark(60);
        let marked = EVENTS.window(SECOND * 10);
        assert_eq!((marked.count(), marked.covers(), marked.rate()), (60, SECOND * 120, 0.5));
        scope.advance(SECOND * 10);
        assert_eq!(EVENTS.rate(SECOND * 10), 0.0);
    }

    #[test]
    fn the_first_mark_is_not_spread_over_the_life_of_the_process() {
        static EVENTS: Throughput = Throughput::new("test.throughput.first", "");
        let scope = testing::scope();
        scope.advance(SECOND * 3_600);
        EVENTS.mark(50);
        scope.advance(SECOND * 2);
        assert_eq!(EVENTS.rate(SECOND * 10), 5.0);
    }

    #[test]
    fn a_rate_before_any_time_has_passed_is_zero() {
        static EVENTS: Throughput = Throughput::new("test.throughput.now", "");
        let _scope = testing::scope();
        EVENTS.mark(50);
        assert_eq!((EVENTS.rate(SECOND), EVENTS.window(SECOND).count()), (0.0, 50));
    }

    #[test]
    fn scopes_do_not_see_each_others_readings() {
        static EVENTS: Throughput = Throughput::new("test.throughput.scopes", "");
        for n in [10, 20] {
            let scope = testing::scope();
            EVENTS.mark(n);
            scope.advance(SECOND * 10);
            assert_eq!(EVENTS.rate(SECOND * 10), n as f64 / 10.0);
        }
    }
}
