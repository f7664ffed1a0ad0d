//! Sends known metrics, spans and log records to a broker, and writes what has to have arrived to a file, as JSON.
//!
//! ```text
//! cargo run --example send -- KIND URL FILE
//! ```
//!
//! KIND is `redis`, `redis-once`, `redis-cluster`, `nats`, `rabbitmq` or `rabbitmq-exchange`. It records and flushes once
//! for each line of its input, which says how many milliseconds a flush may take, and ends with it: `.ci/servers` kills
//! the server in between, as soon as it says `recorded`. It fails unless all is delivered at last.

use std::{io::BufRead as _, time::Duration};

use bellwether::{
    Unit,
    export::{Backend, Memory, Route, Routes, nats::Nats, rabbitmq::RabbitMq, redis::Redis},
    log::{LogRecord, LogSeverity, emit},
    metric::Registry,
    trace::SpanRecord,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

/// How many traces a round has, and how many spans each of them.
const TRACES: i64 = 2_000;
const SPANS: i64 = 5;

/// Whichever broker was chosen.
enum Broker {
    Redis(Redis),
    Nats(Nats),
    RabbitMq(RabbitMq),
}

impl Backend for Broker {
    fn routes(self, routes: &mut Routes) {
        match self {
            Self::Redis(redis) => redis.routes(routes),
            Self::Nats(nats) => nats.routes(routes),
            Self::RabbitMq(rabbitmq) => rabbitmq.routes(routes),
        }
    }
}

fn broker(kind: &str, url: &str) -> Broker {
    let redis = || Redis::streams(url).max_length(u64::MAX).keyed();
    match kind {
        "redis" => Broker::Redis(redis()),
        "redis-once" => Broker::Redis(redis().deduplicated(Duration::from_secs(600))),
        "redis-cluster" => Broker::Redis(redis().cluster([] as [&str; 0])),
        "nats" => Broker::Nats(Nats::new(url).create_stream("TELEMETRY").keyed()),
        "rabbitmq" => Broker::RabbitMq(RabbitMq::new(url).declare().keyed()),
        "rabbitmq-exchange" => {
            let prefix = "other.";
            Broker::RabbitMq(
                RabbitMq::new(url).exchange("signals").prefix(prefix).declare().keyed(),
            )
        }
        other => panic!("no broker {other}"),
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, url, file] = &arguments[..] else { panic!("KIND URL FILE") };
    let (spans, logs) = (Memory::<SpanRecord>::new(), Memory::<LogRecord>::new());
    let telemetry = bellwether::builder("shop")
        .export(broker(kind, url))
        .export(Route::new(spans.clone()))
        .export(Route::new(logs.clone()))
        .start()
        .expect("it starts");
    let mut n_rounds = 0;
    for line in std::io::stdin().lock().lines() {
        n_rounds += 1;
        record(n_rounds);
        println!("recorded {n_rounds}");
        let patience = line.expect("a line").parse().expect("milliseconds");
        println!("settled {}", telemetry.flush(Duration::from_millis(patience)).settled);
    }
    let report = telemetry.shutdown(PATIENCE);
    eprintln!("{report}");
    drop(telemetry);
    assert!(are_gone("lapin-io-loop"), "the client of RabbitMQ left threads behind");
    let totals = report.totals();
    assert_eq!((totals.offered, totals.dropped), (totals.delivered, 0), "{report}");
    let name = kind.split('-').next().unwrap_or_default();
    let sent = report.queues.iter().filter(|queue| queue.name == name);
    let sent: serde_json::Map<_, _> =
        sent.map(|queue| (queue.signal.to_string(), queue.delivered.into())).collect();
    let spans = spans.records().iter().map(span).collect::<Vec<_>>();
    let logs = logs.records().iter().map(log).collect::<Vec<_>>();
    let all = json!({"rounds": n_rounds, "sent": sent, "spans": spans, "logs": logs});
    std::fs::write(file, all.to_string()).expect("the file can be written");
}

/// Whether all threads of this name end soon: also those of connections that broke.
fn are_gone(name: &str) -> bool {
    let is_one = |task: std::fs::DirEntry| {
        let found = std::fs::read_to_string(task.path().join("comm"));
        found.is_ok_and(|found| found.trim_end() == name)
    };
    let is_there = || {
        let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        tasks.into_iter().any(is_one)
    };
    (0..100).any(|n| {
        if n > 0 {
            std::thread::sleep(Duration::from_millis(50));
        }
        !is_there()
    })
}

/// Records one round. Totals are a multiple of what is added here: the check multiplies by the number of rounds.
fn record(round: i64) {
    let registry = Registry::global();
    let orders = registry.counter("orders", "").keys(&["route"]).build().expect("it is there");
    for (route, n) in
        [("/a b,c=\"d\"", 3), ("é\r\n$5\r\n", 4), ("a\nb\\", 1), ("'; DROP TABLE x", 2)]
    {
        orders.with_labels(&[("route", route)]).add(n);
    }
    registry.gauge("load", "").build().expect("it is there").set(-1e-7);
    let times = registry.histogram("time", "").unit(Unit::Seconds).build().expect("it is there");
    times.record(0.5);
    for trace in 0..TRACES {
        let parent = bellwether::span("check \"out\"\r\n*1\r\n").root().enter();
        for place in 1..SPANS {
            let span = bellwether::span("step").enter();
            span.set_attribute("n", place);
            if trace % 100 == 0 {
                let text = format!("paid x=\"{round}\"\n\\'; --");
                emit(LogRecord::new(LogSeverity::WARN, text).with_attribute("n", place));
            }
        }
        parent.set_attribute("n", SPANS);
    }
    emit(LogRecord::new(LogSeverity::INFO, "of no trace").with_attribute("n", round));
}

fn span(span: &SpanRecord) -> Value {
    let n = span.attributes().iter().find(|one| one.key == "n").expect("it has one");
    json!([
        span.trace_id().to_string(),
        span.span_id().to_string(),
        span.name(),
        n.value.to_string()
    ])
}

fn log(log: &LogRecord) -> Value {
    let trace = log.trace_id().map(|id| id.to_string());
    let n = log.attributes().iter().find(|one| one.key == "n").expect("it has one");
    json!([trace, log.time().unix_nanos(), log.body().to_string(), n.value.to_string()])
}
