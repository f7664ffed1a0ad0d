//! How fast data points become lines: ours, and the builder of `influxdb-line-protocol`, one after the other on one
//! thread.
//!
//! ```text
//! cargo run --release --example speed
//! ```
//!
//! Both write the same bytes: counters with two labels and the tag of the service. Theirs writes what is handed to it,
//! ours reads data points first.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use bellwether::{
    export::{Encoder, influx::Influx},
    metric::{DataPoint, Registry, SeriesValue, Temporality},
    pipeline::{Batch, Setup},
    resource::Resource,
};
use influxdb_line_protocol::LineProtocolBuilder;

const POINTS: usize = 5_000;
const ROUNDS: usize = 201;

fn main() {
    let points = points();
    let mut encoder = Influx::v1("https://influx.example.com", "shop").metrics_encoder();
    encoder.start(&Setup::new(Resource::service("shop"))).expect("nothing is wrong with it");
    let batch = Batch::from(points.clone());
    assert_eq!(encoder.encode(&batch).bytes(), theirs(&points));
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        black_box(encoder.encode(black_box(&batch)));
        our_times.push(begin.elapsed());
        let begin = Instant::now();
        black_box(theirs(black_box(&points)));
        their_times.push(begin.elapsed());
    }
    let ours = report("bellwether", our_times);
    let theirs = report("influxdb-line-protocol", their_times);
    println!("ratio {:.2}", theirs / ours);
}

fn points() -> Vec<DataPoint> {
    let registry = Registry::new();
    let hits = registry.counter("http.server.hits", "").keys(&["method", "route"]);
    let hits = hits.series_limit(POINTS).build().expect("it is legal");
    for n in 0..POINTS {
        let route = format!("/route/{n}");
        hits.with_labels(&[("method", "GET"), ("route", &route)]).add(n as u64 * 123_457);
    }
    registry.snapshot().data_points(Temporality::Cumulative)
}

fn theirs(points: &[DataPoint]) -> Vec<u8> {
    let mut lines = LineProtocolBuilder::new();
    for point in points {
        let SeriesValue::Counter(sum) = point.value() else { panic!("a counter") };
        let mut line = lines.measurement(point.name()).tag("service.name", "shop");
        for (key, value) in point.labels().iter() {
            line = line.tag(key, value);
        }
        let line = line.field("value", *sum as i64);
        lines = line.timestamp(point.taken().timestamp().unix_nanos() as i64).close_line();
    }
    lines.build()
}

/// The nanoseconds for a point: the median of the rounds.
fn report(name: &str, mut times: Vec<Duration>) -> f64 {
    times.sort();
    let seconds = times[times.len() / 2].as_secs_f64() / POINTS as f64;
    println!("{name}: {:.2} M points/s, {:.0} ns a point", 1e-6 / seconds, seconds * 1e9);
    seconds
}
