//! Epochs: they give each reading a permanent date, by the wall clock of its own time.
//!
//! An *epoch* begins when the wall clock differs from what the last epoch predicts: it was stepped, or
//! it drifted. A reading is dated by its own epoch, so a step changes the dates of later readings, and
//! of no earlier ones:
//!
//! ```text
//!  readings     ──┬────────────┬────────────────────┬──────►
//!  wall clock  12:00         12:10 ─ step ─► 11:00       11:20
//!  dates read  12:00 ► 11:00   11:00                     11:20
//! ```
//!
//! The only exception is a step back. A reading from before the step whose date is later than the step
//! gets the date of the step, because it was not in the future. So dates ascend with the readings, and
//! none is later than now.
//!
//! Epochs also carry a line that no step moves: the nanoseconds of the monotonic clock. A better rate holds
//! from the latest reading on whose place was asked for. So the time between two readings is the same for
//! each who asks, at any time, and as exact as it can be then.

use std::{
    collections::VecDeque,
    time::{SystemTime, UNIX_EPOCH},
};

/// The epochs of one clock, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Epochs {
    epochs: VecDeque<Epoch>, // Invariant: sorted by `start` and by `limit`, at most `MOST`.
    /// The latest reading whose date or place on the line was asked for.
    asked: u64,
}

#[derive(Clone, Copy, Debug)]
struct Epoch {
    /// Its first reading, and the date of that reading.
    start: u64,
    unix_nanos: u64,
    /// The nanoseconds of the monotonic line at that reading.
    monotonic: i64,
    nanos_per_tick: f64,
    /// No reading of it has a later date: the earliest date at which a later epoch began.
    limit: u64,
}

/// How many are remembered, in 128 kB. Drift begins a few a day, a step one. If there are more, older
/// readings are dated by the oldest that is left.
const MOST: usize = 4_096;

impl Epochs {
    pub(super) const fn new() -> Self {
        Self { epochs: VecDeque::new(), asked: 0 }
    }

    /// Whether none has begun.
    pub(super) fn is_empty(&self) -> bool {
        self.epochs.is_empty()
    }

    /// Begins an epoch: the reading `start`, the latest so far, has this date.
    pub(super) fn begin(&mut self, start: u64, unix_nanos: u64, nanos_per_tick: f64) {
        if self.foretold(start).is_some_and(|foretold| unix_nanos < foretold) {
            for epoch in self.epochs.iter_mut().rev().take_while(|one| unix_nanos < one.limit) {
                epoch.limit = unix_nanos;
            }
        }
        let monotonic = self.of(start).map_or(0, |epoch| epoch.monotonic_of(start));
        if self.epochs.len() == MOST {
            self.epochs.pop_front();
        }
        let limit = u64::MAX;
        self.epochs.push_back(Epoch { start, unix_nanos, monotonic, nanos_per_tick, limit });
    }

    /// Begins an epoch with a better rate, which was measured up to the reading `now`. It begins at the latest
    /// reading that was asked for: what was answered stays true, and all that is asked from now on is
    /// computed by the better rate.
    pub(super) fn refine(&mut self, now: u64, nanos_per_tick: f64) {
        let Some(latest) = self.epochs.back() else { return };
        let start = self.asked.clamp(latest.start, now.max(latest.start));
        self.begin(start, latest.date_of(start), nanos_per_tick);
    }

    /// The date of the reading `ticks`, in nanoseconds since the Unix epoch; `None` before the first
    /// epoch has begun.
    pub(super) fn date(&mut self, ticks: u64) -> Option<u64> {
        self.asked = self.asked.max(ticks);
        self.foretold(ticks)
    }

    /// [`date`](Self::date), which need not stay.
    pub(super) fn foretold(&self, ticks: u64) -> Option<u64> {
        Some(self.of(ticks)?.date_of(ticks))
    }

    /// Where the reading `ticks` lies on the monotonic line, in nanoseconds from the start of the first
    /// epoch; `None` before that has begun.
    pub(super) fn monotonic(&mut self, ticks: u64) -> Option<i64> {
        self.asked = self.asked.max(ticks);
        Some(self.of(ticks)?.monotonic_of(ticks))
    }

    /// The epoch of the reading `ticks`; the first one, if that is earlier than all.
    fn of(&self, ticks: u64) -> Option<&Epoch> {
        let later = self.epochs.partition_point(|epoch| epoch.start <= ticks);
        self.epochs.get(later.saturating_sub(1))
    }
}

impl Epoch {
    fn date_of(&self, ticks: u64) -> u64 {
        self.unix_nanos.saturating_add_signed(self.nanos_to(ticks)).min(self.limit)
    }

    fn monotonic_of(&self, ticks: u64) -> i64 {
        self.monotonic.saturating_add(self.nanos_to(ticks))
    }

    /// The nanoseconds from its start to the reading `ticks`, which are negative if that is earlier.
    fn nanos_to(&self, ticks: u64) -> i64 {
        // Readings are below 2^62.
        let since = ticks.cast_signed() - self.start.cast_signed();
        (since as f64 * self.nanos_per_tick) as i64
    }
}

/// The nanoseconds of `time`: zero before 1970; after 2262, those of that year.
pub(super) fn nanos_since_epoch(time: SystemTime) -> u64 {
    let nanos = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    nanos.try_into().unwrap_or(i64::MAX).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_step_forward_moves_no_date_before_it() {
        let mut epochs = Epochs::new();
        epochs.begin(0, 1_000, 1.0);
        epochs.begin(100, 5_000, 1.0);
        assert_eq!(
            [0, 99, 100, 101].map(|ticks| epochs.date(ticks)),
            [Some(1_000), Some(1_099), Some(5_000), Some(5_001)]
        );
    }

    #[test]
    fn what_lies_before_a_step_back_is_not_in_the_future() {
        let mut epochs = Epochs::new();
        epochs.begin(0, 1_000, 1.0);
        epochs.begin(100, 1_050, 1.0);
        assert_eq!(
            [20, 50, 99, 100].map(|ticks| epochs.date(ticks)),
            [Some(1_020), Some(1_050), Some(1_050), Some(1_050)]
        );
    }

    #[test]
    fn before_the_first_epoch_the_first_one_counts_backwards() {
        let mut epochs = Epochs::new();
        assert_eq!(epochs.date(7), None);
        epochs.begin(100, 1_000, 0.5);
        assert_eq!((epochs.date(90), epochs.date(110)), (Some(995), Some(1_005)));
    }

    #[test]
    fn a_better_rate_moves_no_date_that_was_asked_for() {
        for rate in [0.5, 2.0] {
            let mut epochs = Epochs::new();
            epochs.begin(0, 1_000, 1.0);
            assert_eq!(epochs.date(50), Some(1_050));
            epochs.refine(100, rate);
            assert_eq!([0, 50].map(|ticks| epochs.date(ticks)), [1_000, 1_050].map(Some));
            let later = |ticks: f64| Some(1_050 + (ticks * rate) as u64);
            assert_eq!([60, 150].map(|ticks| epochs.date(ticks)), [later(10.0), later(100.0)]);
        }
    }

    #[test]
    fn a_better_rate_holds_from_the_start_if_nothing_was_asked() {
        let mut epochs = Epochs::new();
        epochs.begin(10, 1_000, 1.0);
        epochs.refine(100, 2.0);
        assert_eq!([10, 60].map(|ticks| epochs.date(ticks)), [1_000, 1_100].map(Some));
        // A reading of the future was asked for: the rate changes now.
        epochs.date(500);
        epochs.refine(200, 3.0);
        assert_eq!([200, 210].map(|ticks| epochs.date(ticks)), [1_380, 1_410].map(Some));
    }

    #[test]
    fn a_time_between_readings_is_the_same_before_and_after_a_better_rate_and_a_step() {
        let mut epochs = Epochs::new();
        let between =
            |epochs: &mut Epochs, from, to| Some(epochs.monotonic(to)? - epochs.monotonic(from)?);
        assert_eq!(between(&mut epochs, 10, 20), None);
        epochs.begin(100, 1_000, 1.0);
        assert_eq!(between(&mut epochs, 40, 190), Some(150));
        epochs.refine(200, 2.0);
        epochs.begin(300, 7, 2.0);
        assert_eq!(between(&mut epochs, 40, 190), Some(150));
        assert_eq!(between(&mut epochs, 190, 310), Some(220 + 20));
    }

    #[test]
    fn the_oldest_epochs_are_forgotten() {
        let mut epochs = Epochs::new();
        (0..MOST as u64 + 10).for_each(|n| epochs.begin(n * 10, n * 1_000, 1.0));
        assert_eq!(epochs.epochs.len(), MOST);
        assert_eq!(epochs.date(MOST as u64 * 10), Some(MOST as u64 * 1_000));
    }

    proptest! {
        /// The naive twin writes down the date of every reading when it is made, and goes through all
        /// of them at every step.
        #[test]
        fn dates_are_those_of_their_own_time_unless_that_is_yet_to_come(
            steps in prop::collection::vec((0u64..50, 0u64..10_000), 1..40)
        ) {
            let (mut epochs, mut told) = (Epochs::new(), Vec::new());
            let mut ticks = 0;
            for (length, wall) in steps {
                told.iter_mut().for_each(|date: &mut u64| *date = wall.min(*date));
                epochs.begin(ticks, wall, 1.0);
                told.extend(wall..=wall + length);
                ticks += length + 1;
                let dates: Vec<_> = (0..ticks).filter_map(|ticks| epochs.date(ticks)).collect();
                prop_assert_eq!(&dates, &told);
                prop_assert!(dates.is_sorted());
            }
        }
    }
}
