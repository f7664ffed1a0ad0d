//! Random calls of the facade, against a naive map.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{page_of, recorder};
use metrics::{Label, counter, gauge, histogram, with_local_recorder};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Call {
    Increment(u64),
    Absolute(u64),
    Set(i32),
    Add(i32),
    Record(u32),
}

/// A call, the number of its name, and its labels.
type Made = (Call, usize, Vec<(String, String)>);

fn calls() -> impl Strategy<Value = Vec<Made>> {
    let call = prop_oneof![
        (0..1_000_u64).prop_map(Call::Increment),
        (0..3_000_u64).prop_map(Call::Absolute),
        any::<i16>().prop_map(|n| Call::Set(n.into())),
        any::<i16>().prop_map(|n| Call::Add(n.into())),
        (0..1_000_u32).prop_map(Call::Record),
    ];
    let labels = prop::collection::vec(("[abc]", "[xy]{0,2}"), 0..4);
    prop::collection::vec((call, 0..3_usize, labels), 1..200)
}

/// The labels as a page writes them: sorted, of one key the greatest value, without empty values.
fn written(labels: &[(String, String)]) -> String {
    let sorted: BTreeSet<_> = labels.iter().cloned().collect();
    let map: BTreeMap<_, _> = sorted.into_iter().collect();
    let pairs = map.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key}={value:?}")).collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

proptest! {
    #[test]
    fn a_page_is_a_map_of_what_was_called(calls in calls()) {
        let (registry, recorder) = recorder();
        let mut twin: BTreeMap<String, f64> = BTreeMap::new();
        for (call, name, labels) in &calls {
            let given: Vec<Label> =
                labels.iter().map(|(key, value)| Label::new(key.clone(), value.clone())).collect();
            let at = written(labels);
            let (c, g, h) = (format!("c{name}"), format!("g{name}"), format!("h{name}"));
            with_local_recorder(&recorder, || match *call {
                Call::Increment(n) => {
                    counter!(c.clone(), given).increment(n);
                    *twin.entry(format!("{c}_total{at}")).or_default() += n as f64;
                }
                Call::Absolute(n) => {
                    counter!(c.clone(), given).absolute(n);
                    let sum = twin.entry(format!("{c}_total{at}")).or_default();
                    *sum = sum.max(n as f64);
                }
                Call::Set(n) => {
                    gauge!(g.clone(), given).set(n);
                    twin.insert(format!("{g}{at}"), n.into());
                }
                Call::Add(n) => {
                    gauge!(g.clone(), given).increment(n);
                    *twin.entry(format!("{g}{at}")).or_default() += f64::from(n);
                }
                Call::Record(n) => {
                    histogram!(h.clone(), given).record(n);
                    *twin.entry(format!("{h}_count{at}")).or_default() += 1.0;
                    *twin.entry(format!("{h}_sum{at}")).or_default() += f64::from(n);
                }
            });
        }
        let mut page = page_of(&registry);
        page.retain(|name, _| !name.contains("_bucket") && !name.contains("target_info"));
        prop_assert_eq!(page, twin);
    }
}
