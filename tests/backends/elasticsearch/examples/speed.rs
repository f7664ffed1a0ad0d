//! How fast data points become the lines of a bulk request: ours, and the body of the official client, one after the
//! other on one thread.
//!
//! ```text
//! cargo run --release --features speed --example speed
//! ```
//!
//! Both write the same fields of counters with two labels. Theirs serializes what is handed to it, ours reads data
//! points first, and writes dates and ids. What a document has of its resource is added when it is sent, by ours; the
//! copy that this takes is measured too.

use std::{
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

use bellwether::{
    export::{Encoder, elasticsearch::Elasticsearch},
    log::{LogRecord, LogSeverity},
    metric::{DataPoint, Registry, SeriesValue, Temporality},
    pipeline::{Batch, Payload, Setup, Signal},
    resource::Resource,
    trace::SpanRecord,
};
use bytes::BytesMut;
use elasticsearch::{BulkOperation, BulkOperations, http::request::Body as _};
use serde::Serialize;

const POINTS: usize = 2_000;
const ROUNDS: usize = 201;

/// A document as a user of theirs has it.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: String,
    #[serde(rename = "event.id")]
    id: &'a str,
    #[serde(rename = "event.kind")]
    event_kind: &'a str,
    #[serde(rename = "metric.name")]
    name: &'a str,
    #[serde(rename = "metric.kind")]
    kind: &'a str,
    #[serde(rename = "metric.temporality")]
    temporality: &'a str,
    #[serde(rename = "metric.value")]
    value: u64,
    labels: BTreeMap<&'a str, &'a str>,
    #[serde(rename = "service.name")]
    service: &'a str,
}

fn main() {
    let points = points();
    let elastic = Elasticsearch::new("https://elastic.example.com");
    let (ours, payload) = measured(elastic.metrics_encoder(), &points);
    report("bellwether, counters", points.len(), ours);
    let their_bytes = theirs(&points).len();
    let each = |n_bytes| n_bytes / points.len();
    println!("{} and {} bytes a document", each(payload.bytes().len()), each(their_bytes));
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        black_box(theirs(black_box(&points)));
        times.push(begin.elapsed());
    }
    report("elasticsearch, counters", points.len(), times);
    let span = || {
        let mut span = SpanRecord::new("GET /orders");
        span.set_attribute("http.request.method", "GET");
        span.set_attribute("http.route", "/orders");
        span.set_attribute("http.response.status_code", 200);
        span
    };
    let spans: Vec<_> = (0..POINTS).map(|_| span()).collect();
    report("bellwether, spans", spans.len(), measured(elastic.spans_encoder(), &spans).0);
    let log = |n: usize| {
        LogRecord::new(LogSeverity::INFO, "the card was refused").with_attribute("cart", n as i64)
    };
    let logs: Vec<_> = (0..POINTS).map(log).collect();
    report("bellwether, logs", logs.len(), measured(elastic.logs_encoder(), &logs).0);
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

/// The times of ours, and what it wrote.
fn measured<S: Signal + Clone>(
    mut encoder: impl Encoder<S>,
    records: &[S],
) -> (Vec<Duration>, Payload) {
    encoder.start(&Setup::new(Resource::service("shop"))).expect("nothing is wrong with it");
    let batch = Batch::from(records.to_vec());
    let mut times = Vec::new();
    let mut last = Payload::new();
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let payload = black_box(encoder.encode(black_box(&batch)));
        black_box(sent(&payload));
        times.push(begin.elapsed());
        last = payload;
    }
    (times, last)
}

/// The copy that is sent.
fn sent(payload: &Payload) -> Vec<u8> {
    let mut body = Vec::with_capacity(payload.bytes().len() + payload.len() * 256);
    for record in payload.records() {
        body.extend_from_slice(record);
        body.extend_from_slice(payload.head());
        body.push(b'\n');
    }
    body
}

fn theirs(points: &[DataPoint]) -> BytesMut {
    let mut operations = BulkOperations::new();
    for (n, point) in points.iter().enumerate() {
        let SeriesValue::Counter(sum) = point.value() else { panic!("a counter") };
        let id = format!("{n:032x}");
        let document = Document {
            timestamp: point.taken().timestamp().to_string(),
            id: &id,
            event_kind: "metric",
            name: point.name(),
            kind: "counter",
            temporality: "cumulative",
            value: *sum,
            labels: point.labels().iter().collect(),
            service: "shop",
        };
        operations.push(BulkOperation::create(document).id(&*id)).expect("it can be written");
    }
    let mut bytes = BytesMut::new();
    operations.write(&mut bytes).expect("it can be written");
    bytes
}

/// The median of the rounds.
fn report(name: &str, n: usize, mut times: Vec<Duration>) {
    times.sort();
    let seconds = times[times.len() / 2].as_secs_f64() / n as f64;
    println!("{name}: {:.2} M/s, {:.0} ns each", 1e-6 / seconds, seconds * 1e9);
}
