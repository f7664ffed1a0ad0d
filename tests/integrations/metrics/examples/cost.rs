//! What a record costs by the facade: with our recorder, and with that of `metrics-exporter-prometheus`.
//!
//! `cargo run --release --example cost`. Nanoseconds of one record on one thread; the best of several
//! rounds, which take turns.
#![allow(clippy::disallowed_methods, reason = "the rule is the library's own")]

use std::{hint::black_box, time::Instant};

use bellwether::{Counter, integration::metrics::MetricsRecorder, metric::Registry};
use metrics::{Recorder, counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::PrometheusBuilder;

const ROUNDS: usize = 15;
const RECORDS: u32 = 200_000;

static OURS: Counter = Counter::new("cost.static", "A static of ours, for comparison");

fn main() {
    let registry = Registry::new();
    let ours = MetricsRecorder::new(&registry);
    let theirs = PrometheusBuilder::new().build_recorder();

    let bound = registry.counter("cost.bound", "").any_keys().build().expect("a legal name");
    let bound = bound.bind_any(&[("route", "/x")]);
    println!("{:<34} {:>8} {:>8}", "ns for one record", "ours", "theirs");
    println!("{:<34} {:>8.2}", "bellwether's own static", best(|| OURS.inc()));
    println!("{:<34} {:>8.2}", "bellwether's own bound handle", best(|| bound.inc()));
    row("counter, kept handle", &ours, &theirs, || {
        let kept = counter!("kept", "route" => "/x");
        move || kept.increment(1)
    });
    row("gauge, kept handle", &ours, &theirs, || {
        let kept = gauge!("kept_gauge", "route" => "/x");
        move || kept.set(black_box(0.5))
    });
    row("histogram, kept handle", &ours, &theirs, || {
        let kept = histogram!("kept_histogram", "route" => "/x");
        move || kept.record(black_box(0.5))
    });
    row("counter!, no labels", &ours, &theirs, || || counter!("bare").increment(1));
    row("counter!, constant label", &ours, &theirs, || {
        || counter!("constant", "route" => "/x").increment(1)
    });
    row("counter!, label of a String", &ours, &theirs, || {
        || counter!("dynamic", "route" => black_box("/x").to_owned()).increment(1)
    });
    row("histogram!, constant label", &ours, &theirs, || {
        || histogram!("histogram", "route" => "/x").record(black_box(0.5))
    });
    row("counter, absolute", &ours, &theirs, || {
        let (kept, mut n) = (counter!("absolute"), 0);
        move || {
            n += 1;
            kept.absolute(n);
        }
    });
}

/// Measures `make`'s records with both recorders in turn, and prints the best round of each.
fn row<F: FnMut()>(what: &str, ours: &dyn Recorder, theirs: &dyn Recorder, make: impl Fn() -> F) {
    let mut best_of = [f64::INFINITY; 2];
    for _ in 0..ROUNDS {
        for (best, recorder) in best_of.iter_mut().zip([ours, theirs]) {
            let taken = with_local_recorder(recorder, || round(make()));
            *best = best.min(taken);
        }
    }
    println!("{what:<34} {:>8.2} {:>8.2}", best_of[0], best_of[1]);
}

fn best(record: impl Fn()) -> f64 {
    (0..ROUNDS).map(|_| round(&record)).fold(f64::INFINITY, f64::min)
}

fn round(mut record: impl FnMut()) -> f64 {
    (0..1_000).for_each(|_| record());
    let begun = Instant::now();
    (0..RECORDS).for_each(|_| record());
    begun.elapsed().as_nanos() as f64 / f64::from(RECORDS)
}
