//! Readings of series over the last minutes, from which a sliding window is a difference.
//!
//! Recording knows nothing of windows: a series' value only grows, and whoever reads it leaves the
//! reading here if one is due. A window of a length `w` is the value now less the latest reading that
//! is at least `w` old. Three spans are kept, each with its own spacing:
//!
//! ```text
//!  10 s    a reading each second        ├┼┼┼┼┼┼┼┼┼┤ now
//!  1 min   every 6 s               ├────┼────┼────┤
//!  5 min   every 30 s   ├──────────┼──────────────┤
//! ```
//!
//! Read once a second, a window is as long as it was asked for or up to one spacing longer. Where
//! nobody read for a while it reaches back to the latest reading before, and says how far that is;
//! nothing is made up in between.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use super::{busy::busy, space::Space};
use crate::{clock::Ticks, snapshot::HistogramSnapshot, sync::Mutex};

/// The lengths that readings are kept for, and what they are called on a page.
pub(crate) const SPANS: [(Duration, &str); 3] = [
    (Duration::from_secs(10), "10s"),
    (Duration::from_secs(60), "1m"),
    (Duration::from_secs(300), "5m"),
];

/// Readings that a span is divided by.
const SLOTS: u32 = 10;

/// The readings of one storage, by the id of the series.
#[derive(Debug, Default)]
pub(crate) struct Sliding {
    /// Guards the readings; nothing is locked inside it. Who holds it is [`busy`], for a registration
    /// takes it too, and an allocator may register.
    readings: Mutex<Readings>,
}

#[derive(Debug, Default)]
struct Readings {
    sums: HashMap<u32, Ring<u64>>,
    histograms: HashMap<u32, Ring<Arc<HistogramSnapshot>>>,
    /// By the first of neighbouring sums, when those without readings were zero.
    looks: BTreeMap<u32, Look>,
}

#[derive(Debug)]
struct Look {
    len: u32,
    at: Ticks,
}

/// The value of a series when its window began.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Baseline<T> {
    /// The length of the window.
    pub(crate) asked: Duration,
    pub(crate) value: T,
    /// How long ago it was so.
    pub(crate) age: Duration,
}

impl Sliding {
    /// Notes that of the `len` sums from `first` on, those that have no readings were zero `at` this
    /// instant.
    pub(crate) fn look(&self, first: u32, len: u32, at: Ticks) {
        let _busy = busy();
        let mut readings = self.readings.lock();
        let look = readings.looks.entry(first).or_insert(Look { len, at });
        *look = Look { len, at: look.at.max(at) }; // Another thread may have looked later.
    }

    /// Notes the sum, and tells what it was when each of `windows` began.
    ///
    /// All sums were zero at the first instant of `zero`, and this one at the second as well: a first
    /// record is of the time after that.
    pub(crate) fn sums_before<const N: usize>(
        &self,
        id: u32,
        zero: (Ticks, Option<Ticks>),
        now: (Ticks, u64),
        windows: [Duration; N],
    ) -> [Baseline<u64>; N] {
        let _busy = busy();
        let Readings { sums, looks, .. } = &mut *self.readings.lock();
        let ring = sums.entry(id).or_insert_with(|| {
            let look = looks.range(..=id).next_back();
            let look =
                look.filter(|(first, look)| id - **first < look.len).map(|(_, look)| look.at);
            let mut ring = Ring::new(zero.0, 0);
            let latest = zero.1.max(look).filter(|at| *at <= now.0);
            latest.into_iter().for_each(|at| ring.keep(at, &0));
            ring
        });
        ring.keep(now.0, &now.1);
        windows.map(|window| ring.before(now.0, &now.1, window))
    }

    /// Notes the histogram, and tells what it was when each of `windows` began.
    pub(crate) fn histograms_before<const N: usize>(
        &self,
        id: u32,
        started: Ticks,
        now: (Ticks, &Arc<HistogramSnapshot>),
        windows: [Duration; N],
    ) -> [Baseline<Arc<HistogramSnapshot>>; N] {
        let _busy = busy();
        let mut readings = self.readings.lock();
        let ring = readings.histogram(id, started);
        ring.keep(now.0, now.1);
        windows.map(|window| ring.before(now.0, now.1, window))
    }

    /// Notes the histogram.
    pub(crate) fn keep_histogram(
        &self,
        id: u32,
        started: Ticks,
        now: (Ticks, &Arc<HistogramSnapshot>),
    ) {
        let _busy = busy();
        self.readings.lock().histogram(id, started).keep(now.0, now.1);
    }

    /// Returns whether the two latest readings of the histogram have this `count`, so that it is as it
    /// was. If so, notes that for `now`. One reading is not enough: a value that was being recorded then
    /// may be in its count and not in its sum.
    pub(crate) fn is_at_rest(&self, id: u32, count: u64, now: Ticks) -> bool {
        let _busy = busy();
        let mut readings = self.readings.lock();
        let Some(ring) = readings.histograms.get_mut(&id) else { return false };
        let (before, latest) = ring.latest();
        let is_at_rest = latest.count() == count && before.is_some_and(|it| it.count() == count);
        if is_at_rest {
            let latest = latest.clone();
            ring.keep(now, &latest);
        }
        is_at_rest
    }
}

impl Readings {
    fn histogram(&mut self, id: u32, started: Ticks) -> &mut Ring<Arc<HistogramSnapshot>> {
        self.histograms.entry(id).or_insert_with(|| Ring::new(started, Arc::default()))
    }
}

impl Sliding {
    /// Forgets the series `id`, which was removed: its sums begin anew.
    pub(crate) fn forget(&self, space: Space, id: u32) {
        let _busy = busy();
        let mut readings = self.readings.lock();
        match space {
            Space::Sum => drop(readings.sums.remove(&id)),
            Space::Histogram => drop(readings.histograms.remove(&id)),
            Space::Gauge => {}
        }
    }

    /// Forgets when somebody looked at the sums from `first` on: they are given up.
    pub(crate) fn forget_look(&self, first: u32) {
        let _busy = busy();
        self.readings.lock().looks.remove(&first);
    }
}

/// The rate of so many events in this time; zero while none has passed.
pub(crate) fn per_second(count: u64, covers: Duration) -> f64 {
    let seconds = covers.as_secs_f64();
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

/// The readings of one series: a lane for each span.
#[derive(Debug)]
struct Ring<T> {
    lanes: [Lane<T>; SPANS.len()],
}

/// The readings for one span, oldest first.
///
/// Never empty: it begins with the zero that the series was when the storage was made.
#[derive(Debug)]
struct Lane<T> {
    span: Duration,
    readings: VecDeque<(Ticks, T)>, // Invariant: in [1, MOST_READINGS].
}

/// Neighbours are at least 9/10 of a slot apart, so that a span holds 12 of them; and one is before it.
#[cfg(test)]
const MOST_READINGS: usize = 13;

impl<T: Clone + PartialEq> Ring<T> {
    fn new(started: Ticks, zero: T) -> Self {
        let lane = |(span, _)| Lane { span, readings: [(started, zero.clone())].into() };
        Self { lanes: SPANS.map(lane) }
    }

    fn keep(&mut self, now: Ticks, value: &T) {
        self.lanes.iter_mut().for_each(|lane| lane.keep(now, value));
    }

    /// The value of the reading before the latest one, if there is one, and of the latest.
    fn latest(&self) -> (Option<&T>, &T) {
        let [Lane { readings, .. }, ..] = &self.lanes;
        let last = readings.len() - 1;
        (last.checked_sub(1).map(|before| &readings[before].1), &readings[last].1)
    }

    /// The value `window` ago, or as near to that as was read: rather earlier than later.
    fn before(&self, now: Ticks, value: &T, window: Duration) -> Baseline<T> {
        let long_enough = self.lanes.iter().find(|lane| lane.span >= window);
        let lane = long_enough.unwrap_or(&self.lanes[SPANS.len() - 1]);
        lane.before(now, value, window)
    }
}

impl<T: Clone + PartialEq> Lane<T> {
    /// Adds a reading if one is due, and drops those that no window of the span needs any more.
    fn keep(&mut self, now: Ticks, value: &T) {
        let slot = self.span / SLOTS;
        let (last, known) = &self.readings[self.readings.len() - 1];
        // A tick that comes a little early is in time.
        if now.since(*last) + slot / 10 >= slot {
            // Equal ones share what they point to: a series at rest takes no memory.
            let value = if known == value { known.clone() } else { value.clone() };
            self.readings.push_back((now, value));
        }
        while self.readings.get(1).is_some_and(|(taken, _)| now.since(*taken) >= self.span) {
            self.readings.pop_front();
        }
    }

    fn before(&self, now: Ticks, value: &T, asked: Duration) -> Baseline<T> {
        let old_enough = |(taken, _): &(Ticks, T)| now.since(*taken) >= asked;
        let Some(place) = self.readings.iter().rposition(old_enough) else {
            let (taken, value) = &self.readings[0];
            return Baseline { asked, value: value.clone(), age: now.since(*taken) };
        };
        let (taken, before) = &self.readings[place];
        let after = self.readings.get(place + 1).map_or(value, |(_, after)| after);
        // A value that only grows and was the same before and after was the same in between.
        let age = if before == after { asked } else { now.since(*taken) };
        Baseline { asked, value: before.clone(), age }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn a_reading_that_missed_a_sum_is_repeated() {
        let clock = ManualClock::new();
        let (sliding, started) = (Sliding::default(), clock.now());
        let second = Duration::from_secs(1);
        let rests = |reading: &HistogramSnapshot| {
            clock.advance(second);
            let rests = sliding.is_at_rest(7, 2, clock.now());
            if !rests {
                let now = (clock.now(), &Arc::new(reading.clone()));
                sliding.keep_histogram(7, started, now);
            }
            rests
        };
        // The writer counts a value before it adds it to the sum.
        let (torn, whole) =
            (HistogramSnapshot::of(&[1.0, 1.0]), HistogramSnapshot::of(&[1.0, 5.0]));
        assert_eq!([rests(&torn), rests(&whole), rests(&whole)], [false, false, true]);
        clock.advance(second);
        let now = (clock.now(), &Arc::new(HistogramSnapshot::of(&[1.0, 5.0, 7.0])));
        let [before] = sliding.histograms_before(7, started, now, [Duration::from_millis(900)]);
        assert_eq!(now.1.sum() - before.value.sum(), 7.0);
    }

    /// A ring, and beside it everything that ever happened.
    struct Twin {
        clock: ManualClock,
        started: Ticks,
        ring: Ring<u64>,
        total: u64,
        additions: Vec<(Ticks, u64)>,
    }

    impl Twin {
        fn new() -> Self {
            let clock = ManualClock::new();
            let started = clock.now();
            let ring = Ring::new(started, 0);
            Self { clock, started, ring, total: 0, additions: Vec::new() }
        }

        fn add(&mut self, n: u64) {
            self.total += n;
            self.additions.push((self.clock.now(), n));
        }

        fn pass(&mut self, time: Duration) {
            self.clock.advance(time);
            self.ring.keep(self.clock.now(), &self.total);
            let most = self.ring.lanes.iter().map(|lane| lane.readings.len()).max();
            assert!(most <= Some(MOST_READINGS), "{most:?} readings of one span");
        }

        fn since_start(&self) -> Duration {
            self.clock.now().since(self.started)
        }

        /// What was added within the last `window` and how long that window was, checked against
        /// the list of all additions.
        fn window(&self, window: Duration) -> (u64, Duration) {
            let now = self.clock.now();
            let Baseline { value, age, .. } = self.ring.before(now, &self.total, window);
            let age_of = |taken: Ticks| now.since(taken);
            // One at the very instant of the reading came before it or after.
            let since = |includes: fn(&Duration, &Duration) -> bool| -> u64 {
                let within = self.additions.iter().filter(|(at, _)| includes(&age_of(*at), &age));
                within.map(|(_, n)| n).sum()
            };
            let within = since(Duration::lt)..=since(Duration::le);
            assert!(within.contains(&(self.total - value)), "{} in {within:?}", self.total - value);
            (self.total - value, age)
        }
    }

    fn steps() -> impl Strategy<Value = Vec<(u64, u64)>> {
        let milliseconds = prop_oneof![8 => 1u64..3_000, 1 => 3_000u64..400_000];
        prop::collection::vec((milliseconds, 0u64..5), 1..300)
    }

    proptest! {
        #[test]
        fn a_window_is_what_was_added_in_the_time_that_it_says(
            steps in steps(), asked in 0u64..400
        ) {
            let mut twin = Twin::new();
            for (milliseconds, n) in steps {
                twin.add(n);
                twin.pass(Duration::from_millis(milliseconds));
                let asked = Duration::from_secs(asked);
                let (_, covers) = twin.window(asked);
                let longest = asked.min(SPANS[2].0).min(twin.since_start());
                prop_assert!(covers >= longest, "{covers:?} for {longest:?}");
            }
        }

        #[test]
        fn a_window_read_once_a_second_is_at_most_a_slot_too_long(
            additions in prop::collection::vec(0u64..5, 1..700), asked in 1u64..=300
        ) {
            let mut twin = Twin::new();
            let asked = Duration::from_secs(asked);
            let (span, _) = SPANS.into_iter().find(|(span, _)| *span >= asked).unwrap();
            for n in additions {
                twin.add(n);
                twin.pass(Duration::from_secs(1));
                let (_, covers) = twin.window(asked);
                prop_assert!(covers < asked + span / SLOTS, "{covers:?} for {asked:?}");
            }
        }
    }

    #[test]
    fn after_a_gap_a_window_reaches_back_to_the_reading_before_it() {
        let mut twin = Twin::new();
        (0..20).for_each(|_| twin.pass(Duration::from_secs(1)));
        twin.add(7);
        twin.clock.advance(Duration::from_secs(120));
        assert_eq!(twin.window(SPANS[0].0), (7, Duration::from_secs(120)));
        twin.pass(Duration::ZERO);
        twin.clock.advance(SPANS[0].0);
        assert_eq!(twin.window(SPANS[0].0), (0, SPANS[0].0));
    }

    #[test]
    fn a_value_that_stood_still_is_known_at_every_instant_in_between() {
        let mut twin = Twin::new();
        twin.pass(Duration::from_secs(3_600));
        twin.add(5);
        twin.pass(Duration::from_secs(1));
        assert_eq!(twin.window(SPANS[0].0), (5, SPANS[0].0));
        assert_eq!(twin.window(SPANS[2].0), (5, SPANS[2].0));
    }

    #[test]
    fn a_clock_that_runs_backwards_leaves_the_readings_as_they_are() {
        let (earlier, later) = (ManualClock::new(), ManualClock::new());
        later.advance(Duration::from_secs(100));
        let mut ring = Ring::new(later.now(), 0);
        ring.keep(earlier.now(), &1);
        let baseline = ring.before(earlier.now(), &1, SPANS[0].0);
        assert_eq!((baseline.value, baseline.age), (0, Duration::ZERO));
    }

    #[test]
    fn a_series_at_rest_keeps_one_histogram() {
        let clock = ManualClock::new();
        let mut ring = Ring::new(clock.now(), Arc::default());
        for second in 0..400 {
            clock.advance(Duration::from_secs(1));
            let value = if second < 20 { vec![1.0; second] } else { vec![1.0; 20] };
            ring.keep(clock.now(), &Arc::new(HistogramSnapshot::of(&value)));
        }
        let all = ring.lanes.iter().flat_map(|lane| &lane.readings);
        let held: std::collections::HashSet<_> =
            all.map(|(_, histogram)| Arc::as_ptr(histogram)).collect();
        assert!(held.len() <= SPANS.len(), "{} histograms", held.len());
    }
}
