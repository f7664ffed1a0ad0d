//! What the memory of the past costs while nothing happens: the processor time of a tick, for an empty
//! process, for 11,000 series and for 100,000. A started process also reads its own figures at each tick:
//! the rows "an idle tick" of `benches/peers` have all of it.
//!
//! `cargo run --release --example idle_cost`. It asserts that what is kept is exact, and prints the times:
//! these are the machine's.

use std::time::Duration;

use bellwether::{
    HistoryBench,
    metric::{Registry, Unit},
};

const TICKS: u32 = 100;

fn main() -> Result<(), bellwether::Error> {
    for (n_counters, n_histograms) in [(0, 0), (10_000, 1_000), (100_000, 0)] {
        idle(n_counters, n_histograms)?;
    }
    Ok(())
}

fn idle(n_counters: usize, n_histograms: usize) -> Result<(), bellwether::Error> {
    let registry = Registry::with_series_limit(1_000_000);
    let (counts, times) = (
        registry.counter("counts", "").keys(&["n"]).build()?,
        registry.histogram("times", "").unit(Unit::Seconds).keys(&["n"]).build()?,
    );
    for n in 0..n_counters {
        counts.with_labels(&[("n", &n.to_string())]).add(1 + n as u64);
    }
    for n in 0..n_histograms {
        let of_one = times.bind_labels(&[("n", &n.to_string())]);
        (0..100).for_each(|value| of_one.record(f64::from(value) * 0.01));
    }

    let mut history = HistoryBench::new(32 << 20);
    history.tick(&registry);
    let bytes = history.bytes();
    let before = cpu_time();
    (0..TICKS).for_each(|_| history.tick(&registry));
    let spent = (cpu_time() - before) / TICKS;
    assert!(history.bytes() < bytes + 10_000, "what stands still is written nowhere");
    if n_counters > 0 {
        let window = history.window(&registry, Duration::from_secs(3_600));
        let last = n_counters - 1;
        assert_eq!(window.increase("counts", &[("n", &last.to_string())]), Some(0.0));
        let requests = window.requests("times");
        assert_eq!(requests.map_or(0, |requests| requests.count), 0);
    }
    println!(
        "{:>7} series: {spent:>10.1?} of processor time a tick, {} kB kept",
        n_counters + n_histograms,
        history.bytes() / 1_000
    );
    Ok(())
}

/// What this process has used so far, as Linux tells; elsewhere the time that has passed.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
    nanos.map_or_else(
        || Duration::from_nanos(bellwether::clock::Timestamp::now().unix_nanos()),
        Duration::from_nanos,
    )
}
