//! Settings of a registry, and what becomes of them when they change.

use std::{collections::BTreeSet, sync::Barrier, thread};

use crate::{
    metric::{
        observable::Observations,
        registry::*,
        tests::{Hit, Route, number},
    },
    snapshot::{Kind, Unit, View},
};

#[test]
fn constant_labels_are_on_what_callbacks_tell_and_on_the_overflow_series() {
    let registry = Registry::builder().label("region", "eu").series_limit(1).build();
    let counter = registry.counter::<Route<'_>>("c", "", Unit::NONE).unwrap();
    ["/a", "/b"].into_iter().for_each(|route| counter.with(Route(route)).inc());
    let [plain, _own] = ["plain", "own"].map(|name| {
        let observe = move |to: &mut Observations| match name {
            "own" => to.observe(2.0, &[("region", "us")]),
            // Two that the registry's label makes one: the later holds.
            _ => [&[("region", "eu")][..], &[]].into_iter().for_each(|of| to.observe(1.0, of)),
        };
        registry.observe(Kind::Gauge, name, "", Unit::NONE, observe).unwrap()
    });
    let snapshot = registry.snapshot();
    let eu = [("region", "eu")];
    assert_eq!(number(&snapshot, "c", &[("otel.metric.overflow", "true"), eu[0]]), Some(1.0));
    assert_eq!(number(&snapshot, "plain", &eu), Some(1.0));
    assert_eq!(snapshot.family("plain").unwrap().series().len(), 1);
    assert_eq!(number(&snapshot, "own", &[("region", "us")]), Some(2.0));
    drop(plain);
}

fn labelled(labels: &[(&'static str, &str)]) -> Changes {
    let labels = labels.iter().map(|&(key, value)| (key.into(), value.to_owned()));
    Changes { labels: labels.collect(), ..Changes::default() }
}

fn limited(limit: usize) -> Changes {
    Changes { series_limit: Some(limit), ..Changes::default() }
}

#[test]
fn labels_come_onto_series_that_were_read_before_and_lose_against_their_own() {
    let registry = Registry::builder().label("old", "gone").series_limit(1).build();
    let plain = registry.counter::<()>("plain", "", Unit::NONE).unwrap();
    let closed = registry.counter::<Hit>("closed", "", Unit::NONE).unwrap();
    let open = registry.counter::<Route<'_>>("open", "", Unit::NONE).unwrap();
    let tell = |to: &mut Observations| to.observe(1.0, &[]);
    let _observer = registry.observe(Kind::Gauge, "told", "", Unit::NONE, tell).unwrap();
    plain.inc();
    closed.bind(Hit(true)).add(2);
    ["/a", "/b"].into_iter().for_each(|route| open.with(Route(route)).add(3));
    let all = || {
        let snapshot = registry.snapshot();
        let series = snapshot.families().iter().flat_map(|family| family.series());
        series.map(|s| format!("{} {}", s.labels(), s.value().as_f64())).collect::<Vec<_>>()
    };
    let before = all();
    registry.change(labelled(&[("region", "eu"), ("route", "lost")]));
    closed.bind(Hit(false)).add(4);
    assert_eq!(before[0], r#"{hit="true", old="gone"} 2"#);
    assert_eq!(
        all(),
        [
            r#"{hit="false", region="eu", route="lost"} 4"#,
            r#"{hit="true", region="eu", route="lost"} 2"#,
            r#"{otel.metric.overflow="true", region="eu", route="lost"} 3"#,
            r#"{region="eu", route="/a"} 3"#,
            r#"{region="eu", route="lost"} 1"#,
            r#"{region="eu", route="lost"} 1"#,
        ]
    );
}

#[test]
fn a_change_of_something_else_leaves_the_labels() {
    let registry = Registry::builder().label("region", "eu").build();
    registry.counter::<()>("c", "", Unit::NONE).unwrap().inc();
    registry.change(limited(7));
    assert_eq!(number(&registry.snapshot(), "c", &[("region", "eu")]), Some(1.0));
}

#[test]
fn an_illegal_key_is_an_error_that_names_it() {
    let error = labelled(&[("fine", ""), ("9a", "")]).checked().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidName);
    assert!(error.to_string().contains(r#""9a""#), "{error}");
}

#[test]
fn of_changes_and_registrations_that_cross_all_families_have_the_labels_of_the_last_change() {
    for round in 0..100 {
        let registry = Registry::new();
        let register = |n: u32| {
            registry.counter::<()>(&format!("c{n}"), "", Unit::NONE).unwrap().inc();
        };
        (0..20).for_each(register);
        let start = Barrier::new(3);
        thread::scope(|scope| {
            for change in ["a", "b"] {
                let (registry, start) = (&registry, &start);
                scope.spawn(move || {
                    start.wait();
                    registry.change(labelled(&[("change", change)]));
                });
            }
            start.wait();
            (20..40).for_each(register);
        });
        let snapshot = registry.snapshot();
        let labels = |family: &snapshot::Family| family.series()[0].labels().to_string();
        let different: BTreeSet<_> = snapshot.families().iter().map(labels).collect();
        assert_eq!(different.len(), 1, "{different:?} in round {round}");
    }
}

#[test]
fn a_limit_holds_at_once_for_families_without_one_of_their_own() {
    let registry = Registry::with_series_limit(2);
    let follows = registry.counter::<Route<'_>>("follows", "", Unit::NONE).unwrap();
    registry.set_views(Views::new([View::new("chose").limit(2)]).unwrap());
    let chose = registry.counter::<Route<'_>>("chose", "", Unit::NONE).unwrap();
    let tell = |to: &mut Observations| {
        (0..9).for_each(|n| to.observe(1.0, &[("n", &n.to_string())]));
    };
    let _observer = registry.observe(Kind::Gauge, "told", "", Unit::NONE, tell).unwrap();
    let visit = |route: &&str| {
        [&follows, &chose].iter().for_each(|counter| counter.with(Route(route)).inc());
    };
    let n_series = || {
        let snapshot = registry.snapshot();
        ["follows", "chose", "told"].map(|name| snapshot.family(name).unwrap().series().len())
    };
    ["/0", "/1", "/2"].iter().for_each(visit);
    assert_eq!(n_series(), [2 + 1, 2 + 1, 2]);
    registry.change(limited(4));
    ["/2", "/3", "/4"].iter().for_each(visit);
    assert_eq!(n_series(), [4 + 1, 2 + 1, 4]);
    registry.change(limited(1));
    ["/0", "/3", "/5"].iter().for_each(visit);
    assert_eq!(n_series(), [4 + 1, 2 + 1, 1]);
    let snapshot = registry.snapshot();
    assert_eq!(number(&snapshot, "follows", &[("route", "/3")]), Some(2.0));
    let beyond = number(&snapshot, "follows", &[("otel.metric.overflow", "true")]);
    assert_eq!(beyond, Some(3.0), "the first /2, /4, and the last /5");
}

#[test]
fn a_budget_counts_the_series_that_are_there() {
    let registry = Registry::builder().byte_budget(0).build();
    let counter = registry.counter::<Route<'_>>("c", "", Unit::NONE).unwrap();
    let budget = |bytes| Changes { byte_budget: Some(bytes), ..Changes::default() };
    let n_series = || registry.snapshot().family("c").unwrap().series().len();
    counter.with(Route("/0")).inc();
    assert_eq!(n_series(), 1, "the overflow series");
    registry.change(budget(100_000));
    (1..=5).for_each(|n| counter.with(Route(&format!("/{n}"))).inc());
    assert_eq!(n_series(), 1 + 5);
    registry.change(budget(1));
    counter.with(Route("/6")).inc();
    assert_eq!(n_series(), 1 + 5);
}
