//! What a record costs its thread, and what reading a distribution costs a reader.

use std::hint::black_box;

use bellwether::{Histogram, Unit, clock, time};
use criterion::{Criterion, criterion_group, criterion_main};

static DURATION: Histogram = Histogram::new("duration", "").unit(Unit::Seconds);
static TIMED: Histogram = Histogram::new("timed", "").unit(Unit::Seconds);

static BOUNDED: Histogram = Histogram::new("bounded", "")
    .bounds(&[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
static MANY: Histogram = Histogram::new("many", "").bounds(&evenly::<64>());
static SEARCHED: Histogram =
    Histogram::new("searched", "").bounds(&[1e-3, 5e-3, 0.02, 0.020_000_000_1]);
static TICKS: Histogram = Histogram::new("ticks", "").hdr(3);
static RANGED: Histogram =
    Histogram::new("ranged", "").range(0.0, 60.0, bellwether::metric::OutOfRange::Drop);

/// So many bounds, evenly spread over the values.
const fn evenly<const N: usize>() -> [f64; N] {
    let mut bounds = [0.0; N];
    let mut place = 0;
    while place < N {
        bounds[place] = 0.025 * place as f64 / N as f64;
        place += 1;
    }
    bounds
}

/// Values spread over some powers of two, as latencies are.
fn values() -> Vec<f64> {
    // A multiplicative generator (Lehmer's, with modulus 2^31 - 1): the same values in every run.
    let numbers = std::iter::successors(Some(42_u64), |n| Some(n * 48_271 % 0x7fff_ffff));
    numbers.take(4096).map(|n| 1e-3 * (1.0 + n as f64 / 1e8)).collect()
}

fn histograms(bench: &mut Criterion) {
    let values = values();
    let mut group = bench.benchmark_group("histogram");
    let mut next = values.iter().cycle();
    group.bench_function("record", |b| {
        b.iter(|| next.next().into_iter().for_each(|&value| DURATION.record(value)));
    });
    for (name, histogram) in [
        ("record, 11 bounds", &BOUNDED),
        ("record, 64 bounds", &MANY),
        ("record, bounds too close for a table", &SEARCHED),
        ("record, in a range", &RANGED),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| next.next().into_iter().for_each(|&value| histogram.record(value)));
        });
    }
    group.bench_function("record, HDR of 3 digits", |b| {
        b.iter(|| next.next().into_iter().for_each(|&value| TICKS.record(value * 1e9)));
    });
    group.bench_function("floor: two readings of the clock", |b| {
        b.iter(|| clock::now().seconds_since(clock::now()));
    });
    group.bench_function("two readings and a record", |b| {
        b.iter(|| {
            let start = clock::now();
            TIMED.record(clock::now().seconds_since(start));
        });
    });
    group.bench_function("time!", |b| b.iter(|| time!("work", black_box(1))));
    group.bench_function("read P50, P90, P99", |b| {
        b.iter(|| {
            let snapshot = DURATION.snapshot();
            (snapshot.p50(), snapshot.p90(), snapshot.p99())
        });
    });
    group.finish();
}

criterion_group!(benches, histograms);
criterion_main!(benches);
