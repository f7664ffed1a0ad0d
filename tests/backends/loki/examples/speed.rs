//! How fast log records become entries of Loki's: ours, and messages as `prost` generates them of Loki's definitions,
//! one after the other on one thread.
//!
//! ```text
//! cargo run --release --example speed
//! ```
//!
//! Both write the same entries, which is looked at first: a line, six pairs of structured metadata. Theirs are
//! made of the same records first, as other clients in Rust make them.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use bellwether::{
    export::{Encoder, loki::Loki},
    log::{LogRecord, LogSeverity},
    pipeline::{Batch, Payload, Setup},
    resource::Resource,
};
use prost::Message;

#[derive(Clone, PartialEq, Message)]
struct EntryAdapter {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<Timestamp>,
    #[prost(string, tag = "2")]
    line: String,
    #[prost(message, repeated, tag = "3")]
    structured_metadata: Vec<LabelPairAdapter>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPairAdapter {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

const RECORDS: usize = 512;
const ROUNDS: usize = 2_001;

fn main() {
    let records: Vec<LogRecord> = (0..RECORDS).map(record).collect();
    let mut encoder = Loki::new("https://loki.example.com").logs_encoder();
    encoder.start(&Setup::new(Resource::service("shop"))).expect("nothing is wrong with it");
    let batch = Batch::from(records.clone());
    assert_eq!(ours(&encoder.encode(&batch)), theirs(&records));
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        black_box(encoder.encode(black_box(&batch)));
        our_times.push(begin.elapsed());
        let begin = Instant::now();
        black_box(theirs(black_box(&records)));
        their_times.push(begin.elapsed());
    }
    let ours = report("bellwether", our_times);
    let theirs = report("prost", their_times);
    println!("ratio {:.2}", theirs / ours);
}

fn record(n: usize) -> LogRecord {
    LogRecord::new(LogSeverity::INFO, "the card was refused")
        .with_target("shop::pay")
        .with_attribute("cart", n as u64)
        .with_attribute("route", "/pay")
        .with_attribute("http.response.status_code", 402)
        .with_attribute("user.name", "ann")
        .with_attribute("share", 0.5)
}

/// The entries, each behind its time and the labels of its stream.
fn ours(payload: &Payload) -> Vec<Vec<u8>> {
    let labels = br#"{level="info", service_name="shop"}"#;
    let entry = |record: &[u8]| {
        assert_eq!(&record[12..12 + labels.len()], labels);
        record[12 + labels.len()..].to_vec()
    };
    payload.records().map(entry).collect()
}

fn theirs(records: &[LogRecord]) -> Vec<Vec<u8>> {
    records.iter().map(|record| entry(record).encode_to_vec()).collect()
}

fn entry(record: &LogRecord) -> EntryAdapter {
    let pair =
        |name: &str, value: &str| LabelPairAdapter { name: name.into(), value: value.into() };
    let legal = |key: &str| key.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let mut pairs = vec![pair("target", record.target())];
    let attributes = record.attributes().iter();
    pairs.extend(attributes.map(|it| pair(&legal(&it.key), &it.value.to_string())));
    let nanos = record.time().unix_nanos();
    EntryAdapter {
        timestamp: Some(Timestamp {
            seconds: (nanos / 1_000_000_000) as i64,
            nanos: (nanos % 1_000_000_000) as i32,
        }),
        line: record.body().to_string(),
        structured_metadata: pairs,
    }
}

/// The nanoseconds for a record: the median of the rounds.
fn report(name: &str, mut times: Vec<Duration>) -> f64 {
    times.sort();
    let seconds = times[times.len() / 2].as_secs_f64() / RECORDS as f64;
    println!("{name}: {:.2} M records/s, {:.0} ns a record", 1e-6 / seconds, seconds * 1e9);
    seconds
}
