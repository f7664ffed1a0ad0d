//! Ten thousand short-lived threads: totals exact, memory flat.
#![allow(clippy::disallowed_methods, reason = "the rule is the library's own")]
#![cfg(target_os = "linux")] // Memory is read from /proc.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use bellwether::{Counter, Histogram, metric::Registry};

static EVENTS: Counter = Counter::new("events", "");
static DURATION: Histogram = Histogram::new("duration", "");

fn run_threads(count: u32) {
    for _ in 0..count / 4 {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(|| {
                    EVENTS.inc();
                    DURATION.record(0.25);
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn totals_of_ten_thousand_threads_are_exact_and_their_memory_is_used_again() {
    run_threads(1_000);
    let before = resident_bytes();
    run_threads(10_000);
    let grown = resident_bytes().saturating_sub(before);
    // A table of their own each would be 20 MB at the least.
    assert!(grown < 2 << 20, "{grown} bytes more");
    let snapshot = Registry::global().snapshot();
    assert_eq!(snapshot.value("events", &[]).unwrap().as_f64(), 11_000.0);
    let histogram = snapshot.value("duration", &[]).unwrap().as_histogram().unwrap();
    assert_eq!((histogram.count(), histogram.sum()), (11_000, 2_750.0));
}
