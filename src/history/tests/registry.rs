//! A registry's history against a naive twin that keeps all snapshots.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use proptest::prelude::*;

use crate::{
    cells::{self, Storage},
    clock::{self, ManualClock, Slots},
    context::Outcome,
    history::{Earlier, History},
    label::Dynamic,
    metric::{
        Counter, FloatCounter, Gauge, Histogram, HistogramOptions, Observations, Observer,
        Registry, Unit, UpDownCounter, View, Views,
    },
    series::Changes,
    snapshot::{Aggregation, Family, Series, SeriesValue, Snapshot},
    sync::Mutex,
    testing,
};

#[derive(Clone, Debug)]
pub(super) enum Action {
    Inc(u8, u16),
    AddFloat(i8),
    Hold(i8),
    Set(u8, f64),
    Unset(u8),
    Record(u8, f64),
    RecordClosed(u8, f64),
    Remove(u8),
    Clear,
    Tell(u8, f64),
    TellNothing,
    Summarise(f64),
    /// Takes a family off and registers it anew, as another kind or not.
    Renew(bool),
    Relabel(u8),
    View(u8),
    StepWall(i16),
    /// A tick after so many milliseconds, so often.
    Tick(u32, u8),
}

pub(super) fn action() -> impl Strategy<Value = Action> {
    let value =
        prop_oneof![Just(0.0), 1e-12..1e-3, 1e-3..1e3, 1e3..1e14, (0u32..50).prop_map(f64::from)];
    let number = prop_oneof![any::<f64>(), (-9i32..9).prop_map(f64::from)];
    let pause = prop_oneof![8 => Just(1_000), 2 => 900u32..1_200, 1 => 0u32..100_000];
    prop_oneof![
        6 => (0u8..6, 0u16..300).prop_map(|(n, by)| Action::Inc(n, by)),
        1 => any::<i8>().prop_map(Action::AddFloat),
        1 => any::<i8>().prop_map(Action::Hold),
        2 => (0u8..4, number).prop_map(|(n, to)| Action::Set(n, to)),
        1 => (0u8..4).prop_map(Action::Unset),
        4 => (0u8..6, value.clone()).prop_map(|(n, value)| Action::Record(n, value)),
        3 => (0u8..4, value.clone()).prop_map(|(n, value)| Action::RecordClosed(n, value)),
        2 => (0u8..6).prop_map(Action::Remove),
        1 => Just(Action::Clear),
        2 => (0u8..3, 0.0..1e3).prop_map(|(n, to)| Action::Tell(n, to)),
        1 => Just(Action::TellNothing),
        1 => value.prop_map(Action::Summarise),
        1 => any::<bool>().prop_map(Action::Renew),
        1 => (0u8..3).prop_map(Action::Relabel),
        1 => (0u8..4).prop_map(Action::View),
        1 => any::<i16>().prop_map(Action::StepWall),
        12 => (pause, 1u8..30).prop_map(|(pause, times)| Action::Tick(pause, times)),
    ]
}

/// What is recorded into, with limits of three series.
pub(super) struct House {
    pub(super) registry: Registry,
    clock: ManualClock,
    hits: Counter<Dynamic>,
    cost: FloatCounter,
    busy: UpDownCounter,
    level: Gauge<Dynamic>,
    wait: [Histogram<Dynamic>; 3],
    done: Histogram<Outcome>,
    summary: crate::metric::Summary,
    told: Arc<Mutex<BTreeMap<u8, f64>>>,
    renewed: Option<Counter>,
    _observer: Observer,
}

const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

impl House {
    pub(super) fn new(clock: ManualClock) -> Self {
        let registry = Registry::with_series_limit(3);
        let told: Arc<Mutex<BTreeMap<u8, f64>>> = Arc::default();
        let telling = told.clone();
        let tell = move |to: &mut Observations| {
            for (&n, &value) in &*telling.lock() {
                to.observe(value, &[("n", KEYS[usize::from(n)])]);
            }
        };
        let observer = registry.counter("told", "").observe(tell).unwrap();
        let explicit = Aggregation::explicit(&[0.0, 1.0, 10.0]).unwrap();
        let wait = [
            HistogramOptions::new(),
            HistogramOptions::new().aggregation(explicit),
            HistogramOptions::new().aggregation(Aggregation::Hdr { significant_digits: 2 }),
        ];
        let names = ["wait", "wait.explicit", "wait.ticks"];
        let seconds = |name| registry.histogram(name, "").unit(Unit::Seconds);
        let wait = std::array::from_fn(|n| {
            seconds(names[n]).keys(&["n"]).options(wait[n]).build().unwrap()
        });
        Self {
            hits: registry.counter("hits", "").keys(&["n"]).build().unwrap(),
            cost: registry.float_counter("cost", "").build().unwrap(),
            busy: registry.up_down_counter("busy", "").build().unwrap(),
            level: registry.gauge("level", "").keys(&["n"]).build().unwrap(),
            wait,
            done: seconds("done.duration").labels().build().unwrap(),
            summary: registry.summary("in.short", "").build().unwrap(),
            renewed: None,
            told,
            _observer: observer,
            clock,
            registry,
        }
    }

    pub(super) fn act(&mut self, action: &Action) {
        let label = |n: u8| [("n", KEYS[usize::from(n)])];
        match *action {
            Action::Inc(n, by) => self.hits.with_labels(&label(n)).add(by.into()),
            Action::AddFloat(by) => self.cost.add(f64::from(by) / 3.0),
            Action::Hold(by) => self.busy.add(by.into()),
            Action::Set(n, to) => self.level.with_labels(&label(n)).set(to),
            Action::Unset(n) => _ = self.level.remove_labels(&label(n)),
            Action::Record(n, value) => {
                self.wait.iter().for_each(|wait| wait.with_labels(&label(n)).record(value));
            }
            Action::RecordClosed(n, value) => {
                let all = [Outcome::Ok, Outcome::Error, Outcome::Panic, Outcome::Cancelled];
                self.done.bind(all[usize::from(n)]).record(value);
            }
            Action::Remove(n) => {
                self.hits.remove_labels(&label(n));
                self.wait.iter().for_each(|wait| _ = wait.remove_labels(&label(n)));
            }
            Action::Clear => {
                self.hits.clear();
                self.done.clear();
            }
            Action::Tell(n, to) => _ = self.told.lock().insert(n, to),
            Action::TellNothing => self.told.lock().clear(),
            Action::Summarise(value) => self.summary.record(value),
            Action::Renew(as_counter) => {
                self.renewed = None;
                self.registry.unregister("renewed");
                if as_counter {
                    let counter = self.registry.counter("renewed", "").build().unwrap();
                    counter.add(7);
                    self.renewed = Some(counter);
                } else {
                    self.registry.gauge("renewed", "").build().unwrap().set(7.0);
                }
            }
            Action::Relabel(zone) => {
                let labels = vec![("zone".into(), ["eu", "us", ""][usize::from(zone)].to_owned())];
                self.registry.change(Changes { labels, ..Changes::default() });
            }
            Action::View(n) => {
                let view = match n {
                    0 => None,
                    1 => Some(View::new("wait").page_bounds([0.5, 2.0])),
                    2 => Some(View::new("hits").rename("visits")),
                    _ => Some(View::new("hits").drop_labels(["n"])),
                };
                self.registry.set_views(Views::new(view).unwrap());
            }
            Action::StepWall(by) => {
                let wall = self.clock.wall();
                let step = Duration::from_secs(by.unsigned_abs().into());
                self.clock.step_wall(if by < 0 { wall - step } else { wall + step });
            }
            Action::Tick(..) => unreachable!("the test ticks"),
        }
    }
}

/// The history and all snapshots.
struct Both {
    history: History,
    slots: Slots,
    snapshots: Vec<Snapshot>,
}

impl Both {
    fn tick(&mut self, registry: &Registry, in_place: bool) {
        let snapshot = registry.snapshot();
        let prepared = match in_place {
            true => registry.prepare(),
            false => crate::metric::Prepared::of(snapshot.clone()),
        };
        let slot = self.slots.next(clock::now()).unwrap();
        assert_eq!(self.history.tick(&prepared, slot), None);
        self.snapshots.push(snapshot);
    }

    fn check(&mut self, later: &Snapshot, length: Duration) -> Result<(), TestCaseError> {
        let Earlier { at, distributions } = self.history.before(later.taken(), length).unwrap();
        let twin = |taken| self.snapshots.iter().rev().find(|one| one.taken() == taken);
        let (twin_at, twin_of_all) =
            (twin(at.taken()).unwrap(), twin(distributions.taken()).unwrap());
        compare(&at, twin_at, &is_number)?;
        compare(&distributions, twin_of_all, &|series| is_distribution(series))?;
        for (found, expected) in pairs(&at, twin_at) {
            let (Some(found), Some(expected)) = (found.as_histogram(), expected.as_histogram())
            else {
                continue;
            };
            prop_assert_eq!(found.count(), expected.count());
            prop_assert_eq!(found.sum().to_bits(), expected.sum().to_bits());
        }
        // The span is the one that is asked for, as far as instants of it are kept.
        let old_enough = |one: &&Snapshot| later.elapsed_since(one) >= length;
        let wanted = self.snapshots.iter().rev().find(old_enough).unwrap_or(&self.snapshots[0]);
        let late = wanted.elapsed_since(&at);
        let span = later.elapsed_since(wanted);
        if span <= Duration::from_secs(300) {
            prop_assert_eq!(wanted.taken(), at.taken(), "{:?} {:?}", span, late);
            let before = at.taken().since(distributions.taken());
            prop_assert!(before < Duration::from_secs(10), "the newest mark: {before:?}");
        }
        prop_assert!(distributions.taken() <= at.taken());
        let (twin_at, twin_of_all) = (twin_at.clone(), twin_of_all.clone());
        self.check_answers(later, length, (&twin_at, &twin_of_all))
    }

    /// What a window answers, against one of the two snapshots.
    fn check_answers(
        &mut self,
        later: &Snapshot,
        length: Duration,
        (twin, of_all): (&Snapshot, &Snapshot),
    ) -> Result<(), TestCaseError> {
        let Earlier { at, distributions } = self.history.before(later.taken(), length).unwrap();
        let window = later.since_both(at, distributions);
        let (naive, naive_of_all) = (later.since(twin), later.since(of_all));
        prop_assert_eq!(window.duration(), naive.duration());
        prop_assert_eq!(window.distribution_duration(), naive_of_all.duration());
        for n in KEYS {
            let labels = [("n", n)];
            prop_assert_eq!(window.increase("hits", &labels), naive.increase("hits", &labels));
        }
        for name in ["wait", "wait.explicit", "wait.ticks", "done.duration"] {
            let found = window.requests(name);
            let (Some(found), Some(expected)) = (found, naive.requests(name)) else { continue };
            prop_assert_eq!((found.count, found.errors), (expected.count, expected.errors));
            prop_assert_eq!(found.mean(), expected.mean());
            let quantiles = naive_of_all.requests(name).unwrap();
            prop_assert_eq!(found.latency, quantiles.latency);
            let by = |window: &crate::metric::Window| -> BTreeMap<String, u64> {
                let groups = window.requests_by(name, "outcome").into_iter();
                groups.map(|(outcome, requests)| (outcome, requests.count)).collect()
            };
            prop_assert_eq!(by(&window), by(&naive));
        }
        Ok(())
    }
}

fn is_distribution(series: &Series) -> bool {
    matches!(series.value(), SeriesValue::Histogram(_))
}

fn is_number(series: &Series) -> bool {
    !is_distribution(series)
}

/// The values of the series that both have.
fn pairs<'a>(
    found: &'a Snapshot,
    expected: &'a Snapshot,
) -> impl Iterator<Item = (&'a SeriesValue, &'a SeriesValue)> {
    expected.families().iter().flat_map(|family| {
        let found = found.family(family.name());
        family
            .series()
            .iter()
            .filter_map(move |series| Some((found?.get(series.labels())?, series.value())))
    })
}

/// The series that are to be compared, with all that is kept of them.
fn compare(
    found: &Snapshot,
    expected: &Snapshot,
    is_compared: &dyn Fn(&Series) -> bool,
) -> Result<(), TestCaseError> {
    let lines = |snapshot: &Snapshot| -> Vec<String> {
        let families = snapshot.families().iter();
        let line = |(family, series): (&Family, &Series)| {
            let value = match series.value() {
                SeriesValue::Histogram(histogram) => {
                    let parts = histogram.parts();
                    format!("{:?} {:?} {:x}", parts.layout, parts.buckets, parts.sum.to_bits())
                }
                SeriesValue::Summary(summary) => {
                    format!("{} {:x}", summary.count, summary.sum.to_bits())
                }
                SeriesValue::Gauge(value) | SeriesValue::FloatCounter(value) => {
                    format!("{:x}", value.to_bits())
                }
                value => format!("{value:?}"),
            };
            let Family { name, kind, unit, .. } = family;
            let (labels, started) = (series.labels(), series.started());
            format!("{name} {kind:?} {unit} {labels} since {started:?}: {value}")
        };
        let series =
            families.flat_map(|family| family.series().iter().map(move |one| (family, one)));
        series.filter(|(_, series)| is_compared(series)).map(line).collect()
    };
    prop_assert_eq!(lines(found), lines(expected));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_answer_is_that_of_one_who_keeps_all_snapshots(
        actions in prop::collection::vec(action(), 1..120),
        in_place in prop_oneof![4 => Just(true), 1 => Just(false)],
        is_scoped: bool,
    ) {
        let scope = testing::scope();
        let clock = scope.clock().clone();
        let _scope = is_scoped.then(|| cells::enter(Some(Storage::new(true))));
        let mut house = House::new(clock.clone());
        let mut both = Both {
            history: History::new(32 << 20),
            slots: Slots::new(Duration::from_nanos(1)),
            snapshots: Vec::new(),
        };
        both.tick(&house.registry, in_place);
        for action in &actions {
            let &Action::Tick(pause, times) = action else {
                house.act(action);
                continue;
            };
            for _ in 0..times {
                clock.advance(Duration::from_millis(pause.into()));
                both.tick(&house.registry, in_place);
            }
            let later = house.registry.snapshot();
            for seconds in [0, 1, 7, 60, 300, 400, 3_600, 100_000] {
                both.check(&later, Duration::from_secs(seconds))?;
            }
        }
    }
}
