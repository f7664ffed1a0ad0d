//! The validity of header sets as the W3C's own test suite states it.
//!
//! The data is no part of the repository; `BELLWETHER_CONFORMANCE` names the folder that has it.

use std::{io::Write as _, path::PathBuf};

use bellwether::{context::SpanContext, extract};
use serde_json::Value;

/// The one row whose statement is not the specification's: 33 members. The column was made by the
/// suite's parser, which does not count them; the specification has 32 as the most (section 3.3.1.1).
const MEMBERS_BEYOND_32: usize = 71;

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
        let context = extract(&headers);
        assert_eq!(Value::from(context.is_valid()), set["is_traceparent_valid"], "{row}: {set}");
        if let Some(stated) = set.get("is_tracestate_valid") {
            let expected = *stated == true && row != MEMBERS_BEYOND_32;
            assert_eq!(!context.state().is_empty(), expected, "{row}: {set}");
        }
        if !context.is_valid() {
            assert_eq!(context, SpanContext::NONE, "{row}: {set}");
        }
    }
}
