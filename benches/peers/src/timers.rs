//! A timer: started, stopped, its time recorded in a histogram by a held handle.
//!
//! Where a library has no timer, its documentation's way is taken: std's clock, and for hdrhistogram
//! that of quanta. prometheus' coarse timers are not among them: their clock stands for milliseconds.

use crate::{
    counters::sum_of,
    floors,
    harness::{ALIKE, Effort, Recording},
    histograms::{eleven, eleven_count, refreshed, sharded_count},
    otel, recorder,
    table::{Table, row},
};
use bellwether::{Histogram, Unit, metric::Registry};
use hdrhistogram::sync::SyncHistogram;
use metriken::ShardedCounterHistogram;
use prometheus::{DEFAULT_BUCKETS, HistogramOpts};
use quanta::Clock;
use std::{hint::black_box, sync::Mutex, time::Instant};

pub fn timers(effort: Effort) -> Table {
    static TIMED: Histogram = Histogram::new("peers.timer", "Timed").unit(Unit::Seconds);
    let new = || {
        prometheus::Histogram::with_opts(HistogramOpts::new("timer", "Timer"))
            .expect("a legal name")
    };
    type Client = prometheus_client::metrics::histogram::Histogram;
    type Fast = fastmetrics::metrics::histogram::Histogram;
    let (held, reader) = recorder::held(|| metrics::histogram!("timer"));
    let otel = otel::meter().f64_histogram("timer").with_boundaries(DEFAULT_BUCKETS.to_vec());
    let histogram = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, 2);
    let subjects = vec![
        floors::clock(),
        ALIKE.peer_holding(
            "hdrhistogram",
            "quanta's raw clock, Recorder",
            Mutex::new(SyncHistogram::from(histogram.expect("legal bounds"))),
            |shared| (shared.lock().expect("nobody panicked").recorder(), Clock::new()),
            |(recorder, clock), _| {
                let start = clock.raw();
                let nanos = clock.delta_as_nanos(start, clock.raw());
                recorder.record(nanos).expect("within its range");
            },
            refreshed,
        ),
        ALIKE.peer(
            "metriken",
            "Instant, ShardedCounterHistogram",
            ShardedCounterHistogram::new(7, 64),
            |histogram, _| {
                let nanos = Instant::now().elapsed().as_nanos() as u64;
                histogram.increment(nanos).expect("within its range");
            },
            sharded_count,
        ),
        ALIKE.peer(
            "prometheus",
            "start_timer, observe_duration",
            new(),
            |histogram, _| histogram.start_timer().observe_duration(),
            |histogram| histogram.get_sample_count(),
        ),
        ALIKE.peer_holding(
            "prometheus local",
            "start_timer, observe_duration: unseen until the thread flushes it",
            new(),
            |histogram| histogram.local(),
            |histogram, _| histogram.start_timer().observe_duration(),
            |histogram| histogram.get_sample_count(),
        ),
        ALIKE.peer(
            "prometheus-client",
            "Instant, observe",
            Client::new(DEFAULT_BUCKETS.iter().copied()),
            |histogram, _| histogram.observe(Instant::now().elapsed().as_secs_f64()),
            |histogram| histogram.count(),
        ),
        ALIKE.peer(
            "fastmetrics",
            "Instant, observe",
            Fast::new(DEFAULT_BUCKETS.iter().copied()),
            |histogram, _| histogram.observe(Instant::now().elapsed().as_secs_f64()),
            |histogram| histogram.with_snapshot(|snapshot| snapshot.count()),
        ),
        ALIKE.peer(
            "measured",
            "start_timer",
            eleven(),
            |histogram, _| drop(histogram.start_timer()),
            eleven_count,
        ),
        ALIKE.peer(
            "metrics",
            "Instant, record",
            held,
            |histogram: &metrics::Histogram, _| histogram.record(Instant::now().elapsed()),
            move |_| recorder::sum_on_page(&reader.render(), "timer", "_count"),
        ),
        ALIKE.peer(
            "opentelemetry",
            "Instant, bound histogram",
            otel.build().bind(&[]),
            |histogram, _| histogram.record(Instant::now().elapsed().as_secs_f64()),
            |_| otel::total("timer"),
        ),
        ALIKE.ours(
            row("a timer: start, stop, record", floors::CLOCK)
                .budget("2 clock + 12 ns", |at| at.own_floor() + 12.0)
                .flat(),
            |_| drop(TIMED.start_timer()),
            || TIMED.snapshot().count(),
        ),
        ALIKE.ours(
            row("time! of an expression", floors::CLOCK)
                .budget("2 clock + 16 ns", |at| at.own_floor() + 16.0)
                .flat(),
            |_| bellwether::time!("peers.timed", black_box(())),
            || sum_of(Registry::global(), "peers.timed.duration"),
        ),
    ];
    Recording::new("a timer: start, stop, record", subjects).measure(effort)
}
