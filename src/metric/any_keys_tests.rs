//! Series whose labels have any keys.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{registry::Registry, tests::open_family};
use crate::{
    label::{AnyKeys, LabelSet},
    metric::Counter,
    series::Changes,
    snapshot::Kind,
};

/// The series of `x` with their numbers.
fn lines(registry: &Registry) -> Vec<String> {
    let snapshot = registry.snapshot();
    let series = snapshot.family("x").map_or(&[][..], |family| family.series());
    series.iter().map(|one| format!("{} {}", one.labels(), one.value().as_f64())).collect()
}

fn counter(registry: &Registry) -> Counter<AnyKeys> {
    registry.counter("x", "").any_keys().build().unwrap()
}

#[test]
fn a_series_stays_the_same_when_more_keys_are_learned() {
    let registry = Registry::new();
    let calls = counter(&registry);
    calls.bind_any(&[("b", "1")]).inc();
    let kept = calls.bind_any(&[("b", "1")]);
    calls.bind_any(&[("a", "1"), ("c", "1"), ("b", "1")]).inc();
    kept.inc();
    calls.bind_any(&[("c", ""), ("b", "1")]).inc();
    calls.bind_any(&[]).inc();
    assert_eq!(lines(&registry), ["{} 1", r#"{a="1", b="1", c="1"} 1"#, r#"{b="1"} 3"#]);
}

#[test]
fn keys_become_legal_and_the_last_value_of_a_key_counts() {
    let registry = Registry::new();
    let calls = counter(&registry);
    let long = "k".repeat(300);
    calls.bind_any(&[("user id", "1"), ("user_id", "2")]).inc();
    calls.bind_any(&[("9", "1")]).inc();
    calls.bind_any(&[("", "1")]).inc();
    calls.bind_any(&[("é", "1"), ("é", "")]).inc();
    calls.bind_any(&[(&long, "1")]).inc();
    let cut = format!(r#"{{{}="1"}} 1"#, &long[..255]);
    let expected = ["{} 1", r#"{_="1"} 1"#, r#"{_9="1"} 1"#, &cut, r#"{user_id="2"} 1"#];
    assert_eq!(lines(&registry), expected);
}

#[test]
fn labels_of_the_registry_hold_for_keys_that_are_learned_before_and_after() {
    let registry = Registry::builder().label("zone", "a").build();
    let calls = counter(&registry);
    calls.bind_any(&[("to", "x")]).inc();
    let labels = [("zone", "b"), ("shard", "7")].map(|(key, value)| (key.into(), value.into()));
    registry.change(Changes { labels: labels.into(), ..Changes::default() });
    calls.bind_any(&[("zone", "own")]).inc();
    // A constant label yields to a key that was learned, also in series that lack it, as to any key.
    let expected = [r#"{shard="7", to="x"} 1"#, r#"{shard="7", zone="own"} 1"#];
    assert_eq!(lines(&registry), expected);
}

#[test]
fn keys_take_bytes_of_the_budget_and_give_them_back() {
    let registry = Registry::builder().byte_budget(100_000).build();
    for _ in 0..100 {
        let calls = counter(&registry);
        for n in 0..60 {
            calls.bind_any(&[(&format!("{n}{}", "k".repeat(200)), "1")]).inc();
        }
        let n_series = lines(&registry).len();
        assert_eq!(n_series, 60, "the keys of the last round are gone");
        assert!(registry.unregister("x"));
    }
    let small = Registry::builder().byte_budget(500).build();
    let few = counter(&small);
    few.bind_any(&[(&"k".repeat(255), "1")]).inc();
    assert!(lines(&small)[0].contains("overflow"), "{:?}", lines(&small));
}

#[test]
fn keys_that_are_declared_and_keys_that_are_learned_are_two_things() {
    let registry = Registry::new();
    let _calls = counter(&registry);
    assert!(registry.counter("x", "").any_keys().build().is_ok());
    assert!(registry.counter("x", "").keys(&["a"]).build().is_err());
    assert!(registry.counter("x", "").build().is_err());
    assert!(registry.throughput("y", "").any_keys().build().is_err());
    assert!(!open_family(Kind::Counter, &["a"], 1).open().unwrap().takes_any_keys());
}

proptest! {
    #[test]
    fn a_registry_is_a_map_of_label_sets(
        calls in prop::collection::vec(prop::collection::vec(("[a-f]", "[xy]{0,1}"), 0..5), 1..100),
    ) {
        let registry = Registry::new();
        let counter = counter(&registry);
        let mut twin: BTreeMap<String, u64> = BTreeMap::new();
        for (n, labels) in (1..).zip(&calls) {
            let pairs: Vec<(&str, &str)> =
                labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            counter.bind_any(&pairs).add(n);
            *twin.entry(LabelSet::new(labels.clone()).to_string()).or_default() += n;
        }
        let mut expected: Vec<String> = twin.iter().map(|(set, n)| format!("{set} {n}")).collect();
        let mut found = lines(&registry);
        expected.sort();
        found.sort();
        prop_assert_eq!(found, expected);
    }
}
