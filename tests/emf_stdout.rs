//! Documents for CloudWatch on standard output: a child of this program prints them among lines of its own.
#![cfg(feature = "emf")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{process::Command, time::Duration};

use bellwether::{Unit, export::emf::Emf, metric::Registry};

const CHILD: &str = "BELLWETHER_EMF_CHILD";
const ROUNDS: u64 = 3;

/// What the child does: three readings, with lines of the program's own between them.
fn child() {
    let telemetry = bellwether::builder("shop").export(Emf::stdout("Shop")).start().unwrap();
    let registry = Registry::global();
    let orders = registry.counter("orders", "").keys(&["route"]).build().unwrap();
    for round in 0..ROUNDS {
        orders.with_labels(&[("route", "/pay")]).add(round + 1);
        let time = registry.histogram("time", "").unit(Unit::Seconds).build().unwrap();
        time.record(0.5);
        println!("the program's own line");
        assert!(telemetry.flush(Duration::from_secs(20)).settled);
    }
    let totals = telemetry.shutdown(Duration::from_secs(20)).totals();
    assert_eq!((totals.offered, totals.dropped), (totals.delivered, 0));
}

#[test]
fn documents_on_standard_output_are_whole_lines_among_those_of_the_program() {
    if std::env::var_os(CHILD).is_some() {
        return child();
    }
    let name = "documents_on_standard_output_are_whole_lines_among_those_of_the_program";
    let mut again = Command::new(std::env::current_exe().unwrap());
    let again = again.args([name, "--exact", "--nocapture"]).env(CHILD, "1").output().unwrap();
    assert!(again.status.success(), "{again:?}");
    let text = String::from_utf8(again.stdout).unwrap();
    let n_own = text.lines().filter(|line| *line == "the program's own line").count();
    assert_eq!(n_own as u64, ROUNDS, "{text}");
    let documents: Vec<serde_json::Value> = text
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let orders: Vec<f64> = documents.iter().filter_map(|one| one["orders"].as_f64()).collect();
    assert_eq!(orders.iter().sum::<f64>(), 6.0, "differences add up: {text}");
    let times: Vec<u64> =
        documents.iter().filter_map(|one| one["time"]["Counts"][0].as_u64()).collect();
    assert_eq!(times.iter().sum::<u64>(), ROUNDS, "{text}");
    for document in documents {
        assert_eq!(document["service"], "shop");
        assert_eq!(document["_aws"]["CloudWatchMetrics"][0]["Namespace"], "Shop");
    }
}
