//! What OTLP over HTTP does when a server says yes, no, partly, later, or nothing that makes sense.

#![expect(clippy::unwrap_used, reason = "the helpers are part of the tests")]

mod support;

use std::time::Duration;

use bellwether::{
    export::otlp::Otlp,
    log::{LogRecord, LogSeverity},
    metric::{DataPoint, Registry, Temporality},
    pipeline::{DropReason, Pipe, QueueReport, Route, Setup},
    resource::Resource,
    trace::SpanRecord,
    transport::Endpoint,
};
use support::{PATIENCE, Reply, Server};

fn otlp(server: &Server) -> Otlp {
    Otlp::new(Endpoint::new(&server.url("/base")).allow_plain_http().allow_private())
}

fn setup() -> Setup {
    Setup::new(Resource::service("shop"))
}

/// A route that tries again at once.
fn hasty(otlp: Otlp) -> Route<SpanRecord> {
    Route::<SpanRecord>::from(otlp).settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        settings.retry.initial = Duration::from_millis(1);
        settings.retry.max = Duration::from_millis(1);
    })
}

/// What becomes of `n` spans.
fn send(otlp: Otlp, n: usize) -> QueueReport {
    let pipe = Pipe::start(hasty(otlp), &setup()).unwrap();
    pipe.push((0..n).map(|n| SpanRecord::new(n.to_string())).collect::<Vec<_>>());
    let _ = pipe.flush(PATIENCE);
    let report = pipe.shutdown(PATIENCE);
    assert_eq!(report.offered, n as u64);
    report
}

fn rejected(report: &QueueReport) -> u64 {
    report.dropped.get(DropReason::Rejected)
}

/// A partial success in protobuf.
fn partial(rejected: u8, message: &str) -> Vec<u8> {
    let inner = [&[8, rejected, 18, message.len() as u8], message.as_bytes()].concat();
    [&[10, inner.len() as u8], &inner[..]].concat()
}

#[test]
fn each_signal_has_its_path_and_each_form_its_content_type() {
    let server = Server::answering([Reply::ok()]);
    for (otlp, content_type) in
        [(otlp(&server), "application/x-protobuf"), (otlp(&server).json(), "application/json")]
    {
        assert_eq!(send(otlp.clone(), 2).delivered, 2);
        let request = server.next();
        assert_eq!((&*request.method, &*request.path), ("POST", "/base/v1/traces"));
        assert_eq!(request.header("content-type"), Some(content_type));
        assert!(request.header("user-agent").unwrap().starts_with("bellwether/"));

        let logs = Pipe::start(Route::<LogRecord>::from(otlp.clone()), &setup()).unwrap();
        logs.push(vec![LogRecord::new(LogSeverity::INFO, "x")]);
        assert_eq!(logs.shutdown(PATIENCE).delivered, 1);
        assert_eq!(server.next().path, "/base/v1/logs");

        let registry = Registry::new();
        registry.counter("x", "").build().unwrap().inc();
        let metrics = Pipe::start(Route::<DataPoint>::from(otlp), &setup()).unwrap();
        metrics.push(registry.snapshot().data_points(Temporality::Cumulative));
        assert_eq!(metrics.shutdown(PATIENCE).delivered, 1);
        assert_eq!(server.next().path, "/base/v1/metrics");
    }
}

#[test]
fn what_a_server_refuses_of_a_request_is_counted_and_never_sent_again() {
    let body = partial(2, "too old");
    let server = Server::answering([
        Reply::ok().header("content-type", "application/x-protobuf").body(body),
        Reply::ok(),
    ]);
    let report = send(otlp(&server), 5);
    assert_eq!((report.delivered, rejected(&report), report.held), (3, 2, 0));
    assert!(report.last_error.unwrap().ends_with(": too old"));
    server.next();
    assert!(server.try_next().is_none());

    let body = r#"{"partialSuccess":{"rejectedSpans":"9","errorMessage":"no"}}"#;
    let server =
        Server::answering([Reply::ok().header("content-type", "application/json").body(body)]);
    let report = send(otlp(&server).json(), 5);
    assert_eq!((report.delivered, rejected(&report)), (0, 5)); // Not more than were sent.
}

#[test]
fn a_success_that_says_something_odd_is_a_success() {
    for reply in [
        Reply::ok().header("content-type", "application/x-protobuf").body(partial(0, "deprecated")),
        Reply::ok().header("content-type", "application/x-protobuf").body(vec![0xff; 40]),
        Reply::ok().header("content-type", "application/json").body("{\"accepted_spans\":1}"),
        Reply::ok().header("content-type", "text/html").body("<html>"),
        Reply::status(202),
    ] {
        let server = Server::answering([reply]);
        assert_eq!(send(otlp(&server), 3).delivered, 3);
    }
}

#[test]
fn four_statuses_are_tried_again_and_all_others_are_refusals() {
    for status in [429, 502, 503, 504] {
        let server = Server::answering([Reply::status(status), Reply::ok()]);
        assert_eq!(send(otlp(&server), 3).delivered, 3, "{status}");
    }
    for status in [301, 400, 401, 403, 404, 408, 415, 500, 501] {
        let server = Server::answering([Reply::status(status), Reply::ok()]);
        let report = send(otlp(&server), 3);
        assert_eq!((report.delivered, rejected(&report)), (0, 3), "{status}");
    }
}

#[test]
fn an_error_says_what_the_server_said() {
    let status = [&[8, 3, 18, 7][..], b"bad key"].concat();
    let server = Server::answering([Reply::status(401)
        .header("content-type", "application/x-protobuf")
        .body(status)]);
    let report = send(otlp(&server), 1);
    let expected = format!("{} answered 401 Unauthorized: bad key", server.url(""));
    assert_eq!(report.last_error.as_deref(), Some(&*expected));
}

#[test]
fn what_is_too_large_is_sent_in_halves() {
    let server =
        Server::by(|request| Reply::status(if request.sent.len() > 700 { 413 } else { 200 }));
    let report = send(otlp(&server), 16);
    assert_eq!((report.delivered, report.held), (16, 0));
    let one = Server::answering([Reply::status(413)]);
    let report = send(otlp(&one), 3);
    assert_eq!((report.delivered, rejected(&report)), (0, 3));
}

#[test]
fn a_broken_connection_is_tried_again() {
    for reply in [Reply::close(), Reply::garbage(), Reply::ok().body("12345").cut_at(20)] {
        let server = Server::answering([reply, Reply::ok()]);
        assert_eq!(send(otlp(&server), 3).delivered, 3);
    }
}

#[test]
fn a_signal_that_is_left_out_has_no_route() {
    let server = Server::answering([Reply::ok()]);
    let otlp = otlp(&server).without_metrics().without_logs();
    let telemetry = bellwether::builder("shop").export(otlp).start().unwrap();
    bellwether::span("only").enter().end();
    let report = telemetry.shutdown(PATIENCE);
    let routes: Vec<(&str, &str)> =
        report.queues.iter().map(|queue| (&*queue.name, queue.signal)).collect();
    assert_eq!(routes, [("otlp", "spans")]);
    assert_eq!(server.next().path, "/base/v1/traces");
}
