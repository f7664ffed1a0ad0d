//! What is added up, of all threads, and what is no measurement.

use super::*;

#[test]
fn a_snapshot_has_the_exact_total_of_all_threads() {
    let registry = Registry::new();
    let counter = registry.counter("c", "").build().unwrap();
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
    let counter = registry.counter("c", "").labels::<Hit>().build().unwrap();
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
    let active = registry.up_down_counter("active", "").labels::<Hit>().build().unwrap();
    let bound = active.bind(Hit(false));
    bound.add(-3);
    assert_eq!(number(&registry.snapshot(), "active", &[("hit", "false")]), Some(-3.0));
    thread::spawn(move || bound.add(3)).join().unwrap();
    assert_eq!(number(&registry.snapshot(), "active", &[("hit", "false")]), Some(0.0));
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
fn a_counter_of_fractions_adds_them_over_threads() {
    let registry = Registry::new();
    let money = registry.float_counter("money", "").build().unwrap();
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

#[test]
fn the_largest_numbers_leave_the_sum_a_number() {
    let registry = Registry::new();
    let histogram = registry.histogram("h", "").build().unwrap();
    (0..200).for_each(|_| histogram.record(f64::MAX));
    let snapshot = histogram.snapshot();
    assert_eq!(snapshot.count(), 200);
    assert!(snapshot.sum().is_finite());
    assert_eq!(snapshot.since(&snapshot).sum(), 0.0);
}
