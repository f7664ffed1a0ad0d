//! Many threads, one series.

mod common;

use std::{
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
};

use common::{page_of, recorder};
use metrics::{counter, gauge, histogram, with_local_recorder};

const THREADS: u64 = 8;
const TIMES: u64 = 2_000;

/// Runs `work` with the recorder on each of several threads at once.
fn on_threads(
    recorder: &bellwether::integration::metrics::MetricsRecorder,
    work: impl Fn(u64) + Sync,
) {
    let begin = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (begin, work) = (&begin, &work);
            scope.spawn(move || {
                begin.wait();
                with_local_recorder(recorder, || work(thread));
            });
        }
    });
}

#[test]
fn increments_of_all_threads_add_up() {
    let (registry, recorder) = recorder();
    on_threads(&recorder, |_| {
        let kept = counter!("sum", "a" => "1");
        for _ in 0..TIMES {
            kept.increment(1);
            counter!("sum", "a" => "1").increment(1);
            gauge!("level").increment(0.25);
            gauge!("level").decrement(0.125);
            histogram!("wait").record(0.5);
        }
    });
    let page = page_of(&registry);
    let n = (THREADS * TIMES) as f64;
    assert_eq!(page[r#"sum_total{a="1"}"#], 2.0 * n);
    assert_eq!(page["level"], 0.125 * n);
    assert_eq!(page["wait_count"], n);
}

#[test]
fn an_absolute_value_is_the_highest_that_any_thread_set_and_never_more() {
    const ROUNDS: u64 = 8_000;
    let (registry, recorder) = recorder();
    // Two threads that spin, so that they call at the same instant.
    let (arrived, wrong) = (AtomicU64::new(0), AtomicU64::new(0));
    let meet = |times: u64| {
        arrived.fetch_add(1, SeqCst);
        for n in 1.. {
            match n % 10_000 {
                _ if arrived.load(SeqCst) >= times => break,
                0 => thread::yield_now(),
                _ => std::hint::spin_loop(),
            }
        }
    };
    let total = || registry.snapshot().value("external", &[]).unwrap().as_f64();
    thread::scope(|scope| {
        for thread in 0..2 {
            let (recorder, meet, wrong, total) = (&recorder, &meet, &wrong, &total);
            scope.spawn(move || {
                with_local_recorder(recorder, || {
                    let kept = counter!("external");
                    for round in 1..=ROUNDS {
                        meet(round * 4 - 2);
                        kept.absolute(round * 1_000 - thread);
                        meet(round * 4);
                        if thread == 0 && total() != (round * 1_000) as f64 {
                            wrong.fetch_add(1, SeqCst);
                        }
                    }
                });
            });
        }
    });
    assert_eq!(wrong.load(SeqCst), 0, "rounds after which the sum was another one");
    with_local_recorder(&recorder, || counter!("external").absolute(3));
    assert_eq!(total(), (ROUNDS * 1_000) as f64, "a smaller one changes nothing");
}

#[test]
fn threads_that_meet_new_labels_at_once_make_one_series_of_each() {
    let (registry, recorder) = recorder();
    on_threads(&recorder, |thread| {
        for n in 0..200_u64 {
            // In another order on each thread, and with keys that only some of them have.
            let n = (n + thread * 25) % 200;
            counter!("met", "n" => n.to_string(), format!("key_{}", n % 20) => "x").increment(1);
        }
    });
    let page = page_of(&registry);
    let of = page.iter().filter(|(name, _)| name.starts_with("met_total"));
    let values: Vec<f64> = of.map(|(_, value)| *value).collect();
    assert_eq!(values, [THREADS as f64; 200]);
}
