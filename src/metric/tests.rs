//! Instruments, registries and snapshots together.

use std::thread;

use super::*;
use crate::label::Labels;

/// The test's own storage, so that tests of statics do not see each other.
fn scope() -> cell::Entered {
    cell::enter(Some(cell::Storage::new(true)))
}

#[derive(Clone, Copy)]
struct Route<'a>(&'a str);

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
struct Hit(bool);

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

fn number(snapshot: &Snapshot, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
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
fn no_two_live_threads_write_one_cell() {
    const THREADS: u64 = 16;
    let storage = cell::current_storage();
    let barrier = std::sync::Barrier::new(THREADS as usize + 1);
    // The threads of a later round adopt the tables of an earlier one; the series is new.
    for _ in 0..20 {
        let (counter, id) = counter_and_id();
        let cells = thread::scope(|scope| {
            let record = |amount| {
                barrier.wait();
                (0..1_000).for_each(|_| counter.add(amount));
                barrier.wait(); // All have recorded, and live until the cells are read.
                barrier.wait();
            };
            // Joined: the end of a scope does not wait until the tables are given back.
            let threads: Vec<_> =
                (0..THREADS).map(|n| scope.spawn(move || record(1 << n))).collect();
            barrier.wait();
            barrier.wait();
            let mut cells = storage.sums(id);
            barrier.wait();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            cells.sort_unstable();
            cells
        });
        let own: Vec<u64> = (0..THREADS).map(|n| 1_000 << n).collect();
        assert_eq!(cells, own);
    }
}

/// A counter, and the id of its only series.
fn counter_and_id() -> (Counter, u32) {
    let place = std::panic::Location::caller();
    let descriptor = instrument::Descriptor {
        name: "c",
        help: "",
        unit: Unit::NONE,
        kind: Kind::Counter,
        place,
        histogram: HistogramOptions::new(),
    };
    let family = Registry::new().register::<()>(&descriptor).unwrap();
    let instrument = instrument::Instrument::registered(descriptor, family);
    (Counter::from_instrument(instrument), family.base())
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
fn a_dynamic_counter_is_one_family_wherever_it_is_written() {
    let _scope = scope();
    for _ in 0..2 {
        static HITS: DynamicCounter = DynamicCounter::new("test.dynamic", &["tier"]);
        HITS.add(2, &[&"l1"]);
    }
    static AGAIN: DynamicCounter = DynamicCounter::new("test.dynamic", &["tier"]);
    AGAIN.add(3, &[&7u8]);
    let snapshot = Registry::global().snapshot();
    assert_eq!(number(&snapshot, "test.dynamic", &[("tier", "l1")]), Some(4.0));
    assert_eq!(number(&snapshot, "test.dynamic", &[("tier", "7")]), Some(3.0));
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
        assert_eq!(snapshot.max(), Some(2f64.powi(40)));
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
