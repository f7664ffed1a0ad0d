//! What arrives, and what is left when nothing does.

use super::*;
use crate::{
    export::wire::receiver::{Receiver, Request, answer},
    pipeline::{DropReason, Pipe, QueueReport, Retry},
    transport::{Compression, Secret},
};

fn quick(loki: Loki) -> Route<LogRecord> {
    Route::from(loki).settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        settings.retry = Retry { initial: Duration::from_millis(1), ..Retry::default() };
    })
}

/// Three records with lines of at most five bytes, and a longer one.
fn records() -> Vec<LogRecord> {
    let error = LogRecord::new(LogSeverity::ERROR, "three");
    vec![record("one"), record("too long"), record("two"), error]
}

/// What becomes of the records, with an exact account.
fn sent(loki: Loki) -> QueueReport {
    let loki = loki.max_line_bytes(5).long_lines(LokiLongLines::Reject);
    let pipe = Pipe::start(quick(loki), &setup()).unwrap();
    pipe.push(records());
    let report = pipe.shutdown(LONG);
    let settled = report.delivered + report.held + report.dropped.total();
    assert_eq!((report.offered, settled), (4, 4), "{report}");
    report
}

fn rejected(report: &QueueReport) -> (u64, u64) {
    (report.delivered, report.dropped.get(DropReason::Rejected))
}

fn lines(request: &Request) -> Vec<String> {
    let entries = read(LokiForm::Protobuf, &request.body);
    entries.into_iter().map(|entry| entry.line).collect()
}

#[test]
fn a_push_has_its_path_its_tenant_and_its_credentials() {
    let server = Receiver::of_status(204);
    let endpoint = server.endpoint("/below").basic("ann", Secret::new("pass"));
    let loki = Loki::new(endpoint).tenant("our shop");
    assert_eq!(format!("{loki:?}").matches("our shop").count(), 0);
    assert_eq!(rejected(&sent(loki)), (3, 1));
    let request = server.request();
    assert_eq!(request.line, "POST /below/loki/api/v1/push HTTP/1.1");
    for (header, value) in [
        ("content-type", Some("application/x-protobuf")),
        ("content-encoding", None), // Snappy goes without saying.
        ("x-scope-orgid", Some("our shop")),
        ("authorization", Some("Basic YW5uOnBhc3M=")),
    ] {
        assert_eq!(request.header(header), value, "{header}");
    }
    assert_eq!(lines(&request), ["one", "two", "three"]);
    sent(Loki::new(server.endpoint("/insert/loki/api/v1/push").bearer(Secret::new("token"))));
    let request = server.request();
    assert_eq!(request.line, "POST /insert/loki/api/v1/push HTTP/1.1");
    assert_eq!(request.header("authorization"), Some("Bearer token"));
    assert_eq!(request.header("x-scope-orgid"), None);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it is what the test itself sent")]
fn json_goes_as_it_is_or_by_gzip() {
    use std::io::Read as _;
    let server = Receiver::of_status(204);
    sent(Loki::new(server.endpoint("")).form(LokiForm::Json));
    let request = server.request();
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("content-encoding"), None);
    let plain = request.body;
    assert_eq!(read(LokiForm::Json, &plain).len(), 3);
    let endpoint = server.endpoint("").compression(Compression::Gzip);
    sent(Loki::new(endpoint).form(LokiForm::Json));
    let request = server.request();
    assert_eq!(request.header("content-encoding"), Some("gzip"));
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&*request.body).read_to_end(&mut unpacked).unwrap();
    assert_eq!(read(LokiForm::Json, &unpacked).len(), 3);
    // What is asked for is done, though protobuf is compressed already.
    sent(Loki::new(server.endpoint("").compression(Compression::Gzip)));
    let request = server.request();
    assert_eq!(request.header("content-encoding"), Some("gzip"));
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&*request.body).read_to_end(&mut unpacked).unwrap();
    assert_eq!(read(LokiForm::Protobuf, &unpacked).len(), 3);
}

#[test]
fn an_endpoint_or_a_tenant_that_cannot_be_used_is_an_error_at_the_start() {
    let start =
        |loki: Loki| Pipe::start(Route::from(loki), &setup()).err().map(|it| it.to_string());
    assert_eq!(start(loki().tenant("shop")), None);
    assert!(start(loki().tenant("a\nb")).is_some());
    assert!(start(Loki::new("http://loki.example.com")).unwrap().contains("plain http"));
    assert!(start(loki().label("a.b").label("a_b")).unwrap().contains("two labels"));
}

#[test]
fn as_a_backend_it_takes_log_records() {
    let mut routes = Routes::default();
    loki().routes(&mut routes);
    assert_eq!(routes.take::<LogRecord>().len(), 1);
}

#[test]
fn a_busy_server_gets_the_same_entries_again_and_an_outage_loses_none() {
    for status in [429, 500, 502, 503, 504] {
        let again = answer(status, "retry-after: 0\r\n", "");
        let garbage = "what is this".to_owned();
        let server = Receiver::answering([again, String::new(), garbage, answer(204, "", "")]);
        // The garbage ends with the connection.
        let report = sent(Loki::new(server.endpoint("")));
        assert_eq!(rejected(&report), (3, 1), "{status}: {report}");
        let bodies: Vec<_> = server.rest().into_iter().map(|request| request.body).collect();
        assert!(bodies.len() == 4 && bodies.iter().all(|body| *body == bodies[0]), "{status}");
    }
}

#[test]
fn what_is_too_old_is_refused_once_and_the_others_are_delivered() {
    let body = "entry for stream '{}' has timestamp too old: x, oldest acceptable timestamp is: y";
    let server = Receiver::answering([answer(400, "", body), answer(500, "", "")]);
    let report = sent(Loki::new(server.endpoint("")));
    assert_eq!(rejected(&report), (2, 2), "{report}");
    let error = report.last_error.unwrap();
    assert!(error.contains("refused 1 of 3 entries as too old"), "{error}");
    assert_eq!(server.rest().len(), 1);
}

#[test]
fn what_is_too_large_is_sent_in_halves() {
    let server = Receiver::answering([answer(413, "", ""), answer(204, "", "")]);
    assert_eq!(rejected(&sent(Loki::new(server.endpoint("")))), (3, 1));
    let halves: Vec<_> = server.rest().iter().map(lines).collect();
    assert_eq!(halves, [vec!["one", "two", "three"], vec!["one"], vec!["two", "three"]]);
}

#[test]
fn records_without_an_entry_alone_are_not_sent_at_all() {
    let server = Receiver::of_status(204);
    let loki = Loki::new(server.endpoint("")).max_line_bytes(1);
    let pipe = Pipe::start(quick(loki.long_lines(LokiLongLines::Reject)), &setup()).unwrap();
    pipe.push(vec![record("long")]);
    assert_eq!(rejected(&pipe.shutdown(LONG)), (0, 1));
    assert!(server.rest().is_empty());
}
