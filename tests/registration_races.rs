//! Sixty-four threads that meet the same instruments and label sets at the same instant.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::Barrier;

use bellwether::{
    Counter, Gauge, Histogram, Labels, count,
    label::Dynamic,
    metric::{Registry, SeriesValue},
};

const THREADS: usize = 64;
const ROUNDS: usize = 20;

#[derive(Labels)]
struct Worker<'a> {
    round: usize,
    name: &'a str,
}

static STARTED: Counter = Counter::new("race.started", "");
static OPEN: Counter<Worker<'static>> = Counter::new("race.open", "");
static DYNAMIC: Gauge<Dynamic> = Gauge::dynamic("race.dynamic", "", &["round"]);
static SIZES: Histogram<Worker<'static>> = Histogram::new("race.sizes", "");

fn number(name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    Registry::global().snapshot().value(name, labels).map(SeriesValue::as_f64)
}

#[test]
fn all_threads_get_the_same_series_and_no_record_is_lost() {
    let registry = Registry::new();
    let barrier = Barrier::new(THREADS);
    let work = |thread: usize| {
        for round in 0..ROUNDS {
            barrier.wait();
            STARTED.inc();
            OPEN.with(Worker { round, name: "shared" }).inc();
            OPEN.bind(Worker { round, name: "shared" }).inc();
            SIZES.with(Worker { round, name: "shared" }).record(1.0);
            DYNAMIC.with_labels(&[("round", &round.to_string())]).add(1.0);
            count!("race.counted", round = round);
            let name = format!("race.run.time.{round}");
            registry.counter(&name, "").build().unwrap().add(thread as u64);
        }
    };
    let work = &work;
    std::thread::scope(|scope| {
        (0..THREADS).for_each(|thread| drop(scope.spawn(move || work(thread))))
    });
    assert_eq!(number("race.started", &[]), Some((THREADS * ROUNDS) as f64));
    let of_all_threads: usize = (0..THREADS).sum();
    for round in 0..ROUNDS {
        let text = round.to_string();
        let labels = [("round", &*text), ("name", "shared")];
        assert_eq!(number("race.open", &labels), Some(2.0 * THREADS as f64));
        assert_eq!(number("race.sizes", &labels), Some(THREADS as f64));
        assert_eq!(number("race.dynamic", &[("round", &text)]), Some(THREADS as f64));
        assert_eq!(number("race.counted", &[("round", &text)]), Some(THREADS as f64));
        let snapshot = registry.snapshot();
        let at_run_time = snapshot.value(&format!("race.run.time.{round}"), &[]);
        assert_eq!(at_run_time.map(SeriesValue::as_f64), Some(of_all_threads as f64));
    }
    let snapshot = Registry::global().snapshot();
    assert_eq!(snapshot.family("race.open").map(|family| family.series().len()), Some(ROUNDS));
}
