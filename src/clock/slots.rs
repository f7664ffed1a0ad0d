//! The slots of an interval: when a tick is due.

use std::time::Duration;

use super::Ticks;

/// The slots of an interval: `floor(now / interval) * interval`, as in Prometheus' `rules/group.go`.
///
/// They are nanoseconds on an axis that begins at the wall-clock time and then follows the monotonic
/// clock: slots fall on round seconds, and no step of the wall clock moves them.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    interval: u64, // In nanoseconds, not zero.
    axis: Option<(Ticks, u64)>,
    last: Option<u64>,
    missed: u64,
}

/// A slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The instant for which it was requested.
    pub(crate) at: Ticks,
    /// Its position on the axis.
    pub(crate) nanos: u64,
    /// How many slots have passed unused so far.
    pub(crate) missed: u64,
}

impl Slots {
    /// The slots of an interval, which is at least a nanosecond.
    pub(crate) fn new(interval: Duration) -> Self {
        let interval = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        Self { interval, axis: None, last: None, missed: 0 }
    }

    /// The slot of the instant `at`; `None` if it was used already, or if `at` is before the last
    /// instant.
    pub(crate) fn next(&mut self, at: Ticks) -> Option<Slot> {
        if self.axis.is_some_and(|(before, _)| at < before) {
            return None;
        }
        let position = self.position(at);
        // Step by step, so that a refined rate of the clock does not change the past.
        self.axis = Some((at, position));
        let nanos = position / self.interval * self.interval;
        if let Some(last) = self.last {
            if nanos <= last {
                return None;
            }
            self.missed += (nanos - last) / self.interval - 1;
        }
        self.last = Some(nanos);
        Some(Slot { at, nanos, missed: self.missed })
    }

    /// How long after `now` the next slot begins.
    pub(crate) fn until_next(&self, now: Ticks) -> Duration {
        Duration::from_nanos(self.interval - self.position(now) % self.interval)
    }

    fn position(&self, at: Ticks) -> u64 {
        match self.axis {
            Some((before, nanos)) => nanos + at.nanos_since(before),
            None => at.unix_nanos(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_slot_is_used_once_and_those_that_pass_are_counted() {
        let clock = ManualClock::new(); // It begins on a whole second.
        let mut slots = Slots::new(Duration::from_secs(1));
        let first = slots.next(clock.now()).unwrap();
        assert_eq!((first.nanos % SECOND, first.missed), (0, 0));
        clock.advance(Duration::from_millis(900));
        assert_eq!(slots.next(clock.now()), None);
        assert_eq!(slots.until_next(clock.now()), Duration::from_millis(100));
        clock.advance(Duration::from_millis(3_200));
        let next = slots.next(clock.now()).unwrap();
        assert_eq!((next.nanos, next.missed), (first.nanos + 4 * SECOND, 3));
    }

    #[test]
    fn an_instant_before_the_last_one_has_no_slot_and_moves_none() {
        let clock = ManualClock::new();
        let mut slots = Slots::new(Duration::from_nanos(1));
        let early = clock.now();
        clock.advance(Duration::from_secs(5));
        let first = slots.next(clock.now()).unwrap();
        assert_eq!((slots.next(early), slots.next(clock.now())), (None, None));
        clock.advance(Duration::from_secs(1));
        assert_eq!(slots.next(clock.now()).unwrap().nanos, first.nanos + SECOND);
    }

    #[test]
    fn no_step_of_the_wall_clock_moves_a_slot() {
        let clock = ManualClock::new();
        let mut slots = Slots::new(Duration::from_secs(1));
        let first = slots.next(clock.now()).unwrap();
        clock.step_wall(clock.wall() - Duration::from_secs(3_600));
        clock.advance(Duration::from_secs(1));
        let next = slots.next(clock.now()).unwrap();
        assert_eq!((next.nanos, next.missed), (first.nanos + SECOND, 0));
    }
}
