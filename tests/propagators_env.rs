//! A process that is told by its environment which headers to use, and whose trace it is in.
//!
//! Each test starts this program again, with variables, for the one test that is the child.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    collections::BTreeMap,
    env,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use bellwether::{
    current, extract, inject, span,
    trace::propagator::{BaggageHeader, Environment, Propagators, TraceContext},
};

const CHILD: &str = "BELLWETHER_TEST_CHILD";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The headers that a child writes in a span of its own, and what it reported; it is the child of the
/// span of [`PARENT`].
fn headers_of_child(kind: &str, list: Option<&str>) -> (BTreeMap<String, String>, Vec<String>) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "the_child", "--nocapture", "--test-threads=1"]);
    command.env(CHILD, kind).env_remove("OTEL_PROPAGATORS").env_remove("OTEL_SDK_DISABLED");
    if let Some(list) = list {
        command.env("OTEL_PROPAGATORS", list);
    }
    command.envs([("TRACEPARENT", PARENT), ("B3", "0af7651916cd43dd-b7ad6b7169203331-1")]);
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = |mark: &str| -> Vec<String> {
        text.lines().filter_map(|line| line.strip_prefix(mark)).map(str::to_owned).collect()
    };
    let pairs = lines("header ").into_iter().map(|line| {
        let (name, value) = line.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    });
    (pairs.collect(), lines("report "))
}

#[test]
fn the_child() {
    let Ok(kind) = env::var(CHILD) else { return };
    let reports = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&reports);
    let mut builder = bellwether::builder("child").on_diagnostic(move |kind, text| {
        sink.lock().unwrap().push(format!("{kind}: {text}"));
    });
    if kind == "chosen in code" {
        builder = builder.propagators(Propagators::none().with(TraceContext).with(BaggageHeader));
    }
    let telemetry = builder.start().unwrap();
    let step = span("step").parent(extract(&Environment::of_process())).enter();
    let mut headers: Vec<(String, String)> = Vec::new();
    inject(&mut headers);
    println!();
    for (name, value) in headers {
        println!("header {name}={}", value.replace(&current().span_id().to_string(), "OWN"));
    }
    drop(step);
    telemetry.shutdown(Duration::from_secs(5));
    reports.lock().unwrap().iter().for_each(|report| println!("report {report}"));
}

fn of(headers: &[(&str, &str)]) -> BTreeMap<String, String> {
    headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

const W3C: (&str, &str) = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-OWN-01");
const B3_HALF: (&str, &str) = ("b3", "00000000000000000af7651916cd43dd-OWN-1");

#[test]
fn a_process_joins_the_trace_in_its_environment() {
    assert_eq!(headers_of_child("", None), (of(&[W3C]), Vec::new()));
    assert_eq!(headers_of_child("", Some("")), (of(&[W3C]), Vec::new()));
}

#[test]
fn the_environment_chooses_the_headers() {
    assert_eq!(headers_of_child("", Some("b3")), (of(&[B3_HALF]), Vec::new()));
    let b3 = ("b3", "0af7651916cd43dd8448eb211c80319c-OWN-1");
    assert_eq!(headers_of_child("", Some("tracecontext,b3")), (of(&[W3C, b3]), Vec::new()));
    assert_eq!(headers_of_child("", Some("none")), (of(&[]), Vec::new()));
}

#[test]
fn what_is_chosen_in_code_holds_whatever_the_environment_says() {
    assert_eq!(headers_of_child("chosen in code", Some("b3,nonsense")), (of(&[W3C]), Vec::new()));
}

#[test]
fn a_name_that_is_not_known_is_told_at_the_start() {
    let (headers, reports) = headers_of_child("", Some("b3,b4"));
    assert_eq!(headers, of(&[B3_HALF]));
    let told = r#"propagators: OTEL_PROPAGATORS: name 2, "b4", is not known, and is ignored"#;
    assert_eq!(reports, [told]);
}
