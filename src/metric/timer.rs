//! A guard that records how long something took.
//!
//! It reads the clock at its start and at its end and does nothing else: no lock, no allocation, and no
//! look-up, because the series was bound at the start.

use std::{fmt, time::Duration};

use super::{
    histogram::{BoundHistogram, Histogram},
    summary::{BoundSummary, Summary},
};
use crate::{
    clock::{self, Ticks},
    label::NoLabels,
};

/// Records the time since its start into a histogram when it is dropped.
///
/// It records in each case: at the end of a block, at an early `?`, when a future is dropped, and when
/// a panic unwinds. [`time!`](crate::time) tells these apart.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::{Histogram, Unit, testing};
///
/// static PARSING: Histogram = Histogram::new("parse.time", "Time to parse").unit(Unit::new("ms"));
///
/// let scope = testing::scope();
/// let timer = PARSING.start_timer();
/// scope.advance(Duration::from_millis(250));
/// drop(timer);
/// assert_eq!(PARSING.snapshot().sum(), 250.0);
///
/// PARSING.start_timer().discard();
/// assert_eq!(PARSING.start_timer().end(), Duration::ZERO);
/// assert_eq!(PARSING.snapshot().count(), 2);
/// ```
#[must_use = "the time is recorded when the timer is dropped"]
pub struct Timer {
    histogram: BoundHistogram,
    start: Option<Ticks>, // `None` once it has recorded or was discarded.
}

impl Timer {
    #[inline(always)]
    fn start(histogram: BoundHistogram) -> Self {
        Self { histogram, start: Some(clock::now()) }
    }

    /// Records now, and returns the time that was recorded.
    #[inline]
    pub fn end(mut self) -> Duration {
        self.record().map_or(Duration::ZERO, |(start, end)| end.since(start))
    }

    /// Ends without recording.
    #[inline]
    pub fn discard(mut self) {
        self.start = None;
    }

    /// Records once; returns the start and the end.
    #[inline(always)]
    fn record(&mut self) -> Option<(Ticks, Ticks)> {
        let start = self.start.take()?;
        let (end, time) = start.scaled_until_now(self.histogram.scale().per_nano());
        self.histogram.record_time(time);
        Some((start, end))
    }
}

impl Drop for Timer {
    #[inline(always)]
    fn drop(&mut self) {
        self.record();
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("start", &self.start).finish_non_exhaustive()
    }
}

impl<L> Histogram<L> {
    /// Starts a timer that records when it is dropped; as [`BoundHistogram::start_timer`].
    #[inline(always)]
    pub fn start_timer(&self) -> Timer
    where
        L: NoLabels,
    {
        Timer::start(self.only())
    }
}

impl BoundHistogram {
    /// Starts a [`Timer`], which records the elapsed time when it is dropped: in the histogram's unit
    /// if that is a unit of time, and in seconds otherwise.
    #[inline(always)]
    pub fn start_timer(&self) -> Timer {
        Timer::start(self.clone())
    }
}

impl<L> Summary<L> {
    /// Starts a timer that records when it is dropped; as [`BoundHistogram::start_timer`].
    #[inline]
    pub fn start_timer(&self) -> Timer
    where
        L: NoLabels,
    {
        self.bind(L::NONE).start_timer()
    }
}

impl BoundSummary {
    /// Starts a timer that records when it is dropped; as [`BoundHistogram::start_timer`].
    #[inline]
    pub fn start_timer(&self) -> Timer {
        Timer::start(self.as_histogram())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Unit,
        metric::Registry,
        testing::{self, Scope},
    };

    fn sum_of(unit: Unit, scope: &Scope) -> f64 {
        let histogram = Registry::new().histogram("h", "").unit(unit).build().unwrap();
        let timer = histogram.bind(()).start_timer();
        scope.advance(Duration::from_millis(1_500));
        drop(timer);
        histogram.snapshot().sum()
    }

    #[test]
    fn the_time_is_recorded_in_the_unit_of_the_histogram() {
        let scope = testing::scope();
        for (unit, expected) in [
            (Unit::Seconds, 1.5),
            (Unit::new("ms"), 1_500.0),
            (Unit::new("us"), 1_500_000.0),
            (Unit::new("ns"), 1_500_000_000.0),
            (Unit::new("min"), 0.025),
            (Unit::NONE, 1.5),
        ] {
            let sum = sum_of(unit, &scope);
            assert!((sum / expected - 1.0).abs() < 1e-12, "{unit:?}: {sum}");
        }
    }

    #[test]
    fn a_static_of_milliseconds_records_milliseconds() {
        static TIME: Histogram = Histogram::new("test.timer.ms", "").unit(Unit::new("ms"));
        let scope = testing::scope();
        let timer = TIME.start_timer();
        scope.advance(Duration::from_micros(2_500));
        assert_eq!(timer.end(), Duration::from_micros(2_500));
        assert_eq!((TIME.snapshot().count(), TIME.snapshot().sum()), (1, 2.5));
    }

    #[test]
    fn a_panic_records_too_and_a_discarded_timer_does_not() {
        static TIME: Histogram = Histogram::new("test.timer.ends", "").unit(Unit::Seconds);
        let _scope = testing::scope();
        let panicking = std::panic::catch_unwind(|| {
            let _timer = TIME.start_timer();
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(panicking.is_err());
        TIME.start_timer().discard();
        assert_eq!(TIME.snapshot().count(), 1);
    }
}
