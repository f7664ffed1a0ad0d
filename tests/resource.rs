//! What a backend learns of who speaks: from the code, the environment, and what is detected.
//!
//! Each test starts this program again, with variables, for the one test that is the child.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    collections::BTreeMap,
    env,
    process::{Command, Stdio},
};

use bellwether::{
    Error,
    export::{Batch, Deadline, ExportResult, Exporter, Route},
    pipeline::Setup,
    trace::SpanRecord,
};

const CHILD: &str = "BELLWETHER_TEST_CHILD";

/// Prints the resource that it is given.
struct Printer;

impl Exporter<SpanRecord> for Printer {
    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        for each in setup.resource().attributes() {
            println!("attribute {}={}", each.key, each.value);
        }
        Ok(())
    }

    fn export(&mut self, _: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        Ok(())
    }
}

#[test]
fn the_child() {
    let Ok(kind) = env::var(CHILD) else { return };
    println!(); // The line is begun by the test's name.
    let mut builder = match kind.as_str() {
        "unnamed" => bellwether::builder(""),
        _ => bellwether::builder("shop").resource("team", "code"),
    };
    if kind == "detecting" {
        builder = builder.detect_resource();
    }
    let builder = builder.on_diagnostic(|kind, text| println!("report {kind}: {text}"));
    let _telemetry = builder.export(Route::new(Printer)).start().unwrap();
}

/// The attributes that a backend of the child gets, and what the child reported.
fn child(kind: &str, variables: &[(&str, &str)]) -> (BTreeMap<String, String>, Vec<String>) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "the_child", "--nocapture", "--test-threads=1"]).env(CHILD, kind);
    for name in ["OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME", "OTEL_SDK_DISABLED"] {
        command.env_remove(name);
    }
    let output = command.envs(variables.iter().copied()).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = |mark| text.lines().filter_map(move |line| line.strip_prefix(mark));
    let pairs = lines("attribute ").map(|line| line.split_once('=').unwrap());
    let attributes = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    (attributes, lines("report ").map(str::to_owned).collect())
}

#[test]
fn the_environments_attributes_reach_backends_where_the_code_says_nothing() {
    let list = ("OTEL_RESOURCE_ATTRIBUTES", "team=list,region=eu%2Dwest,service.name=list");
    let (found, reports) = child("named", &[list, ("OTEL_SERVICE_NAME", "variable")]);
    assert_eq!((&*found["team"], &*found["region"]), ("code", "eu-west"));
    assert_eq!(found["service.name"], "shop");
    assert!(!found.contains_key("process.pid"), "nothing is detected unasked");
    assert_eq!(reports, [""; 0]);
}

#[test]
fn a_malformed_list_is_left_out_and_reported() {
    let list = ("OTEL_RESOURCE_ATTRIBUTES", "region=eu,broken");
    let (found, reports) = child("named", &[list]);
    assert!(!found.contains_key("region"));
    let expected = "resource: OTEL_RESOURCE_ATTRIBUTES is left out: no `=` in \"broken\"";
    assert_eq!(reports, [expected]);
}

#[test]
fn a_service_without_a_name_has_that_of_the_environment_or_of_its_program() {
    let (found, _) = child("unnamed", &[("OTEL_SERVICE_NAME", "variable")]);
    assert_eq!(found["service.name"], "variable");
    let (found, _) = child("unnamed", &[]);
    assert!(found["service.name"].starts_with("unknown_service:resource-"), "{found:?}");
}

#[test]
fn what_is_detected_reaches_backends_and_yields_to_the_environment() {
    let list = ("OTEL_RESOURCE_ATTRIBUTES", "host.arch=list");
    let (found, _) = child("detecting", &[list, ("FLY_APP_NAME", "app"), ("FLY_REGION", "ams")]);
    assert_eq!((&*found["host.arch"], &*found["cloud.region"]), ("list", "ams"));
    assert_eq!(found["service.name"], "shop");
    assert!(found.contains_key("process.pid") && found.contains_key("service.instance.id"));
    assert!(!found.values().any(|value| value.contains("--nocapture")), "no arguments");
}
