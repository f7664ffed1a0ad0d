//! Series that are removed or expire, and come back.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use proptest::prelude::*;

use super::*;
use crate::testing;

#[test]
fn a_removed_series_is_off_the_page_until_a_stale_handle_brings_it_back_from_zero() {
    let registry = Registry::new();
    let counter = registry.counter("c", "").labels::<Route<'_>>().build().unwrap();
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
    let routes = registry.counter("open", "").labels::<Route<'_>>().build().unwrap();
    let hits = registry.float_counter("closed", "").labels::<Hit>().build().unwrap();
    let sizes = registry.histogram("sizes", "").labels::<Route<'_>>().build().unwrap();
    let load = registry.gauge("load", "").labels::<Route<'_>>().build().unwrap();
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
    let routes = registry.counter("c", "").labels::<Route<'_>>().build().unwrap();
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
    let scope = testing::scope();
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
    let scope = testing::scope();
    let clock = scope.clock().clone();
    let registry = Registry::new();
    let counter = registry.counter("closed", "").labels::<Hit>().build().unwrap();
    let money = registry.float_counter("money", "").labels::<Route<'_>>().build().unwrap();
    let gauge = registry.gauge("gauge", "").labels::<Route<'_>>().build().unwrap();
    let sizes = registry.histogram("sizes", "").labels::<Route<'_>>().build().unwrap();
    let (bound_gauge, bound_sizes) = (gauge.bind(Route("/")), sizes.bind(Route("/")));
    let record = || {
        counter.bind(Hit(true)).add(3);
        money.with(Route("/")).add(0.25);
        bound_gauge.set(7.0);
        bound_sizes.record(1.0);
        bound_sizes.record(2.0);
    };
    let remove = || (counter.remove(Hit(true)), gauge.remove(Route("/")), sizes.remove(Route("/")));
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
    let counter = registry.counter("c", "").labels::<Route<'_>>().build().unwrap();
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
    let counter = registry.counter("c", "").labels::<Route<'_>>().build().unwrap();
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

/// Says that it is done, when it is dropped.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
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
        // When a worker panics too: the remover ends, and the test with it.
        let ending = Ending(&done);
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
        drop(ending);
    });
    let left: u64 = set.list().entries().iter().map(|entry| sum(entry.id)).sum();
    assert_eq!(removed.load(SeqCst) + left, THREADS * TIMES);
}

#[test]
fn an_idle_series_expires_and_one_that_changes_does_not() {
    static SEEN: Counter<Dynamic> =
        Counter::dynamic("test.expire.seen", "", &["who"]).expire_after(Duration::from_secs(60));
    static CLOSED: Counter<Hit> =
        Counter::new("test.expire.closed", "").expire_after(Duration::from_secs(60));
    let scope = testing::scope();
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
        let scope = testing::scope();
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
fn an_up_down_counter_that_is_held_does_not_expire_and_what_changed_meanwhile_is_not_swallowed() {
    static HELD: UpDownCounter<Dynamic> =
        UpDownCounter::dynamic("test.expire.held", "", &["k"]).expire_after(Duration::from_secs(1));
    let scope = testing::scope();
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
        let counter = registry.counter("c", "").labels::<Route<'_>>().build().unwrap();
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
