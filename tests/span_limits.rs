//! The limits of spans that the environment sets, from the variable to the exporter.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use bellwether::{
    export::Memory,
    trace::{SpanLimits, SpanRecord},
};

/// The number of attributes and events that a span is left with, and what was told meanwhile.
fn left_of_five(limits: Option<SpanLimits>) -> ([usize; 2], Vec<String>) {
    let (spans, told) = (Memory::<SpanRecord>::new(), Arc::new(Mutex::new(Vec::new())));
    let heard = told.clone();
    let mut builder = bellwether::builder("test")
        .export(spans.clone())
        .on_diagnostic(move |kind, text| heard.lock().unwrap().push(format!("{kind}: {text}")));
    if let Some(limits) = limits {
        builder = builder.span_limits(limits);
    }
    let telemetry = builder.start().unwrap();
    let span = bellwether::span("a").enter();
    for key in ["a", "b", "c", "d", "e"] {
        span.set_attribute(key, 1);
        span.add_event(key, []);
    }
    span.end();
    telemetry.shutdown(Duration::from_secs(10));
    let spans = spans.records();
    let left = [spans[0].attributes().len(), spans[0].events().len()];
    (left, std::mem::take(&mut *told.lock().unwrap()))
}

#[test]
fn the_environment_limits_spans_unless_the_code_does() {
    const TEST: &str = "the_environment_limits_spans_unless_the_code_does";
    if std::env::var_os("OTEL_SPAN_EVENT_COUNT_LIMIT").is_none() {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args([TEST, "--exact"]).env("OTEL_SPAN_EVENT_COUNT_LIMIT", "2");
        let output = child.env("OTEL_ATTRIBUTE_COUNT_LIMIT", "few").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let told = r#"span limits: OTEL_ATTRIBUTE_COUNT_LIMIT is "few", which is no whole number; it is ignored"#;
    assert_eq!(left_of_five(None), ([5, 2], vec![told.to_owned()]));
    let limits = SpanLimits { attributes: 3, ..SpanLimits::DEFAULT };
    assert_eq!(left_of_five(Some(limits)), ([3, 5], vec![]));
}
