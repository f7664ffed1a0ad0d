//! Steps of the wall clock: dates follow it, and nothing else does.
//!
//! The same story is told twice, with steps of the wall clock and without. What windows, rates,
//! differences, expiry and staleness come to is the same in both.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bellwether::{
    Counter, Histogram, Unit,
    alert::{Rule, series},
    collect::{Collector, Description, Failure, Reading, Source},
    export::prometheus::{Format, Page},
    label::Dynamic,
    metric::{Reader, Registry, Snapshot, Summary, Throughput},
    resource::Resource,
    testing::{self, Scope},
};

static ORDERS: Counter = Counter::new("steps.orders", "");
static PODS: Counter<Dynamic> =
    Counter::dynamic("steps.pods", "", &["pod"]).expire_after(Duration::from_secs(3));
static LATENCY: Histogram = Histogram::new("steps.latency", "").unit(Unit::Seconds);
static WAIT: Summary = Summary::new("steps.wait", "");
static SENT: Throughput = Throughput::new("steps.sent", "");

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DECADE: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

/// What the wall clock is set to in this second of the story, where it shows this.
type Step<'a> = &'a dyn Fn(u32, SystemTime) -> Option<SystemTime>;

/// Answers twice, and then never again.
struct Sensor(u32);

impl Collector for Sensor {
    fn families(&self) -> Vec<Description> {
        vec![Description::gauge("steps.sensor", "", Unit::NONE)]
    }

    fn collect(&mut self, to: &mut Reading) -> Result<(), Failure> {
        self.0 += 1;
        if self.0 > 2 {
            return Err(Failure::new("silent", "the sensor does not answer"));
        }
        to.observe("steps.sensor", f64::from(self.0), &[]);
        Ok(())
    }
}

/// What a minute and a half comes to, second by second; `each` is handed every snapshot.
fn story(step: Step<'_>, mut each: impl FnMut(&Scope, &Snapshot)) -> Vec<String> {
    let scope = testing::scope();
    let sources = Registry::new();
    let sensor = Source::new("sensor", Sensor(0)).stale_after(7 * SECOND);
    let _sensor = sensor.register(&sources).unwrap();
    let mut delta = Reader::delta(Registry::global());
    let rule = Rule::new("Slow", series("steps.orders").increase(10 * SECOND).above(10.0));
    let mut alerts = scope.alerts(vec![rule.for_duration(5 * SECOND)]).unwrap();
    let (mut lines, mut last) = (Vec::new(), scope.snapshot());
    for second in 0..90 {
        if let Some(to) = step(second, scope.clock().wall()) {
            scope.clock().step_wall(to);
        }
        ORDERS.add(u64::from(second % 5));
        PODS.with_labels(&[("pod", &format!("pod-{}", second / 10))]).inc();
        let span = bellwether::span("work").enter();
        LATENCY.record(f64::from(second));
        drop(span);
        WAIT.record(f64::from(second));
        SENT.mark(3);
        scope.advance(SECOND);
        let snapshot = scope.snapshot();
        each(&scope, &snapshot);
        lines.push(told(&snapshot, &last, &delta.collect(), &sources.snapshot()));
        alerts.tick();
        lines.extend(alerts.alerts().iter().map(|alert| alert.state().as_str().to_owned()));
        last = snapshot;
    }
    lines
}

/// Everything that must not depend on the wall clock. A step takes a nanosecond, which no rate shows.
fn told(now: &Snapshot, last: &Snapshot, delta: &Snapshot, sources: &Snapshot) -> String {
    let values = |snapshot: &Snapshot| {
        let families = snapshot.families().iter().filter(|one| one.name().starts_with("steps."));
        let series = families.flat_map(|family| family.series());
        let values = series.map(|one| format!("{} {:.6}", one.labels(), one.value().as_f64()));
        values.collect::<Vec<_>>().join(", ")
    };
    let rate = now.since(last).rate("steps.orders", &[]).unwrap_or(0.0);
    let p50 = WAIT.quantile(10 * SECOND, 0.5);
    let sent = SENT.rate(60 * SECOND);
    let (now, delta, sources) = (values(now), values(delta), values(sources));
    format!("{now} {delta} {sources} {rate:.3} {p50:?} {sent:.3}")
}

/// The steps that machines and administrators make, each in a second of its own, and none otherwise.
fn known_steps(second: u32, wall: SystemTime) -> Option<SystemTime> {
    match second {
        11 => Some(wall - HOUR),
        23 => Some(wall + HOUR),
        37 => Some(wall + DECADE),
        51 => Some(UNIX_EPOCH),
        67 => Some(UNIX_EPOCH - SECOND),
        79 => Some(wall + DECADE),
        _ => None,
    }
}

/// Some date until 2100, another one for each number (SplitMix64, Steele et al. 2014).
fn random_date(number: u64) -> SystemTime {
    let mut bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    UNIX_EPOCH + Duration::from_nanos((bits ^ bits >> 31) % 4_100_000_000_000_000_000)
}

/// Compares line by line, for a short answer.
#[track_caller]
fn assert_same(told: &[String], expected: &[String]) {
    for (place, (told, expected)) in told.iter().zip(expected).enumerate() {
        assert_eq!(told, expected, "line {place}");
    }
    assert_eq!(told.len(), expected.len());
}

#[test]
fn windows_rates_differences_expiry_staleness_and_alerts_know_nothing_of_steps() {
    let without = story(&|_, _| None, |_, _| ());
    assert_same(&story(&known_steps, |_, _| ()), &without);
    for story_of in 0..12 {
        let random = |second, _| Some(random_date(story_of * 100 + u64::from(second)));
        assert_same(&story(&random, |_, _| ()), &without);
    }
    let fired = without.iter().any(|line| line == "firing");
    assert!(fired, "the story has an alert");
}

/// The date of each start, by the name of its family and its labels.
fn starts(snapshot: &Snapshot) -> BTreeMap<(String, String), u64> {
    let families = snapshot.families().iter();
    let of = |name: &str, one: &bellwether::metric::Series| {
        ((name.to_owned(), one.labels().to_string()), one.started().timestamp().unix_nanos())
    };
    families
        .flat_map(|family| family.series().iter().map(move |one| of(family.name(), one)))
        .collect()
}

fn nanos(date: SystemTime) -> u64 {
    date.duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// Dates follow the wall clock, ascend, and a start moves only if it would be in the future.
fn assert_dates(step: Step<'_>) {
    let (mut wall, mut before) = (u64::MAX, BTreeMap::new());
    story(step, |scope, snapshot| {
        let taken = snapshot.taken().timestamp().unix_nanos();
        assert_eq!(taken, nanos(scope.clock().wall()));
        let step_back = taken < wall;
        let starts = starts(snapshot);
        for (series, &started) in &starts {
            assert!(started <= taken, "{series:?} starts after the snapshot");
            let Some(&told) = before.get(series) else { continue };
            let held = started == told || step_back && started < told;
            assert!(held, "{series:?} started at {told}, and now at {started}");
        }
        let latency = snapshot.value("steps.latency", &[]).unwrap().as_histogram().unwrap();
        assert!(!latency.exemplars().is_empty());
        let dates =
            latency.exemplars().iter().map(|exemplar| exemplar.taken().timestamp().unix_nanos());
        assert!(dates.clone().all(|date| date <= taken));
        // The newest was recorded a second ago.
        assert_eq!(dates.max(), Some(taken - 1_000_000_000));
        (wall, before) = (taken, starts);
    });
}

#[test]
fn dates_follow_the_wall_clock_and_a_start_stands_still() {
    assert_dates(&known_steps);
    for story_of in 0..12 {
        assert_dates(&|second, _| Some(random_date(story_of * 100 + u64::from(second))));
    }
}

/// The lines of a page that say when a sum began.
fn created(page: &mut Page) -> Vec<String> {
    let text = page.render_registry(Registry::global(), &Resource::service("test"));
    let text = std::str::from_utf8(text).unwrap();
    let lines = text.lines().filter(|line| line.starts_with("steps_orders_created"));
    lines.map(str::to_owned).collect()
}

#[test]
fn created_stands_still_on_a_page_that_is_kept_and_on_one_that_is_new() {
    let scope = testing::scope();
    let mut kept = Page::new(Format::OpenMetrics);
    ORDERS.inc();
    let mut on_both = || {
        scope.advance(SECOND);
        let lines = created(&mut kept);
        assert_eq!(lines, created(&mut Page::new(Format::OpenMetrics)));
        lines.concat()
    };
    assert_eq!(on_both(), "steps_orders_created 1577836800.000");
    for (to, told) in [
        (scope.clock().wall() + HOUR, "1577836800.000"),
        (scope.clock().wall() + DECADE, "1577836800.000"),
        (scope.clock().wall(), "1577836800.000"),
        (scope.clock().wall() - HOUR, "1577833201.000"),
        (scope.clock().wall() + HOUR, "1577833201.000"),
        (UNIX_EPOCH, "0.000"),
        (scope.clock().wall(), "0.000"),
    ] {
        scope.clock().step_wall(to);
        assert_eq!(on_both(), format!("steps_orders_created {told}"));
    }
}
