//! A histogram that also has its values over the last minutes, without a server.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use super::{
    handle::Handle,
    histogram::{BoundHistogram, TimeScale, read, record},
    instrument::{Instrument, pairs},
    measurement::Measurement,
    recorded::{Known, recorded},
    typed::{With, typed_instrument},
};
use crate::{
    cells::{self, Baseline, SPANS},
    clock,
    label::{AnyKeys, Dynamic, Labels, NoLabels},
    snapshot::{HistogramSnapshot, Kind, Unit},
};

typed_instrument! {
    /// A distribution of values, with quantiles over sliding windows: the last 10 s, 1 min and 5 min.
    ///
    /// Recording is the same as for a [`Histogram`](crate::Histogram), to the instruction. A window is
    /// the difference of two readings of the histogram, so its quantiles too are within 1 %. A reading
    /// is taken whenever a window or a snapshot of the registry is taken; a started telemetry does so
    /// once a second. A window then begins where it should, or up to a tenth earlier. After a gap
    /// without readings it begins at the latest reading before the gap, and [`SummaryWindow::covers`]
    /// says so.
    ///
    /// A series keeps at most 39 readings, of 16 bytes for each bucket that is not empty. Latencies
    /// that fill two powers of ten fill 425 buckets: that is 265 kB. A series at rest keeps at most
    /// three readings.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use bellwether::{Unit, metric::Summary, testing};
    ///
    /// static LATENCY: Summary = Summary::new("shop.latency", "Time to answer").unit(Unit::Seconds);
    ///
    /// let scope = testing::scope();
    /// (0..60).for_each(|second| {
    ///     LATENCY.record(if second < 50 { 0.2 } else { 0.1 });
    ///     let _ = LATENCY.window(Duration::from_secs(10)); // As a tick would.
    ///     scope.advance(Duration::from_secs(1));
    /// });
    /// let p90 = |window| LATENCY.quantile(window, 0.9).unwrap();
    /// assert!((p90(Duration::from_secs(10)) / 0.1 - 1.0).abs() < 0.01);
    /// assert!((p90(Duration::from_secs(60)) / 0.2 - 1.0).abs() < 0.01);
    /// ```
    Summary, BoundSummary(TimeScale), Kind::Summary
}

recorded! {
    Summary, BoundSummary {
        #[inline(always)]
        /// Records `value`: a number, or a [`Duration`] in the summary's unit ([`Measurement`]).
        fn record(value: impl Measurement) = |to, summary| {
            record(to, value.in_unit(|| summary.per_nano()));
        };
    }
}

/// The values that a [`Summary`] recorded within one window.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryWindow {
    asked: Duration,
    covers: Duration,
    histogram: HistogramSnapshot,
}

impl<L> Summary<L> {
    /// The `q` quantile of the last `window`; as [`BoundSummary::quantile`].
    #[must_use]
    pub fn quantile(&self, window: Duration, q: f64) -> Option<f64>
    where
        L: NoLabels,
    {
        self.bind(L::NONE).quantile(window, q)
    }

    /// The values of the last `window`; as [`BoundSummary::window`].
    #[must_use]
    pub fn window(&self, window: Duration) -> SummaryWindow
    where
        L: NoLabels,
    {
        self.bind(L::NONE).window(window)
    }

    /// The last 10 s, 1 min and 5 min, read at one instant.
    #[must_use]
    pub fn windows(&self) -> [SummaryWindow; 3]
    where
        L: NoLabels,
    {
        self.bind(L::NONE).windows()
    }

    /// All values recorded so far, in the scope of this thread.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot
    where
        L: NoLabels,
    {
        self.bind(L::NONE).snapshot()
    }
}

impl BoundSummary {
    /// The `q` quantile of the last `window` by nearest rank, within 1 %; `None` if nothing was
    /// recorded in it.
    #[must_use]
    pub fn quantile(&self, window: Duration, q: f64) -> Option<f64> {
        self.window(window).histogram.quantile(q)
    }

    /// The values of the last `window`, of at most 5 minutes. A longer window goes back as far as
    /// there are readings.
    ///
    /// It reads the clock and the series, under a lock; it is not for the hot path.
    #[must_use]
    pub fn window(&self, window: Duration) -> SummaryWindow {
        let [window] = self.read([window]);
        window
    }

    /// The last 10 s, 1 min and 5 min, read at one instant.
    #[must_use]
    pub fn windows(&self) -> [SummaryWindow; 3] {
        self.read(SPANS.map(|(span, _)| span))
    }

    /// All values recorded so far, in the scope of this thread.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot {
        read(self.0.series_id())
    }

    /// The same series as a histogram, for timers.
    pub(super) fn as_histogram(&self) -> BoundHistogram {
        BoundHistogram::of(self.0.clone(), self.1)
    }

    fn read<const N: usize>(&self, windows: [Duration; N]) -> [SummaryWindow; N] {
        let storage = cells::current_storage();
        let value = Arc::new(self.snapshot());
        let (id, now) = (self.0.series_id(), (clock::now(), &value));
        let before = storage.sliding().histograms_before(id, storage.started(), now, windows);
        before.map(|Baseline { asked, age, value: before }| SummaryWindow {
            asked,
            covers: age,
            histogram: value.since(&before),
        })
    }
}

impl SummaryWindow {
    /// The length that was asked for.
    #[must_use]
    pub fn asked(&self) -> Duration {
        self.asked
    }

    /// The time that the values cover. It is shorter than asked for if recording began later. With a
    /// reading each second it is up to a tenth longer, and longer still after a gap.
    #[must_use]
    pub fn covers(&self) -> Duration {
        self.covers
    }

    /// The distribution of the values.
    #[must_use]
    pub fn histogram(&self) -> &HistogramSnapshot {
        &self.histogram
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        context::Outcome,
        metric::Registry,
        snapshot::SeriesValue,
        testing::{self, Scope},
    };

    const SECOND: Duration = Duration::from_secs(1);
    static TICKED: Summary = Summary::new("test.summary.ticked", "");

    /// Every value ever recorded, with the second in which it was.
    type Recorded = Vec<(u32, f64)>;

    /// Records a second's worth of values after the other, with a snapshot between them.
    fn record(scope: &Scope, seconds: &[Vec<f64>]) -> Recorded {
        let mut recorded = Vec::new();
        let _ = TICKED.windows(); // Registers it, so that the first snapshot reads it.
        for (second, values) in (0..).zip(seconds) {
            for &value in values {
                TICKED.record(value);
                recorded.push((second, value));
            }
            scope.advance(SECOND);
            let _ = scope.snapshot();
        }
        recorded
    }

    /// The nearest-rank quantile of the values of the last `seconds`.
    fn naive(recorded: &Recorded, end: u32, seconds: u32, q: f64) -> Option<f64> {
        let recent = recorded.iter().filter(|(second, _)| second + seconds >= end);
        let mut values: Vec<f64> = recent.map(|(_, value)| *value).collect();
        values.sort_by(f64::total_cmp);
        let rank = (q * values.len() as f64).ceil() as usize;
        values.get(rank.max(1) - 1).copied()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn quantiles_of_a_window_are_those_of_its_sorted_values(
            seconds in prop::collection::vec(
                prop::collection::vec((-10.0f64..10.0).prop_map(f64::exp2), 0..6), 1..360)
        ) {
            let scope = testing::scope();
            let recorded = record(&scope, &seconds);
            for window in TICKED.windows() {
                let (asked, covers) = (window.asked(), window.covers());
                let most = asked + asked / 10;
                let age = SECOND * seconds.len() as u32;
                prop_assert!(asked.min(age) <= covers && covers < most, "{covers:?} of {asked:?}");
                for q in [0.0, 0.5, 0.9, 0.99, 1.0] {
                    let exact = naive(&recorded, seconds.len() as u32, covers.as_secs() as u32, q);
                    let ours = window.histogram().quantile(q);
                    prop_assert_eq!(ours.is_some(), exact.is_some());
                    let error = ours.zip(exact).map_or(0.0, |(ours, exact)| ours / exact - 1.0);
                    prop_assert!(error.abs() <= 0.01, "{ours:?} for {exact:?}");
                }
            }
        }
    }

    #[test]
    fn the_last_ten_seconds_forget_what_came_before() {
        static VALUES: Summary = Summary::new("test.summary.forgets", "");
        let scope = testing::scope();
        for value in [8.0; 10].into_iter().chain([2.0; 10]) {
            VALUES.record(value);
            scope.advance(SECOND);
            let _ = scope.snapshot();
        }
        let p50 = |seconds| VALUES.quantile(SECOND * seconds, 0.5).unwrap();
        assert!((p50(10) / 2.0 - 1.0).abs() < 0.01);
        assert_eq!(VALUES.window(SECOND * 10).histogram().count(), 10);
        assert_eq!(VALUES.window(SECOND * 60).histogram().count(), 20);
        scope.advance(SECOND * 11);
        let _ = scope.snapshot();
        scope.advance(SECOND * 11);
        assert_eq!(VALUES.quantile(SECOND * 10, 0.5), None);
        assert_eq!(VALUES.snapshot().count(), 20);
    }

    #[test]
    fn series_have_windows_of_their_own_and_a_gap_is_told() {
        let scope = testing::scope();
        let registry = Registry::new();
        let summary = registry.summary("s", "").labels::<Outcome>().build().unwrap();
        summary.bind(Outcome::Ok).record(1.0);
        scope.advance(SECOND * 100);
        let _ = registry.snapshot();
        summary.bind(Outcome::Error).record(2.0);
        scope.advance(SECOND * 100);
        let window = |outcome| summary.bind(outcome).window(SECOND * 10);
        assert_eq!(window(Outcome::Ok).histogram().count(), 0);
        assert_eq!(window(Outcome::Error).histogram().count(), 1);
        assert_eq!(window(Outcome::Error).covers(), SECOND * 200, "no reading of it in between");
    }

    #[test]
    fn a_snapshot_has_everything_and_the_last_windows() {
        let registry = Registry::new();
        let summary = registry.summary("s", "").unit(Unit::Seconds).build().unwrap();
        summary.record(1.0);
        drop(summary.start_timer());
        let snapshot = registry.snapshot();
        assert_eq!(snapshot.family("s").unwrap().kind(), Kind::Summary);
        let SeriesValue::Summary(value) = snapshot.value("s", &[]).unwrap() else { panic!() };
        assert_eq!((value.count, value.sum >= 1.0, value.windows.len()), (2, true, 3));
        assert!(value.windows.iter().all(|(_, window)| window.count() == 2), "{value:?}");
        assert!(registry.histogram("s", "").unit(Unit::Seconds).build().is_err(), "another kind");
    }

    #[test]
    fn label_sets_are_limited_removed_and_expire_and_begin_anew() {
        static WAIT: Summary<Dynamic> = Summary::dynamic("test.summary.open", "", &["tenant"])
            .series_limit(2)
            .expire_after(Duration::from_secs(60));
        let scope = testing::scope();
        let of = |tenant: &'static str| WAIT.bind_labels(&[("tenant", tenant)]);
        WAIT.with_labels(&[("tenant", "a")]).record(8.0);
        let b = of("b");
        b.record(8.0);
        b.record(8.0);
        WAIT.with_labels(&[("tenant", "c")]).record(1.0);
        let count = |labels: &[(&str, &str)]| {
            scope.snapshot().value("test.summary.open", labels).map(|value| value.as_f64())
        };
        assert_eq!(count(&[("otel.metric.overflow", "true")]), Some(1.0));
        assert_eq!((b.snapshot().count(), b.window(SECOND * 10).histogram().count()), (2, 2));
        assert!(WAIT.remove_labels(&[("tenant", "b")]));
        assert_eq!(count(&[("tenant", "b")]), None);
        scope.advance(SECOND);
        b.record(2.0);
        let window = b.window(SECOND * 10);
        assert_eq!((window.histogram().count(), b.snapshot().count()), (1, 1), "it began anew");
        scope.advance(SECOND * 61);
        let _ = scope.snapshot();
        scope.advance(SECOND * 61);
        assert_eq!(count(&[("tenant", "a")]), None, "it expired");
        assert_eq!(WAIT.series().len(), 0);
    }
}
