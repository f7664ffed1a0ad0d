//! The API's propagator reads and writes the headers that ours do.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rule is the library's own"
)]

use std::collections::HashMap;

use bellwether::{
    integration::opentelemetry::{OtelPropagator, tracer_provider},
    testing,
};
use opentelemetry::{
    Context, KeyValue,
    baggage::{Baggage, BaggageExt as _, KeyValueMetadata},
    propagation::TextMapPropagator as _,
    trace::{TraceContextExt as _, Tracer as _, TracerProvider as _, mark_span_as_active},
};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};

type Headers = HashMap<String, String>;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn headers(pairs: &[(&str, &str)]) -> Headers {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn written(context: &Context) -> Headers {
    let mut headers = Headers::new();
    OtelPropagator::new().inject_context(context, &mut headers);
    headers
}

#[test]
fn headers_go_out_as_they_came_in() {
    for pairs in [
        &[("traceparent", PARENT)][..],
        &[("traceparent", PARENT), ("tracestate", "rojo=1,congo=2")],
        &[("traceparent", PARENT), ("baggage", "tenant=acme,tier=gold;ttl=30")],
        &[("baggage", "tenant=a%20b")],
        &[],
    ] {
        let incoming = headers(pairs);
        let context = OtelPropagator::new().extract(&incoming);
        assert_eq!(written(&context), incoming);
    }
}

#[test]
fn what_a_caller_says_is_what_the_sdk_reads_of_it() {
    let incoming = headers(&[
        ("traceparent", PARENT),
        ("tracestate", "rojo=1,congo=2"),
        ("baggage", "tenant=acme%20%26%20sons,tier=gold"),
    ]);
    let own = OtelPropagator::new().extract(&incoming);
    let sdk = TraceContextPropagator::new().extract(&incoming);
    let sdk = BaggagePropagator::new().extract_with_context(&sdk, &incoming);
    assert_eq!(own.span().span_context(), sdk.span().span_context());
    for key in ["tenant", "tier"] {
        assert_eq!(own.baggage().get(key), sdk.baggage().get(key), "{key}");
    }
    assert_eq!(own.baggage().len(), 2);
}

#[test]
fn headers_of_the_current_context_are_those_that_inject_writes() {
    let scope = testing::scope();
    let caller = OtelPropagator::new()
        .extract(&headers(&[("traceparent", PARENT), ("baggage", "tenant=acme;ttl=30")]));
    let _caller = caller.attach();
    let _theirs = mark_span_as_active(tracer_provider().tracer("").start("theirs"));
    let mut ours: Vec<(String, String)> = Vec::new();
    for nested in [false, true] {
        let _ours = nested.then(|| bellwether::span("ours").enter());
        ours.clear();
        bellwether::inject(&mut ours);
        assert_eq!(written(&Context::current()), ours.iter().cloned().collect());
        assert_eq!(
            ours.iter().find(|(name, _)| name == "baggage").unwrap().1,
            "tenant=acme;ttl=30"
        );
    }
    drop(scope);
}

#[test]
fn a_child_of_a_caller_goes_on_with_its_trace_and_its_baggage() {
    let scope = testing::scope();
    let incoming = headers(&[("traceparent", PARENT), ("baggage", "tenant=acme")]);
    let caller = OtelPropagator::new().extract(&incoming);
    let tracer = tracer_provider().tracer("");
    let context = caller.with_span(tracer.start_with_context("serve", &caller));
    let out = written(&context);
    let id = context.span().span_context().span_id();
    assert_eq!(out["traceparent"], format!("00-0af7651916cd43dd8448eb211c80319c-{id}-01"));
    assert_eq!(out["baggage"], "tenant=acme");
    context.span().end();
    drop(context);
    assert!(scope.span("serve").parent_is_remote());
}

#[test]
fn baggage_that_was_changed_goes_out_changed() {
    let incoming = headers(&[("traceparent", PARENT), ("baggage", "tenant=acme,tier=gold")]);
    let caller = OtelPropagator::new().extract(&incoming);
    let other = caller.with_baggage([KeyValue::new("tier", "lead & tin")]);
    assert_eq!(written(&other)["baggage"], "tier=lead%20&%20tin");
    let cleared = caller.with_cleared_baggage();
    assert_eq!(written(&cleared), headers(&[("traceparent", PARENT)]));
    let with_metadata = [KeyValueMetadata::new("a", "1".to_owned(), "ttl=30")];
    let other = caller.with_baggage(with_metadata.into_iter().collect::<Baggage>());
    assert_eq!(written(&other)["baggage"], "a=1;ttl=30");
}

#[test]
fn malformed_and_huge_headers_are_no_context() {
    let huge = "x".repeat(1 << 20);
    for (name, value) in [
        ("traceparent", "00-00000000000000000000000000000000-b7ad6b7169203331-01"),
        ("traceparent", &huge),
        ("baggage", &huge),
        ("baggage", ";;;=,,"),
    ] {
        let context = OtelPropagator::new().extract(&headers(&[(name, value)]));
        assert!(!context.has_active_span() && context.baggage().is_empty(), "{name}");
    }
}

#[test]
fn its_fields_are_the_names_of_the_headers() {
    let propagator = OtelPropagator::new();
    let mut fields: Vec<_> = propagator.fields().collect();
    fields.sort_unstable();
    assert_eq!(fields, ["baggage", "traceparent", "tracestate"]);
}
