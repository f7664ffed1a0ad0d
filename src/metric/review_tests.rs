//! What a review found: series that change hands, limits, and differences.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};
use std::thread;

use super::{tests::open_family, *};
use crate::label::Dynamic;

fn scope() -> cell::Entered {
    cell::enter(Some(cell::Storage::new(true)))
}

fn pinned(family: &'static family::Family, value: &'static str) -> series::Pin {
    match family.open().unwrap().find_or_add(family, &|each| each(value)) {
        family::Found::Series(pin) => pin,
        family::Found::Overflow(_) => panic!("overflow"),
    }
}

fn add(pin: &series::Pin, n: u64) {
    let id = pin.series().id;
    if !cell::add(id, n) {
        cell::add_slow(id, n);
    }
}

#[test]
fn a_reader_that_began_before_an_id_changed_hands_takes_no_base_of_the_last_series() {
    let storage = cell::current_storage();
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
    let storage = cell::current_storage();
    let _kept: Vec<_> = ["a", "b"].map(|value| pinned(family, value)).into();
    for value in ["a", "b"] {
        family.remove_series(&storage, &|each| each(value), || 0);
    }
    let _again: Vec<_> = ["a", "b"].map(|value| pinned(family, value)).into();
    let third = family.open().unwrap().find_or_add(family, &|each| each("c"));
    assert!(matches!(third, family::Found::Overflow(_)), "two are live, and two is the limit");
}

#[test]
fn threads_that_rest_do_not_keep_room_from_new_series() {
    static REST: Counter<Dynamic> = Counter::dynamic("review.rest", "", &["a"]).series_limit(2);
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
        let new = snapshot.value("review.rest", &[("a", "new")]).map(SeriesValue::as_f64);
        drop(go);
        assert_eq!(new, Some(1.0), "no series is live but this one");
    });
}

#[test]
fn a_difference_counts_what_a_callback_leaves_out_once_only_once() {
    let registry = Registry::new();
    let cycle = Arc::new(AtomicU64::new(0));
    let _observer = registry
        .observe(Kind::Counter, "o", "", Unit::NONE, {
            let cycle = cycle.clone();
            move |to| {
                to.observe(1.0, &[("a", "other")]);
                match cycle.load(SeqCst) {
                    0 => to.observe(100.0, &[("a", "x")]),
                    1 => {}
                    _ => to.observe(150.0, &[("a", "x")]),
                }
            }
        })
        .unwrap();
    let mut reader = Reader::delta(&registry);
    let mut sum = 0.0;
    for n in 0..3 {
        cycle.store(n, SeqCst);
        let read = reader.collect();
        sum += read.value("o", &[("a", "x")]).map_or(0.0, SeriesValue::as_f64);
    }
    assert_eq!(sum, 150.0, "the differences add up to the total");
}

#[test]
fn a_sum_that_comes_back_to_zero_stays_in_a_scope_too() {
    static BACK: UpDownCounter = UpDownCounter::new("review.back", "");
    BACK.add(1);
    let _ = Registry::global().snapshot();
    let _scope = scope();
    BACK.add(5);
    let value = || {
        let snapshot = Registry::global().snapshot();
        snapshot.value("review.back", &[]).map(SeriesValue::as_f64)
    };
    assert_eq!(value(), Some(5.0));
    BACK.add(-5);
    assert_eq!(value(), Some(0.0));
}

#[test]
fn a_guard_that_outlives_a_removal_does_not_make_the_series_negative() {
    static HELD: UpDownCounter = UpDownCounter::new("review.held", "");
    let _scope = scope();
    let held = HELD.hold();
    HELD.clear();
    drop(held);
    assert_eq!(HELD.value(), 0);
}
