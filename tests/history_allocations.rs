//! A tick of the history allocates nothing for series that it knows: an allocator that counts tells.
//!
//! One test, alone in its process: the counts are those of the thread.

mod counting;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bellwether::{
    HistoryBench, Labels,
    metric::{Registry, Unit},
    testing,
};

#[derive(Labels)]
struct Route<'a> {
    route: &'a str,
    hit: bool,
}

#[test]
fn a_tick_of_known_series_allocates_nothing_for_them() {
    let scope = testing::scope();
    let registry = Registry::new();
    let hits = registry.counter("hits", "Hits").labels::<Route<'_>>().build().unwrap();
    let level = registry.gauge("level", "Level").labels::<Route<'_>>().build().unwrap();
    let time = registry
        .histogram("time", "Time")
        .unit(Unit::Seconds)
        .labels::<Route<'_>>()
        .build()
        .unwrap();
    let size = registry.summary("size", "Size").labels::<Route<'_>>().build().unwrap();
    let told = Arc::new(AtomicU64::new(0));
    let tell = told.clone();
    let _observer = registry
        .counter("told", "Told")
        .observe(move |to| {
            let value = tell.load(Relaxed) as f64;
            to.observe(value, &[("n", "a")]);
            to.observe(value * 0.5, &[("n", "b")]);
        })
        .unwrap();
    let routes: Vec<String> = (0..40).map(|n| format!("/{n}")).collect();
    let record = |round: u64| {
        told.fetch_add(round % 5, Relaxed);
        for (n, route) in (0..).zip(&routes) {
            for hit in [true, false] {
                hits.bind(Route { route, hit }).add((round * 7 + n) % 40);
                level.bind(Route { route, hit }).set((round + n) as f64 * 0.1);
                time.bind(Route { route, hit }).record(((round + n) % 17) as f64 * 0.01);
                // What has recorded since the last second is read for its windows, which takes memory.
                if round < 4_500 {
                    size.bind(Route { route, hit }).record((round + n) as f64);
                }
            }
        }
    };
    let mut history = HistoryBench::new(32 << 20);
    // As rules do: what is selected is kept longer, and histograms with all buckets at each tick.
    for name in ["hits", "level", "time"] {
        history.select(name, Duration::from_secs(400));
    }
    let mut tick = |round: Option<u64>| {
        round.into_iter().for_each(record);
        scope.advance(Duration::from_secs(1));
        let before = counting::allocations();
        history.tick(&registry);
        counting::allocations() - before
    };
    assert!(tick(Some(0)) > 240, "the allocator counts");
    // An hour and more: every tier but the minutes has reached its length.
    (1..4_500).for_each(|round| _ = tick(Some(round)));
    let idle = (0..9).map(|_| tick(None)).collect::<Vec<_>>();
    // Those of the view of the registry: a list of its tables for each kind, one of the families, twice,
    // and of the callbacks.
    assert!(idle[1..].iter().all(|&n| n <= 16), "{idle:?}");
    // 240 series change; a minute takes memory for another one, and so may a chunk whose size is new.
    let busy: u64 = (4_500..5_100).map(|round| tick(Some(round))).sum();
    assert!(busy / 600 <= 32, "{busy} in 600 ticks");
}
