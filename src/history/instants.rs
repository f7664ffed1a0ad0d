//! The times at which samples were taken: one column for all series of a tier.

use std::{collections::VecDeque, time::Duration};

use crate::clock::Ticks;

/// An instant at which samples were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instant {
    /// The time, by the monotonic clock.
    pub(crate) taken: Ticks,
    /// The slot it stands for: nanoseconds on an axis that does not jump. Ranges are measured on it,
    /// so that a tick that is a little late does not change how many samples a range has.
    pub(crate) slot: u64,
    /// The number of the tick.
    pub(crate) tick: u64,
}

/// The instants of a tier, by their numbers.
///
/// ```text
///  first                common                    end
///    │ of what is selected │ of all series          │
///    ├─────────────────────┼────────────────────────┤
/// ```
#[derive(Debug)]
pub(super) struct Instants {
    /// The tier takes the first instant of each interval of this length; zero takes every tick.
    interval: u64,
    keep: Duration,
    /// How far selections reach back, in nanoseconds.
    reach: u64,
    kept: VecDeque<Instant>,
    first: u64,    // The number of the instant at the front.
    common: u64,   // The number of the first at which all series are kept.
    given_up: u64, // Those before this number were given up for room.
}

impl Instants {
    pub(super) fn new(interval: Duration, keep: Duration) -> Self {
        let interval = interval.as_nanos() as u64;
        let kept = VecDeque::new();
        Self { interval, keep, reach: 0, kept, first: 0, common: 0, given_up: 0 }
    }

    /// Also keeps the instants of the last `reach` nanoseconds, for selected series.
    pub(super) fn extend(&mut self, reach: u64) {
        self.reach = self.reach.max(reach);
    }

    /// Starts without instants, after all were given up.
    pub(super) fn begin_after_a_loss(&mut self) {
        (self.first, self.common, self.given_up) = (1, 1, 1);
    }

    /// Keeps all series from the next instant on, and not only selected ones.
    pub(super) fn keep_all_from_next(&mut self) {
        self.common = self.end();
    }

    /// Adds the instant if it belongs to the tier, and returns its number.
    pub(super) fn add(&mut self, instant: Instant) -> Option<u64> {
        let is_same = |last: &Instant| last.slot / self.interval == instant.slot / self.interval;
        if self.interval > 0 && self.kept.back().is_some_and(is_same) {
            return None;
        }
        self.kept.push_back(instant);
        Some(self.end() - 1)
    }

    /// Drops the instants that are older than the tier keeps, except the newest of these: a window of
    /// exactly that length begins there.
    pub(super) fn expire(&mut self) {
        let Some(&newest) = self.kept.back() else { return };
        let is_old = |one: &Instant| newest.taken.since(one.taken) >= self.keep;
        while self.get(self.common + 1).is_some_and(is_old) {
            self.common += 1;
        }
        let is_beyond = |one: &Instant| newest.slot.saturating_sub(one.slot) >= self.reach;
        while self.first < self.common && self.kept.get(1).is_some_and(is_beyond) {
            self.kept.pop_front();
            self.first += 1;
        }
    }

    /// Gives up the oldest eighth for room. Keeps the last `keep`, and always the newest instant.
    /// Returns whether any instant was given up.
    pub(super) fn give_up(&mut self, keep: Duration) -> bool {
        let Some(&newest) = self.kept.back() else { return false };
        // A window of that length begins at the newest instant that is old enough.
        let older = self.kept.partition_point(|one| newest.taken.since(one.taken) >= keep);
        let most = older.saturating_sub(1);
        if most == 0 {
            return false;
        }
        let n = (self.kept.len() / 8).clamp(1, most);
        self.kept.drain(..n);
        self.first += n as u64;
        self.common = self.common.max(self.first);
        self.given_up = self.first;
        true
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// The time of the oldest.
    pub(super) fn oldest(&self) -> Option<Ticks> {
        self.kept.front().map(|oldest| oldest.taken)
    }

    /// The number of the oldest.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The number of the oldest instant with all series.
    pub(super) fn common(&self) -> u64 {
        self.common
    }

    /// The number of the first instant that was not given up for room.
    pub(super) fn given_up(&self) -> u64 {
        self.given_up
    }

    /// One past the number of the newest.
    pub(super) fn end(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    pub(super) fn get(&self, number: u64) -> Option<&Instant> {
        self.kept.get(number.checked_sub(self.first)? as usize)
    }

    /// The number of the newest instant with all series that is at least `length` before `later`.
    pub(super) fn before(&self, later: Ticks, length: Duration) -> Option<u64> {
        let n_old =
            self.kept.partition_point(|one| one.taken <= later && later.since(one.taken) >= length);
        let number = self.first + n_old.checked_sub(1)? as u64;
        (number >= self.common).then_some(number)
    }

    /// The number of the first instant in the last `length` nanoseconds, the range (newest - length,
    /// newest] as in Prometheus 3. The instant before it is at or before the start of the range.
    pub(super) fn first_inside(&self, length: u64) -> u64 {
        let Some(newest) = self.kept.back() else { return self.first };
        let is_outside = |one: &Instant| newest.slot.saturating_sub(one.slot) >= length;
        self.first + self.kept.partition_point(is_outside) as u64
    }

    /// The number of the first instant at or after the tick `tick`.
    pub(super) fn at_tick(&self, tick: u64) -> u64 {
        self.first + self.kept.partition_point(|one| one.tick < tick) as u64
    }

    /// How many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        self.kept.capacity() * size_of::<Instant>()
    }
}
