//! The options of telemetry for the texts of errors.
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    borrow::Cow,
    sync::{Arc, Mutex},
    time::Duration,
};

use bellwether::{
    export::Memory,
    trace::{self, SpanRecord, Status},
};

const PATIENCE: Duration = Duration::from_secs(20);

fn fail(text: &str) {
    let _span = bellwether::span("fails").enter();
    trace::record_error(text);
}

/// One test: telemetry is the process's.
#[test]
fn a_hook_of_telemetry_redacts_and_its_panics_are_reported_once() {
    fn redact(text: &str) -> Cow<'_, str> {
        match text {
            "bad" => panic!("expected by the test"),
            text => text.replace("hunter2", "***").into(),
        }
    }
    let reports = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&reports);
    let spans = Memory::<SpanRecord>::new();
    let telemetry = bellwether::builder("test")
        .export(spans.clone())
        .redact_errors(redact)
        .on_diagnostic(move |kind, _| kept.lock().unwrap().push(kind.to_owned()));
    let telemetry = telemetry.start().unwrap();
    ["no hunter2", "bad", "bad"].into_iter().for_each(fail);
    assert!(telemetry.shutdown(PATIENCE).settled);
    let statuses: Vec<_> = spans.records().iter().map(|span| span.status().clone()).collect();
    assert_eq!(statuses, ["no ***", "", ""].map(|text| Status::Error(text.into())));
    assert_eq!(*reports.lock().unwrap(), ["error redaction"]);

    let spans = Memory::<SpanRecord>::new();
    let telemetry =
        bellwether::builder("test").export(spans.clone()).without_error_texts().start().unwrap();
    fail("hunter2");
    assert!(telemetry.shutdown(PATIENCE).settled);
    let span = spans.records().remove(0);
    assert_eq!((span.status(), span.events().len()), (&Status::Error("".into()), 0));
}
