//! What two threads do in so many seconds by a library's own settings: spans, or trees with content.

use crate::{
    emitted,
    memory::resident,
    spans::{TREE, Workers, counting, exported},
    trees::{Idiom as _, Local, Ours, SPANS, fastrace_root},
};
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// Nanoseconds in which a span was exported, the percentage that was lost, and the growth of resident
/// memory in MB.
pub fn measure(library: &str, is_trees: bool, seconds: u64) -> [f64; 3] {
    let before = resident().unwrap_or(0) as f64;
    let (made, took, delivered, after) = match library {
        "bellwether" => {
            let telemetry = bellwether::builder("peers").export(counting());
            let telemetry = telemetry.start().expect("it starts");
            let (made, took) = match is_trees {
                true => flood(seconds, || Ours.tree(true), SPANS),
                false => flood(seconds, || drop(bellwether::span("root").root().enter()), 1),
            };
            let after = resident().unwrap_or(0) as f64;
            let totals = telemetry.shutdown(Duration::from_secs(10)).totals();
            (made, took, totals.delivered, after)
        }
        "emit" => {
            let rt = emitted::Batching::start();
            let (made, took) = match is_trees {
                true => flood(seconds, || emitted::tree(&rt, true), SPANS),
                false => flood(seconds, || emitted::span(&rt, || ()), 1),
            };
            let after = resident().unwrap_or(0) as f64;
            rt.blocking_flush(Duration::from_secs(10));
            (made, took, emitted::batched(), after)
        }
        _ => {
            Workers::Awake.fastrace();
            let (made, took) = match is_trees {
                true => flood(seconds, || Local.tree(true), SPANS),
                false => flood(seconds, || drop(fastrace_root(TREE, false)), 1),
            };
            let after = resident().unwrap_or(0) as f64;
            fastrace::flush();
            (made, took, exported::fastrace(), after)
        }
    };
    let lost = 1.0 - delivered as f64 / made as f64;
    [took.as_secs_f64() * 1e9 / delivered as f64, 100.0 * lost, (after - before) / 1e6]
}

fn flood(seconds: u64, work: impl Fn() + Sync, spans: u64) -> (u64, Duration) {
    let (start, made) = (Instant::now(), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut n = 0;
                while start.elapsed() < Duration::from_secs(seconds) {
                    (0..1_000 / spans + 1).for_each(|_| work());
                    n += (1_000 / spans + 1) * spans;
                }
                made.fetch_add(n, Relaxed);
            });
        }
    });
    (made.into_inner(), start.elapsed())
}
