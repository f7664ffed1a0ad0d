//! The validity of header sets as the W3C's own test suite states it.
//!
//! The data is no part of the repository; `BELLWETHER_CONFORMANCE` names the folder that has it.

use std::{io::Write as _, path::PathBuf};

use bellwether::{
    context::{SpanContext, TraceState},
    extract,
};
use serde_json::Value;

/// The most members of a list that is propagated (W3C Trace Context, "tracestate Header Field Values").
const MOST_MEMBERS: usize = 32;

#[test]
fn header_sets_are_as_valid_as_stated() {
    let Some(folder) = std::env::var_os("BELLWETHER_CONFORMANCE") else {
        // Not `eprintln!`, which is captured: the test would pass in silence.
        let _ =
            writeln!(std::io::stderr(), "SKIPPED: W3C headers: BELLWETHER_CONFORMANCE is unset");
        return;
    };
    let file = PathBuf::from(folder).join("w3c-trace-context/observed_headers_with_validity.json");
    let text = std::fs::read_to_string(&file).expect("the folder has the file");
    let sets: Vec<Value> = serde_json::from_str(&text).expect("the file is a JSON list");
    assert_eq!(sets.len(), 82);
    for (row, set) in sets.iter().enumerate() {
        let headers: Vec<(String, String)> =
            serde_json::from_value(set["headers"].clone()).expect("headers are pairs");
        let context = extract(&headers).span().clone();
        assert_eq!(Value::from(context.is_valid()), set["is_traceparent_valid"], "{row}: {set}");
        if let Some(stated) = set.get("is_tracestate_valid") {
            assert_eq!(Value::from(is_tracestate_valid(&headers)), *stated, "{row}: {set}");
            // A list that is valid and longer than may be propagated is dropped whole.
            let propagated = *stated == true && members(&headers).len() <= MOST_MEMBERS;
            assert_eq!(!context.state().is_empty(), propagated, "{row}: {set}");
        }
        if !context.is_valid() {
            assert_eq!(context, SpanContext::NONE, "{row}: {set}");
        }
    }
}

/// Whether the list is valid: the statements are about its members, and do not count them, so that a
/// list of more than may be propagated is judged in parts.
fn is_tracestate_valid(headers: &[(String, String)]) -> bool {
    let members = members(headers);
    !members.is_empty()
        && members.chunks(MOST_MEMBERS).all(|part| TraceState::parse(&part.join(",")).is_ok())
}

/// The members of all `tracestate` headers, in order.
fn members(headers: &[(String, String)]) -> Vec<&str> {
    let named = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("tracestate"));
    let members = named.flat_map(|(_, value)| value.split(','));
    members.filter(|member| !member.trim().is_empty()).collect()
}
