//! Exemplars of counters, and those with labels of one's own, from the record to every reader.

use std::{
    sync::atomic::{
        AtomicBool,
        Ordering::{Acquire, Release},
    },
    thread,
    time::Duration,
};

use super::*;
use crate::{
    Counter, Histogram, Unit,
    context::{self, SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    label::{Dynamic, LabelSet},
    span,
    testing::{Scope, scope},
};

#[derive(Clone, bellwether_macros::Labels)]
struct Who {
    who: String,
}

#[derive(Clone, Copy, bellwether_macros::Labels)]
struct Hit {
    hit: bool,
}

/// The exemplar of a counter's series: its value, whether it has a trace, and its labels.
fn seen(snapshot: &Snapshot, name: &str, labels: &[(&str, &str)]) -> Option<(f64, bool, String)> {
    let wanted = LabelSet::new(labels.iter().map(|&(key, value)| (key.to_owned(), value)));
    let series = snapshot.family(name)?.series().iter().find(|one| *one.labels() == wanted)?;
    series.exemplar().map(told)
}

fn told(exemplar: &Exemplar) -> (f64, bool, String) {
    let labels: Vec<_> = exemplar.labels().map(|(key, value)| format!("{key}={value}")).collect();
    let has_trace = exemplar.trace_id().is_valid() && exemplar.span_id().is_valid();
    (exemplar.value(), has_trace, labels.join(","))
}

fn rejected(scope: &Scope, reason: &str) -> f64 {
    let snapshot = scope.snapshot();
    let value = snapshot.value("telemetry.exemplars.rejected", &[("reason", reason)]);
    value.map_or(0.0, SeriesValue::as_f64)
}

#[test]
fn a_counter_that_keeps_exemplars_has_the_newest_addition_of_a_sampled_span() {
    static PLAIN: Counter = Counter::new("test.exemplars.plain", "").exemplars();
    static CLOSED: Counter<Hit> = Counter::new("test.exemplars.closed", "").exemplars();
    static OPEN: Counter<Who> = Counter::new("test.exemplars.open", "").exemplars();
    static MONEY: FloatCounter<Dynamic> =
        FloatCounter::dynamic("test.exemplars.money", "", &["who"]).exemplars();
    static OTHER: Counter = Counter::new("test.exemplars.other", "");
    let scope = scope();
    let (hit, who) = (Hit { hit: true }, || Who { who: "a".to_owned() });
    let labels = [("who", "a")];
    let (closed, open) = (CLOSED.bind(hit), OPEN.bind(who()));
    let add = |n: u64| {
        PLAIN.add(n);
        CLOSED.with(hit).add(n);
        OPEN.with(who()).add(n);
        MONEY.with_labels(&labels).add(n as f64);
        OTHER.add(n);
    };
    add(1);
    let at = |name| seen(&scope.snapshot(), name, &[]);
    assert_eq!(at("test.exemplars.plain"), None, "no span");
    {
        let _span = span("work").enter();
        add(2);
        add(5);
        add(0);
    }
    add(7);
    let snapshot = scope.snapshot();
    let kept = Some((5.0, true, String::new()));
    assert_eq!(seen(&snapshot, "test.exemplars.plain", &[]), kept);
    assert_eq!(seen(&snapshot, "test.exemplars.closed", &[("hit", "true")]), kept);
    assert_eq!(seen(&snapshot, "test.exemplars.open", &labels), kept);
    assert_eq!(seen(&snapshot, "test.exemplars.money", &labels), kept);
    assert_eq!(seen(&snapshot, "test.exemplars.other", &[]), None);
    assert_eq!((PLAIN.value(), closed.value(), open.value()), (15, 15, 15));
    let _span = span("more").enter();
    closed.inc();
    open.add(3);
    let snapshot = scope.snapshot();
    let exemplar = seen(&snapshot, "test.exemplars.closed", &[("hit", "true")]).unwrap();
    assert_eq!((exemplar.0, closed.value()), (1.0, 16));
    assert_eq!(seen(&snapshot, "test.exemplars.open", &labels).unwrap().0, 3.0);
}

#[test]
fn a_counter_may_expire_and_keep_exemplars_and_its_overflow_series_keeps_them_too() {
    static BOTH: Counter<Dynamic> = Counter::dynamic("test.exemplars.both", "", &["who"])
        .exemplars()
        .expire_after(Duration::from_secs(60))
        .series_limit(1);
    let scope = scope();
    let _span = span("work").enter();
    BOTH.with_labels(&[("who", "a")]).add(2);
    BOTH.with_labels(&[("who", "b")]).add(3);
    let snapshot = scope.snapshot();
    let overflow = [("otel.metric.overflow", "true")];
    assert_eq!(seen(&snapshot, "test.exemplars.both", &[("who", "a")]).unwrap().0, 2.0);
    assert_eq!(seen(&snapshot, "test.exemplars.both", &overflow).unwrap().0, 3.0);
    scope.advance(Duration::from_secs(60));
    let snapshot = scope.snapshot();
    assert!(snapshot.value("test.exemplars.both", &[("who", "a")]).is_none());
    let again = BOTH.bind_labels(&[("who", "a")]);
    assert_eq!(seen(&scope.snapshot(), "test.exemplars.both", &[("who", "a")]), None);
    again.inc();
    assert_eq!(seen(&scope.snapshot(), "test.exemplars.both", &[("who", "a")]).unwrap().0, 1.0);
}

#[test]
fn any_counter_and_histogram_takes_an_exemplar_with_labels_of_its_own() {
    static COUNT: Counter<Who> = Counter::new("test.exemplars.own", "");
    static MONEY: FloatCounter = FloatCounter::new("test.exemplars.own.money", "");
    static TIME: Histogram<Dynamic> =
        Histogram::dynamic("test.exemplars.own.time", "", &["who"]).unit(Unit::Seconds);
    static SIZE: Histogram = Histogram::new("test.exemplars.own.size", "").bounds(&[1.0, 10.0]);
    let scope = scope();
    let (who, labels) = (|| Who { who: "a".to_owned() }, [("who", "a")]);
    let order = [("order_id", "7")];
    COUNT.bind(who()).add_with_exemplar(4, &order);
    MONEY.add_with_exemplar(2.5, &order);
    TIME.with_labels(&labels).record_with_exemplar(Duration::from_secs(2), &order);
    TIME.bind_labels(&labels).record_with_exemplar(20.0, &[("order_id", "8")]);
    SIZE.record_with_exemplar(12.0, &order);
    let snapshot = scope.snapshot();
    let own = |n, labels: &str| Some((n, false, labels.to_owned()));
    assert_eq!(seen(&snapshot, "test.exemplars.own", &labels), own(4.0, "order_id=7"));
    assert_eq!(seen(&snapshot, "test.exemplars.own.money", &[]), own(2.5, "order_id=7"));
    let time = snapshot.value("test.exemplars.own.time", &labels).unwrap().as_histogram().unwrap();
    assert_eq!((time.count(), time.sum()), (2, 22.0));
    let all: Vec<_> = time.exemplars().iter().map(told).collect();
    assert_eq!(
        all,
        [(2.0, false, "order_id=7".to_owned()), (20.0, false, "order_id=8".to_owned())]
    );
    assert_eq!(SIZE.snapshot().exemplars().iter().map(told).next(), own(12.0, "order_id=7"));
    let _span = span("work").enter();
    COUNT.with(who()).add_with_exemplar(1, &[("order_id", "9"), ("trace_id", "mine")]);
    let traced = seen(&scope.snapshot(), "test.exemplars.own", &labels);
    assert_eq!(traced, Some((1.0, true, "order_id=9".to_owned())));
    assert_eq!(rejected(&scope, "reserved_key"), 1.0);
    scope.advance(Duration::from_secs(1));
    SIZE.record(11.0);
    let newest = SIZE.snapshot().exemplars().iter().map(told).collect::<Vec<_>>();
    assert_eq!(newest, [(11.0, true, String::new())], "the next one of the bucket");
}

#[test]
fn what_is_not_recorded_or_says_nothing_leaves_no_exemplar() {
    static COUNT: Counter = Counter::new("test.exemplars.none", "");
    static MONEY: FloatCounter = FloatCounter::new("test.exemplars.none.money", "");
    static LOAD: Histogram =
        Histogram::new("test.exemplars.none.load", "").range(0.0, 1.0, OutOfRange::Drop);
    let scope = scope();
    let order = [("order_id", "7")];
    COUNT.add_with_exemplar(0, &order);
    COUNT.add_with_exemplar(1, &[("order_id", ""), ("", "x")]);
    COUNT.add_with_exemplar(1, &[("k", &"x".repeat(128))]);
    for n in [-1.0, f64::NAN, f64::INFINITY, 0.0] {
        MONEY.add_with_exemplar(n, &order);
        LOAD.record_with_exemplar(if n == 0.0 { 2.0 } else { n }, &order);
    }
    assert_eq!((COUNT.value(), MONEY.value(), LOAD.snapshot().count()), (2, 0.0, 0));
    let snapshot = scope.snapshot();
    assert_eq!(seen(&snapshot, "test.exemplars.none", &[]), None);
    assert_eq!(seen(&snapshot, "test.exemplars.none.money", &[]), None);
    assert!(LOAD.snapshot().exemplars().is_empty());
    assert_eq!((rejected(&scope, "too_long"), rejected(&scope, "empty_key")), (1.0, 1.0));
}

#[test]
fn a_removed_series_begins_without_an_exemplar() {
    static COUNT: Counter<Who> = Counter::new("test.exemplars.removed", "");
    static SIZE: Histogram<Who> = Histogram::new("test.exemplars.removed.size", "");
    let scope = scope();
    let who = || Who { who: "a".to_owned() };
    COUNT.with(who()).add_with_exemplar(1, &[("k", "v")]);
    SIZE.with(who()).record_with_exemplar(1.0, &[("k", "v")]);
    assert!(COUNT.remove(who()) && SIZE.remove(who()));
    COUNT.with(who()).inc();
    SIZE.with(who()).record(1.0);
    let snapshot = scope.snapshot();
    assert_eq!(seen(&snapshot, "test.exemplars.removed", &[("who", "a")]), None);
    let size = snapshot.value("test.exemplars.removed.size", &[("who", "a")]).unwrap();
    assert!(size.as_histogram().unwrap().exemplars().is_empty());
}

#[test]
fn what_exemplars_take_is_bounded_by_the_buckets_and_the_budget() {
    let registry = Registry::builder().byte_budget(64 * 1024).build();
    let sizes = registry.histogram("sizes", "").build().unwrap();
    for round in 0..3 {
        for exponent in -300..300 {
            let value = 1.5 * 2f64.powi(exponent);
            sizes.record_with_exemplar(value, &[("round", &round.to_string())]);
        }
    }
    let kept = sizes.snapshot();
    assert!((10..=64).contains(&kept.exemplars().len()), "{}", kept.exemplars().len());
    let is_newest = |one: &Exemplar| one.labels().eq([("round", "2")]);
    assert!(kept.exemplars().iter().all(is_newest));
    let limited = Registry::builder().byte_budget(600).build();
    let count = limited.counter("count", "").build().unwrap();
    count.add_with_exemplar(1, &[("k", "v")]);
    assert_eq!(seen(&limited.snapshot(), "count", &[]), None, "no room");
    assert_eq!(count.value(), 1);
}

#[test]
fn exemplars_that_are_gone_make_room_for_others() {
    let registry = Registry::builder().byte_budget(32 * 1024).build();
    let count = registry.counter("count", "").build().unwrap();
    for turn in 0..50 {
        let scope = scope();
        count.add_with_exemplar(1, &[("turn", "of a scope")]);
        assert!(seen(&registry.snapshot(), "count", &[]).is_some(), "scope {turn}");
        drop(scope);
    }
    for turn in 0..50 {
        count.add_with_exemplar(1, &[("turn", "before a removal")]);
        assert!(seen(&registry.snapshot(), "count", &[]).is_some(), "removal {turn}");
        count.clear();
    }
}

#[test]
fn of_merged_counters_the_newest_exemplar_stays_and_differences_have_new_ones_only() {
    let clock = crate::clock::ManualClock::new();
    let _installed = crate::clock::enter(Some(clock.clone()));
    let taken = |order: &str| {
        clock.advance(Duration::from_secs(1));
        let registry = Registry::new();
        let count = registry.counter("count", "").labels::<Who>().build().unwrap();
        count.bind(Who { who: order.to_owned() }).add_with_exemplar(1, &[("order_id", order)]);
        (registry, count)
    };
    let ((first, count), (second, _)) = (taken("1"), taken("2"));
    let view = View::new("count").keep_labels([""; 0]);
    let views = Views::new([view]).unwrap();
    let snapshots = [&first, &second].map(|registry| views.apply(registry.snapshot()));
    for order in [[0, 1], [1, 0]] {
        let sources = order.map(|place| (["a", "b"][place], snapshots[place].clone()));
        let merged = Snapshot::merge(&sources, Gauges::Last).unwrap();
        assert_eq!(seen(&merged, "count", &[]), Some((1.0, false, "order_id=2".to_owned())));
        assert_eq!(merged.value("count", &[]).unwrap().as_f64(), 2.0);
    }
    clock.advance(Duration::from_secs(1));
    count.bind(Who { who: "3".to_owned() }).add_with_exemplar(1, &[("order_id", "3")]);
    let folded = views.apply(first.snapshot());
    assert_eq!(seen(&folded, "count", &[]), Some((1.0, false, "order_id=3".to_owned())));

    let mut reader = Reader::delta(&first);
    let labels = [("who", "1")];
    assert!(seen(&reader.collect(), "count", &labels).is_some());
    count.bind(Who { who: "1".to_owned() }).inc();
    assert_eq!(seen(&reader.collect(), "count", &labels), None, "told already");
    count.bind(Who { who: "1".to_owned() }).add_with_exemplar(2, &[("order_id", "4")]);
    assert_eq!(seen(&reader.collect(), "count", &labels).unwrap().2, "order_id=4");
}

#[test]
fn an_exemplar_of_its_own_labels_is_a_part_of_a_histogram() {
    let own = Exemplar::new(1.0, TraceId::INVALID, SpanId::INVALID, crate::clock::now());
    assert_eq!(own.fault(), Some("a trace id of zero"));
    let own = own.with_labels(&[("order.id", "7"), ("__x", "1")]);
    assert_eq!((own.fault(), told(&own)), (None, (1.0, false, "order_id=7".to_owned())));
    let registry = Registry::new();
    let histogram = registry.histogram("h", "").build().unwrap();
    histogram.record(1.0);
    let parts = HistogramParts { exemplars: vec![own.clone()], ..histogram.snapshot().parts() };
    assert_eq!(HistogramSnapshot::from_parts(parts).unwrap().exemplars(), [own]);
}

#[test]
fn an_exemplar_is_of_a_value_that_is_counted_whoever_records_meanwhile() {
    const BOUNDS: [f64; 4] = [1e-3, 1.0, 1e3, 1e6];
    let explicit = HistogramOptions::new().aggregation(Aggregation::Explicit(&BOUNDS));
    for options in [HistogramOptions::new(), explicit] {
        for _ in 0..40 {
            let registry = Registry::new();
            let sizes = registry.histogram("sizes", "").options(options).build().unwrap();
            let is_done = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    let (trace, span) = (TraceId::from_u128(1), SpanId::from_u64(1));
                    let mut sampled =
                        SpanContext::new(trace, span, TraceFlags::SAMPLED, TraceState::default());
                    context::swap(&mut sampled);
                    // Each is the first of its buckets.
                    (-900..900).for_each(|power| {
                        sizes.record(f64::from(power).mul_add(0.03, 0.01).exp2())
                    });
                    is_done.store(true, Release);
                });
                while !is_done.load(Acquire) {
                    let snapshot = sizes.snapshot();
                    for exemplar in snapshot.exemplars() {
                        let value = exemplar.value();
                        let holds = |(lower, upper, count): (f64, f64, u64)| {
                            lower < value && value <= upper && count > 0
                        };
                        assert!(snapshot.buckets().any(holds), "{value} is not counted");
                    }
                }
            });
        }
    }
}
