//! What the history takes of its budget is what it takes of memory: an allocator that counts tells.
//!
//! One test, alone in its process: the counts are those of the thread.

mod counting;

use std::time::Duration;

use bellwether::{HistoryBench, metric::Registry, testing};

const BUDGET: usize = 2 << 20;

/// What a history holds of memory, and what it says that it takes, after ticks of a second each.
fn held_and_counted(n_ticks: u64, mut record: impl FnMut(&Registry, u64)) -> (f64, f64) {
    let scope = testing::scope();
    let registry = Registry::with_series_limit(1_000_000);
    let mut history = HistoryBench::new(BUDGET);
    for n in 0..n_ticks {
        record(&registry, n);
        scope.advance(Duration::from_secs(1));
        history.tick(&registry);
        assert!(history.bytes() <= BUDGET, "tick {n}");
    }
    let of_history = counting::live_of_thread();
    let window = history.window(&registry, Duration::from_secs(30));
    drop(window);
    assert_eq!(counting::live_of_thread(), of_history, "a window leaves nothing behind");
    let counted = history.bytes();
    let before = counting::live_of_thread();
    drop(history);
    ((before - counting::live_of_thread()) as f64, counted as f64)
}

fn assert_close((held, counted): (f64, f64), what: &str) {
    println!("{what}: {held} bytes held, {counted} counted");
    assert!(held <= 1.05 * counted, "{what}: {held} bytes are held, {counted} counted");
    assert!(held >= 0.8 * counted, "{what}: {held} bytes are held, {counted} counted");
}

#[test]
fn what_the_history_says_that_it_takes_it_takes() {
    let of_series = |n: u64| {
        move |registry: &Registry, round: u64| {
            let hits = registry.counter("hits", "").keys(&["n"]).build().unwrap();
            let took = registry.histogram("took", "").keys(&["n"]).build().unwrap();
            let level = registry.gauge("level", "").keys(&["n"]).build().unwrap();
            for n in 0..n {
                let text = n.to_string();
                hits.with_labels(&[("n", &text)]).add(n % 3 * round);
                level.with_labels(&[("n", &text)]).set((n * round) as f64);
                took.with_labels(&[("n", &text)]).record((n * round % 100) as f64);
            }
        }
    };
    assert_close(held_and_counted(3, of_series(700)), "many series, few ticks");
    assert_close(held_and_counted(700, of_series(20)), "few series, many ticks");
    let come_and_go = |registry: &Registry, round: u64| {
        let seen = registry.counter("seen", "").keys(&["user", "session"]).build().unwrap();
        for n in 0..10 {
            let labels = |round: u64| [round * 10 + n; 2].map(|n| format!("{n:0>150}"));
            if let Some(before) = round.checked_sub(3) {
                let [user, session] = labels(before);
                seen.remove_labels(&[("user", &user), ("session", &session)]);
            }
            let [user, session] = labels(round);
            seen.with_labels(&[("user", &user), ("session", &session)]).inc();
        }
    };
    assert_close(held_and_counted(900, come_and_go), "label sets that come and go");
}
