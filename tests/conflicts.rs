//! Instruments that clash: each is told of, and what it would have recorded is counted by its name.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{collections::BTreeMap, process::Command, sync::mpsc};

use bellwether::{
    Counter, Gauge, Histogram, Labels, UpDownCounter,
    label::Dynamic,
    metric::{FloatCounter, StateSet, Summary},
};

#[derive(Labels, Clone, Copy)]
struct Route<'a> {
    route: &'a str,
}

#[derive(Labels, Clone, Copy)]
struct Hit {
    hit: bool,
}

#[derive(Labels, Clone, Copy)]
#[label(name = "phase")]
enum Phase {
    Up,
}

static TAKEN: Counter = Counter::new("taken", "");
static EARLY: Gauge = Gauge::new("taken", "");
static GAUGE: Gauge = Gauge::new("taken", "");
static HISTOGRAM: Histogram = Histogram::new("taken", "");
static SUMMARY: Summary = Summary::new("taken", "");
static FRACTIONS: FloatCounter = FloatCounter::new("taken", "");
static UP_DOWN: UpDownCounter = UpDownCounter::new("taken.total", "");
static OPEN: Counter<Route<'_>> = Counter::new("taken", "");
static CLOSED: Counter<Hit> = Counter::new("taken", "");
static DYNAMIC: Gauge<Dynamic> = Gauge::dynamic("taken", "", &["k"]);
static STATES: StateSet<Phase> = StateSet::new("taken", "");
static UNUSED: Histogram<Hit> = Histogram::new("taken", "");

/// How often each of the instruments is recorded into, in the order of the source.
const RECORDED: [f64; 11] = [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 4.0, 2.0, 2.0, 1.0, 0.0];

fn record() {
    GAUGE.set(1.0);
    GAUGE.add(1.0);
    HISTOGRAM.record(1.0);
    HISTOGRAM.record_ticks(1);
    drop(HISTOGRAM.start_timer());
    SUMMARY.record(1.0);
    FRACTIONS.add(0.5);
    FRACTIONS.add(0.5);
    UP_DOWN.inc();
    drop(UP_DOWN.hold()); // Up and down.
    OPEN.with(Route { route: "/" }).inc();
    let bound = OPEN.bind(Route { route: "/" });
    (0..3).for_each(|_| bound.clone().inc());
    CLOSED.with(Hit { hit: true }).inc();
    CLOSED.bind(Hit { hit: false }).inc();
    DYNAMIC.with_labels(&[("k", "v")]).set(1.0);
    DYNAMIC.bind_labels(&[("k", "v")]).set(1.0);
    STATES.set(Phase::Up);
    UNUSED.register();
}

/// Runs the test of this name in a process of its own, as conflicts stay for good; `true` in there.
fn is_alone(name: &str) -> Option<String> {
    if std::env::var_os("BELLWETHER_TEST_ALONE").is_some() {
        return None;
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "--nocapture", name]).env("BELLWETHER_TEST_ALONE", "1");
    let output = child.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    Some(told)
}

#[test]
fn a_clash_does_not_stop_the_start_and_each_instrument_is_told_and_counted_by_name_and_place() {
    let name =
        "a_clash_does_not_stop_the_start_and_each_instrument_is_told_and_counted_by_name_and_place";
    if let Some(told) = is_alone(name) {
        let lines = told.lines().filter(|line| line.contains("bellwether: conflict: "));
        assert_eq!(lines.count(), RECORDED.len(), "{told}");
        return;
    }
    TAKEN.add(7);
    EARLY.set(1.0);
    let telemetry = bellwether::builder("test").start().unwrap();
    record();
    let snapshot = telemetry.snapshot();
    assert_eq!(snapshot.value("taken", &[]).unwrap().as_f64(), 7.0);
    let family = snapshot.family("telemetry.instruments.refused").unwrap();
    let mut counts = BTreeMap::new();
    for series in family.series() {
        let labels = series.labels();
        assert!(labels.get("instrument").unwrap().starts_with("taken"), "{labels}");
        let place = labels.get("place").unwrap().strip_prefix("tests/conflicts.rs:").unwrap();
        let line: u32 = place.split_once(':').unwrap().0.parse().unwrap();
        counts.insert(line, series.value().as_f64());
    }
    assert_eq!(counts.into_values().collect::<Vec<_>>(), RECORDED);
    let all = snapshot.value("telemetry.measurements.rejected", &[("reason", "disabled")]);
    assert_eq!(all.unwrap().as_f64(), RECORDED.iter().sum::<f64>());
}

#[test]
fn a_hook_is_told_of_each_instrument_also_of_those_from_before_the_start() {
    let name = "a_hook_is_told_of_each_instrument_also_of_those_from_before_the_start";
    if is_alone(name).is_some() {
        return;
    }
    TAKEN.inc();
    EARLY.set(1.0);
    let (hook, told) = mpsc::channel();
    let builder = bellwether::builder("test").on_diagnostic(move |kind, text| {
        if kind == "conflict" {
            hook.send(text.to_owned()).unwrap();
        }
    });
    let _telemetry = builder.start().unwrap();
    (0..3).for_each(|_| record());
    let told: Vec<String> = told.try_iter().collect();
    assert_eq!(told.len(), RECORDED.len(), "{told:?}");
    assert!(told.iter().all(|text| text.matches("tests/conflicts.rs:").count() == 2), "{told:?}");
}

#[test]
fn what_is_refused_can_be_read_removed_and_listed_as_nothing() {
    let name = "what_is_refused_can_be_read_removed_and_listed_as_nothing";
    if is_alone(name).is_some() {
        return;
    }
    TAKEN.inc();
    record();
    assert_eq!((GAUGE.value(), UP_DOWN.value(), FRACTIONS.value()), (None, 0, 0.0));
    assert_eq!((HISTOGRAM.snapshot().count(), OPEN.bind(Route { route: "/" }).value()), (0, 0));
    assert!(!OPEN.remove(Route { route: "/" }));
    OPEN.clear();
    assert!(OPEN.series().is_empty());
    OPEN.retain(|_| false);
    CLOSED.show_all();
    assert_eq!(TAKEN.value(), 1);
}

/// Its own count is refused: nothing is counted, and nothing goes round in circles.
#[test]
fn a_name_of_ours_that_is_taken_costs_the_count_alone() {
    static OURS: Gauge = Gauge::new("telemetry.instruments.refused", "");
    let name = "a_name_of_ours_that_is_taken_costs_the_count_alone";
    if is_alone(name).is_some() {
        return;
    }
    OURS.set(3.0);
    TAKEN.inc();
    record();
    record();
    assert_eq!((OURS.value(), TAKEN.value()), (Some(3.0), 1));
}
