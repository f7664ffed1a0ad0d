//! What a record costs its thread, and what reading a distribution costs a reader.

use std::hint::black_box;

use bellwether::{Histogram, Unit, clock, time};
use criterion::{Criterion, criterion_group, criterion_main};

static DURATION: Histogram = Histogram::new("duration", "").unit(Unit::Seconds);
static TIMED: Histogram = Histogram::new("timed", "").unit(Unit::Seconds);

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
    group.bench_function("floor: two readings of the clock", |b| {
        b.iter(|| clock::now().seconds_since(clock::now()));
    });
    group.bench_function("two readings and a record", |b| {
        b.iter(|| {
            let start = clock::now();
            TIMED.record(clock::now().seconds_since(start));
        });
    });
    group.bench_function("a timer", |b| b.iter(|| DURATION.start_timer()));
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
