//! What delivers spans and notifications is not traced itself: its thread is muted.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, mpsc},
    time::Duration,
};

use bellwether::{
    Gauge,
    alert::{Rule, notify::Notification, series},
    current, extract, inject, observe,
    pipeline::{Batch, Deadline, ExportError, ExportResult, Exporter, Route},
    span,
    trace::{self, SpanKind, SpanRecord},
};

const SECONDS: Duration = Duration::from_secs(10);

/// Telemetry is one for the process: these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

type Headers = HashMap<String, String>;

fn outgoing() -> Headers {
    let mut headers = Headers::new();
    inject(&mut headers);
    headers
}

/// Sends a request, as an HTTP client that is observed does; the headers that it sends.
#[observe(name = "test.muted.post", kind = client, fields(size = size as i64))]
fn post(size: usize) -> Headers {
    trace::add_event("connected", []);
    outgoing()
}

/// Makes spans of its own for each span that it exports, and tells what it was given.
struct Traced(mpsc::Sender<(Vec<String>, Vec<Headers>)>);

impl Exporter<SpanRecord> for Traced {
    fn export(&mut self, batch: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        let _export = span("export").kind(SpanKind::Producer).enter();
        let mut sent = Vec::new();
        for record in batch.iter() {
            let scope = span("encode").parent(record.context().clone()).enter();
            scope.set_attribute("name", record.name());
            sent.push(post(1));
            drop(span("owned").start());
        }
        let names = batch.iter().map(|record| record.name().to_owned()).collect();
        self.0.send((names, sent)).map_err(ExportError::reject)
    }
}

#[test]
fn an_exporter_that_makes_spans_exports_none_of_them_and_carries_contexts_on() {
    let _turn = turn();
    let (send, exported) = mpsc::channel();
    let telemetry = bellwether::builder("test").export(Route::new(Traced(send))).start().unwrap();
    let scope = span("work").enter();
    let sent = outgoing();
    drop(scope);
    for _ in 0..5 {
        telemetry.flush(SECONDS);
    }
    let report = telemetry.shutdown(SECONDS);
    assert_eq!(report.totals().offered, 1);
    assert_eq!(exported.iter().collect::<Vec<_>>(), [(vec!["work".to_owned()], vec![sent])]);
}

/// Is observed as a whole.
struct Observed(Arc<Mutex<Vec<String>>>);

impl Exporter<SpanRecord> for Observed {
    #[observe(name = "test.muted.export")]
    fn export(&mut self, batch: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        self.0.lock().unwrap().extend(batch.iter().map(|record| record.name().to_owned()));
        post(batch.len());
        Ok(())
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        drop(span("drop").enter());
        self.0
            .lock()
            .unwrap()
            .push(format!("dropped outside of spans: {}", !current().span().is_valid()));
    }
}

#[test]
fn an_observed_exporter_is_measured_and_not_traced() {
    let _turn = turn();
    let names = Arc::new(Mutex::new(Vec::new()));
    let telemetry =
        bellwether::builder("test").export(Route::new(Observed(names.clone()))).start().unwrap();
    for _ in 0..3 {
        drop(span("work").enter());
        telemetry.flush(SECONDS);
    }
    let snapshot = telemetry.snapshot();
    let ok = snapshot.value("test.muted.export.duration", &[("outcome", "ok")]).unwrap();
    assert_eq!(ok.as_histogram().unwrap().count(), 3);
    telemetry.shutdown(SECONDS);
    assert_eq!(*names.lock().unwrap(), ["work", "work", "work", "dropped outside of spans: true"]);
}

/// Tells the headers of its requests.
struct Notifier(mpsc::Sender<Headers>);

impl Exporter<Notification> for Notifier {
    fn export(&mut self, _: &Batch<Notification>, _: &Deadline) -> ExportResult<Notification> {
        let headers = [("traceparent", CALLER)];
        let _scope = span("notify").parent(extract(&headers)).enter();
        self.0.send(post(1)).map_err(ExportError::reject)
    }
}

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn a_notifier_that_makes_spans_sends_none_of_them() {
    let _turn = turn();
    static LEVEL: Gauge = Gauge::new("test.muted.level", "");
    LEVEL.set(1.0);
    let names = Arc::new(Mutex::new(Vec::new()));
    let (send, notified) = mpsc::channel();
    let telemetry = bellwether::builder("test")
        .export(Route::new(Observed(names.clone())))
        .alert_rule(Rule::new("TooHigh", series("test.muted.level").last().above(0.0)))
        .tick(Duration::from_millis(5))
        .notify(Route::new(Notifier(send)))
        .start()
        .unwrap();
    let headers = notified.recv_timeout(SECONDS).unwrap();
    assert_eq!(headers["traceparent"], CALLER);
    telemetry.shutdown(SECONDS);
    assert_eq!(*names.lock().unwrap(), ["dropped outside of spans: true"]);
    assert!(current().is_none());
}
