//! Thresholds of consistent sampling and its decisions, as computed elsewhere with whole numbers.
//!
//! The data is no part of the repository; `BELLWETHER_CONFORMANCE` names the folder that has it.

use std::{borrow::Cow, io::Write as _, path::PathBuf};

use bellwether::{
    context::{SpanContext, TraceId, TraceState},
    trace::{
        SpanKind,
        sampler::{Candidate, ConsistentProbability, Probability, Sampler as _},
    },
};
use serde_json::Value;

#[test]
fn thresholds_and_decisions_are_those_that_are_stated() {
    let Some(folder) = std::env::var_os("BELLWETHER_CONFORMANCE") else {
        // Not `eprintln!`, which is captured: the test would pass in silence.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: consistent sampling: BELLWETHER_CONFORMANCE is unset"
        );
        return;
    };
    let file = PathBuf::from(folder).join("generated/consistent_sampling.json");
    let text = std::fs::read_to_string(&file).expect("the folder has the file");
    let table: Value = serde_json::from_str(&text).expect("the file is JSON");
    let rows = |name: &str| table[name].as_array().expect("a list").clone();
    let (thresholds, decisions) = (rows("thresholds"), rows("decisions"));
    assert_eq!((thresholds.len(), decisions.len()), (25, 120));
    thresholds.iter().for_each(check_threshold);
    decisions.iter().for_each(check_decision);
}

fn check_threshold(row: &Value) {
    let probability = Probability::new(number(&row["p"]));
    let stated = row["T"].as_u64().expect("a threshold");
    let is_exact = row["exact"].as_bool().expect("a flag");
    let off = probability.threshold().abs_diff(stated);
    assert!(off <= u64::from(!is_exact), "{row}: {}", probability.threshold());

    let th = row["th"].as_str().expect("digits");
    let state = TraceState::parse(&format!("ot=th:{th}")).expect("a trace state");
    let read = Probability::of_state(&state).expect("a threshold");
    assert_eq!(read.threshold(), stated, "{row}");
    if off == 0 {
        assert_eq!(written(probability), state, "{row}");
    }
}

/// The state of a trace that is sampled with this probability.
fn written(probability: Probability) -> TraceState {
    let sampler = ConsistentProbability::of(probability);
    let name = Cow::Borrowed("");
    let id = TraceId::from_u128(u128::MAX);
    let root = Candidate::new(&SpanContext::NONE, id, &name, SpanKind::Internal);
    sampler.sample(&root).state().expect("a state").clone()
}

fn check_decision(row: &Value) {
    let sampler = ConsistentProbability::new(number(&row["p"]));
    let id: TraceId = row["trace_id"].as_str().expect("an id").parse().expect("32 digits");
    let name = Cow::Borrowed("");
    let root = Candidate::new(&SpanContext::NONE, id, &name, SpanKind::Internal);
    let stated = row["sample"].as_bool().expect("a flag");
    assert_eq!(sampler.sample(&root).is_sampled(), stated, "{row}");
}

/// The number that C writes as `0x1.8000000000000p-3`, with all thirteen digits: its bits.
fn number(text: &Value) -> f64 {
    let text = text.as_str().and_then(|text| text.strip_prefix("0x1.")).expect("a number");
    let (digits, exponent) = text.split_once('p').expect("an exponent");
    assert_eq!(digits.len(), 13, "{text}");
    let fraction = u64::from_str_radix(digits, 16).expect("digits");
    let exponent: i64 = exponent.parse().expect("an exponent");
    f64::from_bits(((1_023 + exponent) as u64) << 52 | fraction)
}
