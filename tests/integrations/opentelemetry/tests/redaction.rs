//! The texts of errors that libraries record go through the hook that those of ours go through.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rule is the library's own"
)]

use std::time::Duration;

use bellwether::{
    export::Memory, integration::opentelemetry::tracer_provider, label::KeyValue as OurKeyValue,
    trace::SpanRecord,
};
use opentelemetry::{
    KeyValue,
    trace::{Span as _, Tracer as _, TracerProvider as _},
};

#[test]
fn the_hook_sees_messages_and_stack_traces_and_nothing_else() {
    let spans = Memory::<SpanRecord>::new();
    let telemetry = bellwether::builder("redaction")
        .sampler(1.0)
        .redact_errors(|text| text.replace("secret", "…").into())
        .export(spans.clone())
        .start()
        .unwrap();
    let mut span = tracer_provider().tracer("").start("s");
    span.record_error(&std::io::Error::other("a secret"));
    span.add_event(
        "exception",
        vec![
            KeyValue::new("exception.stacktrace", "at secret"),
            KeyValue::new("exception.type", "secret::Error"),
        ],
    );
    span.add_event("other", vec![KeyValue::new("exception.message", "no secret")]);
    span.end();
    telemetry.shutdown(Duration::from_secs(20));
    let records = spans.records();
    let events = records[0].events();
    assert_eq!(events[0].attributes(), [OurKeyValue::new("exception.message", "a …")]);
    assert_eq!(
        events[1].attributes(),
        [
            OurKeyValue::new("exception.stacktrace", "at …"),
            OurKeyValue::new("exception.type", "secret::Error"),
        ]
    );
    assert_eq!(events[2].attributes(), [OurKeyValue::new("exception.message", "no secret")]);
}
