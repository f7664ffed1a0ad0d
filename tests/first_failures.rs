//! A first failure counts: a sum that appears while a rule watches counts from zero.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use bellwether::{
    Counter, Histogram,
    alert::{AlertState::Firing, AlertState::Resolved, Rule, series},
    context::Outcome,
    label::Dynamic,
    metric::{Observations, Registry},
    testing,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

static FAILURES: Counter = Counter::new("first.failures", "");
static ERRORS: Counter<Dynamic> = Counter::dynamic("first.errors", "", &["kind"]);
static QUERIES: Histogram<Outcome> = Histogram::new("first.query.duration", "");

/// Lets so many seconds pass, each with a tick.
fn tick(scope: &testing::Scope, alerts: &mut testing::Alerts, n_seconds: u32) {
    for _ in 0..n_seconds {
        scope.advance(SECOND);
        alerts.tick();
    }
}

#[test]
fn one_failure_after_two_quiet_minutes_is_an_increase_of_one_and_is_over_a_minute_later() {
    let scope = testing::scope();
    let rule = Rule::new("Failed", series("first.failures").increase(MINUTE).above(0.0));
    let mut alerts = scope.alerts(vec![rule]).unwrap();
    let mut seconds = |n: u32| {
        tick(&scope, &mut alerts, n);
        alerts.alerts().iter().map(|alert| (alert.state(), alert.value())).collect::<Vec<_>>()
    };
    assert_eq!(seconds(120), []);
    FAILURES.inc();
    assert_eq!(seconds(1), [(Firing, 1.0)]);
    assert_eq!(seconds(59), [(Firing, 1.0)]);
    assert_eq!(seconds(1)[0].0, Resolved);
}

#[test]
fn a_thousand_errors_under_a_new_label_are_a_rate() {
    let scope = testing::scope();
    ERRORS.with_labels(&[("kind", "known")]).add(5);
    let rule = Rule::new("Errors", series("first.errors").rate(MINUTE).above(1.0));
    let mut alerts = scope.alerts(vec![rule]).unwrap();
    let mut seconds = |n: u32| {
        tick(&scope, &mut alerts, n);
        alerts.alerts().iter().map(|alert| alert.labels().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(seconds(120), [""; 0], "what was there at the first tick is no increase");
    ERRORS.with_labels(&[("kind", "new")]).add(1_000);
    let firing = seconds(1);
    assert!(firing.len() == 1 && firing[0].contains(r#"kind="new""#), "{firing:?}");
}

#[test]
fn a_series_that_was_removed_and_came_back_counts_what_it_has_since() {
    let scope = testing::scope();
    let one = [("kind", "one")];
    let rule = Rule::new("Errors", series("first.errors").increase(MINUTE).above(0.0));
    let mut alerts = scope.alerts(vec![rule]).unwrap();
    let mut tick = || {
        scope.advance(SECOND);
        alerts.tick();
        alerts.alerts().iter().map(|alert| alert.value()).collect::<Vec<_>>()
    };
    tick();
    ERRORS.with_labels(&one).add(5);
    assert_eq!(tick(), [5.0]);
    ERRORS.remove_labels(&one);
    ERRORS.with_labels(&one).add(9);
    assert_eq!(tick(), [14.0], "it did not fall, and began anew");
}

#[test]
fn the_first_value_of_a_histogram_has_quantiles() {
    let scope = testing::scope();
    let slow = series("first.query.duration").p99(MINUTE).above(1.0);
    let mut alerts = scope.alerts(vec![Rule::new("Slow", slow)]).unwrap();
    tick(&scope, &mut alerts, 10);
    QUERIES.bind(Outcome::Error).record(2.0);
    tick(&scope, &mut alerts, 1);
    assert_eq!(alerts.alerts().len(), 1);
}

#[test]
fn a_total_that_a_callback_reads_elsewhere_is_no_increase_when_it_appears() {
    static RECEIVED: AtomicU64 = AtomicU64::new(0);
    let read = |to: &mut Observations| {
        let received = RECEIVED.load(Relaxed);
        if received > 0 {
            to.observe(received as f64, &[("device", "eth1")]);
        }
    };
    let received = Registry::global().counter("first.received", "").observe(read).unwrap();
    let scope = testing::scope();
    let rule = Rule::new("Floods", series("first.received").increase(MINUTE).above(0.0));
    let mut alerts = scope.alerts(vec![rule]).unwrap();
    let mut seconds = |n: u32| {
        tick(&scope, &mut alerts, n);
        alerts.alerts().iter().map(|alert| (alert.state(), alert.value())).collect::<Vec<_>>()
    };
    assert_eq!(seconds(120), []);
    RECEIVED.store(1_000_000_000, Relaxed); // A device that was there before the process.
    assert_eq!(seconds(10), []);
    RECEIVED.fetch_add(7, Relaxed);
    assert_eq!(seconds(1), [(Firing, 7.0)]);
    assert_eq!(seconds(61)[0].0, Resolved);
    RECEIVED.store(5, Relaxed); // It began anew.
    let firing = seconds(1);
    assert_eq!((firing[0].0, firing[0].1), (Firing, 5.0));
    drop(received);
}
