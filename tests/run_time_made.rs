//! Registries, instruments and callbacks that are made at run time give back what they held.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod counting;

use std::thread;

use bellwether::{
    Labels, Unit,
    metric::{Aggregation, HistogramOptions, Registry},
};

/// What 100,000 registries or callbacks may leave.
const MOST: i64 = 4 << 20;

/// The bytes that so many calls leave behind.
fn left_by(n: u32, mut make: impl FnMut(u32)) -> i64 {
    let before = counting::live();
    (0..n).for_each(&mut make);
    counting::live() - before
}

#[derive(Clone, Labels)]
struct Route<'a> {
    route: &'a str,
}

#[derive(Clone, Copy, Labels)]
struct Hit {
    hit: bool,
}

/// More combinations than a block of ids has.
#[derive(Clone, Copy, Labels)]
struct Flags {
    a: bool,
    b: bool,
    c: bool,
    d: bool,
    e: bool,
    f: bool,
    g: bool,
}

/// Every kind of instrument, with every kind of labels, each recorded into and read.
fn use_all_of(registry: &Registry, n: u32) {
    const BOUNDS: HistogramOptions =
        HistogramOptions::new().aggregation(Aggregation::Explicit(&[1.0, 5.0]));
    let name = |kind: &str| format!("{kind}.{n}");
    let (unit, route) = (Unit::NONE, format!("/{n}"));
    let counter =
        registry.counter(&name("open"), "").unit(unit).labels::<Route<'_>>().build().unwrap();
    counter.with(Route { route: &route }).inc();
    let bound = counter.bind(Route { route: "/bound" });
    let closed =
        registry.counter(&name("closed"), "Hits").unit(unit).labels::<Hit>().build().unwrap();
    closed.bind(Hit { hit: true }).add(2);
    let gauge = registry.gauge(&name("gauge"), "").unit(unit).build().unwrap();
    gauge.set(0.5);
    let (plain, own) = (name("plain"), name("own"));
    registry.histogram(&plain, "").unit(unit).build().unwrap().record(3.0);
    registry
        .histogram(&own, "")
        .unit(unit)
        .labels::<Hit>()
        .options(BOUNDS)
        .build()
        .unwrap()
        .with(Hit { hit: false })
        .record(3.0);
    registry.summary(&name("summary"), "").unit(unit).build().unwrap().record(4.0);
    let flags = Flags { a: true, b: true, c: true, d: true, e: true, f: true, g: true };
    registry
        .counter(&name("flags"), "")
        .unit(unit)
        .labels::<Flags>()
        .build()
        .unwrap()
        .with(flags)
        .inc();
    let ticks = HistogramOptions::new().aggregation(Aggregation::Hdr { significant_digits: 3 });
    let ticks = registry.histogram(&name("ticks"), "").unit(unit).options(ticks).build().unwrap();
    (0..100).for_each(|n| ticks.record(f64::from(n) * 1e6));
    let keyed = registry.counter(&name("keyed"), "").unit(unit).keys(&["tenant"]).build().unwrap();
    keyed.with_labels(&[("tenant", &route)]).inc();
    bound.add(7);

    let snapshot = registry.snapshot();
    let value = |kind: &str, labels: &[(&str, &str)]| snapshot.value(&name(kind), labels).unwrap();
    assert_eq!(value("open", &[("route", &route)]).as_f64(), 1.0);
    assert_eq!(value("open", &[("route", "/bound")]).as_f64(), 7.0);
    assert_eq!(value("closed", &[("hit", "true")]).as_f64(), 2.0);
    assert!(snapshot.value(&name("closed"), &[("hit", "false")]).is_none());
    assert_eq!(value("gauge", &[]).as_f64(), 0.5);
    assert_eq!(value("plain", &[]).as_histogram().unwrap().count(), 1);
    assert_eq!(value("own", &[("hit", "false")]).as_histogram().unwrap().count(), 1);
    assert_eq!(value("keyed", &[("tenant", &route)]).as_f64(), 1.0);
}

#[test]
fn what_was_made_at_run_time_and_is_gone_leaves_nothing() {
    let counters = left_by(100_000, |n| {
        let registry = Registry::new();
        registry.counter(&format!("c{n}"), "").build().unwrap().inc();
    });
    let registry = Registry::new();
    let callbacks = left_by(100_000, |n| {
        let tell = |to: &mut bellwether::metric::Observations| to.observe(1.0, &[]);
        let observer = registry.gauge(&format!("o{n}"), "").observe(tell);
        if n % 100 == 0 {
            assert_eq!(registry.snapshot().families().len(), 1);
        }
        drop(observer);
    });
    println!(
        "left by 100,000 registries with a counter {counters} bytes, by callbacks {callbacks}"
    );
    assert!(counters + callbacks <= MOST, "{counters} + {callbacks}");

    // One to fill the pools, and the next find everything there, on other threads too.
    // A small budget among them: what an earlier registry made may be more than it has.
    let small = || Registry::builder().byte_budget(1 << 18).build();
    use_all_of(&small(), 0);
    let all = left_by(500, |n| use_all_of(&small(), n));
    let threads = left_by(20, |n| {
        thread::scope(|scope| scope.spawn(|| use_all_of(&small(), n)).join().unwrap());
    });
    let kept = Registry::new();
    let unregister = |n| {
        use_all_of(&kept, n);
        let names: Vec<String> =
            kept.snapshot().families().iter().map(|family| family.name().to_owned()).collect();
        assert_eq!(names.len(), 9);
        assert!(names.iter().all(|name| kept.unregister(name)));
    };
    unregister(0);
    let unregistered = left_by(500, unregister);
    println!("by 500 with all kinds {all}, by 20 threads {threads}, unregistered {unregistered}");
    assert!(all + threads + unregistered <= 64 << 10, "{all} + {threads} + {unregistered}");
}
