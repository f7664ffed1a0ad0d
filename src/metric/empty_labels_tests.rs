//! An empty label value is no label, wherever a series gets its identity.

use std::borrow::Cow;

use super::{observations::Observations, registry::Registry};
use crate::{
    label::{LabelSet, LabelValue},
    snapshot::{Gauges, SeriesValue, Snapshot, View, Views},
};

/// The series of `x` with their numbers.
fn lines(snapshot: &Snapshot) -> Vec<String> {
    let series = snapshot.family("x").map_or(&[][..], |family| family.series());
    series.iter().map(|one| format!("{} {}", one.labels(), one.value().as_f64())).collect()
}

#[cfg(feature = "prometheus")]
fn page(registry: &Registry) -> Vec<String> {
    use crate::{
        export::prometheus::{Format, Page},
        resource::Resource,
    };
    let mut page = Page::new(Format::Text);
    let bytes = page.render_registry(registry, &Resource::default()).to_vec();
    let text = String::from_utf8(bytes).unwrap();
    text.lines().filter(|line| line.starts_with('x')).map(str::to_owned).collect()
}

#[test]
fn a_set_has_no_label_without_a_value() {
    let set = LabelSet::new([("a", "1"), ("b", ""), ("c", "3")]);
    assert_eq!(set, LabelSet::new([("a", "1"), ("c", "3")]));
    assert_eq!((set.len(), set.get("b"), set.to_string()), (2, None, r#"{a="1", c="3"}"#.into()));
    assert_eq!(LabelSet::new([("a", "1"), ("a", "")]), LabelSet::default());
    assert_eq!(set.with([("a", "")]), LabelSet::new([("c", "3")]));
    assert!(LabelSet::new([("a", "")]).is_empty());
}

#[derive(bellwether_macros::Labels, Clone, Copy)]
struct Call<'a> {
    route: &'a str,
    #[label(name = "error.type")]
    error: Option<&'a str>,
}

#[test]
fn typed_and_dynamic_labels_without_a_value_are_not_there() {
    let registry = Registry::builder().label("zone", "").label("route", "constant").build();
    let calls = registry.counter("x", "").labels::<Call<'_>>().build().unwrap();
    calls.with(Call { route: "/", error: None }).inc();
    calls.with(Call { route: "/", error: Some("") }).inc();
    calls.with(Call { route: "", error: Some("io") }).inc();
    calls.with(Call { route: "", error: None }).inc();
    calls.with(Call { route: "constant", error: None }).inc();
    let expected =
        ["{} 1", r#"{error.type="io"} 1"#, r#"{route="/"} 2"#, r#"{route="constant"} 1"#];
    assert_eq!(lines(&registry.snapshot()), expected);
    let found = registry.snapshot();
    let found = found.value("x", &[("route", "/"), ("error.type", "")]).map(SeriesValue::as_f64);
    assert_eq!(found, Some(2.0));
    #[cfg(feature = "prometheus")]
    assert_eq!(
        page(&registry),
        [
            "x_total 1",
            r#"x_total{error_type="io"} 1"#,
            r#"x_total{route="/"} 2"#,
            r#"x_total{route="constant"} 1"#
        ]
    );

    let registry = Registry::new();
    let hits = registry.counter("x", "").keys(&["tier", "shard"]).build().unwrap();
    hits.with_labels(&[("tier", "l1"), ("shard", "")]).inc();
    hits.with_labels(&[("tier", "l1")]).inc();
    hits.with_labels(&[]).inc();
    assert_eq!(lines(&registry.snapshot()), ["{} 1", r#"{tier="l1"} 2"#]);
}

/// A value of a closed set whose second text is empty.
#[derive(Clone, Copy)]
struct Blank(bool);

impl LabelValue for Blank {
    const CARDINALITY: Option<usize> = Some(2);

    fn index(&self) -> usize {
        usize::from(self.0)
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        each(if self.0 { "" } else { "full" });
    }

    fn at(index: usize) -> Cow<'static, str> {
        ["full", ""][index].into()
    }
}

#[derive(bellwether_macros::Labels, Clone, Copy)]
struct Twice {
    blank: Option<Blank>,
    inner: Option<Option<bool>>,
}

#[test]
fn combinations_of_a_closed_set_that_read_alike_are_one_series() {
    let registry = Registry::new();
    let sums = registry.counter("x", "").labels::<Twice>().build().unwrap();
    for blank in [None, Some(Blank(true)), Some(Blank(false))] {
        for inner in [None, Some(None), Some(Some(true))] {
            sums.with(Twice { blank, inner }).inc();
        }
    }
    let expected =
        ["{} 4", r#"{blank="full"} 2"#, r#"{blank="full", inner="true"} 1"#, r#"{inner="true"} 2"#];
    assert_eq!(lines(&registry.snapshot()), expected);
    #[cfg(feature = "prometheus")]
    for _ in 0..2 {
        let lines = page(&registry);
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert!(lines.contains(&"x_total 4".to_owned()), "{lines:?}");
    }
    let sizes = registry.histogram("sizes", "").labels::<Twice>().build().unwrap();
    for blank in [None, Some(Blank(true))] {
        sizes.with(Twice { blank, inner: None }).record(1.0);
    }
    let snapshot = registry.snapshot();
    let sizes = snapshot.family("sizes").unwrap().series();
    assert_eq!((sizes.len(), sizes[0].value().as_f64()), (1, 2.0));
}

#[test]
fn observations_with_and_without_an_empty_value_are_of_one_series() {
    let registry = Registry::builder().label("zone", "eu").build();
    let tell = |to: &mut Observations| {
        to.observe(1.0, &[("pool", "a")]);
        to.observe(2.0, &[("pool", "a"), ("host", "")]);
        to.observe(3.0, &[("zone", ""), ("pool", "b")]);
    };
    let _pools = registry.gauge("x", "").observe(tell).unwrap();
    let expected = [r#"{pool="a", zone="eu"} 2"#, r#"{pool="b"} 3"#];
    assert_eq!(lines(&registry.snapshot()), expected);
}

#[test]
fn merged_and_viewed_series_with_and_without_an_empty_value_are_one() {
    let of = |labels: &[(&'static str, &str)], n: f64| {
        let registry = Registry::new();
        let labels: Vec<(&'static str, String)> =
            labels.iter().map(|&(key, value)| (key, value.to_owned())).collect();
        let tell = move |to: &mut Observations| {
            let labels: Vec<_> = labels.iter().map(|(key, value)| (*key, &**value)).collect();
            to.observe(n, &labels);
        };
        let observer = registry.counter("x", "").observe(tell).unwrap();
        let snapshot = registry.snapshot();
        drop(observer);
        snapshot
    };
    let sources = [("a", of(&[("k", "v")], 1.0)), ("b", of(&[("k", "v"), ("l", "")], 2.0))];
    let merged = Snapshot::merge(&sources, Gauges::Last).unwrap();
    assert_eq!(lines(&merged), [r#"{k="v"} 3"#]);

    let registry = Registry::new();
    let calls = registry.counter("x", "").labels::<Call<'_>>().build().unwrap();
    calls.with(Call { route: "/", error: None }).inc();
    calls.with(Call { route: "/", error: Some("io") }).inc();
    let view = View::new("x").drop_labels(["error.type"]);
    registry.set_views(Views::new([view]).unwrap());
    assert_eq!(lines(&registry.snapshot()), [r#"{route="/"} 2"#]);
}

#[test]
fn a_gauge_whose_source_label_is_empty_gets_that_of_its_source() {
    let of = |n: f64| {
        let registry = Registry::new();
        let load = registry.gauge("x", "").keys(&["instance"]).build().unwrap();
        load.bind_labels(&[("instance", "")]).set(n);
        registry.snapshot()
    };
    let sources = [("a", of(1.0)), ("b", of(2.0))];
    let merged = Snapshot::merge(&sources, Gauges::Labelled("instance")).unwrap();
    assert_eq!(lines(&merged), [r#"{instance="a"} 1"#, r#"{instance="b"} 2"#]);
}

#[cfg(feature = "serde")]
#[test]
fn a_snapshot_that_is_read_may_not_have_a_series_with_and_without_an_empty_value() {
    let registry = Registry::new();
    let calls = registry.counter("x", "").labels::<Call<'_>>().build().unwrap();
    calls.with(Call { route: "/", error: None }).inc();
    calls.with(Call { route: "/", error: Some("io") }).inc();
    let text = serde_json::to_string(&registry.snapshot()).unwrap();
    assert!(!text.contains(r#""error.type":"""#), "{text}");
    let twice = text.replace(r#""error.type":"io""#, r#""error.type":"""#);
    assert_ne!(text, twice);
    let error = serde_json::from_str::<Snapshot>(&twice).unwrap_err().to_string();
    assert!(error.contains("is there twice"), "{error}");
}
