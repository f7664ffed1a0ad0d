//! A series is on the page from the moment that the program names it, at zero.

use bellwether::{
    Counter, Gauge, Histogram, Labels, UpDownCounter,
    label::Dynamic,
    metric::{FloatCounter, Registry, Snapshot, Summary},
    testing,
};

#[derive(Labels, Clone, Copy)]
struct Looked {
    hit: bool,
    #[label(range = 0..=2)]
    tier: u8,
}

fn value(snapshot: &Snapshot, name: &str, labels: &[(&'static str, &str)]) -> Option<f64> {
    snapshot.value(name, labels).map(|value| value.as_f64())
}

const HIT: &[(&str, &str)] = &[("hit", "true"), ("tier", "1")];
const LOOKED: Looked = Looked { hit: true, tier: 1 };

#[test]
fn a_bound_series_shows_zero() {
    static COUNTER: Counter<Looked> = Counter::new("bound.counter", "");
    static UP_DOWN: UpDownCounter<Looked> = UpDownCounter::new("bound.up_down", "");
    static MONEY: FloatCounter<Looked> = FloatCounter::new("bound.money", "");
    static SIZES: Histogram<Looked> = Histogram::new("bound.sizes", "");
    static BOUNDS: Histogram<Looked> = Histogram::new("bound.bounds", "").bounds(&[1.0]);
    static SUMMARY: Summary<Looked> = Summary::new("bound.summary", "");
    static OPEN: Counter<Dynamic> = Counter::dynamic("bound.open", "", &["route"]);
    let scope = testing::scope();
    let (counter, up_down, money) =
        (COUNTER.bind(LOOKED), UP_DOWN.bind(LOOKED), MONEY.bind(LOOKED));
    let kept = (SIZES.bind(LOOKED), BOUNDS.bind(LOOKED), SUMMARY.bind(LOOKED));
    let open = OPEN.bind_labels(&[("route", "/")]);
    for snapshot in [scope.snapshot(), Registry::global().snapshot()] {
        let names = ["counter", "up_down", "money", "sizes", "bounds", "summary"];
        for name in names.map(|name| format!("bound.{name}")) {
            assert_eq!(value(&snapshot, &name, HIT), Some(0.0), "{name}");
            assert_eq!(snapshot.family(&name).unwrap().series().len(), 1, "{name}");
        }
        assert_eq!(value(&snapshot, "bound.open", &[("route", "/")]), Some(0.0));
    }
    drop((counter, up_down, money, kept, open));
}

#[test]
fn adding_zero_shows_zero() {
    static COUNTER: Counter<Looked> = Counter::new("zero.counter", "");
    static UP_DOWN: UpDownCounter<Looked> = UpDownCounter::new("zero.up_down", "");
    static MONEY: FloatCounter<Looked> = FloatCounter::new("zero.money", "");
    static PLAIN: Counter = Counter::new("zero.plain", "");
    let scope = testing::scope();
    COUNTER.with(LOOKED).add(0);
    UP_DOWN.with(LOOKED).add(0);
    MONEY.with(LOOKED).add(0.0);
    PLAIN.add(0);
    let snapshot = scope.snapshot();
    for name in ["zero.counter", "zero.up_down", "zero.money"] {
        assert_eq!(value(&snapshot, name, HIT), Some(0.0), "{name}");
    }
    assert_eq!(value(&snapshot, "zero.plain", &[]), Some(0.0));
}

#[test]
fn what_was_held_and_is_no_more_shows_zero() {
    static ACTIVE: UpDownCounter<Looked> = UpDownCounter::new("held.active", "");
    static PLAIN: UpDownCounter = UpDownCounter::new("held.plain", "");
    let scope = testing::scope();
    drop(ACTIVE.bind(LOOKED).hold());
    drop(PLAIN.hold());
    let with = |n| ACTIVE.with(Looked { hit: false, tier: 0 }).add(n);
    with(1);
    with(-1); // Came and went between two looks.
    let snapshot = scope.snapshot();
    assert_eq!(value(&snapshot, "held.active", HIT), Some(0.0));
    assert_eq!(value(&snapshot, "held.plain", &[]), Some(0.0));
}

#[test]
fn all_combinations_of_a_closed_set_are_shown_by_one_call() {
    #[derive(Labels, Clone, Copy)]
    struct Wide {
        #[label(range = 0..=99)]
        a: u8,
        #[label(range = 0..=49)]
        b: u8,
    }
    static WIDE: Counter<Wide> = Counter::new("all.wide", "");
    static SIZES: Histogram<Looked> = Histogram::new("all.sizes", "");
    static LEVEL: Gauge<Looked> = Gauge::new("all.level", "");
    let scope = testing::scope();
    WIDE.show_all();
    SIZES.show_all();
    LEVEL.show_all();
    let snapshot = scope.snapshot();
    assert_eq!(snapshot.family("all.wide").unwrap().series().len(), 100 * 50);
    assert_eq!(value(&snapshot, "all.wide", &[("a", "99"), ("b", "49")]), Some(0.0));
    assert_eq!(snapshot.family("all.sizes").unwrap().series().len(), 6);
    let gauges = snapshot.family("all.level").map_or(0, |family| family.series().len());
    assert_eq!(gauges, 0, "a gauge that was never set has no value");
}

#[test]
fn what_stands_for_all_other_values_is_shown_once_it_is_recorded() {
    #[derive(Labels, Clone, Copy)]
    struct Inner {
        #[label(values = ["get", "put"])]
        method: &'static str,
    }
    #[derive(Labels, Clone, Copy)]
    struct Outer {
        #[label(flatten)]
        inner: Inner,
        #[label(range = 1..=2)]
        shard: Option<u8>,
        #[label(range = 0..=255)]
        whole: u8,
    }
    #[derive(Labels, Clone, Copy)]
    struct Seen {
        #[label(intern = 8)]
        tenant: &'static str,
        hit: bool,
    }
    static OUTER: Counter<Outer> = Counter::new("others.outer", "");
    static SEEN: Counter<Seen> = Counter::new("others.seen", "");
    static FRESH: Counter<Seen> = Counter::new("others.fresh", "");
    let scope = testing::scope();
    FRESH.show_all();
    assert!(scope.snapshot().family("others.fresh").is_none_or(|f| f.series().is_empty()));
    OUTER.show_all();
    SEEN.with(Seen { tenant: "acme", hit: true }).inc();
    SEEN.show_all();
    let shown = |name: &str| {
        let snapshot = scope.snapshot();
        let series = snapshot.family(name).unwrap().series().iter();
        series.map(|series| series.labels().to_string()).collect::<Vec<_>>()
    };
    let (outer, seen) = (shown("others.outer"), shown("others.seen"));
    assert_eq!(outer.len(), 2 * 3 * 256, "two methods, two shards and none, all numbers");
    assert!(outer.iter().all(|labels| !labels.contains("other")));
    assert_eq!(seen, [r#"{hit="false", tenant="acme"}"#, r#"{hit="true", tenant="acme"}"#]);
    let inner = Inner { method: "delete" };
    OUTER.with(Outer { inner, shard: Some(9), whole: 0 }).inc();
    let others = [("method", "other"), ("shard", "other"), ("whole", "0")];
    scope.assert_value("others.outer", &others, 1.0);
}

#[test]
fn a_static_is_registered_without_being_used() {
    static COUNTER: Counter = Counter::new("registered.counter", "");
    static LATENCY: Histogram = Histogram::new("registered.latency", "");
    let scope = testing::scope();
    assert!(scope.snapshot().family("registered.counter").is_none());
    COUNTER.register();
    LATENCY.register();
    let snapshot = scope.snapshot();
    assert_eq!(value(&snapshot, "registered.counter", &[]), Some(0.0));
    assert_eq!(value(&snapshot, "registered.latency", &[]), Some(0.0));
}

#[test]
fn a_removed_series_is_off_the_page_until_it_is_named_again() {
    static COUNTER: Counter<Looked> = Counter::new("removed.counter", "");
    let scope = testing::scope();
    let counter = COUNTER.bind(LOOKED);
    COUNTER.remove(LOOKED);
    let shown = || {
        let snapshot = scope.snapshot();
        snapshot.family("removed.counter").map_or(0, |family| family.series().len())
    };
    assert_eq!(shown(), 0);
    counter.add(0);
    assert_eq!(shown(), 1);
}
