//! Readers of a registry: totals since each series began, or differences since the last collection.
//!
//! A snapshot holds totals. A delta reader keeps the last snapshot, which costs a pointer, and
//! subtracts it from the next. So readers do not disturb each other, and each keeps the series that
//! were live when it last collected.

use std::{sync::Arc, time::Instant};

use super::registry::Registry;
use crate::{
    cells::{self, Storage},
    clock::Ticks,
    snapshot::{
        Family, HistogramSnapshot, Kind, Series, SeriesValue, Snapshot, SummarySnapshot,
        Temporality, Views,
    },
};

/// Collects a registry repeatedly, in one temporality. Any number of readers can do so side by side.
///
/// # Examples
///
/// ```
/// use bellwether::metric::{Reader, Registry};
///
/// let registry = Registry::new();
/// let sent = registry.counter("queue.sent", "Messages sent").build()?;
/// let (mut total, mut delta) = (Reader::cumulative(&registry), Reader::delta(&registry));
/// let sent_of = |reader: &mut Reader| reader.collect().value("queue.sent", &[]).unwrap().as_f64();
/// sent.add(3);
/// assert_eq!((sent_of(&mut total), sent_of(&mut delta)), (3.0, 3.0));
/// sent.add(2);
/// assert_eq!((sent_of(&mut total), sent_of(&mut delta)), (5.0, 2.0));
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    registry: Registry,
    delta: Option<Delta>,
    views: Views,
}

/// Turns the totals of one registry into differences, each since the previous snapshot.
///
/// The difference of a counter, of a histogram, and of the count and sum of a summary starts where the
/// last collection ended. A series is identified by the name, kind and unit of its family, its labels,
/// and its start. If it is new, if it started again, or if its total fell, as that of a callback can,
/// its difference is its total. A series without a change has a difference of zero. A series that
/// vanished is forgotten. A whole family that is missing, because its callback panicked or was skipped,
/// is remembered until it is back, up to 10,000 series of such families.
///
/// Up-down counters, gauges, infos, states and the windows of summaries keep their current value, as in
/// OpenTelemetry's delta preference.
#[derive(Debug, Default)]
pub struct Delta {
    last: Option<Snapshot>,
    /// Families that were absent from the last snapshot, longest absence first.
    missing: Vec<Family>,
}

/// How many series of missing families are remembered. Arbitrary: five times a family's limit.
const MAX_MISSING: usize = 10_000;

impl Reader {
    /// A reader of totals, each with the start of its sum.
    #[must_use]
    pub fn cumulative(registry: &Registry) -> Self {
        Self { registry: registry.clone(), delta: None, views: Views::default() }
    }

    /// A reader of differences since its last collection; its first collection has the totals.
    /// [`Delta`] describes each kind.
    #[must_use]
    pub fn delta(registry: &Registry) -> Self {
        Self { delta: Some(Delta::default()), ..Self::cumulative(registry) }
    }

    /// A reader of differences that continues from the last totals of another one.
    pub(crate) fn delta_since(registry: &Registry, last: Option<Snapshot>) -> Self {
        let delta = Delta { last, missing: Vec::new() };
        Self { delta: Some(delta), ..Self::cumulative(registry) }
    }

    /// The totals at the last collection of a delta reader.
    pub(crate) fn last_totals(&self) -> Option<&Snapshot> {
        self.delta.as_ref()?.last.as_ref()
    }

    /// The reader with views of its own. They apply after those of the registry.
    #[must_use]
    pub fn with_views(self, views: Views) -> Self {
        Self { views, ..self }
    }

    /// Whether it collects totals or differences.
    #[must_use]
    pub fn temporality(&self) -> Temporality {
        match self.delta {
            None => Temporality::Cumulative,
            Some(_) => Temporality::Delta,
        }
    }

    /// All series at this moment, in the scope of this thread, as the registry's views show them. The
    /// snapshot of a delta reader starts where its last one was taken.
    ///
    /// Views apply to differences: if a series is removed, a sum that included it does not fall.
    pub fn collect(&mut self) -> Snapshot {
        self.collect_of(&cells::current_storage(), None)
    }

    /// Collects the values in `storage`, as [`collect`](Self::collect), and waits for callbacks until
    /// `by` at most.
    pub(crate) fn collect_of(&mut self, storage: &Arc<Storage>, by: Option<Instant>) -> Snapshot {
        let totals = self.registry.read(storage, by);
        let collected = match &mut self.delta {
            None => totals,
            Some(delta) => delta.next(totals),
        };
        self.views.apply(self.registry.views().apply(collected))
    }
}

impl Snapshot {
    /// The differences from `earlier`, a snapshot of the same registry: as [`Delta`] computes them, and
    /// of up-down counters too.
    pub(crate) fn differences_from(&self, earlier: &Self) -> Self {
        let since = earlier.taken();
        let difference = |family: &Family| {
            let before = earlier.family(family.name());
            let mut change = change(family, before, since);
            let before = before.filter(|before| before.kind == Kind::UpDownCounter);
            for series in &mut change.series {
                let before = before.and_then(|before| before.get(&series.labels));
                if let SeriesValue::UpDownCounter(value) = &mut series.value
                    && let Some(SeriesValue::UpDownCounter(before)) = before
                {
                    *value = value.wrapping_sub(*before);
                }
            }
            change
        };
        Self::new(since, self.taken(), self.families().iter().map(difference).collect())
    }
}

impl Delta {
    /// Returns the differences between the last snapshot and `totals`, which must be a later snapshot
    /// of the same registry.
    pub fn next(&mut self, totals: Snapshot) -> Snapshot {
        let Some(last) = self.last.replace(totals.clone()) else { return totals };
        let since = last.taken();
        let known = |name: &str| {
            let missing = || self.missing.iter().find(|family| family.name() == name);
            last.family(name).or_else(missing)
        };
        let families = totals.families().iter();
        let changes = families.map(|family| change(family, known(family.name()), since)).collect();
        let changes = Snapshot::new(since, totals.taken(), changes);
        self.remember_missing(&last, &totals);
        changes
    }

    fn remember_missing(&mut self, last: &Snapshot, totals: &Snapshot) {
        let is_missing = |family: &Family| totals.family(family.name()).is_none();
        self.missing.retain(is_missing);
        self.missing.extend(last.families().iter().filter(|family| is_missing(family)).cloned());
        let mut excess = self.missing.iter().map(|family| family.series.len()).sum::<usize>();
        self.missing.retain(|family| {
            let fits = excess <= MAX_MISSING;
            excess -= if fits { 0 } else { family.series.len() };
            fits
        });
    }
}

/// The differences between `earlier` and `family`; both are sorted by labels.
fn change(family: &Family, earlier: Option<&Family>, since: Ticks) -> Family {
    let earlier = earlier.filter(|one| (one.kind, one.unit) == (family.kind, family.unit));
    let mut earlier = earlier.map_or(&[][..], Family::series).iter().peekable();
    let changes = family.series.iter().map(|series| {
        while earlier.next_if(|one| one.labels < series.labels).is_some() {}
        let same = earlier.next_if(|one| one.labels == series.labels);
        change_of_series(series, same.filter(|one| one.started == series.started), since)
    });
    let series = changes.collect();
    Family { name: family.name.clone(), help: family.help.clone(), series, ..*family }
}

fn change_of_series(series: &Series, earlier: Option<&Series>, since: Ticks) -> Series {
    use SeriesValue as Value;
    let is_sum = |value: &Value| {
        matches!(
            value,
            Value::Counter(_) | Value::FloatCounter(_) | Value::Histogram(_) | Value::Summary(_)
        )
    };
    if !is_sum(&series.value) {
        return series.clone();
    }
    let change = earlier.and_then(|one| difference(&series.value, &one.value));
    let value = change.unwrap_or_else(|| series.value.clone());
    // The last collection did not see the series, so nothing was recorded before it.
    let (labels, started) = (series.labels.clone(), series.started.max(since));
    let known = earlier.and_then(|one| one.exemplar.as_ref());
    let exemplar = series.exemplar.clone().filter(|one| known != Some(one));
    Series { labels, value, started, exemplar }
}

/// `later` minus `earlier`; `None` if the sum began again in between.
fn difference(later: &SeriesValue, earlier: &SeriesValue) -> Option<SeriesValue> {
    use SeriesValue as Value;
    Some(match (later, earlier) {
        (Value::Counter(later), Value::Counter(earlier)) => {
            Value::Counter(later.checked_sub(*earlier)?)
        }
        (Value::FloatCounter(later), Value::FloatCounter(earlier)) if later >= earlier => {
            Value::FloatCounter(later - earlier)
        }
        (Value::Histogram(later), Value::Histogram(earlier)) => {
            Value::Histogram(Arc::new(histogram_difference(later, earlier)?))
        }
        (Value::Summary(later), Value::Summary(earlier)) => {
            Value::Summary(Arc::new(SummarySnapshot {
                count: later.count.checked_sub(earlier.count)?,
                sum: later.sum - earlier.sum,
                windows: later.windows.clone(),
            }))
        }
        _ => return None,
    })
}

fn histogram_difference(
    later: &HistogramSnapshot,
    earlier: &HistogramSnapshot,
) -> Option<HistogramSnapshot> {
    let change = later.since(earlier);
    // A cell that fell counts as zero; then the counts do not add up.
    let is_whole = earlier.count().checked_add(change.count()) == Some(later.count());
    is_whole.then_some(change)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        clock,
        label::LabelSet,
        metric::Observations,
        snapshot::{PageBounds, Unit, View, Views},
    };

    fn at(nanos: u64) -> Ticks {
        Ticks::of_unix_nanos(nanos)
    }

    /// A family called `x` at `taken`, of series with their label, start and value.
    fn snapshot(taken: u64, kind: Kind, values: &[(&str, u64, SeriesValue)]) -> Snapshot {
        let series = values.iter().map(|(label, started, value)| {
            Series::new(LabelSet::new([("n", label)]), value.clone(), at(*started))
        });
        let series = series.collect();
        let family = Family {
            name: "x".into(),
            kind,
            unit: Unit::NONE,
            help: "".into(),
            page_bounds: PageBounds::default(),
            begins_at_zero: true,
            series,
        };
        Snapshot::new(at(0), at(taken), vec![family])
    }

    /// Label, start and value of each series of `x`.
    fn values(snapshot: &Snapshot) -> Vec<(String, u64, f64)> {
        let series = snapshot.family("x").map_or(&[][..], Family::series);
        let value = |series: &Series| {
            let label = series.labels().get("n").unwrap_or_default().to_owned();
            (label, series.started().unix_nanos(), series.value().as_f64())
        };
        series.iter().map(value).collect()
    }

    fn counters(taken: u64, totals: &[(&str, u64, u64)]) -> Snapshot {
        let totals: Vec<_> = totals
            .iter()
            .map(|&(label, started, n)| (label, started, SeriesValue::Counter(n)))
            .collect();
        snapshot(taken, Kind::Counter, &totals)
    }

    fn row(label: &str, started: u64, value: f64) -> (String, u64, f64) {
        (label.to_owned(), started, value)
    }

    #[test]
    fn a_difference_starts_where_the_last_collection_ended() {
        let mut delta = Delta::default();
        let first = delta.next(counters(10, &[("a", 1, 5)]));
        assert_eq!(values(&first), [row("a", 1, 5.0)]);
        // The second series is new, though the registry that it belongs to is not.
        let second = delta.next(counters(20, &[("a", 1, 7), ("b", 1, 2)]));
        assert_eq!(values(&second), [row("a", 10, 2.0), row("b", 10, 2.0)]);
        assert_eq!((second.started(), second.taken()), (at(10), at(20)));
        let third = delta.next(counters(30, &[("a", 1, 7), ("b", 1, 3)]));
        assert_eq!(values(&third), [row("a", 20, 0.0), row("b", 20, 1.0)]);
    }

    #[test]
    fn a_series_that_began_again_or_fell_has_its_total_as_difference() {
        let mut delta = Delta::default();
        delta.next(counters(10, &[("fell", 1, 5), ("new", 1, 5), ("vanished", 1, 5)]));
        let second = delta.next(counters(20, &[("fell", 1, 3), ("new", 15, 9)]));
        assert_eq!(values(&second), [row("fell", 10, 3.0), row("new", 15, 9.0)]);
        let third = delta.next(counters(30, &[("vanished", 25, 6)]));
        assert_eq!(values(&third), [row("vanished", 25, 6.0)]);
    }

    #[test]
    fn current_values_stay_as_they_are() {
        for (kind, value) in [
            (Kind::UpDownCounter, SeriesValue::UpDownCounter(-4)),
            (Kind::Gauge, SeriesValue::Gauge(0.5)),
            (Kind::Info, SeriesValue::Info),
            (Kind::StateSet, SeriesValue::State(true)),
        ] {
            let mut delta = Delta::default();
            for taken in [10, 20] {
                let now = delta.next(snapshot(taken, kind, &[("a", 1, value.clone())]));
                assert_eq!(values(&now), [row("a", 1, value.as_f64())], "{kind:?}");
            }
        }
    }

    #[test]
    fn the_difference_of_a_distribution_is_that_of_what_came_in_between() {
        let histogram = |values: &[f64]| Arc::new(HistogramSnapshot::of(values));
        let mut delta = Delta::default();
        let mut next = |taken, value: SeriesValue, kind| {
            let change = delta.next(snapshot(taken, kind, &[("a", 1, value)]));
            change.family("x").unwrap().series()[0].value().clone()
        };
        next(10, SeriesValue::Histogram(histogram(&[1.0, 2.0])), Kind::Histogram);
        let change = next(20, SeriesValue::Histogram(histogram(&[1.0, 2.0, 8.0])), Kind::Histogram);
        let eight = HistogramSnapshot::of(&[8.0]).with_extremes(None); // Not known of a difference.
        assert_eq!(change.as_histogram(), Some(&eight));
        // As many values, but others: it began again.
        let change = next(30, SeriesValue::Histogram(histogram(&[1.0, 3.0, 9.0])), Kind::Histogram);
        assert_eq!(change.as_histogram(), Some(&HistogramSnapshot::of(&[1.0, 3.0, 9.0])));

        let windows = vec![(std::time::Duration::from_secs(10), HistogramSnapshot::of(&[7.0]))];
        let summary = |count, sum| SummarySnapshot { count, sum, windows: windows.clone() };
        next(40, SeriesValue::Summary(Arc::new(summary(5, 9.0))), Kind::Summary);
        let change = next(50, SeriesValue::Summary(Arc::new(summary(6, 11.5))), Kind::Summary);
        let SeriesValue::Summary(change) = change else { panic!("{change:?}") };
        assert_eq!(*change, summary(1, 2.5));
    }

    #[test]
    fn a_callback_that_missed_a_collection_goes_on_from_where_it_was() {
        let registry = Registry::new();
        let calls = std::sync::atomic::AtomicU32::new(0);
        let observe = move |to: &mut Observations| {
            let call = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            assert!(call != 1, "the second call panics");
            to.observe(f64::from(10 + call), &[("n", "a")]);
        };
        let _observer = registry.counter("x", "").observe(observe).unwrap();
        let mut reader = Reader::delta(&registry);
        let mut next = || values(&reader.collect()).first().map(|value| value.2);
        assert_eq!([next(), next(), next()], [Some(10.0), None, Some(2.0)]);
    }

    #[test]
    fn what_is_kept_of_missing_families_is_bounded() {
        let numbers: Vec<_> = (0..6_000).map(|n| n.to_string()).collect();
        let full = |name: &str, taken| {
            let totals: Vec<_> = numbers.iter().map(|n| (n.as_str(), 1, 5)).collect();
            let mut family = counters(taken, &totals).into_families().remove(0);
            family.name = name.to_owned().into();
            Snapshot::new(at(0), at(taken), vec![family])
        };
        let mut delta = Delta::default();
        for (taken, name) in ["a", "b", "c"].into_iter().enumerate() {
            delta.next(full(name, 10 + taken as u64));
        }
        let missing: Vec<_> = delta.missing.iter().map(Family::name).collect();
        assert_eq!(missing, ["b"], "the longest missing is forgotten first");
        delta.next(full("b", 20));
        assert_eq!(delta.missing.len(), 1, "that of c, and b is back");
    }

    #[test]
    fn views_show_the_differences() {
        let registry = Registry::new();
        let observe = |to: &mut Observations| to.observe(1.0, &[("n", "a")]);
        let _observer = registry.counter("y", "").observe(observe).unwrap();
        let counter = registry.counter("z", "").build().unwrap();
        let view = View::new("*").rename("x").keep_labels([""; 0]);
        registry.set_views(Views::new([view]).unwrap());
        let mut reader = Reader::delta(&registry);
        assert_eq!(reader.temporality(), Temporality::Delta);
        counter.add(2);
        assert_eq!(values(&reader.collect())[0].2, 3.0);
        counter.add(4);
        assert_eq!(values(&reader.collect())[0].2, 4.0);
    }

    #[derive(Clone, Debug)]
    enum Act {
        Record {
            label: u8,
            n: u64,
        },
        /// What only a callback does: the total is what it says.
        Tell {
            label: u8,
            total: u64,
        },
        Remove {
            label: u8,
        },
        Collect {
            reader: usize,
        },
    }

    fn any_act() -> impl Strategy<Value = Act> {
        prop_oneof![
            4 => (0u8..4, 0u64..9).prop_map(|(label, n)| Act::Record { label, n }),
            1 => (0u8..4, 0u64..9).prop_map(|(label, total)| Act::Tell { label, total }),
            1 => (0u8..4).prop_map(|label| Act::Remove { label }),
            3 => (0usize..3).prop_map(|reader| Act::Collect { reader }),
        ]
    }

    /// What one reader must have seen of each label, by adding up as the acts come.
    #[derive(Default)]
    struct Twin {
        seen: BTreeMap<(u8, u64), u64>,
        told: BTreeMap<u8, u64>,
        collected: u64,
    }

    impl Twin {
        fn collect(&mut self, live: &BTreeMap<u8, (u64, u64)>) {
            for (&label, &(started, total)) in live {
                let seen = self.seen.insert((label, started), total).unwrap_or(0);
                let told = if total < seen { total } else { total - seen };
                *self.told.entry(label).or_default() += told;
            }
        }
    }

    proptest! {
        #[test]
        fn the_differences_of_any_reader_add_up_to_the_totals(
            acts in prop::collection::vec(any_act(), 1..60)
        ) {
            let mut live: BTreeMap<u8, (u64, u64)> = BTreeMap::new();
            let mut readers: Vec<(Delta, Twin, BTreeMap<u8, u64>)> = Vec::new();
            readers.resize_with(3, Default::default);
            for (time, act) in (1..).zip(acts) {
                match act {
                    Act::Record { label, n } => live.entry(label).or_insert((time, 0)).1 += n,
                    Act::Tell { label, total } => live.entry(label).or_insert((time, 0)).1 = total,
                    Act::Remove { label } => drop(live.remove(&label)),
                    Act::Collect { reader } => {
                        let (delta, twin, sums) = &mut readers[reader];
                        let names: Vec<_> = live.keys().map(u8::to_string).collect();
                        let totals: Vec<_> = (names.iter().zip(live.values()))
                            .map(|(name, &(started, total))| (name.as_str(), started, total))
                            .collect();
                        let change = delta.next(counters(time, &totals));
                        twin.collect(&live);
                        for (label, started, n) in values(&change) {
                            let label = label.parse().unwrap();
                            *sums.entry(label).or_default() += n as u64;
                            prop_assert_eq!(started, live[&label].0.max(twin.collected));
                        }
                        twin.collected = time;
                        prop_assert_eq!(&*sums, &twin.told);
                        prop_assert_eq!(delta.last.as_ref().unwrap().families()[0].series.len(), live.len());
                    }
                }
            }
        }

        #[test]
        fn readers_of_one_registry_do_not_disturb_each_other(
            acts in prop::collection::vec((0usize..4, 1u64..9), 1..60)
        ) {
            let manual = clock::ManualClock::new();
            let _installed = clock::enter(Some(manual.clone()));
            let registry = Registry::new();
            let counter = registry.counter("x", "").build().unwrap();
            let histogram = registry.histogram("h", "").build().unwrap();
            let mut readers = [(); 3].map(|()| (Reader::delta(&registry), 0.0, HistogramSnapshot::default()));
            let mut total = Reader::cumulative(&registry);
            for (reader, n) in acts {
                manual.advance(std::time::Duration::from_secs(1));
                let Some((reader, sum, distribution)) = readers.get_mut(reader) else {
                    counter.add(n);
                    histogram.record(n as f64);
                    continue;
                };
                let change = reader.collect();
                *sum += change.value("x", &[]).unwrap().as_f64();
                distribution.merge(change.value("h", &[]).unwrap().as_histogram().unwrap());
                let all = total.collect();
                prop_assert_eq!(*sum, all.value("x", &[]).unwrap().as_f64());
                let all = all.value("h", &[]).unwrap().as_histogram().unwrap();
                let without_extremes = |h: &HistogramSnapshot| h.clone().with_extremes(None);
                prop_assert_eq!(without_extremes(distribution), without_extremes(all));
            }
        }
    }
}
