//! How fast data points become lines of StatsD: ours, and cadence's, one after the other on one thread.
//!
//! ```text
//! cargo run --release --example speed
//! ```
//!
//! Both write the same lines: counters with two labels and the tag of the service. Theirs writes what is handed to it,
//! ours reads data points first. Sockets have no part in it.

use std::{
    hint::black_box,
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bellwether::{
    export::{Encoder, statsd::Statsd},
    metric::{DataPoint, Registry, SeriesValue, Temporality},
    pipeline::{Batch, Setup},
    resource::Resource,
};
use cadence::{Counted as _, MetricSink, StatsdClient};

const POINTS: usize = 5_000;
const ROUNDS: usize = 201;

/// Keeps lines, as a datagram does.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl MetricSink for Lines {
    fn emit(&self, metric: &str) -> io::Result<usize> {
        let mut lines = self.0.lock().expect("nobody panics");
        lines.extend_from_slice(metric.as_bytes());
        lines.push(b'\n');
        Ok(metric.len())
    }
}

fn main() {
    let points = points();
    let mut encoder = Statsd::udp("127.0.0.1:8125").encoder();
    encoder.start(&Setup::new(Resource::service("shop"))).expect("nothing is wrong with it");
    let batch = Batch::from(points.clone());
    let lines = Lines::default();
    let client = StatsdClient::builder("", lines.clone()).with_tag("service", "shop").build();
    send(&client, &points);
    let by_ours = encoder.encode(&batch);
    assert_eq!(sorted(by_ours.bytes()), sorted(&lines.0.lock().expect("nobody panics")));
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        black_box(encoder.encode(black_box(&batch)));
        our_times.push(begin.elapsed());
        lines.0.lock().expect("nobody panics").clear();
        let begin = Instant::now();
        send(&client, black_box(&points));
        their_times.push(begin.elapsed());
    }
    let ours = report("bellwether", our_times);
    let theirs = report("cadence", their_times);
    println!("ratio {:.2}", theirs / ours);
}

/// The lines, each with its tags in the order of their names.
fn sorted(lines: &[u8]) -> Vec<String> {
    let lines = str::from_utf8(lines).expect("it is text").lines();
    lines
        .map(|line| {
            let (line, tags) = line.split_once("|#").expect("it has tags");
            let mut tags: Vec<&str> = tags.split(',').collect();
            tags.sort_unstable();
            format!("{line}|#{}", tags.join(","))
        })
        .collect()
}

fn points() -> Vec<DataPoint> {
    let registry = Registry::new();
    let hits = registry.counter("http.server.hits", "").keys(&["method", "route"]);
    let hits = hits.series_limit(POINTS).build().expect("it is legal");
    for n in 0..POINTS {
        let route = format!("/route/{n}");
        hits.with_labels(&[("method", "GET"), ("route", &route)]).add(n as u64 * 123_457);
    }
    registry.snapshot().data_points(Temporality::Delta)
}

fn send(client: &StatsdClient, points: &[DataPoint]) {
    for point in points {
        let SeriesValue::Counter(sum) = point.value() else { panic!("a counter") };
        let mut line = client.count_with_tags(point.name(), *sum as i64);
        for (key, value) in point.labels().iter() {
            line = line.with_tag(key, value);
        }
        line.try_send().expect("it is kept");
    }
}

/// The nanoseconds for a point: the median of the rounds.
fn report(name: &str, mut times: Vec<Duration>) -> f64 {
    times.sort();
    let seconds = times[times.len() / 2].as_secs_f64() / POINTS as f64;
    println!("{name}: {:.2} M points/s, {:.0} ns a point", 1e-6 / seconds, seconds * 1e9);
    seconds
}
