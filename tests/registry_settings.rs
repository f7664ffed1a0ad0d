//! Settings of the global registry: they hold from the start on, for what was recorded before too.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use bellwether::{
    Counter, ErrorKind, Labels,
    export::prometheus::{Format, Page},
    label::Dynamic,
    metric::{Info, Registry, Snapshot, StateSet},
    resource::Resource,
};

/// The registry is one for the process: these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[derive(Clone, Copy, Labels)]
enum Phase {
    Serving,
    Draining,
}

#[derive(Labels)]
struct Build {
    version: &'static str,
}

fn value(snapshot: &Snapshot, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    snapshot.value(name, labels).map(|value| value.as_f64())
}

#[test]
fn every_series_has_the_constant_labels_from_the_start_on_until_they_are_replaced() {
    static PLAIN: Counter = Counter::new("settings.plain", "");
    static BY_PHASE: Counter<Phase> = Counter::new("settings.by_phase", "");
    static OPEN: Counter<Dynamic> = Counter::dynamic("settings.open", "", &["user"]);
    static PHASE: StateSet<Phase> = StateSet::new("settings.phase", "");
    static BUILD: Info<Build> = Info::new("settings.build", "");
    let _turn = turn();
    PLAIN.inc();
    BY_PHASE.bind(Phase::Serving).inc();
    OPEN.with_labels(&[("user", "ann")]).inc();
    PHASE.set(Phase::Draining);
    BUILD.set(Build { version: "1" });
    let (global, resource) = (Registry::global(), Resource::default());
    let mut page = Page::new(Format::Text);
    page.render_registry(global, &resource);

    let builder = bellwether::builder("test").constant_label("region", "eu");
    let telemetry = builder.constant_label("user", "lost").start().unwrap();
    OPEN.with_labels(&[("user", "bob")]).inc();
    let (snapshot, kept) = (telemetry.snapshot(), page.render_registry(global, &resource).to_vec());
    telemetry.shutdown(Duration::from_secs(10));
    let without: Vec<_> = (snapshot.families().iter())
        .flat_map(|family| family.series().iter().map(move |series| (family.name(), series)))
        .filter(|(_, series)| series.labels().get("region") != Some("eu"))
        .collect();
    assert!(without.is_empty(), "{without:?}");
    assert_eq!(value(&snapshot, "settings.open", &[("region", "eu"), ("user", "ann")]), Some(1.0));
    assert!(snapshot.family("telemetry.records.orphaned").is_some(), "one of the crate's own");
    let kept = String::from_utf8(kept).unwrap();
    for line in [
        r#"settings_plain_total{region="eu",user="lost"} 1"#,
        r#"settings_by_phase_total{phase="serving",region="eu",user="lost"} 1"#,
        r#"settings_open_total{region="eu",user="ann"} 1"#,
        r#"settings_open_total{region="eu",user="bob"} 1"#,
        r#"settings_phase{region="eu",user="lost",settings_phase="draining"} 1"#,
        r#"settings_build_info{region="eu",user="lost",version="1"} 1"#,
    ] {
        assert!(kept.lines().any(|other| other == line), "{line} in:\n{kept}");
    }

    let again = bellwether::builder("test").start().unwrap();
    again.shutdown(Duration::from_secs(10));
    let both = [("region", "eu"), ("user", "lost")];
    assert_eq!(value(&global.snapshot(), "settings.plain", &both), Some(1.0));
    let replaced = bellwether::builder("test").constant_label("region", "us").start().unwrap();
    assert_eq!(value(&replaced.snapshot(), "settings.plain", &[("region", "us")]), Some(1.0));
}

#[test]
fn an_illegal_key_is_an_error_of_the_start_and_changes_nothing() {
    static TOUCHED: Counter = Counter::new("settings.touched", "");
    let _turn = turn();
    TOUCHED.inc();
    let labels = || {
        let snapshot = Registry::global().snapshot();
        snapshot.family("settings.touched").unwrap().series()[0].labels().clone()
    };
    let before = labels();
    let builder = bellwether::builder("test").constant_label("zone", "a");
    let error = builder.constant_label("9a\n", "").start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidName);
    assert!(error.to_string().contains(r#""9a\n""#), "{error}");
    assert_eq!(labels(), before);
    let _free = bellwether::builder("test").start().unwrap();
}

#[test]
fn limits_hold_for_statics_that_are_in_use_and_stay_after_the_shutdown() {
    static OPEN: Counter<Dynamic> = Counter::dynamic("settings.limited", "", &["n"]);
    static OWN: Counter<Dynamic> = Counter::dynamic("settings.own", "", &["n"]).series_limit(3);
    let _turn = turn();
    let record = |to: u32| {
        (0..to).for_each(|n| {
            let n = n.to_string();
            [&OPEN, &OWN].iter().for_each(|counter| counter.with_labels(&[("n", &n)]).inc());
        });
    };
    let n_series = || {
        let snapshot = Registry::global().snapshot();
        ["settings.limited", "settings.own"]
            .map(|name| snapshot.family(name).unwrap().series().len())
    };
    record(5);
    let limited = bellwether::builder("test").series_limit(6).start().unwrap();
    limited.shutdown(Duration::from_secs(10));
    record(10);
    assert_eq!(n_series(), [6 + 1, 3 + 1]);
    let starved = bellwether::builder("test").series_limit(100).byte_budget(0).start().unwrap();
    record(20);
    assert_eq!(n_series(), [6 + 1, 3 + 1]);
    starved.shutdown(Duration::from_secs(10));
    let _fed = bellwether::builder("test").byte_budget(64 << 20).start().unwrap();
    record(20);
    assert_eq!(n_series(), [20 + 1, 3 + 1]);
}

#[test]
fn disabled_telemetry_applies_the_settings_since_metrics_are_recorded() {
    static COUNTED: Counter = Counter::new("settings.disabled", "");
    let _turn = turn();
    COUNTED.inc();
    let builder = bellwether::builder("test").constant_label("zone", "disabled");
    let telemetry = builder.disabled().start().unwrap();
    let zone = [("zone", "disabled")];
    assert_eq!(value(&telemetry.snapshot(), "settings.disabled", &zone), Some(1.0));
}
