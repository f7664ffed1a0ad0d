//! Instruments of OpenTelemetry's API whose values come from callbacks.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rule is the library's own"
)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
        mpsc,
    },
    time::Duration,
};

use bellwether::{
    integration::opentelemetry::OtelMeterProvider,
    metric::{Kind, Registry, Snapshot},
};
use opentelemetry::{
    KeyValue,
    metrics::{AsyncInstrument, Meter, MeterProvider as _},
};

fn meter() -> (Registry, Meter) {
    let registry = Registry::new();
    let meter = OtelMeterProvider::new(&registry).meter("");
    (registry, meter)
}

fn value(snapshot: &Snapshot, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    snapshot.value(name, labels).map(|value| value.as_f64())
}

#[test]
fn every_kind_shows_what_its_callback_observes() {
    let (registry, meter) = meter();
    let tag = || [KeyValue::new("k", "v")];
    meter.u64_observable_counter("c.u").with_callback(move |to| to.observe(3, &tag())).build();
    meter.f64_observable_counter("c.f").with_callback(move |to| to.observe(0.5, &tag())).build();
    meter
        .i64_observable_up_down_counter("ud.i")
        .with_callback(move |to| to.observe(-2, &tag()))
        .build();
    meter
        .f64_observable_up_down_counter("ud.f")
        .with_callback(move |to| to.observe(-0.5, &tag()))
        .build();
    meter.u64_observable_gauge("g.u").with_callback(move |to| to.observe(7, &tag())).build();
    meter.i64_observable_gauge("g.i").with_callback(move |to| to.observe(-7, &tag())).build();
    meter
        .f64_observable_gauge("g.f")
        .with_unit("s")
        .with_description("Seconds")
        .with_callback(move |to| to.observe(0.25, &tag()))
        .build();
    let snapshot = registry.snapshot();
    for (name, kind, expected) in [
        ("c.u", Kind::Counter, 3.0),
        ("c.f", Kind::Counter, 0.5),
        ("ud.i", Kind::UpDownCounter, -2.0),
        ("ud.f", Kind::Gauge, -0.5),
        ("g.u", Kind::Gauge, 7.0),
        ("g.i", Kind::Gauge, -7.0),
        ("g.f", Kind::Gauge, 0.25),
    ] {
        assert_eq!(snapshot.family(name).unwrap().kind(), kind, "{name}");
        assert_eq!(value(&snapshot, name, &[("k", "v")]), Some(expected), "{name}");
    }
    let family = snapshot.family("g.f").unwrap();
    assert_eq!((family.unit().as_str(), family.help()), ("s", "Seconds"));
}

#[test]
fn callbacks_of_several_requests_and_scopes_are_one_family() {
    let registry = Registry::new();
    let provider = OtelMeterProvider::new(&registry);
    for (scope, n) in [("one", 1), ("two", 2)] {
        let meter = provider.meter(scope);
        meter.u64_observable_gauge("g").with_callback(move |to| to.observe(n, &[])).build();
    }
    let again = provider.meter("one");
    let callback = |to: &dyn AsyncInstrument<u64>| to.observe(3, &[KeyValue::new("k", "v")]);
    again.u64_observable_gauge("g").with_callback(callback).build();
    let snapshot = registry.snapshot();
    assert_eq!(value(&snapshot, "g", &[("otel.scope.name", "one")]), Some(1.0));
    assert_eq!(value(&snapshot, "g", &[("otel.scope.name", "two")]), Some(2.0));
    assert_eq!(value(&snapshot, "g", &[("otel.scope.name", "one"), ("k", "v")]), Some(3.0));
}

#[test]
fn a_clash_leaves_the_first_as_it_is() {
    let (registry, meter) = meter();
    meter.u64_observable_gauge("g").with_callback(|to| to.observe(1, &[])).build();
    meter.u64_observable_counter("g").with_callback(|to| to.observe(9, &[])).build();
    meter.u64_counter("c").build().add(1, &[]);
    meter.u64_observable_gauge("c").with_callback(|to| to.observe(9, &[])).build();
    meter.u64_observable_gauge("not legal!").with_callback(|to| to.observe(9, &[])).build();
    meter.u64_observable_gauge("without a callback").build();
    let snapshot = registry.snapshot();
    assert_eq!(value(&snapshot, "g", &[]), Some(1.0));
    assert_eq!(value(&snapshot, "c", &[]), Some(1.0));
}

#[test]
fn a_callback_that_panics_loses_its_family_in_that_reading_and_no_other() {
    let (registry, meter) = meter();
    let n = Arc::new(AtomicU64::new(0));
    let calls = n.clone();
    meter
        .u64_observable_gauge("odd")
        .with_callback(move |to| {
            let n = calls.fetch_add(1, SeqCst);
            assert!(n.is_multiple_of(2), "on purpose");
            to.observe(n, &[]);
        })
        .build();
    meter.u64_observable_gauge("even").with_callback(|to| to.observe(7, &[])).build();
    for expected in [Some(0.0), None, Some(2.0)] {
        let snapshot = registry.snapshot();
        assert_eq!(value(&snapshot, "odd", &[]), expected);
        assert_eq!(value(&snapshot, "even", &[]), Some(7.0));
    }
}

#[test]
fn a_callback_that_hangs_keeps_nobody_from_reading() {
    let registry = Registry::builder().callback_patience(Duration::from_millis(20)).build();
    let meter = OtelMeterProvider::new(&registry).meter("");
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    meter
        .u64_observable_gauge("hangs")
        .with_callback(move |_| {
            // Until the test is over.
            let _ = released.lock().unwrap().recv();
        })
        .build();
    meter.u64_observable_gauge("quick").with_callback(|to| to.observe(7, &[])).build();
    for _ in 0..3 {
        let snapshot = registry.snapshot();
        assert_eq!(value(&snapshot, "hangs", &[]), None);
    }
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while value(&registry.snapshot(), "quick", &[]) != Some(7.0) {
        assert!(std::time::Instant::now() < until, "the other callback is never shown");
    }
    drop(release);
}

#[test]
fn a_callback_may_use_the_meter_it_is_of_and_a_hundred_thousand_sets_are_limited() {
    let registry = Registry::builder().callback_patience(Duration::from_secs(20)).build();
    let meter = OtelMeterProvider::new(&registry).meter("");
    let own = meter.clone();
    meter
        .u64_observable_counter("many")
        .with_callback(move |to| {
            own.u64_counter("inside").build().add(1, &[]);
            for n in 0..100_000 {
                to.observe(1, &[KeyValue::new("n", n)]);
            }
        })
        .build();
    let snapshot = registry.snapshot();
    let family = snapshot.family("many").unwrap();
    assert!(family.series().len() <= 2_001, "{}", family.series().len());
    let sum: f64 = family.series().iter().map(|series| series.value().as_f64()).sum();
    assert_eq!(sum, 100_000.0);
    assert_eq!(value(&registry.snapshot(), "inside", &[]), Some(2.0));
}
