//! The validity of header sets as the W3C's own test suite states it, and cases of baggage.
//!
//! The data is no part of the repository; `BELLWETHER_CONFORMANCE` names the folder that has it.

use std::{fs, io::Write as _, path::PathBuf};

use bellwether::{
    context::{Baggage, BaggageEntry, SpanContext, TraceState},
    extract,
};
use serde_json::Value;

/// The most members of a list that is propagated (W3C Trace Context, "tracestate Header Field Values").
const MOST_MEMBERS: usize = 32;

/// A file of the folder, if there is one.
fn read(file: &str) -> Option<Value> {
    let Some(folder) = std::env::var_os("BELLWETHER_CONFORMANCE") else {
        // Not `eprintln!`, which is captured: the test would pass in silence.
        let _ = writeln!(std::io::stderr(), "SKIPPED: {file}: BELLWETHER_CONFORMANCE is unset");
        return None;
    };
    let text =
        fs::read_to_string(PathBuf::from(folder).join(file)).expect("the folder has the file");
    Some(serde_json::from_str(&text).expect("the file is JSON"))
}

#[test]
fn header_sets_are_as_valid_as_stated() {
    let Some(file) = read("w3c-trace-context/observed_headers_with_validity.json") else { return };
    let sets = file.as_array().expect("the file is a list");
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

/// One of the cases, by its name; the headers and, where they are stated, the members.
struct Case {
    name: String,
    headers: Vec<String>,
    members: Option<Vec<Value>>,
}

impl Case {
    fn read(case: &Value) -> Self {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let list = |value: &Value| value.as_array().cloned();
        let headers = list(&case["headers"]).expect("headers are a list");
        Self {
            name: text(&case["name"]),
            headers: headers.iter().map(text).collect(),
            members: list(&case["members"]),
        }
    }

    fn baggage(&self) -> Baggage {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|value| ("baggage", value.as_str())).collect();
        extract(&headers).baggage().clone()
    }
}

/// An entry as the file has members: key, value, properties as pairs.
fn member(entry: BaggageEntry<'_>) -> Value {
    let properties = entry.properties().split(';').filter(|property| !property.is_empty());
    let properties: Vec<Value> = properties
        .map(|property| match property.split_once('=') {
            Some((key, value)) => Value::from(vec![key, value]),
            None => Value::from(vec![Value::from(property), Value::Null]),
        })
        .collect();
    Value::from(vec![entry.key().into(), entry.value().as_ref().into(), Value::from(properties)])
}

#[test]
fn baggage_is_read_as_stated_and_kept_within_the_limits() {
    let Some(file) = read("generated/baggage_cases.json") else { return };
    let cases: Vec<Case> =
        file["cases"].as_array().expect("cases are a list").iter().map(Case::read).collect();
    assert_eq!(cases.len(), 36);
    let stated = cases.iter().filter(|case| case.members.is_some());
    assert_eq!(stated.clone().count(), 11);
    for case in stated {
        let members: Vec<Value> = case.baggage().iter().map(member).collect();
        assert_eq!(Some(&members), case.members.as_ref(), "{}", case.name);
    }
    for case in &cases {
        let (baggage, sent) = (case.baggage(), case.headers.join(","));
        let n_sent = sent.split(',').count();
        let entries: Vec<BaggageEntry<'_>> = baggage.iter().collect();
        // What has to be passed on whole (section 3.3.2), and what never may be in part.
        if n_sent <= 64 && sent.len() <= 8_192 && !case.name.starts_with("malformed") {
            assert_eq!(entries.len(), n_sent, "{}", case.name);
        }
        assert!(entries.len() <= 180 && baggage.as_str().len() <= 8_192, "{}", case.name);
        assert_eq!(Baggage::parse(baggage.as_str()), baggage, "{}", case.name);
    }
}

/// A malformed member takes none of its neighbours with it.
#[test]
fn malformed_members_are_refused_alone() {
    let Some(file) = read("generated/baggage_cases.json") else { return };
    let cases = file["cases"].as_array().expect("cases are a list").iter().map(Case::read);
    let malformed: Vec<Case> = cases.filter(|case| case.name.starts_with("malformed")).collect();
    assert_eq!(malformed.len(), 15);
    // These are not: a property that is empty, and a percent sign that stands for itself.
    let legal = ["k=v;;", "k=%zz", "k=%", "k=%4"];
    for case in malformed {
        let bad = &case.headers[0];
        let headers = [("baggage", format!("a=1,{bad},b=2"))];
        let keys: Vec<String> =
            extract(&headers).baggage().iter().map(|entry| entry.key().to_owned()).collect();
        let expected: &[&str] =
            if legal.contains(&bad.as_str()) { &["a", "k", "b"] } else { &["a", "b"] };
        assert_eq!(keys, expected, "{bad}");
    }
}
