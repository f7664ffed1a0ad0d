//! Instruments, registries and snapshots together.

use std::thread;

use super::*;
use crate::{
    cells::{self, orphaned},
    label::{Dynamic, Labels},
    series::{Descriptor, Family as SeriesFamily, Found, Pin, Settings, Shape, lookup},
};

/// The test's own storage, so that tests of statics do not see each other.
fn scope() -> cells::Entered {
    cells::enter(Some(cells::Storage::new(true)))
}

#[derive(Clone, Copy)]
pub(super) struct Route<'a>(pub(super) &'a str);

impl Labels for Route<'_> {
    const KEYS: &'static [&'static str] = &["route"];
    const CARDINALITY: Option<usize> = None;

    fn index(&self) -> usize {
        0
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        each(self.0);
    }

    fn at(_index: usize) -> Vec<std::borrow::Cow<'static, str>> {
        vec!["".into()]
    }
}

#[derive(Clone, Copy)]
pub(super) struct Hit(pub(super) bool);

impl Labels for Hit {
    const KEYS: &'static [&'static str] = &["hit"];
    const CARDINALITY: Option<usize> = Some(2);

    fn index(&self) -> usize {
        usize::from(self.0)
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        each(if self.0 { "true" } else { "false" });
    }

    fn at(index: usize) -> Vec<std::borrow::Cow<'static, str>> {
        vec![["false", "true"][index].into()]
    }
}

/// An open family with these keys, on no registry's page.
pub(crate) fn open_family(
    kind: Kind,
    keys: &[&'static str],
    limit: usize,
) -> &'static SeriesFamily {
    open_family_within(kind, keys, limit, u64::MAX)
}

fn open_family_within(
    kind: Kind,
    keys: &[&'static str],
    limit: usize,
    bytes: u64,
) -> &'static SeriesFamily {
    let keys = keys.iter().map(|&key| key.into()).collect();
    let settings = Settings::new(limit, bytes, Default::default()).into();
    let shape = Shape::Open;
    let descriptor = Descriptor::new("test.open", "", kind);
    Box::leak(Box::new(SeriesFamily::new(
        &descriptor,
        keys,
        &settings,
        shape,
        &InstrumentView::default(),
    )))
}

/// A label whose type forgets one of its values.
#[derive(Clone, Copy)]
struct Forgetful(usize);

impl crate::label::LabelValue for Forgetful {
    const CARDINALITY: Option<usize> = Some(3);

    fn index(&self) -> usize {
        self.0
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        each(&<Self as crate::label::LabelValue>::at(self.0));
    }

    fn at(index: usize) -> std::borrow::Cow<'static, str> {
        assert_ne!(index, 1, "forgotten");
        index.to_string().into()
    }
}

impl Labels for Forgetful {
    const KEYS: &'static [&'static str] = &["n"];
    const CARDINALITY: Option<usize> = Some(3);

    fn index(&self) -> usize {
        self.0
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        crate::label::LabelValue::visit(self, each);
    }

    fn at(index: usize) -> Vec<std::borrow::Cow<'static, str>> {
        vec![<Self as crate::label::LabelValue>::at(index)]
    }
}

#[test]
fn a_label_type_that_panics_costs_its_own_series_and_no_reading() {
    let registry = Registry::new();
    let counter = registry.counter::<Forgetful>("c", "", Unit::NONE).unwrap();
    let other = registry.counter::<()>("other", "", Unit::NONE).unwrap();
    other.inc();
    for n in [0, 1] {
        counter.with(Forgetful(n)).inc();
    }
    for added in [0, 1] {
        counter.with(Forgetful(2 * added)).inc();
        let snapshot = registry.snapshot();
        assert_eq!(number(&snapshot, "other", &[]), Some(1.0));
        assert_eq!(snapshot.family("c").unwrap().series().len(), 1 + added);
    }
}

#[test]
fn removed_series_make_room_for_a_thread_that_only_meets_new_ones() {
    let family = open_family_within(Kind::Counter, &["a"], 1_000, 4_000);
    let set = family.open().unwrap();
    let names = |names: std::ops::Range<u32>| names.map(|n| n.to_string());
    let ids = |from: u32| {
        let look_up = |name: String| {
            lookup::with_series(set, |each: &mut dyn FnMut(&str)| each(&name), |id| id)
        };
        names(from..from + 100).map(look_up).collect::<std::collections::HashSet<_>>()
    };
    let n_series = ids(0).len();
    assert!(n_series < 100, "the budget is for fewer");
    assert!(ids(100).len() == 1, "all of them overflow");
    family.clear(&cells::current_storage());
    ids(200); // The pins of the removed ones go, and with the next sweep their bytes.
    family.sweep();
    assert_eq!(ids(300).len(), n_series);
}

pub(super) fn number(snapshot: &Snapshot, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    snapshot.value(name, labels).map(SeriesValue::as_f64)
}

#[test]
fn a_snapshot_has_the_exact_total_of_all_threads() {
    let registry = Registry::new();
    let counter = registry.counter::<()>("c", "", Unit::NONE).unwrap();
    let threads = 8;
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..10_000).for_each(|_| counter.inc()));
        }
    });
    assert_eq!(number(&registry.snapshot(), "c", &[]), Some(80_000.0));
}

#[test]
fn a_value_survives_its_thread_and_the_next_thread_goes_on_with_its_cells() {
    let registry = Registry::new();
    let counter = registry.counter::<Hit>("c", "", Unit::NONE).unwrap();
    for _ in 0..1_000 {
        let bound = counter.bind(Hit(true));
        thread::spawn(move || bound.inc()).join().unwrap();
    }
    assert_eq!(number(&registry.snapshot(), "c", &[("hit", "true")]), Some(1_000.0));
    assert_eq!(number(&registry.snapshot(), "c", &[("hit", "false")]), None, "never touched");
}

#[test]
fn a_sum_that_comes_back_to_zero_stays_on_the_page() {
    let registry = Registry::new();
    let active = registry.up_down_counter::<Hit>("active", "", Unit::NONE).unwrap();
    let bound = active.bind(Hit(false));
    bound.add(-3);
    assert_eq!(number(&registry.snapshot(), "active", &[("hit", "false")]), Some(-3.0));
    thread::spawn(move || bound.add(3)).join().unwrap();
    assert_eq!(number(&registry.snapshot(), "active", &[("hit", "false")]), Some(0.0));
}

#[test]
fn beyond_the_limit_everything_goes_to_the_overflow_series() {
    let registry = Registry::with_series_limit(3);
    let counter = registry.counter::<Route<'_>>("c", "", Unit::NONE).unwrap();
    for round in 0..2 {
        for route in 0..100 {
            counter.bind(Route(&format!("/{route}"))).add(1 + round);
        }
    }
    let snapshot = registry.snapshot();
    assert_eq!(number(&snapshot, "c", &[("route", "/2")]), Some(3.0));
    assert_eq!(number(&snapshot, "c", &[("route", "/3")]), None);
    assert_eq!(number(&snapshot, "c", &[("otel.metric.overflow", "true")]), Some(97.0 * 3.0));
    assert_eq!(snapshot.family("c").unwrap().series().len(), 4);
}

#[test]
fn a_long_label_value_is_cut_and_two_that_differ_behind_the_cut_are_one_series() {
    let registry = Registry::new();
    let counter = registry.counter::<Route<'_>>("c", "", Unit::NONE).unwrap();
    let long = "x".repeat(1 << 20);
    counter.bind(Route(&long)).inc();
    counter.bind(Route(&(long + "y"))).inc();
    assert_eq!(number(&registry.snapshot(), "c", &[("route", &"x".repeat(1024))]), Some(2.0));
}

#[test]
fn the_same_registration_twice_is_one_family_and_another_kind_a_conflict() {
    let registry = Registry::new();
    let first = registry.counter::<()>("c", "", Unit::NONE).unwrap();
    registry.counter::<()>("c", "other words", Unit::NONE).unwrap().inc();
    assert_eq!(first.value(), 1);
    for (what, error) in [
        ("two kinds", registry.gauge::<()>("c", "", Unit::NONE).unwrap_err()),
        ("two units", registry.counter::<()>("c", "", Unit::Bytes).unwrap_err()),
        ("two sets of label keys", registry.counter::<Hit>("c", "", Unit::NONE).unwrap_err()),
    ] {
        assert_eq!(error.kind(), crate::ErrorKind::Conflict);
        let text = error.to_string();
        assert!(text.contains(what) && text.matches("tests.rs").count() == 2, "{text}");
    }
    assert_eq!(registry.refusals().len(), 0, "the caller was told");
}

#[test]
fn names_that_are_one_on_a_page_are_a_conflict() {
    let pairs: [(&str, Kind, &str, Kind); 4] = [
        ("a.b", Kind::Counter, "a_b", Kind::Counter),
        ("x", Kind::Counter, "x_total", Kind::Gauge),
        ("x", Kind::Histogram, "x_count", Kind::Counter),
        ("x", Kind::Histogram, "x_sum", Kind::Gauge),
    ];
    for (first, first_kind, second, second_kind) in pairs {
        let registry = Registry::new();
        let register = |name, kind| match kind {
            Kind::Counter => registry.counter::<()>(name, "", Unit::NONE).map(drop),
            Kind::Gauge => registry.gauge::<()>(name, "", Unit::NONE).map(drop),
            _ => registry.histogram::<()>(name, "", Unit::NONE).map(drop),
        };
        register(first, first_kind).unwrap();
        let error = register(second, second_kind).expect_err(second);
        assert!(error.to_string().contains("both"), "{error}");
    }
}

#[test]
fn an_instrument_that_lost_a_conflict_records_into_nothing_and_is_counted() {
    let _scope = scope();
    static FIRST: Counter = Counter::new("test.conflict", "");
    static SECOND: Gauge = Gauge::new("test.conflict", "");
    FIRST.add(2);
    SECOND.set(5.0);
    SECOND.set(6.0);
    let snapshot = Registry::global().snapshot();
    assert_eq!(number(&snapshot, "test.conflict", &[]), Some(2.0));
    let rejected = [("reason", "disabled")];
    assert_eq!(number(&snapshot, "telemetry.measurements.rejected", &rejected), Some(2.0));
    let refusals = Registry::global().refusals();
    assert_eq!(refusals.iter().filter(|(_, text)| text.contains("test.conflict")).count(), 1);
}

#[test]
fn numbers_that_are_no_measurements_are_counted_apart_and_poison_no_sum() {
    let _scope = scope();
    static DURATION: Histogram = Histogram::new("test.poison.duration", "");
    static LEVEL: Gauge = Gauge::new("test.poison.level", "");
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 2.0] {
        DURATION.record(value);
    }
    LEVEL.add(f64::NAN);
    LEVEL.add(1.5);
    let histogram = DURATION.snapshot();
    assert_eq!((histogram.count(), histogram.sum()), (2, 2.0));
    assert_eq!(LEVEL.value(), Some(1.5));
    let snapshot = Registry::global().snapshot();
    for (reason, count) in [("nan", 2.0), ("infinite", 1.0), ("negative", 2.0)] {
        let name = "telemetry.measurements.rejected";
        assert_eq!(number(&snapshot, name, &[("reason", reason)]), Some(count), "{reason}");
    }
}

#[test]
fn a_scope_sees_only_its_own_values() {
    static EVENTS: Counter = Counter::new("test.scope.events", "");
    let outer = scope();
    EVENTS.add(1);
    {
        let _inner = scope();
        assert_eq!(EVENTS.value(), 0);
        EVENTS.add(5);
        assert_eq!(EVENTS.value(), 5);
    }
    EVENTS.add(1);
    assert_eq!(EVENTS.value(), 2);
    drop(outer);
    assert_eq!(EVENTS.value(), 0);
}

#[test]
fn records_in_the_destructors_of_an_ending_thread_are_kept() {
    struct Late(BoundCounter, BoundHistogram, BoundGauge);
    impl Drop for Late {
        fn drop(&mut self) {
            for n in 1..=300 {
                self.0.inc();
                self.1.record(f64::from(n));
                self.2.set(f64::from(n));
            }
        }
    }
    thread_local!(static LATE: std::cell::RefCell<Option<Late>> = const { std::cell::RefCell::new(None) });
    let registry = Registry::new();
    let counter = registry.counter::<()>("c", "", Unit::NONE).unwrap();
    let histogram = registry.histogram::<()>("h", "", Unit::NONE).unwrap();
    let gauge = registry.gauge::<()>("g", "", Unit::NONE).unwrap();
    let late = || Late(counter.bind(()), histogram.bind(()), gauge.bind(()));
    let before = orphaned();
    // Destructors run in the order of registration or against it: one is on either side of ours.
    for first in [true, false] {
        thread::scope(|scope| {
            // Joined: the end of a scope does not wait for the destructors of thread-locals.
            let ending = scope.spawn(|| {
                if first {
                    LATE.with(|slot| *slot.borrow_mut() = Some(late()));
                }
                counter.inc();
                if !first {
                    LATE.with(|slot| *slot.borrow_mut() = Some(late()));
                }
            });
            ending.join().unwrap();
        });
    }
    assert_eq!(counter.value(), 602);
    assert_eq!(histogram.snapshot().count(), 600);
    assert_eq!(gauge.value(), Some(300.0));
    assert!(orphaned() > before, "at least one of the two came after the table was gone");
}

#[test]
fn owners_write_cells_of_their_own_and_further_threads_share_and_nothing_is_lost() {
    const THREADS: u64 = 64; // More than may own a table of a storage.
    // The threads of a later round adopt the tables of an earlier one; the series is new.
    for _ in 0..20 {
        let (counter, id) = counter_and_id();
        let storage = cells::Storage::new(true);
        let barrier = std::sync::Barrier::new(THREADS as usize + 1);
        let cells = thread::scope(|scope| {
            let record = || {
                let _entered = cells::enter(Some(storage.clone()));
                barrier.wait();
                (0..1_000).for_each(|_| counter.add(1));
                barrier.wait(); // All have recorded, and live until the cells are read.
                barrier.wait();
            };
            // Joined: the end of a scope does not wait until the tables are given back.
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(record)).collect();
            barrier.wait();
            barrier.wait();
            let cells = storage.sums(id);
            barrier.wait();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            cells
        });
        let n_owned = cells.iter().filter(|&&sum| sum == 1_000).count();
        assert!((8..=32).contains(&n_owned), "{cells:?}");
        assert!(cells.len() - n_owned <= 4, "a few are shared: {cells:?}");
        assert_eq!(cells.iter().sum::<u64>(), THREADS * 1_000);
        assert_eq!(storage.shared_records(), (THREADS - n_owned as u64) * 1_000);
    }
}

#[test]
fn a_thread_without_a_table_takes_one_that_becomes_free() {
    let storage = cells::Storage::new(true);
    let (counter, id) = counter_and_id();
    let (ready, end) = (std::sync::Barrier::new(65), std::sync::Barrier::new(65));
    thread::scope(|scope| {
        let owners: Vec<_> = (0..64)
            .map(|_| {
                scope.spawn(|| {
                    let _entered = cells::enter(Some(storage.clone()));
                    counter.inc();
                    ready.wait();
                    end.wait();
                })
            })
            .collect();
        ready.wait();
        let _entered = cells::enter(Some(storage.clone()));
        let shared = storage.shared_records();
        counter.inc();
        assert_eq!(storage.shared_records(), shared + 1, "all tables are owned");
        end.wait();
        owners.into_iter().for_each(|owner| owner.join().unwrap());
        (0..100).for_each(|_| counter.inc());
        assert_eq!(storage.shared_records(), shared + 1, "one has become free");
        assert_eq!(storage.sums(id).iter().sum::<u64>(), 64 + 101);
    });
}

/// A counter, and the id of its only series.
fn counter_and_id() -> (Counter, u32) {
    let descriptor = Descriptor::new("c", "", Kind::Counter);
    let family = Registry::new().register::<()>(&descriptor).unwrap();
    let id = family.base();
    (Counter::from_instrument(instrument::Instrument::registered(descriptor, family)), id)
}

#[test]
fn a_callback_that_panics_costs_its_family_one_snapshot() {
    let registry = Registry::new();
    let calls = std::sync::atomic::AtomicU32::new(0);
    let observe = move |to: &mut Observations| {
        let call = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        assert!(call != 1, "the second call panics");
        to.observe(f64::from(call), &[]);
    };
    let _observer = registry.observe(Kind::Gauge, "g", "", Unit::NONE, observe).unwrap();
    let _other = registry.counter::<()>("c", "", Unit::NONE).unwrap();
    let values: Vec<_> = (0..3).map(|_| number(&registry.snapshot(), "g", &[])).collect();
    assert_eq!(values, [Some(0.0), None, Some(2.0)]);
    assert!(registry.snapshot().family("c").is_some());
}

#[test]
fn a_callback_that_is_stuck_stops_neither_readers_nor_other_callbacks() {
    let registry = Registry::new();
    let (release, stuck) = std::sync::mpsc::channel::<()>();
    let stuck = crate::sync::Mutex::new(stuck);
    let observe = move |to: &mut Observations| {
        let _ = stuck.lock().recv(); // Until the test lets it go.
        to.observe(1.0, &[]);
    };
    let _stuck = registry.observe(Kind::Gauge, "b.stuck", "", Unit::NONE, observe).unwrap();
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let observers: Vec<_> = ["a", "c"]
        .map(|name| {
            let calls = calls.clone();
            let observe = move |to: &mut Observations| {
                calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                to.observe(2.0, &[]);
            };
            registry.observe(Kind::Gauge, name, "", Unit::NONE, observe).unwrap()
        })
        .into();
    for _ in 0..3 {
        let snapshot = registry.snapshot();
        let values = ["a", "b.stuck", "c"].map(|name| number(&snapshot, name, &[]));
        assert_eq!(values, [Some(2.0), None, Some(2.0)]);
    }
    drop(release);
    // It returns, on a thread that nobody waits for.
    while number(&registry.snapshot(), "b.stuck", &[]) != Some(1.0) {
        thread::yield_now();
    }
    assert!(calls.load(std::sync::atomic::Ordering::SeqCst) >= 8);
    drop(observers);
}

#[test]
fn a_callback_may_take_a_snapshot_and_sees_the_values_of_its_reader() {
    static SEEN: Counter = Counter::new("test.callback.seen", "");
    let registry = Registry::new();
    let inner = registry.clone();
    let observe = move |to: &mut Observations| {
        assert!(inner.snapshot().families().is_empty(), "its own family is not asked again");
        to.observe(SEEN.value() as f64, &[]);
    };
    let _observer = registry.observe(Kind::Gauge, "g", "", Unit::NONE, observe).unwrap();
    assert_eq!(number(&registry.snapshot(), "g", &[]), Some(0.0));
    let _scope = crate::testing::scope();
    SEEN.add(5);
    assert_eq!(number(&registry.snapshot(), "g", &[]), Some(5.0));
}

#[test]
fn an_observed_counter_that_falls_begins_anew() {
    let clock = crate::clock::ManualClock::new();
    let _installed = crate::clock::enter(Some(clock.clone()));
    let registry = Registry::new();
    let totals = crate::sync::Mutex::new([5.5, 7.0, 2.0, f64::NAN, -1.0].into_iter());
    let observe = move |to: &mut Observations| {
        to.observe(totals.lock().next().unwrap_or(3.0), &[]);
    };
    let _observer = registry.observe(Kind::Counter, "c", "", Unit::NONE, observe).unwrap();
    let read = || {
        clock.advance(std::time::Duration::from_secs(1));
        let snapshot = registry.snapshot();
        let series = snapshot.family("c")?.series().first()?;
        Some((series.value().as_f64(), series.started() == clock.now()))
    };
    let read: Vec<_> = (0..5).map(|_| read()).collect();
    assert_eq!(
        read,
        [Some((5.5, false)), Some((7.0, false)), Some((2.0, true)), None, None],
        "a total that is no number is left out"
    );
}

#[test]
fn a_view_chooses_buckets_and_limits_before_the_first_use_and_is_reported_after_it() {
    let registry = Registry::new();
    let views = [
        View::new("sizes").bounds([1.0, 10.0]),
        View::new("users").limit(2),
        View::new("late").hdr(3),
    ];
    let late = registry.histogram::<()>("late", "", Unit::NONE).unwrap();
    registry.set_views(Views::new(views).unwrap());
    let sizes = registry.histogram::<Route<'_>>("sizes", "", Unit::NONE).unwrap();
    let again = registry.histogram::<Route<'_>>("sizes", "", Unit::NONE);
    assert!(again.is_ok(), "what the source says is the same");
    let users = registry.counter::<Route<'_>>("users", "", Unit::NONE).unwrap();
    [0.5, 5.0, 50.0].into_iter().for_each(|size| sizes.with(Route("/")).record(size));
    (0..5).for_each(|n| users.with(Route(&n.to_string())).inc());
    late.record(7.0);
    let snapshot = registry.snapshot();
    let histogram = |name, labels: &[_]| {
        snapshot.value(name, labels).and_then(SeriesValue::as_histogram).unwrap().clone()
    };
    let bounded = histogram("sizes", &[("route", "/")]);
    assert_eq!(bounded.cumulative(&[1.0, 10.0]), [1, 2]);
    assert_eq!(bounded.explicit_bounds(), Some(&[1.0, 10.0][..]));
    assert_eq!(number(&snapshot, "users", &[("otel.metric.overflow", "true")]), Some(3.0));
    assert!(matches!(histogram("late", &[]).parts().layout, BucketLayout::Exponential));
}

#[test]
fn a_gauge_keeps_to_its_range_however_it_is_set_and_what_is_outside_is_counted() {
    static CLAMPED: Gauge<Hit> =
        Gauge::new("test.range.clamped", "").range(-1.0, 1.0, OutOfRange::Clamp);
    static DROPPED: Gauge = Gauge::new("test.range.dropped", "").range(0.0, 10.0, OutOfRange::Drop);
    let scope = crate::testing::scope();
    let bound = CLAMPED.bind(Hit(true));
    for _ in 0..2 {
        CLAMPED.with(Hit(true)).set(5.0);
        assert_eq!(bound.value(), Some(1.0));
        bound.set(-7.0);
        assert_eq!(bound.value(), Some(-1.0));
        bound.add(100.0);
        assert_eq!(bound.value(), Some(1.0));
        DROPPED.set(4.0);
        for outside in [11.0, -0.5, f64::NAN, f64::INFINITY] {
            DROPPED.set(outside);
        }
        DROPPED.add(7.0);
        assert_eq!(DROPPED.value(), Some(4.0));
        DROPPED.add(6.0);
        assert_eq!(DROPPED.value(), Some(10.0));
    }
    scope.assert_value("telemetry.measurements.clamped", &[], 6.0);
    let rejected = |reason| scope.value("telemetry.measurements.rejected", &[("reason", reason)]);
    assert_eq!((rejected("out_of_range"), rejected("nan")), (8.0, 2.0));
}

#[test]
fn a_dynamic_counter_is_one_family_wherever_it_is_written() {
    let _scope = scope();
    for _ in 0..2 {
        static HITS: Counter<Dynamic> = Counter::dynamic("test.dynamic", "", &["tier"]);
        HITS.add_ordered(2, &(&"l1", ()));
    }
    static AGAIN: Counter<Dynamic> = Counter::dynamic("test.dynamic", "", &["tier"]);
    AGAIN.with_labels(&[("tier", "7")]).add(3);
    let snapshot = Registry::global().snapshot();
    assert_eq!(number(&snapshot, "test.dynamic", &[("tier", "l1")]), Some(4.0));
    assert_eq!(number(&snapshot, "test.dynamic", &[("tier", "7")]), Some(3.0));
}

mod removal {
    use std::{
        collections::HashMap,
        sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
        time::Duration,
    };

    use proptest::prelude::*;

    use super::*;
    use crate::clock::{self, ManualClock};

    #[test]
    fn a_removed_series_is_off_the_page_until_a_stale_handle_brings_it_back_from_zero() {
        let registry = Registry::new();
        let counter = registry.counter::<Route<'_>>("c", "", Unit::NONE).unwrap();
        let handle = counter.bind(Route("/a"));
        handle.add(5);
        assert!(counter.remove(Route("/a")));
        assert!(!counter.remove(Route("/never")));
        assert_eq!(number(&registry.snapshot(), "c", &[("route", "/a")]), None);
        handle.add(2);
        assert_eq!(number(&registry.snapshot(), "c", &[("route", "/a")]), Some(2.0));
        counter.with(Route("/a")).add(1);
        assert_eq!(number(&registry.snapshot(), "c", &[("route", "/a")]), Some(3.0));
        assert_eq!(handle.value(), 3);
    }

    fn texts(series: Vec<crate::label::LabelSet>) -> Vec<String> {
        series.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_series_that_are_not_kept_are_removed_and_the_others_listed() {
        let registry = Registry::builder().label("shard", "7").series_limit(3).build();
        let routes = registry.counter::<Route<'_>>("open", "", Unit::NONE).unwrap();
        let hits = registry.float_counter::<Hit>("closed", "", Unit::NONE).unwrap();
        let sizes = registry.histogram::<Route<'_>>("sizes", "", Unit::NONE).unwrap();
        let load = registry.gauge::<Route<'_>>("load", "", Unit::NONE).unwrap();
        for route in ["/a", "/b", "/c", "/beyond"] {
            routes.with(Route(route)).add(2);
            sizes.with(Route(route)).record(1.0);
            load.bind(Route(route)).set(1.0);
        }
        hits.with(Hit(true)).add(0.5);
        hits.with(Hit(false)).add(0.5);
        let handle = routes.bind(Route("/b"));
        let mut asked = 0;
        // Nothing is locked: it may record, into this instrument too.
        routes.retain(|labels| {
            routes.with(Route("/a")).inc();
            asked += 1;
            labels.get("route") != Some("/b")
        });
        sizes.retain(|labels| labels.get("route") == Some("/c"));
        load.retain(|_| false);
        hits.retain(|labels| labels.get("hit") == Some("true"));
        assert_eq!(asked, 3, "the overflow series is always kept");
        let rest = r#"{route="/a", shard="7"} {route="/c", shard="7"}"#;
        assert_eq!(texts(routes.series()).join(" "), rest);
        assert_eq!(texts(sizes.series()), [r#"{route="/c", shard="7"}"#]);
        assert_eq!(texts(hits.series()), [r#"{hit="true", shard="7"}"#]);
        assert_eq!(texts(load.series()), [""; 0]);
        let overflow = [("otel.metric.overflow", "true"), ("shard", "7")];
        assert_eq!(number(&registry.snapshot(), "open", &overflow), Some(2.0));
        handle.add(1);
        let back = number(&registry.snapshot(), "open", &[("route", "/b"), ("shard", "7")]);
        assert_eq!(back, Some(1.0), "who holds it brings it back, at zero");
        assert_eq!(routes.series().len(), 3);
    }

    #[test]
    fn a_question_that_panics_removes_nothing() {
        let registry = Registry::new();
        let routes = registry.counter::<Route<'_>>("c", "", Unit::NONE).unwrap();
        ["/a", "/b"].iter().for_each(|route| routes.with(Route(route)).inc());
        let ask = || routes.retain(|labels| labels.get("route") != Some("/b") && unanswered());
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(ask)).is_err());
        assert_eq!(routes.series().len(), 2);
    }

    fn unanswered() -> bool {
        panic!("no answer")
    }

    #[test]
    fn in_a_scope_its_own_series_are_listed_and_removed() {
        static SEEN: Counter<Route<'_>> = Counter::new("test.retain.seen", "");
        assert!(SEEN.series().is_empty());
        SEEN.with(Route("/outside")).inc();
        let scope = crate::testing::scope();
        SEEN.with(Route("/inside")).inc();
        assert_eq!(texts(SEEN.series()), [r#"{route="/inside"}"#]);
        SEEN.retain(|_| false);
        assert!(SEEN.series().is_empty());
        drop(scope);
        assert_eq!(texts(SEEN.series()), [r#"{route="/inside"}"#, r#"{route="/outside"}"#]);
        SEEN.clear();
    }

    #[test]
    fn every_kind_begins_anew_after_it_was_removed() {
        let clock = ManualClock::new();
        let _installed = clock::enter(Some(clock.clone()));
        let registry = Registry::new();
        let counter = registry.counter::<Hit>("closed", "", Unit::NONE).unwrap();
        let money = registry.float_counter::<Route<'_>>("money", "", Unit::NONE).unwrap();
        let gauge = registry.gauge::<Route<'_>>("gauge", "", Unit::NONE).unwrap();
        let sizes = registry.histogram::<Route<'_>>("sizes", "", Unit::NONE).unwrap();
        let (bound_gauge, bound_sizes) = (gauge.bind(Route("/")), sizes.bind(Route("/")));
        let record = || {
            counter.bind(Hit(true)).add(3);
            money.with(Route("/")).add(0.25);
            bound_gauge.set(7.0);
            bound_sizes.record(1.0);
            bound_sizes.record(2.0);
        };
        let remove =
            || (counter.remove(Hit(true)), gauge.remove(Route("/")), sizes.remove(Route("/")));
        record();
        clock.advance(Duration::from_secs(5));
        let removed_at = clock.now();
        assert_eq!((remove(), money.remove(Route("/"))), ((true, true, true), true));
        let empty = registry.snapshot();
        assert!(empty.families().iter().all(|family| family.series().is_empty()), "{empty:?}");
        record();
        clock.advance(Duration::from_secs(5));
        let snapshot = registry.snapshot();
        let values = ["closed", "money", "gauge", "sizes"].map(|name| {
            let series = &snapshot.family(name).unwrap().series()[0];
            assert!(name == "gauge" || series.started() == removed_at, "{name}");
            series.value().as_f64()
        });
        assert_eq!(values, [3.0, 0.25, 7.0, 2.0]);
    }

    #[test]
    fn a_series_that_nobody_can_write_to_leaves_its_room_to_others() {
        let registry = Registry::builder().series_limit(2).byte_budget(1_200).build();
        let counter = registry.counter::<Route<'_>>("c", "", Unit::NONE).unwrap();
        for n in 0..1_000_u64 {
            let route = format!("/{n}");
            counter.with(Route(&route)).add(n + 1);
            assert_eq!(
                number(&registry.snapshot(), "c", &[("route", &route)]),
                Some((n + 1) as f64),
                "it is a series of its own, and begins at zero"
            );
            counter.clear();
            // Another look-up lets this thread forget what was removed.
            counter.with(Route("/")).inc();
            let _ = registry.snapshot();
        }
        let series = registry.snapshot().family("c").unwrap().series().len();
        assert_eq!(series, 1, "no overflow, and nothing left");
    }

    #[test]
    fn a_handle_keeps_its_series_from_being_given_up() {
        let registry = Registry::with_series_limit(100);
        let counter = registry.counter::<Route<'_>>("c", "", Unit::NONE).unwrap();
        let handle = counter.bind(Route("/kept"));
        handle.inc();
        for round in 0..10 {
            counter.clear();
            let _ = registry.snapshot();
            (0..50).for_each(|n| counter.bind(Route(&format!("/{round}/{n}"))).inc());
        }
        handle.inc();
        let snapshot = registry.snapshot();
        assert_eq!(number(&snapshot, "c", &[("route", "/kept")]), Some(1.0));
        for n in 0..50 {
            let route = format!("/9/{n}");
            assert_eq!(number(&snapshot, "c", &[("route", &route)]), Some(1.0));
        }
    }

    #[test]
    fn no_increment_is_lost_while_its_series_is_removed_again_and_again() {
        const THREADS: u64 = 4;
        const TIMES: u64 = 50_000;
        let family = open_family(Kind::Counter, &["route"], 100);
        let set = family.open().unwrap();
        let visit = |each: &mut dyn FnMut(&str)| each("/");
        let add = |id| {
            if !cells::add(id, 1) {
                cells::add_slow(id, 1);
            }
        };
        let storage = cells::current_storage();
        let sum = |id| storage.reader().sum(id);
        // What was on the page when it was removed, over all removals.
        let (removed, done) = (AtomicU64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            let worker = |n| {
                let handle = handle::Handle::of(family, &visit, || 0);
                for time in 0..TIMES {
                    match time % 2 == n % 2 {
                        true => lookup::with_series(set, visit, add),
                        false => add(handle.id()),
                    }
                }
            };
            let workers: Vec<_> = (0..THREADS).map(|n| scope.spawn(move || worker(n))).collect();
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    set.remove(&visit, |series| {
                        let held = storage.remove_sum(series.id, |reader| reader.sum(series.id));
                        removed.fetch_add(held, SeqCst);
                    });
                    family.sweep();
                }
            });
            workers.into_iter().for_each(|worker| worker.join().unwrap());
            done.store(true, SeqCst);
        });
        let left: u64 = set.list().entries().iter().map(|entry| sum(entry.id)).sum();
        assert_eq!(removed.load(SeqCst) + left, THREADS * TIMES);
    }

    #[test]
    fn an_idle_series_expires_and_one_that_changes_does_not() {
        static SEEN: Counter<Dynamic> = Counter::dynamic("test.expire.seen", "", &["who"])
            .expire_after(Duration::from_secs(60));
        static CLOSED: Counter<Hit> =
            Counter::new("test.expire.closed", "").expire_after(Duration::from_secs(60));
        let scope = crate::testing::scope();
        let busy = SEEN.bind_labels(&[("who", "busy")]);
        let quiet = SEEN.bind_labels(&[("who", "quiet")]);
        quiet.inc();
        CLOSED.bind(Hit(true)).inc();
        for second in 0..70 {
            busy.inc();
            scope.advance(Duration::from_secs(1));
            let there = scope.snapshot().value("test.expire.seen", &[("who", "quiet")]).is_some();
            assert_eq!(there, second < 60, "after {} s", second + 1);
        }
        scope.assert_value("test.expire.seen", &[("who", "busy")], 70.0);
        scope.assert_value("test.expire.closed", &[("hit", "true")], 1.0);
        quiet.add(4);
        scope.assert_value("test.expire.seen", &[("who", "quiet")], 4.0);
    }

    #[test]
    fn a_scope_removes_its_own_and_nothing_else() {
        static SEEN: Counter<Dynamic> = Counter::dynamic("test.remove.scoped", "", &["who"]);
        let outside = SEEN.bind_labels(&[("who", "me")]);
        outside.add(7);
        {
            let scope = crate::testing::scope();
            SEEN.with_labels(&[("who", "me")]).inc();
            SEEN.clear();
            assert!(scope.snapshot().value("test.remove.scoped", &[("who", "me")]).is_none());
        }
        let _ = Registry::global().snapshot();
        assert_eq!(outside.value(), 7);
    }

    fn pinned(family: &'static SeriesFamily, value: &'static str) -> Pin {
        match family.open().unwrap().find_or_add(&|each| each(value)) {
            Found::Series(pin) => pin,
            Found::Overflow(_) => panic!("overflow"),
        }
    }

    fn add(pin: &Pin, n: u64) {
        let id = pin.series().id;
        if !cells::add(id, n) {
            cells::add_slow(id, n);
        }
    }

    #[test]
    fn a_reader_that_began_before_an_id_changed_hands_takes_no_base_of_the_last_series() {
        let storage = cells::current_storage();
        let family = open_family(Kind::Counter, &["a"], 10);
        let first = pinned(family, "first");
        add(&first, 100);
        assert!(family.remove_series(&storage, &|each| each("first"), || 0));
        let reader = storage.reader(); // A snapshot begins, and has not come to this family yet.
        let id = first.series().id;
        drop(first);
        family.sweep(); // Another thread's removal or snapshot.
        let second = pinned(family, "second");
        assert_eq!(second.series().id, id, "the id is that of the first series");
        add(&second, 5);
        let read = family.read(&storage, &reader);
        let values: Vec<f64> = read.series().iter().map(|series| series.value().as_f64()).collect();
        assert_eq!(values, [5.0]);
    }

    #[test]
    fn a_series_that_was_removed_and_looked_up_again_counts_against_the_limit() {
        let family = open_family(Kind::Counter, &["a"], 2);
        let storage = cells::current_storage();
        let _kept: Vec<_> = ["a", "b"].map(|value| pinned(family, value)).into();
        for value in ["a", "b"] {
            family.remove_series(&storage, &|each| each(value), || 0);
        }
        let _again: Vec<_> = ["a", "b"].map(|value| pinned(family, value)).into();
        let third = family.open().unwrap().find_or_add(&|each| each("c"));
        assert!(matches!(third, Found::Overflow(_)), "two are live, and two is the limit");
    }

    #[test]
    fn threads_that_rest_do_not_keep_room_from_new_series() {
        static REST: Counter<Dynamic> =
            Counter::dynamic("test.removal.rest", "", &["a"]).series_limit(2);
        let (go, wait) = crossbeam_channel::bounded::<()>(0);
        thread::scope(|scope| {
            for round in 0..2 {
                let (done, is_done) = crossbeam_channel::bounded::<()>(0);
                let wait = wait.clone();
                scope.spawn(move || {
                    for n in 0..2 {
                        REST.with_labels(&[("a", &format!("{round}/{n}"))]).inc();
                    }
                    done.send(()).unwrap();
                    let _ = wait.recv();
                });
                is_done.recv().unwrap();
                REST.clear();
            }
            REST.with_labels(&[("a", "new")]).inc();
            let snapshot = Registry::global().snapshot();
            let new = snapshot.value("test.removal.rest", &[("a", "new")]).map(SeriesValue::as_f64);
            drop(go);
            assert_eq!(new, Some(1.0), "no series is live but this one");
        });
    }

    #[test]
    fn a_sum_that_comes_back_to_zero_stays_in_a_scope_too() {
        static BACK: UpDownCounter = UpDownCounter::new("test.removal.back", "");
        BACK.add(1);
        let _ = Registry::global().snapshot();
        let _scope = scope();
        BACK.add(5);
        let value = || {
            let snapshot = Registry::global().snapshot();
            snapshot.value("test.removal.back", &[]).map(SeriesValue::as_f64)
        };
        assert_eq!(value(), Some(5.0));
        BACK.add(-5);
        assert_eq!(value(), Some(0.0));
    }

    #[test]
    fn an_up_down_counter_that_is_held_does_not_expire_and_what_changed_meanwhile_is_not_swallowed()
    {
        static HELD: UpDownCounter<Dynamic> =
            UpDownCounter::dynamic("test.expire.held", "", &["k"])
                .expire_after(Duration::from_secs(1));
        let scope = crate::testing::scope();
        let held = HELD.bind_labels(&[("k", "v")]).hold();
        for _ in 0..3 {
            let _ = scope.snapshot();
            scope.advance(Duration::from_secs(2));
        }
        scope.assert_value("test.expire.held", &[("k", "v")], 1.0);
        drop(held);
        scope.assert_value("test.expire.held", &[("k", "v")], 0.0);
        let storage = cells::Storage::new(true);
        let _entered = cells::enter(Some(storage.clone()));
        let family = open_family(Kind::Counter, &["a"], 10);
        let pin = pinned(family, "late");
        add(&pin, 3);
        let held = |reader: &cells::Reader| reader.sum(pin.series().id);
        let swallowed = storage.remove_sum_if(pin.series().id, held, |held, base| held - base == 2);
        assert_eq!((swallowed, storage.reader().sum(pin.series().id)), (None, 3));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Inc(u8, u8),
        Bound(u8),
        Remove(u8),
        Clear,
        Snapshot,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0..6u8, 1..9u8).prop_map(|(route, n)| Step::Inc(route, n)),
            2 => (0..6u8).prop_map(Step::Bound),
            2 => (0..6u8).prop_map(Step::Remove),
            1 => Just(Step::Clear),
            2 => Just(Step::Snapshot),
        ];
        prop::collection::vec(step, 1..120)
    }

    proptest! {
        #[test]
        fn series_that_come_and_go_match_a_map(steps in steps()) {
            let registry = Registry::new();
            let counter = registry.counter::<Route<'_>>("c", "", Unit::NONE).unwrap();
            let names: Vec<String> = (0..6).map(|n| format!("/{n}")).collect();
            let mut handles = HashMap::new();
            let mut twin: HashMap<u8, u64> = HashMap::new();
            for step in steps {
                match step {
                    Step::Inc(route, n) => {
                        counter.with(Route(&names[usize::from(route)])).add(n.into());
                        *twin.entry(route).or_default() += u64::from(n);
                    }
                    Step::Bound(route) => {
                        let bind = || counter.bind(Route(&names[usize::from(route)]));
                        handles.entry(route).or_insert_with(bind).inc();
                        *twin.entry(route).or_default() += 1;
                    }
                    Step::Remove(route) => {
                        counter.remove(Route(&names[usize::from(route)]));
                        twin.remove(&route);
                    }
                    Step::Clear => {
                        counter.clear();
                        twin.clear();
                        handles.clear();
                    }
                    Step::Snapshot => {
                        let snapshot = registry.snapshot();
                        for (route, name) in names.iter().enumerate() {
                            let ours = number(&snapshot, "c", &[("route", name)]);
                            let known = twin.get(&(route as u8)).map(|&sum| sum as f64);
                            prop_assert_eq!(ours.filter(|&sum| sum > 0.0), known);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn ten_thousand_label_sets_beyond_the_limit_are_in_the_overflow_series_to_the_last() {
    let registry = Registry::with_series_limit(100);
    let counter = registry.counter::<Route<'_>>("c", "", Unit::NONE).unwrap();
    let known = counter.bind(Route("/known"));
    (0..10_000).for_each(|n| counter.with(Route(&format!("/{n}"))).add(3));
    known.inc();
    let snapshot = registry.snapshot();
    assert_eq!(number(&snapshot, "c", &[("route", "/known")]), Some(1.0));
    assert_eq!(
        number(&snapshot, "c", &[("otel.metric.overflow", "true")]),
        Some(3.0 * (10_000.0 - 99.0))
    );
}

#[test]
fn a_registry_stays_within_its_bytes() {
    let registry = Registry::builder().series_limit(1 << 20).byte_budget(100_000).build();
    for name in ["a", "b"] {
        let counter = registry.counter::<Route<'_>>(name, "", Unit::NONE).unwrap();
        (0..5_000).for_each(|n| counter.with(Route(&format!("/{n}"))).inc());
    }
    let snapshot = registry.snapshot();
    let series = ["a", "b"].map(|name| snapshot.family(name).unwrap().series().len());
    assert!(series[0] + series[1] < 1_300 && series[0] > 900, "{series:?}");
    let overflow = number(&snapshot, "b", &[("otel.metric.overflow", "true")]);
    assert_eq!(overflow, Some(5_000.0), "the first family took all that there is");
}

#[test]
fn constant_labels_are_on_every_series_and_lose_against_its_own() {
    let registry = Registry::builder().label("region", "eu").label("route", "lost").build();
    registry.counter::<()>("plain", "", Unit::NONE).unwrap().inc();
    registry.counter::<Hit>("closed", "", Unit::NONE).unwrap().bind(Hit(true)).inc();
    registry.gauge::<Route<'_>>("open", "", Unit::NONE).unwrap().with(Route("/a")).set(2.0);
    let snapshot = registry.snapshot();
    let labels = ["plain", "closed", "open"]
        .map(|name| snapshot.family(name).unwrap().series()[0].labels().to_string());
    assert_eq!(
        labels,
        [
            r#"{region="eu", route="lost"}"#,
            r#"{hit="true", region="eu", route="lost"}"#,
            r#"{region="eu", route="/a"}"#
        ]
    );
}

#[test]
fn a_counter_of_fractions_adds_them_over_threads() {
    let registry = Registry::new();
    let money = registry.float_counter::<()>("money", "", Unit::NONE).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1_000).for_each(|_| money.add(0.25)));
        }
    });
    for odd in [-1.0, f64::NAN, f64::INFINITY, 0.0] {
        money.add(odd);
    }
    assert_eq!(money.value(), 1_000.0);
    assert_eq!(number(&registry.snapshot(), "money", &[]), Some(1_000.0));
}

mod histograms {
    use proptest::prelude::*;

    use super::*;

    fn nearest_rank(sorted: &[f64], q: f64) -> f64 {
        let rank = (q * sorted.len() as f64).ceil() as usize;
        sorted[rank.clamp(1, sorted.len()) - 1]
    }

    fn check(values: &mut [f64]) -> Result<(), TestCaseError> {
        let registry = Registry::new();
        let histogram = registry.histogram::<()>("h", "", Unit::NONE).unwrap();
        values.iter().for_each(|&value| histogram.record(value));
        let snapshot = histogram.snapshot();
        values.sort_by(f64::total_cmp);
        prop_assert_eq!(snapshot.count(), values.len() as u64);
        for q in [0.0, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let (ours, exact) = (snapshot.quantile(q).unwrap(), nearest_rank(values, q));
            prop_assert!((ours / exact - 1.0).abs() <= 0.01, "q {}: {} for {}", q, ours, exact);
        }
        let sum: f64 = values.iter().sum();
        prop_assert!((snapshot.sum() / sum - 1.0).abs() < 1e-9);
        Ok(())
    }

    proptest! {
        #[test]
        fn quantiles_are_within_one_percent_of_the_sorted_values(
            mut values in prop::collection::vec((-29.8f64..39.8).prop_map(f64::exp2), 1..600)
        ) {
            check(&mut values)?;
        }

        #[test]
        fn quantiles_of_close_values_are_within_one_percent(
            mut values in prop::collection::vec(0.9f64..1.1, 1..600)
        ) {
            check(&mut values)?;
        }

        #[test]
        fn a_merge_is_what_one_histogram_of_both_would_be(
            left in prop::collection::vec(0.0f64..1e3, 0..300),
            right in prop::collection::vec(0.0f64..1e3, 0..300),
        ) {
            let both: Vec<f64> = left.iter().chain(&right).copied().collect();
            let mut merged = HistogramSnapshot::of(&left);
            merged.merge(&HistogramSnapshot::of(&right));
            let whole = HistogramSnapshot::of(&both);
            prop_assert!(merged.buckets().eq(whole.buckets()));
            let rest = whole.since(&HistogramSnapshot::of(&left));
            prop_assert!(rest.buckets().eq(HistogramSnapshot::of(&right).buckets()));
        }
    }

    #[test]
    fn values_out_of_range_are_counted_with_the_edge_as_their_quantile() {
        let registry = Registry::new();
        let histogram = registry.histogram::<()>("h", "", Unit::NONE).unwrap();
        for _ in 0..200 {
            [0.0, 1e-12, 1e15].into_iter().for_each(|value| histogram.record(value));
        }
        let snapshot = histogram.snapshot();
        assert_eq!((snapshot.count(), snapshot.quantile(0.1)), (600, Some(0.0)));
        assert_eq!(snapshot.quantile(0.5), Some(2f64.powi(-30)));
        assert_eq!(snapshot.quantile(1.0), Some(2f64.powi(40)));
        assert_eq!((snapshot.min(), snapshot.max()), (Some(0.0), Some(1e15)), "these are exact");
    }
}

#[test]
fn the_same_keys_with_other_values_are_a_conflict() {
    /// The key of [`Hit`] with `N` values, or any number of them where `N` is 0.
    struct Keyed<const N: usize>;
    impl<const N: usize> Labels for Keyed<N> {
        const KEYS: &'static [&'static str] = Hit::KEYS;
        const CARDINALITY: Option<usize> = if N == 0 { None } else { Some(N) };

        fn index(&self) -> usize {
            N - 1
        }

        fn visit(&self, each: &mut dyn FnMut(&str)) {
            each("last");
        }

        fn at(index: usize) -> Vec<std::borrow::Cow<'static, str>> {
            vec![index.to_string().into()]
        }
    }
    let registry = Registry::new();
    let hits = registry.counter::<Hit>("c", "", Unit::NONE).unwrap();
    let neighbour = registry.counter::<()>("neighbour", "", Unit::NONE).unwrap();
    hits.bind(Hit(true)).inc();
    assert!(registry.counter::<Keyed<5>>("c", "", Unit::NONE).is_err());
    assert!(registry.counter::<Keyed<0>>("c", "", Unit::NONE).is_err());
    let open = registry.counter::<Keyed<0>>("open", "", Unit::NONE).unwrap();
    open.bind(Keyed).inc();
    assert!(registry.counter::<Hit>("open", "", Unit::NONE).is_err());
    assert_eq!((hits.bind(Hit(true)).value(), neighbour.value()), (1, 0));
}

#[test]
fn the_largest_numbers_leave_the_sum_a_number() {
    let registry = Registry::new();
    let histogram = registry.histogram::<()>("h", "", Unit::NONE).unwrap();
    (0..200).for_each(|_| histogram.record(f64::MAX));
    let snapshot = histogram.snapshot();
    assert_eq!(snapshot.count(), 200);
    assert!(snapshot.sum().is_finite());
    assert_eq!(snapshot.since(&snapshot).sum(), 0.0);
}

#[test]
fn a_callback_may_tell_of_so_many_series_and_of_legal_keys_only() {
    let registry = Registry::with_series_limit(3);
    let observe = |to: &mut Observations| {
        (0..10).for_each(|n| to.observe(f64::from(n), &[("n", &n.to_string())]));
        to.observe(1.0, &[("bad key\n{", "")]);
        to.observe(7.0, &[("n", "2")]);
    };
    let _observer = registry.observe(Kind::Gauge, "g", "", Unit::NONE, observe).unwrap();
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.family("g").unwrap().series().len(), 3);
    assert_eq!(number(&snapshot, "g", &[("n", "2")]), Some(7.0));
}

#[test]
fn what_is_disabled_is_not_shown_and_takes_no_memory() {
    let storage = cells::Storage::new(true);
    for id in [cells::DISABLED, cells::DISABLED - 7, cells::UNREGISTERED] {
        storage.show(cells::Space::Sum, id);
        storage.show(cells::Space::Histogram, id);
        assert!(!storage.reader().is_shown(cells::Space::Sum, id));
        assert!(!storage.reader().is_shown(cells::Space::Histogram, id));
    }
}

#[test]
fn a_reader_from_before_a_removal_does_not_bring_the_series_back() {
    let (storage, family) = (cells::Storage::new(true), open_family(Kind::Counter, &["a"], 10));
    let _entered = cells::enter(Some(storage.clone()));
    let Found::Series(pin) = family.open().unwrap().find_or_add(&|each| each("x")) else {
        panic!("no room");
    };
    let id = pin.series().id;
    cells::add_slow(id, 1);
    let before = storage.reader();
    assert!(family.remove_series(&storage, &|each| each("x"), || 0));
    assert!(family.value(&storage, &before, id, false).is_some(), "it is in the reading before");
    assert!(!storage.reader().is_shown(cells::Space::Sum, id));
    assert!(family.value(&storage, &storage.reader(), id, false).is_none());
}
