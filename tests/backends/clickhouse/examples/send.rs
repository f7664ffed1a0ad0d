//! Sends known metrics, spans and log records to ClickHouse, and writes what has to have arrived to a file, as JSON.
//!
//! ```text
//! cargo run --example send -- URL FILE
//! ```
//!
//! It records and flushes once for each line of its input, which says how many milliseconds a flush may take, and
//! ends with it: `.ci/servers` takes the server away in between. It fails unless all is delivered at last.

use std::{io::BufRead as _, time::Duration};

use bellwether::{
    Unit,
    export::{Memory, Route, clickhouse::ClickHouse},
    log::{LogRecord, LogSeverity, emit},
    metric::Registry,
    trace::{SpanRecord, Status},
    transport::{Endpoint, Secret},
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, file] = &arguments[..] else { panic!("URL FILE") };
    let endpoint = Endpoint::new(url).allow_plain_http().allow_private();
    let clickhouse = ClickHouse::new(endpoint)
        .user("ann", Secret::new("secret"))
        .create_tables()
        .keep(Duration::from_secs(30 * 86_400));
    let (spans, logs) = (Memory::<SpanRecord>::new(), Memory::<LogRecord>::new());
    let telemetry = bellwether::builder("shop")
        .resource("service.instance.id", "i-1")
        .export(clickhouse)
        .export(Route::new(spans.clone()))
        .export(Route::new(logs.clone()))
        .start()
        .expect("it starts");
    let mut n_rounds = 0;
    for line in std::io::stdin().lock().lines() {
        n_rounds += 1;
        record(n_rounds);
        let patience = line.expect("a line").parse().expect("milliseconds");
        let report = telemetry.flush(Duration::from_millis(patience));
        println!("settled {}", report.settled);
    }
    let report = telemetry.shutdown(PATIENCE);
    let totals = report.totals();
    assert_eq!((totals.offered, totals.dropped), (totals.delivered, 0), "{report}");
    let sent = report.queues.iter().filter(|queue| queue.name == "clickhouse");
    let sent: serde_json::Map<_, _> =
        sent.map(|queue| (queue.signal.to_string(), queue.delivered.into())).collect();
    let spans = spans.records().iter().map(span).collect::<Vec<_>>();
    let logs = logs.records().iter().map(log).collect::<Vec<_>>();
    let all = json!({"rounds": n_rounds, "sent": sent, "spans": spans, "logs": logs});
    std::fs::write(file, all.to_string()).expect("the file can be written");
    eprintln!("{report}");
}

/// Records one round. Totals are a multiple of what is added here: the check multiplies by the number of rounds.
fn record(round: i64) {
    let registry = Registry::global();
    let orders = registry.counter("orders", "").keys(&["route"]).build().expect("it is there");
    for (route, n) in [("/a b,c=\"d\"", 3), ("é", 4), ("a\nb\\", 1), ("'; DROP TABLE x", 2)] {
        orders.with_labels(&[("route", route)]).add(n);
    }
    registry.gauge("load", "").build().expect("it is there").set(-1e-7);
    registry.gauge("odd", "").build().expect("it is there").set(f64::INFINITY);
    let times = registry.histogram("time", "").unit(Unit::Seconds).build().expect("it is there");
    times.record(0.5);
    for n in 0..2_000 {
        let span = bellwether::span("check \"out\"").enter();
        span.set_attribute("cart", n * round);
        span.add_event("retry\t", []);
        span.set_status(Status::Error("no \"money\"\nat all\\".into()));
    }
    emit(
        LogRecord::new(LogSeverity::WARN, format!("refused x=\"{round}\"\n\\'; --"))
            .with_target("shop::pay")
            .with_attribute("cart", round),
    );
    for (name, text) in hostile() {
        emit(
            LogRecord::new(LogSeverity::INFO, text.clone())
                .with_target(name)
                .with_attribute(text.clone(), text),
        );
    }
}

/// Texts that break formats, with their names, where the conformance folder is.
fn hostile() -> Vec<(String, String)> {
    let Some(folder) = std::env::var_os("BELLWETHER_CONFORMANCE") else { return Vec::new() };
    let path = std::path::Path::new(&folder).join("generated/hostile_strings.json");
    let text = std::fs::read_to_string(path).expect("the corpus is there");
    let all: Value = serde_json::from_str(&text).expect("it is JSON");
    let strings = all["strings"].as_object().expect("it has texts").clone();
    strings
        .into_iter()
        .map(|(name, text)| (name, text.as_str().expect("a text").to_owned()))
        .collect()
}

fn span(span: &SpanRecord) -> Value {
    let cart = span.attributes().iter().find(|one| one.key == "cart").expect("it has one");
    json!({
        "Time": span.start().timestamp().unix_nanos(),
        "TraceId": span.trace_id().to_string(),
        "SpanId": span.span_id().to_string(),
        "Duration": span.duration().as_nanos() as u64,
        "SpanName": span.name(),
        "Cart": cart.value.to_string(),
    })
}

fn log(log: &LogRecord) -> Value {
    json!({
        "Time": log.time().unix_nanos(),
        "Body": log.body().to_string(),
        "ScopeName": log.target(),
        "SeverityNumber": log.severity().number(),
        "Attributes": log.attributes().iter().map(|one| (one.key.to_string(), one.value.to_string().into())).collect::<serde_json::Map<_, _>>(),
    })
}
