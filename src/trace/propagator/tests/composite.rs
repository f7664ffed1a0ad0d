//! Several propagators, and those that the environment names.

use std::sync::Arc;

use super::*;
use crate::{
    diagnostics,
    sync::Mutex,
    trace::propagator::{B3, BaggageHeader, Jaeger, Propagators, TraceContext, XRay, names},
};

const W3C: (&str, &str) =
    ("traceparent", "00-00000000000000000000000000000001-0000000000000001-00");
const JAEGER: (&str, &str) = ("uber-trace-id", "2:2:0:1");
const XRAY_ROOT: (&str, &str) = ("x-amzn-trace-id", "Root=1-00000000-000000000000000000000003");

fn trace(propagators: &Propagators, headers: &[(&str, &str)]) -> u128 {
    propagators.extract(&headers).trace_id().to_u128()
}

#[test]
fn the_first_one_that_finds_a_span_is_preferred() {
    let one = Propagators::none().with(Jaeger).with(TraceContext).with(XRay);
    let other = Propagators::none().with(XRay).with(TraceContext).with(Jaeger);
    let all = [W3C, JAEGER, XRAY_ROOT];
    assert_eq!((trace(&one, &all), trace(&other, &all)), (2, 1));
    assert_eq!((trace(&one, &[XRAY_ROOT]), trace(&other, &[XRAY_ROOT, JAEGER])), (3, 2));
    assert_eq!(trace(&Propagators::none(), &all), 0);
}

#[test]
fn what_is_said_about_the_trace_alone_comes_after_any_span() {
    let propagators = Propagators::none().with(XRay).with(B3::single()).with(TraceContext);
    let said = |headers: &[(&str, &str)]| {
        let context = propagators.extract(&headers);
        (context.trace_id().to_u128(), context.span().decided())
    };
    // A load balancer that leaves the decision to us, and a caller that has decided.
    assert_eq!(said(&[XRAY_ROOT, ("b3", "0")]), (3, None));
    assert_eq!(said(&[XRAY_ROOT, W3C]), (1, Some(false)));
    assert_eq!(said(&[("b3", "1"), W3C]), (1, Some(false)));
    assert_eq!(said(&[("b3", "1")]), (0, Some(true)));
}

#[test]
fn all_of_them_write_in_their_order() {
    let propagators = Propagators::none().with(B3::single()).with(TraceContext).with(B3::multi());
    let headers = written(&propagators, &context(true));
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["b3", "traceparent", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled"]);
}

/// The propagators of a list as they are shown, and what was reported.
fn named(list: Option<&str>) -> (String, Vec<String>) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock(); // The hook is the process's.
    let reports = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&reports);
    diagnostics::set_hook(Some(Arc::new(move |kind, text| {
        if kind == "propagators" {
            sink.lock().push(text.to_owned());
        }
    })));
    let chosen = names::of_environment(|variable| {
        assert_eq!(variable, "OTEL_PROPAGATORS");
        list.map(str::to_owned)
    });
    diagnostics::set_hook(None);
    let reports = reports.lock().clone();
    (chosen.map_or("default".into(), |chosen| format!("{chosen:?}")), reports)
}

#[test]
fn the_environment_names_propagators_in_their_order() {
    let shown = |propagators: Propagators| format!("{propagators:?}");
    let none = Propagators::none;
    for (list, expected) in [
        ("b3", none().with(B3::single())),
        ("b3multi, tracecontext", none().with(B3::multi()).with(TraceContext)),
        (" Jaeger ,baggage,jaeger,,BAGGAGE", none().with(Jaeger).with(BaggageHeader)),
        ("xray", none().with(XRay)),
        ("none", none()),
        (" None ", none()),
    ] {
        assert_eq!(named(Some(list)), (shown(expected), Vec::new()), "{list}");
    }
    let (all, reports) = named(Some("tracecontext,baggage,b3,b3multi,jaeger,xray,ottrace,datadog"));
    assert!(reports.is_empty());
    for name in
        ["TraceContext", "BaggageHeader", "Single", "Multi", "Jaeger", "XRay", "OtTrace", "Datadog"]
    {
        assert!(all.contains(name), "{name} in {all}");
    }
}

#[test]
fn without_a_choice_they_are_the_default_ones() {
    for list in
        [None, Some(""), Some(" , "), Some("tracecontext,baggage"), Some("baggage,tracecontext")]
    {
        assert_eq!(named(list), ("default".into(), Vec::new()), "{list:?}");
    }
}

#[test]
fn a_name_that_is_not_known_is_reported_with_its_place_and_left_out() {
    let (chosen, reports) = named(Some("b4, jaeger,none"));
    assert_eq!(chosen, format!("{:?}", Propagators::none().with(Jaeger)));
    assert_eq!(
        reports,
        [
            r#"OTEL_PROPAGATORS: name 1, "b4", is not known, and is ignored"#,
            r#"OTEL_PROPAGATORS: name 3, "none", stands beside others, and is ignored"#,
        ]
    );
    let (chosen, reports) = named(Some(&"\u{7f}".repeat(1_000)));
    assert_eq!((chosen.as_str(), reports.len()), ("default", 1));
    assert!(reports[0].len() < 600);
}
