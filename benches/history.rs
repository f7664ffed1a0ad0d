//! What the past of all series costs: a tick, a sample, a read; beside floors.
//!
//! `cargo bench --bench history` prints one line for each; a floor is the least that anybody would have
//! to do: ask the counters for their values; or keep each sample as eight bytes in a list of its series,
//! and add them up.

use std::{hint::black_box, time::Duration};

use bellwether::{
    HistoryBench,
    metric::{Registry, Unit},
};

const BUDGET: usize = 32 << 20;
const SECOND: Duration = Duration::from_secs(1);

fn main() {
    samples();
    for (n_counters, n_histograms) in [(0, 0), (10_000, 1_000), (100_000, 0)] {
        ticks(n_counters, n_histograms);
    }
}

/// The mean of the faster half of the runs: other programs run too.
fn mean(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.truncate(times.len().div_ceil(2));
    times.iter().sum::<Duration>() / times.len().max(1) as u32
}

fn time<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let start = bellwether::clock::now();
    let result = black_box(run());
    (bellwether::clock::now().since(start), result)
}

/// 11,000 counters whose steps are Poisson about 0, 0.1, 1, 10, 100, 1,000 or 10,000.
fn samples() {
    const N: usize = 11_000;
    const N_TICKS: u64 = 1_000;
    let mut random = Random(1);
    for mean_step in [None, Some(0.0), Some(1.0), Some(100.0), Some(10_000.0)] {
        let steps = [0.0, 0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0];
        let mut values = vec![1u64 << 20; N];
        let mut bench = HistoryBench::new(1 << 30);
        let mut lists: Vec<_> = (0..N).map(|_| Vec::with_capacity(N_TICKS as usize)).collect();
        let (mut spent, mut floors, mut n_changed) = (Vec::new(), Vec::new(), 0u64);
        for tick in 0..N_TICKS {
            for (n, value) in values.iter_mut().enumerate() {
                let step = random.poisson(mean_step.unwrap_or(steps[n % steps.len()]));
                *value += step;
                n_changed += u64::from(step > 0 && tick > 0);
            }
            let (took, ()) = time(|| bench.append(&values));
            spent.push(took);
            bench.finish();
            floors.push(time(|| lists.iter_mut().zip(&values).for_each(|(to, &n)| to.push(n))).0);
        }
        let read = bench.read();
        let reading = mean((0..6).map(|_| time(|| bench.read()).0).collect());
        let read_floor = mean((0..6).map(|_| time(|| added_up(&lists)).0).collect());
        let (spent, n_changed) = (mean(spent), n_changed as f64 / (N_TICKS - 1) as f64);
        let (bytes, n_sealed) = bench.sealed();
        let name = mean_step.map_or("mixed".to_owned(), |step| step.to_string());
        println!(
            "steps {name:>6}: append {:5.1} ns a series, {:5.1} ns a changed sample; {:.2} bytes a sample \
             sealed; read {:.1} ns a sample ({}); floors {:.1} and {:.1} ns",
            spent.as_nanos() as f64 / N as f64,
            spent.as_nanos() as f64 / n_changed.max(1.0),
            bytes as f64 / n_sealed.max(1) as f64,
            reading.as_nanos() as f64 / read.n_samples.max(1) as f64,
            read.checksum % 10,
            mean(floors).as_nanos() as f64 / N as f64,
            read_floor.as_nanos() as f64 / (N as f64 * N_TICKS as f64),
        );
    }
}

fn added_up(lists: &[Vec<u64>]) -> u64 {
    lists.iter().flatten().fold(0, |sum, &value| sum.wrapping_add(black_box(value)))
}

/// Ticks of a registry, idle and busy.
fn ticks(n_counters: usize, n_histograms: usize) {
    let registry = Registry::with_series_limit(1_000_000);
    let keys = &["n"];
    let counter = registry.counter("c", "").keys(keys).build().expect("a legal name");
    let histogram =
        registry.histogram("h", "").unit(Unit::Seconds).keys(keys).build().expect("a legal name");
    let label = |n: usize| n.to_string();
    let counters: Vec<_> =
        (0..n_counters).map(|n| counter.bind_labels(&[("n", &label(n))])).collect();
    let histograms: Vec<_> =
        (0..n_histograms).map(|n| histogram.bind_labels(&[("n", &label(n))])).collect();
    let record = |round: u64| {
        counters.iter().for_each(|counter| counter.add(1 + round % 3));
        for (n, histogram) in histograms.iter().enumerate() {
            histogram.record(0.001 * (1.0 + (n as u64 * 7 + round * 13) as f64 % 100.0));
        }
    };
    // Two threads have filled them.
    std::thread::scope(|scope| {
        scope.spawn(|| (0..200).for_each(record));
    });
    (0..200).for_each(record);
    let mut bench = HistoryBench::new(BUDGET);
    bench.tick(&registry);
    let idle = mean((0..40).map(|_| time(|| bench.tick(&registry)).0).collect());
    let busy = (0..60).map(|round| {
        record(round);
        time(|| bench.tick(&registry)).0
    });
    let busy = mean(busy.collect());
    let floor = mean((0..40).map(|_| time(|| floor(&counters)).0).collect());
    let window = mean((0..10).map(|_| time(|| bench.window(&registry, SECOND)).0).collect());
    println!(
        "{n_counters} counters, {n_histograms} histograms: idle tick {idle:?}, busy tick {busy:?}, a window \
         {window:?}; {} kB; to ask each counter for its value {floor:?}",
        bench.bytes() / 1_000,
    );
    if n_histograms > 0 {
        span(&registry, record);
    }
}

fn floor(counters: &[bellwether::metric::BoundCounter]) -> u64 {
    counters.iter().fold(0, |sum, counter| sum.wrapping_add(counter.value()))
}

/// An hour in which every series changes every second: what it takes, and what windows span.
fn span(registry: &Registry, record: impl Fn(u64)) {
    let scope = bellwether::testing::scope();
    let mut bench = HistoryBench::new(BUDGET);
    let (mut spent, mut most) = (Vec::new(), 0);
    for round in 0..3_700 {
        scope.advance(SECOND);
        record(round);
        let (took, ()) = time_real(|| bench.tick(registry));
        spent.push(took);
        most = most.max(bench.bytes());
    }
    println!(
        "an hour of all: tick {:?}; at most {} kB; 5 min spans {:?}, an hour {:?}",
        mean(spent),
        most / 1_000,
        bench.span(Duration::from_secs(300)),
        bench.span(Duration::from_secs(3_600)),
    );
}

/// By the operating system's clock, where the crate's is set by hand.
#[expect(clippy::disallowed_methods, reason = "the crate's clock is set by hand here")]
fn time_real<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let start = std::time::Instant::now();
    let result = black_box(run());
    (start.elapsed(), result)
}

/// A generator of numbers that look random (xorshift64*).
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number of events about `mean`: Knuth's way for few, a normal number for many.
    fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 50.0 {
            let sum: f64 = (0..12).map(|_| self.unit()).sum();
            return (mean + (sum - 6.0) * mean.sqrt()).max(0.0) as u64;
        }
        let (limit, mut product, mut n) = ((-mean).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            n += 1;
        }
        n
    }
}
