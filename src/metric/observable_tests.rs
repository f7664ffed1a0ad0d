//! What becomes of observations beyond a family's limit.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use proptest::prelude::*;

use super::{observations::Observations, registry::Registry};
use crate::{
    snapshot::{Kind, SeriesValue, Unit, View, Views},
    sync::Mutex,
    testing,
};

/// The series of `x` with their numbers.
fn lines(registry: &Registry) -> Vec<String> {
    let snapshot = registry.snapshot();
    let series = snapshot.family("x").map_or(&[][..], |family| family.series());
    series.iter().map(|one| format!("{} {}", one.labels(), one.value().as_f64())).collect()
}

/// What a callback tells from now on: label values and numbers.
type Told = Arc<Mutex<Vec<(String, f64)>>>;

fn observed(registry: &Registry, kind: Kind) -> (Told, super::Observer) {
    let told = Told::default();
    let tell = told.clone();
    let tell = move |to: &mut Observations| {
        tell.lock().iter().for_each(|(n, value)| to.observe(*value, &[("n", n)]));
    };
    (told, registry.observe(kind, ("x", ""), Unit::NONE, false, tell).unwrap())
}

fn tell(told: &Told, pairs: &[(&str, f64)]) {
    *told.lock() = pairs.iter().map(|&(n, value)| (n.to_owned(), value)).collect();
}

/// How many observations of the instrument were counted as beyond a limit, in this scope.
fn counted(registry: &str) -> f64 {
    let snapshot = Registry::global().snapshot();
    let counted = snapshot.value("telemetry.series.overflowed", &[("instrument", registry)]);
    counted.map_or(0.0, SeriesValue::as_f64)
}

#[test]
fn sums_beyond_the_limit_are_in_the_overflow_series() {
    for (kind, values) in
        [(Kind::Counter, [1.5, 2.0, 3.5, 4.0]), (Kind::UpDownCounter, [1.0, -2.0, -3.0, 40.0])]
    {
        let scope = testing::scope();
        let registry = Registry::builder().series_limit(2).label("zone", "eu").build();
        let (told, _observer) = observed(&registry, kind);
        tell(&told, &[("a", values[0]), ("b", values[1]), ("c", values[2]), ("d", values[3])]);
        let rest = values[2] + values[3];
        let expected = [
            format!(r#"{{n="a", zone="eu"}} {}"#, values[0]),
            format!(r#"{{n="b", zone="eu"}} {}"#, values[1]),
            format!(r#"{{otel.metric.overflow="true", zone="eu"}} {rest}"#),
        ];
        assert_eq!(lines(&registry), expected);
        assert_eq!(counted("x"), 2.0);
        drop(scope);
    }
}

#[test]
fn whoever_has_a_series_keeps_it_whatever_the_order() {
    let scope = testing::scope();
    let registry = Registry::with_series_limit(2);
    let (told, _observer) = observed(&registry, Kind::Counter);
    tell(&told, &[("a", 1.0), ("b", 2.0), ("c", 3.0)]);
    let expected = [r#"{n="a"} 1"#, r#"{n="b"} 2"#, r#"{otel.metric.overflow="true"} 3"#];
    assert_eq!(lines(&registry), expected);
    tell(&told, &[("c", 4.0), ("b", 2.0), ("a", 1.0)]);
    let expected = [r#"{n="a"} 1"#, r#"{n="b"} 2"#, r#"{otel.metric.overflow="true"} 4"#];
    assert_eq!(lines(&registry), expected);
    // A place that is free goes to the next one, and what is left has begun anew.
    let before = overflow_started(&registry);
    scope.advance(Duration::from_secs(1));
    tell(&told, &[("c", 5.0), ("d", 1.0), ("a", 1.0)]);
    let expected = [r#"{n="a"} 1"#, r#"{n="c"} 5"#, r#"{otel.metric.overflow="true"} 1"#];
    assert_eq!(lines(&registry), expected);
    let after = overflow_started(&registry);
    assert!(after > before, "{after:?} {before:?}");
    tell(&told, &[("x", 5.0), ("y", 1.0)]);
    assert_eq!(lines(&registry), [r#"{n="x"} 5"#, r#"{n="y"} 1"#]);
}

fn overflow_started(registry: &Registry) -> crate::clock::Ticks {
    let snapshot = registry.snapshot();
    let series = snapshot.family("x").unwrap().series();
    series.iter().find(|one| one.labels().get("otel.metric.overflow").is_some()).unwrap().started()
}

#[test]
fn of_two_with_the_same_labels_the_later_holds_up_to_twice_the_limit() {
    let registry = Registry::with_series_limit(2);
    let (told, _observer) = observed(&registry, Kind::Counter);
    tell(&told, &[("a", 1.0), ("b", 2.0), ("c", 3.0), ("c", 5.0), ("a", 7.0)]);
    let expected = [r#"{n="a"} 7"#, r#"{n="b"} 2"#, r#"{otel.metric.overflow="true"} 5"#];
    assert_eq!(lines(&registry), expected);
}

#[test]
fn values_that_are_no_totals_are_in_no_sum() {
    let registry = Registry::with_series_limit(1);
    let (told, _observer) = observed(&registry, Kind::Counter);
    let rest = [("c", f64::NAN), ("d", -7.0), ("e", 2.0)];
    tell(&told, &[&[("a", 1.0), ("b", f64::NAN)][..], &rest].concat());
    assert_eq!(lines(&registry), [r#"{n="a"} 1"#, r#"{otel.metric.overflow="true"} 2"#]);
}

#[test]
fn gauges_beyond_the_limit_are_left_out_and_counted() {
    let _scope = testing::scope();
    let registry = Registry::with_series_limit(2);
    let (told, _observer) = observed(&registry, Kind::Gauge);
    tell(&told, &[("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0), ("e", 4.0), ("f", 4.0)]);
    assert_eq!(lines(&registry), [r#"{n="a"} 1"#, r#"{n="b"} 2"#]);
    assert_eq!(counted("x"), 4.0);
}

#[test]
fn the_limit_of_a_view_holds_for_what_is_observed() {
    let registry = Registry::new();
    registry.set_views(Views::new([View::new("x").limit(1)]).unwrap());
    let (told, _observer) = observed(&registry, Kind::Counter);
    tell(&told, &[("a", 1.0), ("b", 2.0), ("c", 3.0)]);
    assert_eq!(lines(&registry), [r#"{n="a"} 1"#, r#"{otel.metric.overflow="true"} 5"#]);
}

#[test]
fn the_total_over_all_series_is_what_was_told() {
    let registry = Registry::with_series_limit(3);
    let calls = AtomicU64::new(0);
    let tell = move |to: &mut Observations| {
        let call = calls.fetch_add(1, SeqCst);
        (0..1_000).for_each(|n| to.observe(1.0, &[("n", &((n * 7 + call) % 1_000).to_string())]));
    };
    let _observer = registry.counter("x", "").observe(tell).unwrap();
    for _ in 0..5 {
        let snapshot = registry.snapshot();
        let series = snapshot.family("x").unwrap().series();
        assert_eq!(series.len(), 4);
        assert_eq!(series.iter().map(|one| one.value().as_f64()).sum::<f64>(), 1_000.0);
    }
}

#[test]
fn a_window_has_the_increase_of_every_counter_and_of_a_callback_only_what_is_known() {
    let scope = testing::scope();
    let registry = Registry::new();
    let spent = registry.float_counter("spent", "").keys(&["n"]).build().unwrap();
    let whole = registry.counter("whole", "").build().unwrap();
    let (told, _observer) = observed(&registry, Kind::Counter);
    spent.with_labels(&[("n", "a")]).add(0.5);
    whole.add(2);
    tell(&told, &[("a", 10.5)]);
    let earlier = registry.snapshot();
    scope.advance(Duration::from_secs(2));
    spent.with_labels(&[("n", "a")]).add(1.5);
    spent.with_labels(&[("n", "b")]).add(3.0);
    whole.add(4);
    tell(&told, &[("a", 12.0), ("b", 1e12)]);
    let window = registry.snapshot().since(&earlier);
    let increase = |name, n| window.increase(name, &[("n", n)]);
    assert_eq!([increase("spent", "a"), increase("spent", "b")], [Some(1.5), Some(3.0)]);
    assert_eq!([increase("x", "a"), increase("x", "b")], [Some(1.5), None]);
    assert_eq!((window.increase("whole", &[]), window.rate("whole", &[])), (Some(4.0), Some(2.0)));
    assert_eq!((window.increase("none", &[]), window.increase("spent", &[])), (None, None));
    scope.advance(Duration::from_secs(2));
    tell(&told, &[("a", 3.0)]); // It fell: it began anew.
    assert_eq!(registry.snapshot().since(&earlier).increase("x", &[("n", "a")]), Some(3.0));
}

/// What a family of observed counters should be: the latest of each label, with places for those of the
/// last run first, then for the first new ones.
#[derive(Default)]
struct Twin {
    /// The value and the start of each series of the last run, the overflow series included.
    last: BTreeMap<String, (f64, u64)>,
}

const OVERFLOW: &str = "overflow";

impl Twin {
    fn run(&mut self, told: &[(u8, u8)], limit: usize, now: u64) {
        let mut order: Vec<String> = Vec::new();
        let mut values: BTreeMap<String, f64> = BTreeMap::new();
        for (n, value) in told {
            let n = n.to_string();
            if values.insert(n.clone(), f64::from(*value)).is_none() {
                order.push(n);
            }
        }
        let (known, new): (Vec<_>, Vec<_>) =
            order.into_iter().partition(|n| self.last.contains_key(n));
        let (placed, beyond) = match known.len() + new.len() > limit {
            true => (&new[..limit - known.len()], &new[limit - known.len()..]),
            false => (&new[..], &[][..]),
        };
        let mut series: BTreeMap<String, f64> = BTreeMap::new();
        known.iter().chain(placed).for_each(|n| _ = series.insert(n.clone(), values[n]));
        if !beyond.is_empty() {
            series.insert(OVERFLOW.to_owned(), beyond.iter().map(|n| values[n]).sum());
        }
        let started = |(n, value): (String, f64)| match self.last.get(&n) {
            Some(&(last, _)) if value < last => (n, (value, now)),
            Some(&(_, started)) => (n, (value, started)),
            None => (n, (value, 0)),
        };
        self.last = series.into_iter().map(started).collect();
    }
}

proptest! {
    #[test]
    fn any_runs_of_a_callback_are_those_of_a_naive_twin(
        // Fewer different labels than twice the limit: beyond that each observation is added.
        runs in prop::collection::vec(prop::collection::vec((0u8..6, 0u8..4), 0..9), 1..12),
        repeats in prop::collection::vec(1usize..4, 12),
        constant in prop::bool::ANY,
    ) {
        const LIMIT: usize = 3;
        let scope = testing::scope();
        let registry = Registry::builder().series_limit(LIMIT);
        let registry = if constant { registry.label("zone", "eu") } else { registry }.build();
        let (told, _observer) = observed(&registry, Kind::Counter);
        let mut twin = Twin::default();
        let began = registry.snapshot().started();
        let mut now = 0;
        for (run, repeat) in runs.iter().zip(repeats) {
            let named: Vec<_> = run.iter().map(|(n, v)| (n.to_string(), f64::from(*v))).collect();
            *told.lock() = named;
            for _ in 0..repeat {
                now += 1;
                scope.advance(Duration::from_secs(1));
                twin.run(run, LIMIT, now);
                let snapshot = registry.snapshot();
                let series = snapshot.family("x").map_or(&[][..], |family| family.series());
                let ours = series.iter().map(|one| {
                    prop_assert_eq!(one.labels().get("zone"), constant.then_some("eu"));
                    let n = one.labels().get("n").unwrap_or(OVERFLOW).to_owned();
                    let started = one.started().since(began).as_secs();
                    Ok((n, (one.value().as_f64(), started)))
                });
                let ours: Result<BTreeMap<_, _>, TestCaseError> = ours.collect();
                prop_assert_eq!(&ours?, &twin.last);
                prop_assert!(series.is_sorted_by(|a, b| a.labels() < b.labels()));
            }
        }
    }
}

#[test]
fn labels_that_only_look_like_those_of_the_last_run_are_told_apart() {
    let registry = Registry::builder().label("zone", "eu").build();
    let runs: [&[(&'static str, &str)]; 7] = [
        &[("a", "1"), ("b", "2")],
        &[("b", "2"), ("a", "1")],
        &[("a", "1"), ("a", "1")],
        &[("a", "1"), ("b", "2"), ("zone", "us")],
        &[("a", "1"), ("b", "2"), ("c", "")],
        &[("a", "1"), ("zone", "eu")],
        &[("a", "1"), ("b", "")],
    ];
    let call = AtomicU64::new(0);
    let tell = move |to: &mut Observations| {
        let call = call.fetch_add(1, SeqCst) as usize;
        to.observe(1.0, runs[call / 2 % runs.len()]);
        if call % 2 == 1 {
            to.observe(5.0, &[("a", "1"), ("b", "2")]);
        }
    };
    let _observer = registry.gauge("x", "").observe(tell).unwrap();
    let both = r#"{a="1", b="2", zone="eu"}"#;
    let one = r#"{a="1", zone="eu"}"#;
    let abroad = r#"{a="1", b="2", zone="us"}"#;
    for labels in [both, both, one, abroad, both, one, one] {
        assert_eq!(lines(&registry), [format!("{labels} 1")]);
        let expected = match labels {
            _ if labels == both => vec![format!("{both} 5")],
            _ if labels == one => vec![format!("{both} 5"), format!("{one} 1")],
            _ => vec![format!("{both} 5"), format!("{abroad} 1")],
        };
        assert_eq!(lines(&registry), expected);
    }
}
