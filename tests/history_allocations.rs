//! A tick of the history allocates nothing for series that it knows: an allocator that counts tells.
//!
//! One test, alone in its process: the counts are those of the thread.
#![expect(unsafe_code, reason = "a global allocator is an unsafe trait")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    time::Duration,
};

use bellwether::{
    HistoryBench, Labels,
    metric::{Registry, Unit},
    testing,
};

struct Counting;

thread_local!(static ALLOCATIONS: Cell<u64> = const { Cell::new(0) });

// SAFETY: hands every call on to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is the one that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System` by `alloc` above, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Labels)]
struct Route<'a> {
    route: &'a str,
    hit: bool,
}

#[test]
fn a_tick_of_known_series_allocates_nothing_for_them() {
    let scope = testing::scope();
    let registry = Registry::new();
    let hits = registry.counter::<Route<'_>>("hits", "Hits", Unit::NONE).unwrap();
    let level = registry.gauge::<Route<'_>>("level", "Level", Unit::NONE).unwrap();
    let time = registry.histogram::<Route<'_>>("time", "Time", Unit::Seconds).unwrap();
    let routes: Vec<String> = (0..40).map(|n| format!("/{n}")).collect();
    let record = |round: u64| {
        for (n, route) in (0..).zip(&routes) {
            for hit in [true, false] {
                hits.bind(Route { route, hit }).add((round * 7 + n) % 40);
                level.bind(Route { route, hit }).set((round + n) as f64 * 0.1);
                time.bind(Route { route, hit }).record(((round + n) % 17) as f64 * 0.01);
            }
        }
    };
    let mut history = HistoryBench::new(32 << 20);
    let mut tick = |round: Option<u64>| {
        round.into_iter().for_each(record);
        scope.advance(Duration::from_secs(1));
        let before = ALLOCATIONS.get();
        history.tick(&registry);
        ALLOCATIONS.get() - before
    };
    assert!(tick(Some(0)) > 240, "the allocator counts");
    // An hour and more: every tier but the minutes has reached its length.
    (1..4_500).for_each(|round| _ = tick(Some(round)));
    let idle = (0..9).map(|_| tick(None)).collect::<Vec<_>>();
    // Those of the view of the registry: a list of its tables for each kind, one of the families, twice.
    assert!(idle[1..].iter().all(|&n| n <= 14), "{idle:?}");
    // 240 series change; a minute takes memory for another one, and so may a chunk whose size is new.
    let busy: u64 = (4_500..5_100).map(|round| tick(Some(round))).sum();
    assert!(busy / 600 <= 24, "{busy} in 600 ticks");
}
