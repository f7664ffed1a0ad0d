//! Hundreds of threads at once and hundreds of thousands one after the other: memory stays where it is,
//! and what a reader pays does not grow with the threads.
//!
//! `cargo run --release --example many_threads`. It fails if a total is off by one, if memory exceeds
//! what it prints beside it, or if a reading takes three times what it should.
#![allow(clippy::disallowed_methods, reason = "the rule is the library's own")]

use std::{
    sync::{Barrier, OnceLock},
    thread,
    time::{Duration, Instant},
};

use bellwether::{
    Histogram, Labels, Unit,
    export::{
        Memory,
        prometheus::{self, Format},
    },
    metric::{Registry, Summary},
    resource::Resource,
    testing,
    trace::{SpanRecord, span},
};

static PLAIN: Histogram<Nth> = Histogram::new("threads.plain", "By default").unit(Unit::Seconds);
static BOUNDS: Histogram<Nth> = Histogram::new("threads.bounds", "By bounds of its own")
    .unit(Unit::Seconds)
    .bounds(&[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
static SUMMARY: Summary<Nth> = Summary::new("threads.summary", "With windows").unit(Unit::Seconds);

const SERIES: u8 = 200;
const VALUES: u64 = 500;
const AT_ONCE: u64 = 512;
const MIB: u64 = 1 << 20;

#[derive(Labels, Clone, Copy)]
struct Nth {
    #[label(range = 0..=199)]
    nth: u8,
}

fn main() {
    let registry = Registry::global();
    let _ = registry.snapshot();
    let start = resident_bytes();

    at_once("512 threads at once", start, 64 * MIB, || {
        record_all(VALUES, |nth, value| {
            PLAIN.with(Nth { nth }).record(value);
        })
    });
    let expected = AT_ONCE * VALUES;
    let snapshot = registry.snapshot();
    let family = snapshot.family("threads.plain").expect("recorded");
    for series in family.series() {
        let histogram = series.value().as_histogram().expect("a histogram");
        assert_eq!(histogram.count(), expected);
        assert!((histogram.sum() / sum_of(VALUES) / AT_ONCE as f64 - 1.0).abs() < 1e-9);
        for q in [0.5, 0.9, 0.99] {
            let exact = value((q * VALUES as f64).ceil() as u64 - 1);
            let told = histogram.quantile(q).expect("values");
            assert!((told / exact - 1.0).abs() < 0.01, "{q}: {told} for {exact}");
        }
        assert_eq!(histogram.max(), Some(value(VALUES - 1)));
    }
    readings_hold("after them");

    let before = resident_bytes();
    for _ in 0..200_000 / 8 {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..50).for_each(|nth| PLAIN.with(Nth { nth }).record(0.01)));
            }
        });
    }
    holds("200,000 short threads of 50 series", before, 2 * MIB);

    at_once("512 at once, own bounds", resident_bytes(), 8 * MIB, || {
        record_all(VALUES, |nth, value| BOUNDS.with(Nth { nth }).record(value));
    });
    at_once("512 at once, summaries", resident_bytes(), 64 * MIB, || {
        record_all(VALUES, |nth, value| SUMMARY.bind(Nth { nth }).record(value));
    });
    let telemetry = bellwether::builder("threads").export(Memory::<SpanRecord>::new()).start();
    let telemetry = telemetry.expect("nothing to fail");
    at_once("512 at once, exemplars", resident_bytes(), 32 * MIB, || {
        let _span = span("sampled").root().enter();
        record_all(10, |nth, value| PLAIN.with(Nth { nth }).record(value));
    });
    drop(telemetry);
    let before = OnceLock::new();
    for _ in 0..20 {
        let scope = testing::scope();
        thread::scope(|threads| {
            for _ in 0..64 {
                threads.spawn(testing::carry(|| {
                    record_all(50, |nth, value| PLAIN.with(Nth { nth }).record(value));
                }));
            }
        });
        drop(scope);
        before.get_or_init(resident_bytes);
    }
    holds("20 scopes of 64 threads", *before.get().expect("set"), 2 * MIB);
    readings_hold("after everything");
}

/// Lets 512 threads record at once and live until all have; memory is looked at then and after.
fn at_once(what: &str, start: u64, most: u64, record: impl Fn() + Sync) {
    let (recorded, looked) =
        (Barrier::new(AT_ONCE as usize + 1), Barrier::new(AT_ONCE as usize + 1));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                record();
                recorded.wait();
                looked.wait();
            });
        }
        recorded.wait();
        holds(&format!("{what}, alive"), start, most);
        looked.wait();
    });
    holds(&format!("{what}, after"), start, most);
}

fn record_all(values: u64, record: impl Fn(u8, f64)) {
    for nth in 0..SERIES {
        (0..values).for_each(|n| record(nth, value(n)));
    }
}

/// From a millisecond to about a second, ascending.
fn value(n: u64) -> f64 {
    0.001 * (n as f64 / 72.0).exp()
}

fn sum_of(values: u64) -> f64 {
    (0..values).map(value).sum()
}

/// A reading with N owners and some shared tables, however many threads there were.
fn readings_hold(when: &str) {
    let fastest = |read: &mut dyn FnMut()| {
        let timed = |_| {
            let start = Instant::now();
            read();
            start.elapsed()
        };
        (0..5).map(timed).min().expect("five of them")
    };
    let snapshot = fastest(&mut || drop(Registry::global().snapshot()));
    println!("a snapshot {when}: {snapshot:?}, 15 ms at most, 45 ms to pass");
    assert!(snapshot < Duration::from_millis(45), "a snapshot {when} took {snapshot:?}");
    let (registry, mut page) = (Registry::global(), Vec::new());
    let text = fastest(&mut || {
        page.clear();
        let (snapshot, resource) = (registry.snapshot(), Resource::default());
        prometheus::render_into(&mut page, &snapshot, &resource, Format::Text);
    });
    println!("a page {when}: {text:?}, {} bytes", page.len());
}

fn holds(what: &str, start: u64, most: u64) {
    let grown = resident_bytes().saturating_sub(start);
    println!("{what}: +{:.1} MiB of at most {}", grown as f64 / MIB as f64, most / MIB);
    if grown > most {
        eprintln!("{what}: {grown} bytes more");
        std::process::exit(1); // A panic would wait for the threads, and they for this one.
    }
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.map_or(0, |pages| pages * 4096)
}
