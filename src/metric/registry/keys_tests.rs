//! Instruments whose label keys, as their names, are known at run time.

use super::*;
use crate::{
    label::Dynamic,
    metric::{Counter, tests::number},
    snapshot::{Aggregation, HistogramOptions, Snapshot},
    testing,
};

fn read(registry: &Registry, name: &str) -> Vec<String> {
    let snapshot: Snapshot = registry.snapshot();
    let series = snapshot.family(name).unwrap().series().iter();
    series.map(|s| format!("{} {}", s.labels(), s.value().as_f64())).collect()
}

#[test]
fn each_kind_records_under_keys_that_are_made_at_run_time() {
    let registry = Registry::new();
    let keys: Vec<String> = ["tier", "shard"].map(str::to_owned).into();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let labels = [("shard", "7"), ("tier", "l1")];
    registry.counter("c", "").keys(&keys).build().unwrap().with_labels(&labels).add(2);
    registry.float_counter("f", "").keys(&keys).build().unwrap().with_labels(&labels).add(0.5);
    registry.up_down_counter("u", "").keys(&keys).build().unwrap().with_labels(&labels).dec();
    registry.gauge("g", "").keys(&keys).build().unwrap().bind_labels(&labels).set(4.0);
    registry.histogram("h", "").keys(&keys).build().unwrap().with_labels(&labels).record(9.0);
    registry.summary("s", "").keys(&keys).build().unwrap().with_labels(&labels).record(9.0);
    registry.throughput("t", "").keys(&keys).build().unwrap().with_labels(&labels).mark(6);
    let options = HistogramOptions::new().aggregation(Aggregation::Explicit(&[1.0]));
    let bounded = registry.histogram("b", "").keys(&keys).options(options).build().unwrap();
    (0..3).for_each(|_| bounded.with_labels(&labels).record(1.0));
    for (name, value) in [
        ("c", 2.0),
        ("f", 0.5),
        ("u", -1.0),
        ("g", 4.0),
        ("h", 1.0),
        ("s", 1.0),
        ("t", 6.0),
        ("b", 3.0),
    ] {
        let expected = format!(r#"{{shard="7", tier="l1"}} {value}"#);
        assert_eq!(read(&registry, name), [expected], "{name}");
    }
    let bounded = registry.snapshot();
    let bounded = bounded.value("b", &labels).unwrap().as_histogram().unwrap();
    assert_eq!(bounded.cumulative(&[1.0]), [3]);
}

#[test]
fn a_registry_of_its_own_is_where_it_records_and_removes() {
    let registry = Registry::with_series_limit(2);
    let seen = registry.counter("test.dynamic.own", "").keys(&["who"]).build().unwrap();
    ["a", "b", "c", "d"].iter().for_each(|who| seen.with_labels(&[("who", who)]).inc());
    assert!(seen.remove_labels(&[("who", "a")]));
    let expected = [r#"{otel.metric.overflow="true"} 2"#, r#"{who="b"} 1"#];
    assert_eq!(read(&registry, "test.dynamic.own"), expected);
    assert!(Registry::global().snapshot().family("test.dynamic.own").is_none());
}

#[test]
fn without_keys_there_is_one_series() {
    let registry = Registry::new();
    let all = registry.counter("all", "").keys(&[]).build().unwrap();
    all.with_labels(&[("unknown", "x")]).inc();
    all.bind_labels(&[]).inc();
    assert_eq!(read(&registry, "all"), ["{} 2"]);
}

#[test]
fn a_static_with_the_same_keys_shares_the_family() {
    static HITS: Counter<Dynamic> = Counter::dynamic("test.dynamic.shared", "", &["tier"]);
    let scope = testing::scope();
    let again =
        Registry::global().counter("test.dynamic.shared", "").keys(&["tier"]).build().unwrap();
    HITS.with_labels(&[("tier", "l1")]).inc();
    again.with_labels(&[("tier", "l1")]).add(2);
    assert_eq!(number(&scope.snapshot(), "test.dynamic.shared", &[("tier", "l1")]), Some(3.0));
}

#[test]
fn what_is_not_legal_or_is_taken_is_an_error_that_names_it() {
    let registry = Registry::new();
    registry.gauge("taken", "").keys(&["a", "b"]).build().unwrap();
    for (name, keys, kind, named) in [
        ("9", &["a"][..], ErrorKind::InvalidName, "\"9\""),
        ("fine", &["a", "b\n"], ErrorKind::InvalidName, "\"b\\n\""),
        ("fine", &["a", "b", "a"], ErrorKind::InvalidName, "\"a\" is given twice"),
        ("taken", &["a"], ErrorKind::Conflict, "keys_tests.rs"),
        ("taken", &["b", "a"], ErrorKind::Conflict, "keys_tests.rs"),
    ] {
        let error = registry.gauge(name, "").keys(keys).build().unwrap_err();
        assert_eq!(error.kind(), kind, "{name} {keys:?}");
        assert!(error.to_string().contains(named), "{error}");
    }
    let other_kind = registry.counter("taken", "").keys(&["a", "b"]).build();
    assert_eq!(other_kind.unwrap_err().kind(), ErrorKind::Conflict);
    let typed = registry.gauge("taken", "").build();
    assert_eq!(typed.unwrap_err().kind(), ErrorKind::Conflict);
    let options = HistogramOptions::new().aggregation(Aggregation::Explicit(&[2.0, 1.0]));
    let bounds = registry.histogram("fine", "").keys(&["a"]).options(options).build();
    assert_eq!(bounds.unwrap_err().kind(), ErrorKind::InvalidOption);
}
