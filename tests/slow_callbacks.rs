//! Callbacks and sources that take longer than those who look would wait: what they tell is shown to
//! who looks next.
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    sync::{
        Mutex, MutexGuard,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use bellwether::{
    Unit,
    collect::{Collector, Description, Failure, Reading, Source},
    metric::{Observations, Observer, Registry},
    testing,
};

/// One thread of the process runs callbacks, and a first look holds it for half a second: one test at
/// a time, so that none looks in vain for its turn.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A gauge whose callback returns when the test sends a value.
fn gauge(registry: &Registry, name: &str) -> (Observer, Sender<f64>) {
    let (values, next) = channel();
    let next = Mutex::new(next);
    let observe = move |to: &mut Observations| {
        // The test is over when nobody sends any more.
        if let Ok(value) = next.lock().unwrap().recv() {
            to.observe(value, &[]);
        }
    };
    (registry.gauge(name, "").observe(observe).unwrap(), values)
}

fn value(registry: &Registry, name: &str) -> Option<f64> {
    registry.snapshot().value(name, &[]).map(|value| value.as_f64())
}

/// Looks until the value is the expected one: the callback returns in its own time. A look that waits
/// takes half a second, so that these are few.
fn look_until(look: impl Fn() -> Option<f64>, expected: f64) {
    let mut seen = None;
    for _ in 0..1_000 {
        thread::yield_now();
        seen = look();
        if seen == Some(expected) {
            return;
        }
    }
    panic!("it never becomes {expected}: {seen:?}");
}

#[test]
fn what_a_slow_callback_tells_is_shown_to_the_next_who_looks() {
    let _turn = turn();
    let registry = Registry::new();
    let (_observer, values) = gauge(&registry, "slow");
    assert_eq!(value(&registry, "slow"), None);
    for round in [1.0, 2.0, 3.0] {
        values.send(round).unwrap();
        look_until(|| value(&registry, "slow"), round);
        // The next run waits for its value: meanwhile the last one stands.
        assert_eq!(value(&registry, "slow"), Some(round));
    }
}

#[test]
fn a_callback_that_hangs_behind_all_others_hides_none_of_them() {
    let _turn = turn();
    let registry = Registry::builder().callback_patience(Duration::from_millis(200)).build();
    let observe = |to: &mut Observations| to.observe(7.0, &[]);
    let _quick = registry.gauge("quick", "").observe(observe).unwrap();
    let (_last, _hangs) = gauge(&registry, "stuck");
    let other = Registry::new();
    let _other = other.gauge("quick", "").observe(observe).unwrap();
    for _ in 0..3 {
        assert_eq!(value(&registry, "quick"), Some(7.0));
        assert_eq!(value(&other, "quick"), Some(7.0));
    }
}

#[test]
fn a_callback_that_hangs_hides_no_slow_one() {
    let _turn = turn();
    let registry = Registry::new();
    let (_first, hangs) = gauge(&registry, "a.hangs");
    let (_second, values) = gauge(&registry, "b.slow");
    let (_third, other) = gauge(&registry, "c.slow");
    let seen = ["a.hangs", "b.slow", "c.slow"].map(|name| value(&registry, name));
    assert_eq!(seen, [None; 3]);
    for round in [1.0, 2.0] {
        values.send(round).unwrap();
        other.send(round).unwrap();
        look_until(|| value(&registry, "b.slow"), round);
        look_until(|| value(&registry, "c.slow"), round);
        assert_eq!(value(&registry, "a.hangs"), None);
    }
    drop(hangs);
}

#[test]
fn a_slow_callback_that_is_quick_again_tells_the_present() {
    let _turn = turn();
    let registry = Registry::new();
    let (let_go, stuck) = channel::<()>();
    let state = Mutex::new((stuck, 0.0));
    let observe = move |to: &mut Observations| {
        let mut state = state.lock().unwrap();
        let _ = state.0.recv(); // Returns at once when the test has let go.
        state.1 += 1.0;
        to.observe(state.1, &[]);
    };
    let _observer = registry.gauge("slow", "").observe(observe).unwrap();
    assert_eq!(value(&registry, "slow"), None);
    drop(let_go);
    // Each look has a run of its own again, and waits for it.
    let (mut last, mut n_present) = (0.0, 0);
    for _ in 0..100_000 {
        let value = value(&registry, "slow").unwrap_or(0.0);
        n_present = if value == last + 1.0 { n_present + 1 } else { 0 };
        last = value;
        if n_present == 5 {
            return;
        }
    }
    panic!("the last run told {last}");
}

/// A source of two families that is read when the test sends a value.
struct Slow(Receiver<f64>);

impl Collector for Slow {
    fn families(&self) -> Vec<Description> {
        ["source.a", "source.b"].map(|name| Description::gauge(name, "", Unit::NONE)).into()
    }

    fn collect(&mut self, to: &mut Reading) -> Result<(), Failure> {
        let value = self.0.recv().map_err(|_| Failure::new("test", "the test is over"))?;
        to.observe("source.a", value, &[]);
        to.observe("source.b", value, &[]);
        Ok(())
    }
}

#[test]
fn all_families_of_a_slow_source_are_shown_to_the_next_who_looks() {
    let _turn = turn();
    let scope = testing::scope();
    let registry = Registry::new();
    let (values, next) = channel();
    let source = Source::new("slow", Slow(next)).cached_for(Duration::from_millis(10));
    let _registered = source.register(&registry).unwrap();
    // A reading is due at each look.
    let value = |name| {
        scope.advance(Duration::from_millis(10));
        value(&registry, name)
    };
    assert_eq!(value("source.a"), None);
    for round in [1.0, 2.0, 3.0] {
        values.send(round).unwrap();
        look_until(|| value("source.a"), round);
        look_until(|| value("source.b"), round);
        assert_eq!(value("source.a"), Some(round));
        assert_eq!(value("source.b"), Some(round));
    }
}

#[test]
fn what_a_callback_told_of_a_scope_is_shown_in_that_scope_alone() {
    let _turn = turn();
    let registry = Registry::new();
    let (_observer, values) = gauge(&registry, "slow");
    let scope = testing::scope();
    assert_eq!(value(&registry, "slow"), None);
    values.send(1.0).unwrap();
    look_until(|| value(&registry, "slow"), 1.0);
    let outside =
        thread::scope(|threads| threads.spawn(|| value(&registry, "slow")).join().unwrap());
    assert_eq!(outside, None);
    assert_eq!(value(&registry, "slow"), Some(1.0));
    drop(scope);
}
