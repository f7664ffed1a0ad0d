//! What a throughput tells: how many events, how fast they come, and of which series.

use std::{borrow::Cow, time::Duration};

use super::{Counter, Marked, Registry, Throughput};
use crate::{
    ErrorKind,
    context::Outcome,
    label::Dynamic,
    testing::{self, Scope},
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn rates_are_of_the_last_seconds_and_minutes() {
    static EVENTS: Throughput = Throughput::new("test.throughput.events", "");
    let scope = testing::scope();
    // A second each: 240 at 2 a second, 50 at 10, 10 at 30.
    for second in 0..300 {
        EVENTS.mark(match second {
            0..240 => 2,
            240..290 => 10,
            _ => 30,
        });
        scope.advance(SECOND);
        let _ = scope.snapshot();
    }
    assert_eq!(EVENTS.count(), 480 + 500 + 300);
    assert_eq!(EVENTS.windows().map(Marked::count), [300, 800, 1_280]);
    let labels = ["10s", "1m", "5m"].map(|window| [("window", window)]);
    for (labels, rate) in labels.iter().zip([30.0, 800.0 / 60.0, 1_280.0 / 300.0]) {
        scope.assert_value("test.throughput.events.rate", labels, rate);
    }
    scope.assert_value("test.throughput.events", &[], 1_280.0);
}

#[test]
fn a_meter_that_nobody_reads_tells_the_time_that_its_events_are_from() {
    static EVENTS: Throughput = Throughput::new("test.throughput.gap", "");
    let scope = testing::scope();
    EVENTS.mark(0);
    scope.advance(SECOND * 3);
    EVENTS.mark(12);
    assert_eq!(EVENTS.rate(SECOND * 10), 4.0);
    scope.advance(SECOND * 120);
    EVENTS.mark(60);
    let marked = EVENTS.window(SECOND * 10);
    assert_eq!((marked.count(), marked.covers(), marked.rate()), (60, SECOND * 120, 0.5));
    scope.advance(SECOND * 10);
    assert_eq!(EVENTS.rate(SECOND * 10), 0.0);
}

#[test]
fn the_first_mark_is_not_spread_over_the_life_of_the_process() {
    static EVENTS: Throughput = Throughput::new("test.throughput.first", "");
    let scope = testing::scope();
    scope.advance(SECOND * 3_600);
    EVENTS.mark(50);
    scope.advance(SECOND * 2);
    assert_eq!(EVENTS.rate(SECOND * 10), 5.0);
}

#[test]
fn a_rate_before_any_time_has_passed_is_zero() {
    static EVENTS: Throughput = Throughput::new("test.throughput.now", "");
    let _scope = testing::scope();
    EVENTS.mark(50);
    assert_eq!((EVENTS.rate(SECOND), EVENTS.window(SECOND).count()), (0.0, 50));
}

#[test]
fn scopes_do_not_see_each_others_readings() {
    static EVENTS: Throughput = Throughput::new("test.throughput.scopes", "");
    for n in [10, 20] {
        let scope = testing::scope();
        EVENTS.mark(n);
        scope.advance(SECOND * 10);
        assert_eq!(EVENTS.rate(SECOND * 10), n as f64 / 10.0);
    }
}

/// The rates of the family, as `labels rate`, in the last 10 s.
fn rates_of(scope: &Scope, name: &str) -> Vec<String> {
    rates_in(&scope.snapshot(), name)
}

fn rates_in(snapshot: &super::Snapshot, name: &str) -> Vec<String> {
    let Some(family) = snapshot.family(name) else { return Vec::new() };
    let last = family.series().iter().filter(|s| s.labels().get("window") == Some("10s"));
    let told = |s: &super::Series| {
        let labels = s.labels().retain(|key| key != "window");
        format!("{labels} {}", s.value().as_f64())
    };
    last.map(told).collect()
}

#[test]
fn each_label_set_has_rates_of_its_own() {
    static MAILS: Throughput<Outcome> = Throughput::new("test.throughput.typed", "");
    let scope = testing::scope();
    let failed = MAILS.bind(Outcome::Error);
    for second in 0..20 {
        MAILS.with(Outcome::Ok).mark(4);
        failed.mark(u64::from(second >= 10));
        scope.advance(SECOND);
        let _ = scope.snapshot();
    }
    let expected = [r#"{outcome="error"} 1"#, r#"{outcome="ok"} 4"#];
    assert_eq!(rates_of(&scope, "test.throughput.typed.rate"), expected);
    assert_eq!((failed.count(), failed.window(SECOND * 20).count()), (10, 10));
    assert_eq!(failed.windows().map(Marked::count), [10, 10, 10]);
    assert_eq!(failed.rate(SECOND * 10), 1.0);
}

#[test]
fn the_first_mark_of_a_label_set_is_not_spread_over_the_life_of_the_family() {
    static CALLS: Throughput<Outcome> = Throughput::new("test.throughput.late", "");
    static TENANTS: Throughput<Dynamic> =
        Throughput::dynamic("test.throughput.late_open", "", &["tenant"]);
    let scope = testing::scope();
    CALLS.with(Outcome::Ok).mark(1);
    TENANTS.with_labels(&[("tenant", "a")]).mark(1);
    for wait in [1, 3_600, 1] {
        scope.advance(SECOND * wait);
        let _ = scope.snapshot(); // As a tick would.
    }
    CALLS.with(Outcome::Error).mark(50);
    TENANTS.with_labels(&[("tenant", "b")]).mark(50);
    scope.advance(SECOND);
    let expected = [r#"{outcome="error"} 5"#, r#"{outcome="ok"} 0"#];
    assert_eq!(rates_of(&scope, "test.throughput.late.rate"), expected);
    let expected = [r#"{tenant="a"} 0"#, r#"{tenant="b"} 5"#];
    assert_eq!(rates_of(&scope, "test.throughput.late_open.rate"), expected);
    assert_eq!(CALLS.bind(Outcome::Error).rate(SECOND * 10), 5.0);
    assert_eq!(TENANTS.bind_labels(&[("tenant", "b")]).rate(SECOND * 10), 5.0);
}

#[test]
fn a_removed_label_set_takes_its_rates_with_it_and_begins_at_zero() {
    static SENT: Throughput<Dynamic> = Throughput::dynamic("test.throughput.open", "", &["to"]);
    let scope = testing::scope();
    let b = SENT.bind_labels(&[("to", "b")]);
    for _ in 0..20 {
        SENT.with_labels(&[("to", "a")]).mark(1);
        b.mark(7);
        scope.advance(SECOND);
        let _ = scope.snapshot();
    }
    assert_eq!(rates_of(&scope, "test.throughput.open.rate"), [r#"{to="a"} 1"#, r#"{to="b"} 7"#]);
    assert!(SENT.remove_labels(&[("to", "b")]));
    assert_eq!(rates_of(&scope, "test.throughput.open.rate"), [r#"{to="a"} 1"#]);
    scope.advance(SECOND);
    b.mark(10);
    scope.advance(SECOND);
    assert_eq!((b.count(), b.rate(SECOND * 10)), (10, 1.0), "it began anew");
    SENT.retain(|labels| labels.get("to") != Some("a"));
    assert_eq!(rates_of(&scope, "test.throughput.open.rate"), [r#"{to="b"} 1"#]);
    SENT.clear();
    assert_eq!(rates_of(&scope, "test.throughput.open.rate"), [""; 0]);
}

#[test]
fn label_sets_are_limited_and_expire_with_their_rates() {
    static SENT: Throughput<Dynamic> = Throughput::dynamic("test.throughput.limited", "", &["to"])
        .series_limit(1)
        .expire_after(Duration::from_secs(60));
    let scope = testing::scope();
    SENT.with_labels(&[("to", "a")]).mark(10);
    SENT.with_labels(&[("to", "b")]).mark(20);
    SENT.with_labels(&[("to", "c")]).mark(30);
    scope.advance(SECOND * 10);
    let expected = [r#"{otel.metric.overflow="true"} 5"#, r#"{to="a"} 1"#];
    assert_eq!(rates_of(&scope, "test.throughput.limited.rate"), expected);
    scope.advance(SECOND * 61);
    let expected = [r#"{otel.metric.overflow="true"} 0"#];
    assert_eq!(rates_of(&scope, "test.throughput.limited.rate"), expected, "it expired");
    assert_eq!(SENT.series().len(), 0);
}

#[test]
fn combinations_that_read_alike_have_their_rates_added_up() {
    struct Shard(usize);
    impl crate::label::Labels for Shard {
        const KEYS: &'static [&'static str] = &["shard"];
        const CARDINALITY: Option<usize> = Some(3);
        fn index(&self) -> usize {
            self.0
        }
        fn visit(&self, each: &mut dyn FnMut(&str)) {
            each(["", "", "c"][self.0]);
        }
        fn at(index: usize) -> Vec<Cow<'static, str>> {
            vec![["", "", "c"][index].into()]
        }
    }
    let scope = testing::scope();
    let registry = Registry::new();
    let read = registry.throughput("reads", "").labels::<Shard>().build().unwrap();
    (0..3).for_each(|shard| read.with(Shard(shard)).mark(10 << shard));
    scope.advance(SECOND * 10);
    assert_eq!(rates_in(&registry.snapshot(), "reads.rate"), [r#"{shard="c"} 4"#, "{} 3"]);
}

#[test]
fn the_rates_go_with_the_counter_and_come_back_with_it() {
    let scope = testing::scope();
    let registry = Registry::new();
    let plugin = || registry.throughput("plugin.sent", "").build().unwrap();
    let sent = plugin();
    sent.mark(10);
    scope.advance(SECOND * 10);
    assert_eq!(rates_in(&registry.snapshot(), "plugin.sent.rate"), ["{} 1"]);
    assert!(!registry.unregister("plugin.sent.rate"), "it is a part of the other");
    assert!(registry.unregister("plugin.sent"));
    assert_eq!(registry.snapshot().families().len(), 0);
    let other = registry.gauge("plugin.sent.rate", "").build().unwrap();
    assert!(registry.unregister("plugin.sent.rate"), "the name was free");
    drop((sent, other));

    let sent = plugin();
    sent.mark(30);
    scope.advance(SECOND * 10);
    assert_eq!(rates_in(&registry.snapshot(), "plugin.sent.rate"), ["{} 3"]);
    assert_eq!((sent.count(), sent.rate(SECOND * 10)), (30, 3.0));
}

#[test]
fn the_rates_are_handed_to_the_history() {
    let clock = testing::scope();
    let registry = Registry::new();
    let sent = registry.throughput("sent", "").build().unwrap();
    sent.mark(20);
    clock.advance(SECOND * 10);
    let mut kept = Kept::default();
    registry.prepare().hand_over(&mut kept);
    assert_eq!(kept.0, ["sent.rate"]);
}

/// The names of the families that are handed over with their values.
#[derive(Default)]
struct Kept(Vec<String>);

impl super::FollowRegistry for Kept {
    fn begin(&mut self, _: crate::clock::Ticks, _: crate::clock::Ticks) {}

    fn family(
        &mut self,
        _: &std::sync::Arc<crate::series::Family>,
        _: super::PageBounds,
        _: (&crate::cells::Storage, &crate::cells::Reader),
    ) {
    }

    fn kept(&mut self, family: &super::Family) {
        self.0.push(family.name().to_owned());
    }
}

#[test]
fn a_name_that_the_rates_need_and_the_key_of_their_windows_are_refused() {
    let registry = Registry::new();
    registry.gauge("load.rate", "").build().unwrap();
    let clash = registry.throughput("load", "").build().unwrap_err();
    assert_eq!(clash.kind(), ErrorKind::Conflict);
    assert!(clash.to_string().contains("\"load.rate\" is registered twice"), "{clash}");
    assert!(registry.snapshot().family("load").is_none(), "neither of the two is there");

    registry.throughput("sent", "").build().unwrap();
    let taken = registry.gauge("sent.rate", "").observe(|_| ()).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Conflict);
    let counter = registry.counter("sent", "").build().unwrap_err();
    assert_eq!(counter.kind(), ErrorKind::Conflict, "a counter has no rates");

    let window = registry.throughput("reads", "").keys(&["window"]).build().unwrap_err();
    assert_eq!(window.kind(), ErrorKind::InvalidName);
    let long = registry.throughput(&"a".repeat(251), "").build().unwrap_err();
    assert_eq!(long.kind(), ErrorKind::InvalidName, "there is no room for `.rate`");
    let fine = registry.counter("reads", "").keys(&["window"]).build();
    assert!(fine.is_ok());
}

#[test]
fn one_that_lost_a_conflict_tells_nothing() {
    static FIRST: Counter = Counter::new("test.throughput.lost", "");
    static SECOND_ONE: Throughput = Throughput::new("test.throughput.lost", "");
    let scope = testing::scope();
    FIRST.inc();
    SECOND_ONE.mark(5);
    scope.advance(SECOND);
    assert_eq!((FIRST.value(), SECOND_ONE.count(), SECOND_ONE.rate(SECOND)), (1, 0, 0.0));
    assert!(scope.snapshot().family("test.throughput.lost.rate").is_none());
}
