//! Instruments of OpenTelemetry's API record into a registry.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rule is the library's own"
)]

use bellwether::{
    integration::opentelemetry::OtelMeterProvider,
    metric::{Kind, Registry, Snapshot},
};
use opentelemetry::{
    InstrumentationScope, KeyValue, StringValue, Value,
    metrics::{Meter, MeterProvider as _},
};

fn meter() -> (Registry, Meter) {
    let registry = Registry::new();
    let meter = OtelMeterProvider::new(&registry).meter("");
    (registry, meter)
}

fn value(snapshot: &Snapshot, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    snapshot.value(name, labels).map(|value| value.as_f64())
}

/// How many measurements were rejected, in all of this process.
fn rejected() -> f64 {
    let snapshot = Registry::global().snapshot();
    let family = snapshot.family("telemetry.measurements.rejected");
    family.map_or(0.0, |family| family.series().iter().map(|series| series.value().as_f64()).sum())
}

#[test]
fn every_kind_is_one_of_ours_with_its_unit_and_description() {
    let (registry, meter) = meter();
    let tag = [KeyValue::new("a", "b")];
    let labels = [("a", "b")];
    meter.u64_counter("c.u").with_unit("By").with_description("Bytes").build().add(3, &tag);
    meter.f64_counter("c.f").with_unit("s").build().add(0.5, &tag);
    meter.i64_up_down_counter("ud.i").build().add(-2, &tag);
    meter.f64_up_down_counter("ud.f").build().add(-0.5, &tag);
    meter.u64_gauge("g.u").build().record(7, &tag);
    meter.i64_gauge("g.i").build().record(-7, &tag);
    meter.f64_gauge("g.f").build().record(-0.25, &tag);
    meter.u64_histogram("h.u").with_unit("By").build().record(100, &tag);
    meter.f64_histogram("h.f").with_unit("s").build().record(0.25, &tag);

    let snapshot = registry.snapshot();
    for (name, kind, unit, expected) in [
        ("c.u", Kind::Counter, "By", 3.0),
        ("c.f", Kind::Counter, "s", 0.5),
        ("ud.i", Kind::UpDownCounter, "", -2.0),
        ("ud.f", Kind::Gauge, "", -0.5),
        ("g.u", Kind::Gauge, "", 7.0),
        ("g.i", Kind::Gauge, "", -7.0),
        ("g.f", Kind::Gauge, "", -0.25),
    ] {
        let family = snapshot.family(name).unwrap();
        assert_eq!((family.kind(), family.unit().as_str()), (kind, unit), "{name}");
        assert_eq!(value(&snapshot, name, &labels), Some(expected), "{name}");
    }
    assert_eq!(snapshot.family("c.u").unwrap().help(), "Bytes");
    for (name, sum) in [("h.u", 100.0), ("h.f", 0.25)] {
        let histogram = snapshot.value(name, &labels).unwrap().as_histogram().unwrap().clone();
        assert_eq!((histogram.count(), histogram.sum()), (1, sum), "{name}");
    }
}

#[test]
fn boundaries_are_the_buckets() {
    let (registry, meter) = meter();
    let sizes = meter.f64_histogram("size").with_boundaries(vec![0.0, 10.0, 100.0]).build();
    [0.0, 5.0, 10.0, 11.0, 1_000.0].into_iter().for_each(|size| sizes.record(size, &[]));
    let snapshot = registry.snapshot();
    let histogram = snapshot.value("size", &[]).unwrap().as_histogram().unwrap().clone();
    assert_eq!(histogram.cumulative(&[0.0, 10.0, 100.0]), [1, 3, 4]);

    let odd = meter.f64_histogram("odd").with_boundaries(vec![3.0, 1.0]).build();
    odd.record(2.0, &[]);
    let snapshot = registry.snapshot();
    let histogram = snapshot.value("odd", &[]).unwrap().as_histogram().unwrap().clone();
    assert_eq!(histogram.count(), 1, "recorded in buckets of our own");
}

#[test]
fn attributes_of_any_type_and_order_are_one_set_of_labels() {
    let (registry, meter) = meter();
    let counter = meter.u64_counter("c").build();
    let (a, b) = (KeyValue::new("a", 1), KeyValue::new("b", true));
    counter.add(1, &[a.clone(), b.clone()]);
    counter.add(2, &[b.clone(), a.clone()]);
    counter.add(4, &[KeyValue::new("a", 9), b, a]);
    counter.add(8, &[]);
    let list = Value::Array(vec![StringValue::from("x"), StringValue::from("y")].into());
    counter.add(16, &[KeyValue::new("list", list), KeyValue::new("f", f64::NAN)]);
    let snapshot = registry.snapshot();
    assert_eq!(value(&snapshot, "c", &[("a", "1"), ("b", "true")]), Some(7.0));
    assert_eq!(value(&snapshot, "c", &[]), Some(8.0));
    let labels = [("list", r#"["x","y"]"#), ("f", "NaN")];
    assert_eq!(value(&snapshot, "c", &labels), Some(16.0));
}

#[test]
fn an_instrument_that_is_asked_for_twice_is_one() {
    let (registry, meter) = meter();
    for _ in 0..3 {
        meter.u64_counter("c").build().add(1, &[KeyValue::new("k", "v")]);
    }
    assert_eq!(value(&registry.snapshot(), "c", &[("k", "v")]), Some(3.0));
    let clone = meter.clone();
    clone.u64_counter("c").build().clone().add(1, &[KeyValue::new("k", "v")]);
    assert_eq!(value(&registry.snapshot(), "c", &[("k", "v")]), Some(4.0));
}

#[test]
fn two_scopes_with_one_name_are_two_series_of_one_family() {
    let registry = Registry::new();
    let provider = OtelMeterProvider::new(&registry);
    for (scope, n) in [("one", 1), ("two", 2)] {
        let scope = InstrumentationScope::builder(scope).with_version("7").build();
        provider.meter_with_scope(scope).u64_counter("c").build().add(n, &[]);
    }
    let snapshot = registry.snapshot();
    for (scope, n) in [("one", 1.0), ("two", 2.0)] {
        let labels = [("otel.scope.name", scope), ("otel.scope.version", "7")];
        assert_eq!(value(&snapshot, "c", &labels), Some(n));
    }
}

#[test]
fn instruments_that_clash_are_counted_by_name_and_the_first_is_kept() {
    let (registry, meter) = meter();
    meter.u64_counter("clash").build().add(1, &[]);
    let before = rejected();
    meter.f64_gauge("clash").build().record(5.0, &[]);
    meter.u64_counter("clash").with_unit("s").build().add(5, &[]);
    meter.u64_counter("not legal!").build().add(5, &[]);
    meter.u64_counter("x".repeat(10_000)).build().add(5, &[]);
    assert_eq!(rejected() - before, 4.0);
    assert_eq!(value(&registry.snapshot(), "clash", &[]), Some(1.0));
}

#[test]
fn units_that_are_made_at_run_time_are_units() {
    let (registry, meter) = meter();
    meter.u64_counter("c").with_unit(String::from("KiBy")).build().add(1, &[]);
    assert_eq!(registry.snapshot().family("c").unwrap().unit().as_str(), "KiBy");
}

#[test]
fn a_series_that_is_bound_is_the_series_of_its_attributes() {
    let (registry, meter) = meter();
    let tag = [KeyValue::new("k", "v")];
    let counter = meter.u64_counter("c").build();
    counter.bind(&tag).add(2);
    counter.add(1, &tag);
    meter.f64_histogram("h").build().bind(&tag).record(2.0);
    meter.i64_up_down_counter("ud").build().bind(&tag).add(-1);
    meter.f64_gauge("g").build().bind(&tag).record(0.5);
    let snapshot = registry.snapshot();
    let labels = [("k", "v")];
    assert_eq!(value(&snapshot, "c", &labels), Some(3.0));
    assert_eq!(value(&snapshot, "ud", &labels), Some(-1.0));
    assert_eq!(value(&snapshot, "g", &labels), Some(0.5));
    assert_eq!(snapshot.value("h", &labels).unwrap().as_histogram().unwrap().count(), 1);
}

#[test]
fn a_hundred_thousand_attribute_sets_end_in_the_overflow_series_and_the_sum_is_exact() {
    let (registry, meter) = meter();
    let counter = meter.u64_counter("c").build();
    for n in 0..100_000_i64 {
        counter.add(1, &[KeyValue::new("id", n)]);
    }
    let snapshot = registry.snapshot();
    let family = snapshot.family("c").unwrap();
    assert!(family.series().len() < 20_000, "{}", family.series().len());
    let sum: f64 = family.series().iter().map(|series| series.value().as_f64()).sum();
    assert_eq!(sum, 100_000.0);
    assert!(value(&snapshot, "c", &[("otel.metric.overflow", "true")]).unwrap() > 0.0);
}

#[test]
fn threads_that_record_at_once_lose_nothing() {
    let (registry, meter) = meter();
    let counter = meter.u64_counter("c").build();
    std::thread::scope(|scope| {
        for thread in 0..4_i64 {
            let counter = counter.clone();
            scope.spawn(move || {
                for n in 0..10_000_i64 {
                    counter.add(1, &[KeyValue::new("thread", thread), KeyValue::new("n", n % 10)]);
                }
            });
        }
    });
    let snapshot = registry.snapshot();
    let family = snapshot.family("c").unwrap();
    assert_eq!(family.series().len(), 40);
    assert!(family.series().iter().all(|series| series.value().as_f64() == 1_000.0));
}
