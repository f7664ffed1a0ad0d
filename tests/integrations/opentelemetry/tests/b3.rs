//! What a caller says that OpenTelemetry's context has no place for goes on all the same.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rule is the library's own"
)]

use std::{collections::HashMap, time::Duration};

use bellwether::{
    export::Memory,
    integration::opentelemetry::{OtelPropagator, tracer_provider},
    trace::{
        SpanRecord,
        propagator::{B3, Propagators},
    },
};
use opentelemetry::{
    propagation::TextMapPropagator as _,
    trace::{Span as _, TraceContextExt as _, Tracer as _, TracerProvider as _},
};

#[test]
fn a_decision_that_is_ours_to_make_and_one_without_a_span_are_heard() {
    let spans = Memory::<SpanRecord>::new();
    let telemetry = bellwether::builder("b3")
        .sampler(1.0)
        .propagators(Propagators::none().with(B3::single()))
        .export(spans.clone())
        .start()
        .unwrap();
    let tracer = tracer_provider().tracer("");
    // No decision: ours, which samples. A refusal without a span: nothing is sampled.
    for (header, samples) in
        [("0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", true), ("0", false)]
    {
        let incoming = HashMap::from([("b3".to_owned(), header.to_owned())]);
        let caller = OtelPropagator::new().extract(&incoming);
        let mut outgoing = HashMap::new();
        OtelPropagator::new().inject_context(&caller, &mut outgoing);
        assert_eq!(outgoing, incoming);
        let mut span = tracer.start_with_context("serve", &caller);
        assert_eq!(span.span_context().is_sampled(), samples, "{header}");
        span.end();
        let guard = caller.attach();
        let ours = bellwether::span("ours").enter();
        assert_eq!(ours.context().span().is_sampled(), samples, "{header}");
        drop((ours, guard));
    }
    assert!(!opentelemetry::Context::current().has_active_span());
    telemetry.shutdown(Duration::from_secs(20));
    let records = spans.records();
    let trace = "0af7651916cd43dd8448eb211c80319c";
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|span| span.trace_id().to_string() == trace));
}
