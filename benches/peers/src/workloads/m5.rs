//! M5: a timer: started, stopped, its time recorded in a histogram by a held handle.
//!
//! Where a library has no timer, its documentation's way is taken: std's clock, and for hdrhistogram
//! that of quanta.

use super::{
    Budget, Figure, Recording, Table, floor,
    m4::{eleven, eleven_count, sharded, sharded_count, two_digits, two_digits_count},
    otel, recorder,
};
use crate::{
    bellwether_side,
    harness::{Effort, Pace, Stretch, Subject, repeat},
};
use prometheus::HistogramOpts;
use quanta::Clock;
use std::time::Instant;

pub fn tables(effort: Effort) -> Vec<Table> {
    vec![timer().measure(effort)]
}

fn timer() -> Recording {
    let mut subjects = vec![
        floor::two_time_stamps(),
        hdrhistogram(),
        metriken(),
        prometheus(),
        prometheus_client(),
        fastmetrics(),
        measured(),
        metrics(),
        otel(),
    ];
    subjects.extend(bellwether_side::timers());
    Recording { name: "M5 timer", subjects, stretch: Stretch::Round, budget }
}

fn budget(table: &Table, figure: &Figure) -> Option<Budget> {
    let limit = table.times_floor(1.5, figure.threads);
    Some(Budget { limit, rule: "1.5 x two time stamps" })
}

fn held<H: Clone + Sync + 'static>(
    library: &'static str,
    idiom: &'static str,
    histogram: H,
    time: impl Fn(&H) + Copy + Sync + 'static,
    total: impl Fn(&H) -> u64 + Sync + 'static,
) -> Subject {
    Subject::held(library, idiom, Pace::Flat, histogram, time, total)
}

fn hdrhistogram() -> Subject {
    let shared = two_digits();
    let worker = move |_| {
        let mut recorder = shared.lock().expect("nobody panicked").recorder();
        let clock = Clock::new();
        repeat(Pace::Flat, move || {
            let start = clock.raw();
            let nanos = clock.delta_as_nanos(start, clock.raw());
            recorder.record(nanos).expect("within its range");
        })
    };
    let total = || two_digits_count(shared);
    Subject::new("hdrhistogram", "quanta's raw clock, Recorder", worker, total)
}

fn metriken() -> Subject {
    let time = |histogram: &&'static metriken::ShardedCounterHistogram| {
        let start = Instant::now();
        histogram.increment(start.elapsed().as_nanos() as u64).expect("within its range");
    };
    held("metriken", "Instant, ShardedCounterHistogram", sharded(), time, |h| sharded_count(h))
}

fn prometheus() -> Subject {
    let options = HistogramOpts::new("timer", "Timer");
    let histogram = prometheus::Histogram::with_opts(options).expect("a legal name");
    let time = |h: &prometheus::Histogram| h.start_timer().observe_duration();
    held("prometheus", "start_timer, observe_duration", histogram, time, |h| h.get_sample_count())
}

fn prometheus_client() -> Subject {
    use prometheus_client::metrics::histogram::Histogram;
    let histogram = Histogram::new(prometheus::DEFAULT_BUCKETS.iter().copied());
    let time = |h: &Histogram| {
        let start = Instant::now();
        h.observe(start.elapsed().as_secs_f64());
    };
    held("prometheus-client", "Instant, observe", histogram, time, |h| h.count())
}

fn fastmetrics() -> Subject {
    use fastmetrics::metrics::histogram::Histogram;
    let histogram = Histogram::new(prometheus::DEFAULT_BUCKETS.iter().copied());
    let time = |h: &Histogram| {
        let start = Instant::now();
        h.observe(start.elapsed().as_secs_f64());
    };
    let total = |h: &Histogram| h.with_snapshot(|snapshot| snapshot.count());
    held("fastmetrics", "Instant, observe", histogram, time, total)
}

fn measured() -> Subject {
    let time = |h: &std::sync::Arc<super::m4::Eleven>| drop(h.start_timer());
    held("measured", "start_timer", eleven(), time, |h| eleven_count(h))
}

fn metrics() -> Subject {
    let (histogram, reader) = recorder::held(|| metrics::histogram!("timer"));
    let time = |h: &metrics::Histogram| {
        let start = Instant::now();
        h.record(start.elapsed());
    };
    let total = move |_: &_| recorder::sum_on_page(&reader.render(), "timer", "_count");
    held("metrics", "Instant, record", histogram, time, total)
}

fn otel() -> Subject {
    let bounds = prometheus::DEFAULT_BUCKETS.to_vec();
    let histogram = otel::meter().f64_histogram("timer").with_boundaries(bounds).build();
    let time = |h: &opentelemetry::metrics::BoundHistogram<f64>| {
        let start = Instant::now();
        h.record(start.elapsed().as_secs_f64());
    };
    held("opentelemetry", "Instant, bound histogram", histogram.bind(&[]), time, |_| {
        otel::total("timer")
    })
}
