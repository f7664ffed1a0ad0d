//! Sends known metrics, spans and log records to InfluxDB, and writes what has to have arrived to a file, as JSON.
//!
//! ```text
//! cargo run --example send -- v1|v2|udp URL|HOST:PORT FILE
//! ```
//!
//! It records and flushes once for each line of its input, which says how many milliseconds a flush may take, and
//! ends with it: `.ci/servers` takes the server away in between. `conflict` is a measurement that the server may
//! have with another type: its points are all that may be refused.

use std::{io::BufRead as _, time::Duration};

use bellwether::{
    Unit,
    export::{Memory, Route, influx::Influx},
    log::{LogRecord, LogSeverity, emit},
    metric::Registry,
    pipeline::DropReason,
    trace::{SpanRecord, Status},
    transport::{Endpoint, Secret},
};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(20);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, place, file] = &arguments[..] else { panic!("KIND PLACE FILE") };
    let endpoint = || Endpoint::new(place).allow_plain_http().allow_private();
    let influx = match &**kind {
        "v1" => Influx::v1(endpoint().basic("ann", Secret::new("secret")), "shop"),
        "v2" => Influx::v2(endpoint(), "our org", "shop").token(Secret::new("secret")),
        _ => Influx::udp(place),
    };
    let (spans, logs) = (Memory::<SpanRecord>::new(), Memory::<LogRecord>::new());
    let telemetry = bellwether::builder("shop")
        .resource("service.instance.id", "i-1")
        .resource("host.name", "here")
        .export(influx.attribute_tags([("cart", "cart")]))
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
    let sent = report.queues.iter().filter(|queue| queue.name == "influx");
    let sent = sent.map(|queue| {
        let rejected = queue.dropped.get(DropReason::Rejected);
        assert_eq!(queue.dropped.total(), rejected, "{report}");
        assert_eq!(queue.offered, queue.delivered + rejected, "{report}");
        (queue.signal.to_string(), json!({"delivered": queue.delivered, "rejected": rejected}))
    });
    let sent: serde_json::Map<_, _> = sent.collect();
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
    for (route, n) in [("/a b,c=\"d\"", 3), ("é", 4), ("a\nb\\", 1), ("\\ \\=\"", 2)] {
        orders.with_labels(&[("route", route)]).add(n);
    }
    registry.counter("conflict", "").build().expect("it is there").inc();
    registry.gauge("load", "").build().expect("it is there").set(-1e-7);
    registry.up_down_counter("in_flight", "").build().expect("it is there").add(-2);
    let times = registry.histogram("time", "").unit(Unit::Seconds).build().expect("it is there");
    times.record(0.5);
    {
        let span = bellwether::span("check \"out\"").enter();
        span.set_attribute("cart", round);
        span.add_event("retry", []);
        span.set_status(Status::Error("no \"money\"\nat all\\".into()));
    }
    let target = ["shop::pay", "\\ \\=\"", "\\ ,,\\="][round as usize % 3];
    emit(
        LogRecord::new(LogSeverity::WARN, format!("refused x=\"{round}\"\nspans v=1i 1\n\\"))
            .with_target(target)
            .with_attribute("cart", round),
    );
}

fn span(span: &SpanRecord) -> serde_json::Value {
    json!({
        "time": span.start().timestamp().unix_nanos(),
        "trace_id": span.trace_id().to_string(),
        "span_id": span.span_id().to_string(),
        "duration_nano": span.duration().as_nanos() as u64,
        "span.name": span.name(),
    })
}

fn log(log: &LogRecord) -> serde_json::Value {
    json!({
        "time": log.time().unix_nanos(),
        "body": log.body().to_string(),
        "target": log.target(),
        "severity_number": log.severity().number(),
    })
}
