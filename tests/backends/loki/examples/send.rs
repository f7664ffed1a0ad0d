//! Sends known log records to Loki, and writes what was recorded to a file, as JSON.
//!
//! ```text
//! cargo run --example send -- protobuf|json|gzip URL FILE
//! ```
//!
//! It records and flushes once for each line of its input, which says how many milliseconds a flush may take, and
//! ends with it: `.ci/servers` takes the server away in between. Some records are such that Loki refuses them: in
//! protobuf those that are older than a week or of tomorrow, and in JSON, where all are of one stream, those that are
//! too far behind.

use std::{io::BufRead as _, time::Duration};

use bellwether::{
    clock::Timestamp,
    context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    export::{
        Memory, Route,
        loki::{Loki, LokiForm},
    },
    log::{LogOptions, LogRecord, LogSeverity, emit},
    pipeline::DropReason,
    transport::{Compression, Endpoint, Secret},
};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(20);

/// In each round: more than one batch.
const RECORDS: u64 = 700;

const HOUR: u64 = 3_600_000_000_000;

/// Texts that end a label, a line or an answer for a careless reader.
const HOSTILE: [&str; 10] = [
    "plain",
    "",
    "\"} , evil=\"x",
    "{a=\"b\", c=\"d\\\"\"}",
    "a\nb\r\t\u{0}\u{1}\u{7f}\\",
    "total ignored: 9 out of 9 for stream: {",
    "; 7 errors like: has timestamp too old",
    "é\u{1f600}\u{2028}",
    "\u{fffd} is what Loki cannot read",
    "[\"1\",\"x\"]",
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, url, file] = &arguments[..] else { panic!("KIND URL FILE") };
    let endpoint = Endpoint::new(url).allow_plain_http().allow_private();
    let endpoint = endpoint.basic("ann", Secret::new("secret"));
    let loki = |endpoint| Loki::new(endpoint).tenant("our-shop");
    let loki = match &**kind {
        "protobuf" => loki(endpoint).label("route").label("deployment.environment.name"),
        "json" => loki(endpoint).form(LokiForm::Json).without_level_label(),
        _ => {
            loki(endpoint.compression(Compression::Gzip)).form(LokiForm::Json).without_level_label()
        }
    };
    let logs = Memory::<LogRecord>::new();
    let all = "trace".parse().expect("a filter");
    let telemetry = bellwether::builder("shop")
        .logs(LogOptions::new().filter(all))
        .resource("service.instance.id", "i-1")
        .resource("host.name", "here")
        .resource("deployment.environment.name", "test \"1\"\n")
        .export(loki.max_line_bytes(1_000))
        .export(Route::new(logs.clone()))
        .start()
        .expect("it starts");
    let begin = LogRecord::new(LogSeverity::INFO, "").time().unix_nanos();
    let mut n_rounds = 0;
    for line in std::io::stdin().lock().lines() {
        record(begin, n_rounds, kind == "protobuf");
        n_rounds += 1;
        let patience = line.expect("a line").parse().expect("milliseconds");
        let report = telemetry.flush(Duration::from_millis(patience));
        println!("settled {}", report.settled);
    }
    let report = telemetry.shutdown(PATIENCE);
    let queue = report.queues.iter().find(|queue| queue.name == "loki").expect("it is there");
    let rejected = queue.dropped.get(DropReason::Rejected);
    assert_eq!(queue.dropped.total(), rejected, "{report}");
    assert_eq!(queue.offered, queue.delivered + rejected, "{report}");
    let all = json!({
        "kind": kind,
        "begin": begin,
        "rounds": n_rounds,
        "delivered": queue.delivered,
        "rejected": rejected,
        "logs": logs.records().iter().map(log).collect::<Vec<_>>(),
    });
    std::fs::write(file, all.to_string()).expect("the file can be written");
    eprintln!("{report}");
}

/// What one round adds.
fn record(begin: u64, round: u64, has_weeks: bool) {
    for n in 0..RECORDS {
        let number = round * RECORDS + n;
        let text = HOSTILE[n as usize % HOSTILE.len()];
        // Each has a time of its own, and some of them come before those that are older.
        let time = begin + (number ^ 1) * 1_000;
        let time = match (n % 100, has_weeks) {
            (50, true) => time - 24 * 8 * HOUR,
            (51, true) => time + 24 * HOUR,
            // All of the first round would be the newest of their stream.
            (50, false) if n > 100 => time - 2 * HOUR,
            _ => time,
        };
        let body = match n % 50 {
            7 => text.to_owned() + &"é".repeat(700),
            _ => text.to_owned(),
        };
        let context = SpanContext::new(
            TraceId::from_u128(u128::from(number) + 1),
            SpanId::from_u64(number + 1),
            TraceFlags::SAMPLED,
            TraceState::EMPTY,
        );
        let record = LogRecord::new(LogSeverity::new((n % 24) as u8 + 1), body)
            .with_time(Timestamp::from_unix_nanos(time))
            .with_target(text)
            .with_attribute("n", number)
            .with_attribute("a.b", text)
            .with_attribute("a-b", 0.5)
            .with_attribute("target", true)
            .with_attribute("__name__", text);
        let record = if n % 3 == 0 { record.with_context(context) } else { record };
        let record = if n % 5 == 0 { record.with_attribute("route", text) } else { record };
        let record = if n % 7 == 0 { record.with_event_name(text) } else { record };
        emit(record.with_attribute("text of é", text).with_attribute("9", vec![1, 2]));
    }
}

fn log(log: &LogRecord) -> serde_json::Value {
    let attributes = log.attributes().iter();
    let attributes: Vec<_> =
        attributes.map(|attribute| json!([attribute.key, attribute.value.to_string()])).collect();
    json!({
        "time": log.time().unix_nanos(),
        "observed": log.observed().unix_nanos(),
        "body": log.body().to_string(),
        "severity": log.severity().number(),
        "target": log.target(),
        "event_name": log.event_name(),
        "trace_id": log.trace_id().map(|id| id.to_string()),
        "span_id": log.span_id().map(|id| id.to_string()),
        "attributes": attributes,
    })
}
