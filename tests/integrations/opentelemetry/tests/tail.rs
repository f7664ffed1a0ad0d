//! A tail sampler sees whole traces, whoever started their spans.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rule is the library's own"
)]

use std::time::Duration;

use bellwether::{
    export::Memory,
    integration::opentelemetry::tracer_provider,
    trace::{SpanRecord, sampler::Tail},
};
use opentelemetry::trace::{Status, TraceContextExt as _, Tracer as _, TracerProvider as _};

#[test]
fn a_trace_that_fails_is_kept_with_the_spans_of_both() {
    let spans = Memory::<SpanRecord>::new();
    let telemetry = bellwether::builder("tail")
        .sampler(0.0)
        .tail_sampler(Tail::new().errors(1.0).otherwise(0.0))
        .export(spans.clone())
        .start()
        .unwrap();
    let tracer = tracer_provider().tracer("");
    for fails in [false, true] {
        tracer.in_span("theirs", |context| {
            assert!(!context.span().span_context().is_sampled());
            assert!(context.span().is_recording());
            let _ours = bellwether::span("ours").enter();
            tracer.in_span("inner", |_| ());
            if fails {
                context.span().set_status(Status::error("failed"));
            }
        });
    }
    telemetry.shutdown(Duration::from_secs(20));
    let mut names: Vec<_> = spans.records().iter().map(|span| span.name().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["inner", "ours", "theirs"]);
}
