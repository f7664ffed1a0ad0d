//! Writes known metrics, spans and log records to a database, and what has to have arrived to a file, as JSON.
//!
//! ```text
//! cargo run --example send -- sqlite|postgres|mysql PATH|URL FILE
//! ```
//!
//! It records and flushes once for each line of its input, which says how many milliseconds a flush may take, and
//! ends with it: `.ci/servers` takes the server away in between. It fails unless all is delivered at last, but for
//! what the database has nothing for.

use std::{io::BufRead as _, time::Duration};

use bellwether::{
    Unit,
    export::{
        Memory, Route,
        sql::{PlainTable, Sql},
    },
    log::{LogRecord, LogSeverity, emit},
    metric::{DataPoint, Registry},
    trace::{SpanRecord, Status},
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);
const SPANS: i64 = 10_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, place, file] = &arguments[..] else { panic!("KIND PLACE FILE") };
    let sql = match kind.as_str() {
        "sqlite" => Sql::sqlite(place),
        "postgres" => Sql::postgres(place, None).create_tables(),
        "mysql" => Sql::mysql(place, None).create_tables(),
        other => panic!("{other} is no database"),
    };
    let sql = sql.keep(Duration::from_secs(30 * 86_400));
    let plain = Route::<DataPoint>::from(sql.clone().plain_table(PlainTable::default()));
    let (spans, logs) = (Memory::<SpanRecord>::new(), Memory::<LogRecord>::new());
    let telemetry = bellwether::builder("shop")
        .resource("service.instance.id", "i-1")
        .export(sql)
        .export(plain.named("plain"))
        .export(Route::new(spans.clone()))
        .export(Route::new(logs.clone()))
        .start()
        .expect("it starts");
    let hostile = hostile();
    let mut n_rounds = 0;
    for line in std::io::stdin().lock().lines() {
        n_rounds += 1;
        record(n_rounds, &hostile);
        let patience = line.expect("a line").parse().expect("milliseconds");
        println!("recorded {n_rounds}");
        let report = telemetry.flush(Duration::from_millis(patience));
        println!("settled {}", report.settled);
    }
    let report = telemetry.shutdown(PATIENCE);
    let totals = report.totals();
    assert_eq!(totals.offered, totals.delivered + totals.dropped, "{report}");
    // MySQL has nothing for a number that is not finite.
    assert!(totals.dropped == 0 || kind == "mysql", "{report}");
    let delivered = report
        .queues
        .iter()
        .map(|queue| (format!("{} {}", queue.name, queue.signal), queue.delivered.into()));
    let sent: serde_json::Map<_, _> = delivered.collect();
    let spans = spans.records().iter().map(span).collect::<Vec<_>>();
    let logs = logs.records().iter().map(log).collect::<Vec<_>>();
    let all = json!({
        "kind": kind, "rounds": n_rounds, "sent": sent, "spans": spans, "logs": logs, "hostile": hostile,
    });
    std::fs::write(file, all.to_string()).expect("the file can be written");
    eprintln!("{report}");
}

/// The hostile texts of the conformance folder, if it is there.
fn hostile() -> Vec<String> {
    let Some(folder) = std::env::var_os("BELLWETHER_CONFORMANCE") else { return Vec::new() };
    let path = std::path::Path::new(&folder).join("generated/hostile_strings.json");
    let Ok(text) = std::fs::read_to_string(path) else { return Vec::new() };
    let json: Value = serde_json::from_str(&text).expect("it is JSON");
    let strings = json["strings"].as_object().expect("an object").values();
    strings.map(|text| text.as_str().expect("a text").to_owned()).collect()
}

/// Records one round. Totals are a multiple of what is added here: the check multiplies by the number of rounds.
fn record(round: i64, hostile: &[String]) {
    let registry = Registry::global();
    let orders = registry.counter("orders", "").keys(&["route"]).build().expect("it is there");
    for (route, n) in [("/a b,c=\"d\"", 3), ("é", 4), ("a\nb\\", 1), ("'; DROP TABLE x", 2)] {
        orders.with_labels(&[("route", route)]).add(n);
    }
    registry.gauge("load", "").build().expect("it is there").set(round as f64 / 8.0);
    registry.gauge("odd", "").build().expect("it is there").set(f64::INFINITY);
    let times = registry.histogram("time", "").unit(Unit::Seconds).build().expect("it is there");
    times.record(0.5);
    for n in 0..SPANS {
        let span = bellwether::span("check \"out\"").enter();
        span.set_attribute("cart", n * round);
        span.set_attribute("http.route", ["/", "/cart", "/pay \"now\""][(n % 3) as usize]);
        span.add_event("retry\t", []);
        if n % 4 == 0 {
            span.set_status(Status::Error("no \"money\"\nat all\\".into()));
        }
    }
    emit(
        LogRecord::new(LogSeverity::WARN, format!("refused x=\"{round}\"\n\\'; --"))
            .with_target("shop::pay")
            .with_attribute("cart", round),
    );
    let texts = registry.gauge("texts", "").keys(&["text"]).build().expect("it is there");
    for text in hostile {
        // Within the limits of recording, which cut longer ones.
        let text: String = text.chars().take(200).collect();
        let span = bellwether::span(text.clone()).enter();
        span.set_attribute("cart", text.clone());
        span.set_status(Status::Error(text.clone().into()));
        drop(span);
        texts.with_labels(&[("text", text.as_str())]).set(1.0);
        emit(
            LogRecord::new(LogSeverity::INFO, text.clone())
                .with_target(text.clone())
                .with_event_name(text.clone())
                .with_severity_text(text.clone())
                .with_attribute("cart", text),
        );
    }
}

fn span(span: &SpanRecord) -> Value {
    let find = |key: &str| span.attributes().iter().find(|one| one.key == key);
    let shown = |key: &str| find(key).map(|one| one.value.to_string());
    json!([
        span.trace_id().to_string(),
        span.span_id().to_string(),
        span.start().timestamp().unix_nanos(),
        span.duration().as_nanos() as u64,
        span.name(),
        span.status().as_str(),
        if let Status::Error(text) = span.status() { Some(text) } else { None },
        shown("cart"),
        shown("http.route"),
    ])
}

fn log(log: &LogRecord) -> Value {
    let cart = log.attributes().iter().find(|one| one.key == "cart");
    json!([
        log.time().unix_nanos(),
        log.body().to_string(),
        log.target(),
        log.severity().number(),
        log.event_name(),
        log.severity_text(),
        cart.map(|one| one.value.to_string()),
    ])
}
