//! Sends known log records to syslog or to the journal, and writes what has to have arrived to a file, as JSON.
//!
//! ```text
//! cargo run --example send -- udp|tcp|unix|stream|journal PLACE FILE
//! cargo run --example send -- tls PLACE FILE ROOT CHAIN KEY
//! ```
//!
//! It records and flushes once for each line of its input, which says how many milliseconds a flush may take, and
//! ends with it: `.ci/servers` takes the receiver away in between. With a second number in the line, it makes that
//! many records, and does not wait for them. It fails unless all that it offered counts as delivered at last.

use std::{io::BufRead as _, time::Duration};

use bellwether::{
    export::{
        Memory, Route,
        journal::Journal,
        syslog::{Syslog, SyslogFacility, SyslogFraming, SyslogTls},
    },
    log::{LogFilter, LogLimits, LogOptions, LogRecord, LogSeverity, emit},
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

/// How many records a round has.
const RECORDS: usize = 300;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, place, file, certificates @ ..] = &arguments[..] else { panic!("KIND PLACE FILE") };
    let logs = Memory::<LogRecord>::new();
    let limits = LogLimits { value_chars: 1 << 20, ..LogLimits::default() };
    let options = LogOptions::new().filter(LogFilter::at_least(LogSeverity::TRACE)).limits(limits);
    let telemetry = bellwether::builder("shop")
        .logs(options)
        .resource("service.instance.id", "i-1")
        .export(route(kind, place, certificates))
        .export(Route::new(logs.clone()))
        .start()
        .expect("it starts");
    let mut n = 0;
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let mut words = line.split(' ').map(|word| word.parse::<u64>().expect("a number"));
        let patience = Duration::from_millis(words.next().expect("milliseconds"));
        let flood = words.next();
        let end = n + flood.unwrap_or(RECORDS as u64);
        (n..end).for_each(|n| record(n, kind == "journal" && flood.is_none()));
        n = end;
        if flood.is_none() {
            println!("settled {}", telemetry.flush(patience).settled);
        } else {
            println!("recorded");
        }
    }
    let report = telemetry.shutdown(PATIENCE);
    let totals = report.totals();
    assert_eq!((totals.offered, totals.dropped), (totals.delivered, 0), "{report}");
    let sent = logs.records().iter().map(seen).collect::<Vec<_>>();
    assert_eq!(sent.len() as u64, n);
    let all = json!({"process": std::process::id(), "records": sent});
    std::fs::write(file, all.to_string()).expect("the file can be written");
    eprintln!("{report}");
}

fn route(kind: &str, place: &str, certificates: &[String]) -> Route<LogRecord> {
    let syslog = match kind {
        "udp" => Syslog::udp(place),
        "tcp" => Syslog::tcp(place),
        "unix" => Syslog::unix(place),
        "stream" => Syslog::unix(place).framing(SyslogFraming::OctetCounting),
        "tls" => {
            let [root, chain, key] = certificates else { panic!("ROOT CHAIN KEY") };
            let tls = SyslogTls::new(place).server_name("localhost").root_certificates_file(root);
            Syslog::tls(tls.client_certificate_files(chain, key))
        }
        _ => return Journal::new().socket(place).field("SYSLOG_FACILITY", "16").into(),
    };
    syslog.facility(SyslogFacility::Local0).host_name("eu-1.example.com").into()
}

/// The `n`-th record; of the journal one in a hundred is large.
fn record(n: u64, may_be_large: bool) {
    let _span = n.is_multiple_of(2).then(|| bellwether::span("checkout").enter());
    let severity = LogSeverity::new((n % 24) as u8 + 1);
    let body = match n % 5 {
        0 => format!("order {n} is paid"),
        1 => format!("order {n}:\n\"tea\", 'milk' \\ ]\n\tand more"),
        2 => format!("Bestellung {n}: Größe 日本 🦀"),
        3 => format!("order {n} {}", "x".repeat(900)),
        _ => format!("{n}] [a b=\"c\"] <34>1 - - -"),
    };
    let mut record = LogRecord::new(severity, body)
        .with_target(
            ["shop::pay", "", "a target with more than 32 characters in it"][n as usize % 3],
        )
        .with_attribute("n", n)
        .with_attribute("text", "a \"b\" \\ ] [ =\n\t日本")
        .with_attribute("http.route", "/orders/{order}")
        .with_attribute("x", 0.5)
        .with_attribute("sizes", [36, 41])
        .with_attribute("empty", "");
    if n.is_multiple_of(7) {
        record = record.with_event_name("order.paid");
    }
    if may_be_large && n % 100 == 99 {
        record.set_attribute("large", "é\n".repeat(300_000));
    }
    emit(record);
}

fn seen(record: &LogRecord) -> Value {
    let attributes = record.attributes().iter();
    let attributes: serde_json::Map<_, _> = attributes
        .map(|attribute| (attribute.key.to_string(), attribute.value.to_string().into()))
        .collect();
    json!({
        "nanos": record.time().unix_nanos(),
        "severity": record.severity().number(),
        "severity_text": record.severity_text(),
        "target": record.target(),
        "event": record.event_name(),
        "body": record.body().to_string(),
        "trace_id": record.trace_id().map(|id| id.to_string()),
        "span_id": record.span_id().map(|id| id.to_string()),
        "attributes": attributes,
    })
}
