//! What arrives, and what is left when nothing does.

use super::*;
use crate::{
    export::wire::{
        log::sample,
        receiver::{Receiver, Request, answer},
    },
    pipeline::{DropReason, Pipe, QueueReport, Retry},
};

/// What a server says of so many documents.
fn taken(statuses: &[u16]) -> String {
    let results = statuses.iter().map(|status| format!(r#"{{"create":{{"status":{status}}}}}"#));
    let body = format!(r#"{{"items":[{}]}}"#, results.collect::<Vec<_>>().join(","));
    answer(200, "", &body)
}

fn plain(server: &Receiver) -> Elasticsearch {
    Elasticsearch::new(server.endpoint("/below").compression(Compression::None))
}

fn quick<S: Signal>(route: Route<S>) -> Route<S> {
    route.settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        settings.retry = Retry { initial: Duration::from_millis(1), ..Retry::default() };
    })
}

fn records() -> Vec<LogRecord> {
    vec![sample("one"), sample("two"), sample("three")]
}

/// What becomes of three log records, with an exact account.
fn sent(elastic: Elasticsearch) -> QueueReport {
    let setup = Setup::new(Resource::service("shop"));
    let pipe = Pipe::start(quick(Route::<LogRecord>::from(elastic)), &setup).unwrap();
    pipe.push(records());
    let report = pipe.shutdown(LONG);
    let settled = report.delivered + report.held + report.dropped.total();
    assert_eq!((report.offered, settled), (3, 3), "{report}");
    report
}

fn account(report: &QueueReport) -> (u64, u64) {
    (report.delivered, report.dropped.get(DropReason::Rejected))
}

fn messages(request: &Request) -> Vec<String> {
    let docs = read(&request.body).unwrap();
    docs.iter().map(|doc| doc.text("message").unwrap().to_owned()).collect()
}

#[test]
fn documents_go_through_the_ingest_pipeline_that_is_named() {
    let server = Receiver::answering([taken(&[201; 3])]);
    assert_eq!(account(&sent(plain(&server).pipeline("geo & more"))), (3, 0));
    let line = server.request().line;
    assert!(line.ends_with("&pipeline=geo%20%26%20more HTTP/1.1"), "{line}");
}

#[test]
fn a_request_is_one_of_the_bulk_api_with_its_credentials() {
    let server = Receiver::answering([taken(&[201; 3])]);
    let elastic = plain(&server).api_key(Secret::new("a2V5")).dataset("shop").namespace("eu");
    assert_eq!(format!("{elastic:?}").matches("a2V5").count(), 0);
    assert_eq!(account(&sent(elastic)), (3, 0));
    let request = server.request();
    let line = format!("POST /below/logs-shop-eu/_bulk?{} HTTP/1.1", answer::WANTED);
    assert_eq!(request.line, line);
    assert_eq!(request.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(request.header("authorization"), Some("ApiKey a2V5"));
    assert_eq!(messages(&request), ["one", "two", "three"]);
    let endpoint = server.endpoint("").compression(Compression::None);
    let endpoint = endpoint.basic("ann", Secret::new("pass"));
    assert_eq!(account(&sent(Elasticsearch::new(endpoint).daily("shop"))), (3, 0));
    let request = server.request();
    assert_eq!(request.line, format!("POST /_bulk?{} HTTP/1.1", answer::WANTED));
    assert_eq!(request.header("authorization"), Some("Basic YW5uOnBhc3M="));
    let docs = read(&request.body).unwrap();
    assert_eq!(docs[0].index.as_deref(), Some("shop-logs-2020.01.01"));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it is what the test itself sent")]
fn bodies_are_compressed_unless_the_endpoint_says_otherwise() {
    use std::io::Read as _;
    let server = Receiver::answering([taken(&[201; 3])]);
    sent(Elasticsearch::new(server.endpoint("")));
    let request = server.request();
    assert_eq!(request.header("content-encoding"), Some("gzip"));
    let mut body = Vec::new();
    flate2::read::GzDecoder::new(&*request.body).read_to_end(&mut body).unwrap();
    assert_eq!(read(&body).unwrap().len(), 3);
}

#[test]
fn as_a_backend_it_takes_all_signals_but_those_that_it_is_to_leave_out() {
    let signals = |elastic: Elasticsearch| {
        let mut routes = Routes::default();
        elastic.routes(&mut routes);
        let (metrics, spans) =
            (routes.take::<DataPoint>().len(), routes.take::<SpanRecord>().len());
        [metrics, spans, routes.take::<LogRecord>().len()]
    };
    assert_eq!(signals(elastic()), [1, 1, 1]);
    assert_eq!(signals(elastic().without_metrics()), [0, 1, 1]);
    assert_eq!(signals(elastic().without_spans()), [1, 0, 1]);
    assert_eq!(signals(elastic().without_logs()), [1, 1, 0]);
}

#[test]
fn an_outage_loses_nothing_and_the_same_documents_come_again_under_the_same_ids() {
    for status in [429, 500, 502, 503, 504] {
        let busy = answer(status, "retry-after: 0\r\n", "");
        let garbage = answer(200, "", "<html>");
        let server = Receiver::answering([busy, String::new(), garbage, taken(&[201, 409, 201])]);
        let report = sent(plain(&server));
        assert_eq!((account(&report), report.retries), ((3, 0), 3), "{status}");
        let bodies: Vec<_> = server.rest().into_iter().map(|request| request.body).collect();
        assert!(bodies.len() == 4 && bodies.iter().all(|body| *body == bodies[0]), "{status}");
    }
}

#[test]
fn of_a_batch_that_was_taken_in_part_only_what_was_busy_is_sent_again() {
    let server = Receiver::answering([taken(&[429, 400, 201]), taken(&[503]), taken(&[201])]);
    let report = sent(plain(&server));
    assert_eq!((account(&report), report.retries), ((2, 1), 2), "{report}");
    let requests = server.rest();
    let all: Vec<_> = requests.iter().map(messages).collect();
    assert_eq!(all, [vec!["one", "two", "three"], vec!["one"], vec!["one"]]);
    let ids: Vec<_> = requests.iter().map(|it| read(&it.body).unwrap()[0].id.clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
}

#[test]
fn a_refused_document_is_a_dead_letter_alone() {
    let server = Receiver::answering([taken(&[201, 400, 201])]);
    let path = std::env::temp_dir().join(format!("bellwether-elastic-{}", std::process::id()));
    let route = quick(Route::<LogRecord>::from(plain(&server))).dead_letters(path.clone());
    let pipe = Pipe::start(route, &Setup::new(Resource::service("shop"))).unwrap();
    pipe.push(records());
    assert_eq!(account(&pipe.shutdown(LONG)), (2, 1));
    let letters = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let letter: serde_json::Value = serde_json::from_str(&letters).unwrap();
    let records = letter["records"].as_array().unwrap();
    assert_eq!((records.len(), &letter["rejected"]), (1, &1.into()));
    // It is whole, but for what is said once for all.
    let source = records[0].as_str().unwrap().lines().nth(1).unwrap();
    let source: serde_json::Value = serde_json::from_str(source).unwrap();
    assert_eq!(source["message"], "two");
    assert!(letter["head"].as_str().unwrap().contains(r#""service.name":"shop""#));
}

#[test]
fn what_is_too_large_is_sent_in_halves() {
    let server = Receiver::answering([answer(413, "", ""), taken(&[201]), taken(&[201; 2])]);
    assert_eq!(account(&sent(plain(&server))), (3, 0));
    let all: Vec<_> = server.rest().iter().map(messages).collect();
    assert_eq!(all, [vec!["one", "two", "three"], vec!["one"], vec!["two", "three"]]);
}

#[test]
fn points_that_no_document_expresses_are_rejected_and_alone_not_sent() {
    let registry = Registry::new();
    registry.gauge("odd", "").build().unwrap().set(f64::INFINITY);
    let server = Receiver::answering([taken(&[201])]);
    let setup = Setup::default();
    let pipe = Pipe::start(quick(Route::<DataPoint>::from(plain(&server))), &setup).unwrap();
    pipe.push(registry.snapshot().data_points(Temporality::Cumulative));
    assert!(pipe.flush(LONG));
    assert!(server.rest().is_empty());
    registry.gauge("even", "").build().unwrap().set(2.0);
    pipe.push(registry.snapshot().data_points(Temporality::Cumulative));
    let report = pipe.shutdown(LONG);
    assert_eq!(account(&report), (1, 2), "{report}");
    assert_eq!(report.last_error.as_deref(), Some("no document can express a record"));
    assert_eq!(read(&server.request().body).unwrap().len(), 1);
}

#[test]
fn a_server_that_is_not_allowed_or_a_name_that_is_none_is_an_error_at_the_start() {
    let start = |elastic: Elasticsearch| {
        let started = Pipe::start(Route::<LogRecord>::from(elastic), &Setup::default());
        started.map(drop).map_err(|error| error.to_string())
    };
    start(elastic()).unwrap();
    assert!(start(Elasticsearch::new("http://elastic.example.com")).is_err());
    let error = start(elastic().namespace("a-b")).unwrap_err();
    assert_eq!(error, "namespace \"a-b\" has a `-`");
}
