//! Callers that say something about the trace and name no span, and requests that have an id.

use super::*;
use crate::trace::propagator::{B3, Datadog, Propagator, RequestId, XRay};

const ROOT: &str = "Root=1-5759e988-bd862e3fe1be46a994272793";

fn served(kept: &Kept, caller: Context) -> SpanRecord {
    span("served").parent(caller).enter().end();
    kept.spans().pop().unwrap()
}

#[test]
fn a_root_is_of_the_trace_that_the_caller_named() {
    let kept = Kept::new(AlwaysOn);
    let span = served(&kept, XRay.extract(&[("x-amzn-trace-id", ROOT)]));
    assert_eq!(span.trace_id().to_string(), "5759e988bd862e3fe1be46a994272793");
    assert_eq!((span.parent_span_id(), span.parent_is_remote()), (None, false));
    assert!(span.span_id().is_valid());
    assert_eq!(span.context().flags().to_u8(), 1, "nobody said that its id is random");
}

#[test]
fn what_the_caller_decided_holds_for_a_root_and_what_it_left_open_is_the_samplers() {
    let always = Kept::new(ParentBased::new(AlwaysOn));
    for (header, n) in [("Sampled=0", 0), ("Sampled=1", 1)] {
        span("served").parent(XRay.extract(&[("x-amzn-trace-id", header)])).enter().end();
        assert_eq!(always.spans().len(), n, "{header}");
    }
    drop(always);
    let never = Kept::new(ParentBased::new(AlwaysOff));
    for header in [ROOT, "", "Sampled=?"] {
        span("served").parent(XRay.extract(&[("x-amzn-trace-id", header)])).enter().end();
    }
    assert!(never.spans().is_empty());
    span("served").parent(B3::single().extract(&[("b3", "1")])).enter().end();
    assert_eq!(never.spans().len(), 1);
}

#[test]
fn what_a_format_keeps_in_the_trace_state_reaches_the_children_of_such_a_root() {
    let kept = Kept::new(ParentBased::new(AlwaysOff));
    let synthetic = [
        ("x-datadog-trace-id", "7"),
        ("x-datadog-parent-id", "0"),
        ("x-datadog-sampling-priority", "2"),
        ("x-datadog-origin", "synthetics"),
    ];
    let request = span("request").parent(Datadog.extract(&synthetic)).enter();
    let call = span("call").enter();
    let mut headers: Vec<(String, String)> = Vec::new();
    Datadog.inject(&current(), &mut headers);
    let sent: Vec<&str> = headers.iter().map(|(_, value)| value.as_str()).collect();
    let id = call.context().span_id().to_u64().to_string();
    assert_eq!(sent, ["7", &id, "2", "synthetics"]);
    drop((call, request));
    assert_eq!(kept.tree(), "request(call)");

    let debug = span("debug").parent(B3::single().extract(&[("b3", "d")])).enter();
    let mut headers: Vec<(String, String)> = Vec::new();
    B3::single().inject(&current(), &mut headers);
    assert!(headers[0].1.ends_with("-d"), "{headers:?}");
    drop(debug);
    let root = span("root").root().enter();
    assert!(root.context().span().state().is_empty());
}

#[test]
fn what_the_caller_decided_holds_for_a_root_in_its_context_too() {
    for (header, n) in [("0", 0), ("1", 1)] {
        let kept = Kept::new(ParentBased::new(0.5));
        let caller = B3::single().extract(&[("b3", header)]).enter();
        for _ in 0..20 {
            span("entered").enter().end();
            span("started").start().end();
        }
        drop(caller);
        assert_eq!(kept.spans().len(), 40 * n, "{header}");
    }
}

#[test]
fn where_nothing_is_recorded_a_decision_goes_on_as_it_came() {
    let _muted = mute();
    let _kept = Kept::new(AlwaysOn);
    for header in ["0", "1", "d"] {
        let _request = span("request").parent(B3::single().extract(&[("b3", header)])).enter();
        let mut headers: Vec<(String, String)> = Vec::new();
        B3::single().inject(&current(), &mut headers);
        assert_eq!(headers, [("b3".to_owned(), header.to_owned())]);
    }
    assert!(current().is_none());
}

#[test]
fn the_id_of_a_request_is_an_attribute_of_the_span_that_serves_it_alone() {
    let kept = Kept::new(AlwaysOn);
    let with_id = RequestId::new().extract(&[("x-request-id", "7b5dc8e3")]);
    let known = with_id.clone().with_span(caller(1));
    for caller in [with_id, known] {
        let request = span("request").parent(caller).enter();
        span("call").enter().end();
        span("handed on").parent(current()).enter().end();
        assert_eq!(RequestId::new().of(&current()).as_deref(), Some("7b5dc8e3"));
        drop(request);
    }
    for span in kept.spans() {
        let attributes: Vec<_> =
            span.attributes().iter().map(|one| (&*one.key, one.value.to_string())).collect();
        match span.name() {
            "request" => assert_eq!(attributes, [("http.request.id", "7b5dc8e3".to_owned())]),
            other => assert!(attributes.is_empty(), "{other}"),
        }
    }
    assert_eq!(current(), Context::NONE);
}
