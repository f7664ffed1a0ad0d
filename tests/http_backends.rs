//! Every backend that speaks HTTP, with servers that hang, trickle, and send ten gigabytes: each record is accounted
//! for, and arrives once the server is well.
#![cfg(all(
    feature = "clickhouse",
    feature = "elasticsearch",
    feature = "influx",
    feature = "loki",
    feature = "otlp",
    feature = "pushgateway",
    feature = "remote-write",
    feature = "zipkin"
))]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::time::Duration;

use bellwether::{
    export::{
        clickhouse::ClickHouse, elasticsearch::Elasticsearch, influx::Influx, loki::Loki,
        otlp::Otlp, prometheus::pushgateway::Pushgateway, remote_write::RemoteWrite,
        zipkin::Zipkin,
    },
    log::{LogRecord, LogSeverity},
    metric::{DataPoint, Registry, Temporality},
    pipeline::{Pipe, QueueReport, Route, Setup, Signal},
    resource::Resource,
    trace::SpanRecord,
    transport::Endpoint,
};
use support::{PATIENCE, Reply, Request, Server};

const N: usize = 40;

/// How long one attempt may take.
const LIMIT: Duration = Duration::from_millis(200);

const GIB: u64 = 1 << 30;

fn endpoint(server: &Server) -> Endpoint {
    Endpoint::new(&server.url("")).allow_plain_http().allow_private().timeout(LIMIT)
}

/// What a server that is well answers, of whichever backend.
fn well(request: &Request) -> Reply {
    if !request.path.contains("/_bulk") {
        // 204 would be right for most; the gateway and ClickHouse say 200.
        return Reply::status(200).header("x-prometheus-remote-write-samples-written", "40");
    }
    let n = request.body.iter().filter(|byte| **byte == b'\n').count() / 2;
    let item = r#"{"create":{"_index":"i","_id":"a","status":201}}"#;
    let items = vec![item; n].join(",");
    let body = format!(r#"{{"took":1,"errors":false,"items":[{items}]}}"#);
    Reply::status(200).header("content-type", "application/json").body(body)
}

/// Sends `records` to a server whose first answer is `fault`, and which is well then.
fn sent<S: Signal + Clone>(
    name: &str,
    fault: &Reply,
    route: impl FnOnce(Endpoint) -> Route<S>,
    records: Vec<S>,
) {
    let mut fault = Some(fault.clone());
    let what = format!("{name}: {fault:?}");
    let server = Server::by(move |request| fault.take().unwrap_or_else(|| well(request)));
    let route = route(endpoint(&server)).settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        settings.retry.initial = Duration::from_millis(1);
    });
    let pipe = Pipe::start(route, &Setup::new(Resource::service("shop"))).unwrap();
    let n = records.len() as u64;
    pipe.push(records);
    assert!(pipe.flush(PATIENCE), "{what}: {}", pipe.report());
    let report: QueueReport = pipe.shutdown(PATIENCE);
    assert!(report.totals().add_up(), "{what}: {report}");
    assert_eq!((report.offered, report.delivered, report.held), (n, n, 0), "{what}: {report}");
    // What is on its way in the buffers of the system counts as written.
    assert!(server.n_written() < 32 << 20, "{what}: {} bytes", server.n_written());
}

fn spans() -> Vec<SpanRecord> {
    (0..N).map(|n| SpanRecord::new(format!("span {n}"))).collect()
}

fn points() -> Vec<DataPoint> {
    let registry = Registry::new();
    let level = registry.gauge("level", "").keys(&["n"]).build().unwrap();
    (0..N).for_each(|n| level.with_labels(&[("n", &n.to_string())]).set(1.0));
    registry.snapshot().data_points(Temporality::Cumulative)
}

fn logs() -> Vec<LogRecord> {
    (0..N).map(|n| LogRecord::new(LogSeverity::INFO, format!("log {n}"))).collect()
}

fn every_backend(fault: &Reply) {
    sent("otlp", fault, |endpoint| Otlp::new(endpoint).into(), spans());
    sent("zipkin", fault, |endpoint| Zipkin::new(endpoint).into(), spans());
    sent(
        "remote write",
        fault,
        |endpoint| RemoteWrite::new(endpoint).without_target_info().into(),
        points(),
    );
    sent("influx", fault, |endpoint| Influx::v1(endpoint, "db").into(), points());
    sent("elasticsearch", fault, |endpoint| Elasticsearch::new(endpoint).into(), logs());
    sent("loki", fault, |endpoint| Loki::new(endpoint).into(), logs());
    sent("clickhouse", fault, |endpoint| ClickHouse::new(endpoint).into(), spans());
    sent("pushgateway", fault, |endpoint| Pushgateway::new(endpoint).into(), points());
}

#[test]
fn a_server_that_hangs_costs_one_attempt_and_no_record() {
    every_backend(&Reply::silence());
}

#[test]
fn an_answer_that_trickles_does_not_outlive_the_time_of_an_attempt() {
    let trickle = || Reply::status(503).body(vec![b'x'; 1_000]).trickle(LIMIT / 4);
    every_backend(&trickle());
    every_backend(&trickle().http_1_0());
}

#[test]
fn an_answer_of_ten_gigabytes_is_not_read_and_loses_no_record() {
    every_backend(&Reply::status(503).zeros(10 * GIB));
    every_backend(&Reply::status(200).zeros(10 * GIB));
    every_backend(&Reply::status(200).announced_zeros(10 * GIB));
}

#[test]
fn garbage_and_an_answer_that_breaks_off_lose_no_record() {
    every_backend(&Reply::garbage());
    every_backend(&Reply::close());
    every_backend(&Reply::status(503).body(vec![b'x'; 1_000]).cut_at(40));
}
