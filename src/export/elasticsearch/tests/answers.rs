//! What servers say, and what becomes of the records.

use super::*;
use crate::{
    export::elasticsearch::answer::{judge, may_pass},
    pipeline::{ExportError, SendResult},
    transport::{http_client::HttpAnswer, http_client::tests::matrix},
};

/// Four records, of which the third has no document.
fn records() -> Payload {
    ["a", "b", "", "c"].iter().collect()
}

fn judged(status: u16, body: &str) -> SendResult {
    let answer = HttpAnswer::of(status, &[], body.as_bytes()).unwrap();
    judge(&records(), &answer, "Elasticsearch")
}

/// A result for each of three documents.
fn results(statuses: [(u16, &str); 3]) -> String {
    let result = |(status, kind): (u16, &str)| match kind {
        "" => format!(
            r#"{{"create":{{"_index":"x","_id":"1","status":{status},"result":"created"}}}}"#
        ),
        kind => format!(
            r#"{{"create":{{"status":{status},"error":{{"type":"{kind}","reason":"because","caused_by":{{"type":"x"}}}}}}}}"#
        ),
    };
    let errors = statuses.iter().any(|(status, _)| *status > 299);
    format!(r#"{{"took":3,"errors":{errors},"items":[{}]}}"#, statuses.map(result).join(","))
}

const OK: (u16, &str) = (201, "");

/// `retry`, `reject` or `partial`, the records that it concerns, and how many are refused besides.
fn decision(result: SendResult) -> (&'static str, String, usize) {
    let Err(error) = result else { return ("delivered", String::new(), 0) };
    let what = match (error.is_retry(), error.is_partial()) {
        (true, _) => "retry",
        (_, true) => "partial",
        _ => "reject",
    };
    let all = |part: &Payload| String::from_utf8(part.bytes().to_vec()).unwrap();
    (what, error.as_unsent().map_or("all".to_owned(), all), error.n_rejected())
}

fn decided(statuses: [(u16, &str); 3]) -> (&'static str, String, usize) {
    decision(judged(200, &results(statuses)))
}

fn is(what: &'static str, of: &str, n: usize) -> (&'static str, String, usize) {
    (what, of.to_owned(), n)
}

#[test]
fn each_status_is_a_delivery_a_retry_a_cut_or_a_refusal_whatever_the_server_asks_for() {
    let payload: Payload = ["a"].iter().collect();
    matrix::check(may_pass, |answer| {
        // What is said beside a success decides, and the matrix has another text.
        let said = br#"{"errors":false,"items":[{"create":{"status":201}}]}"#;
        match answer.is_success() {
            true => judge(&payload, &HttpAnswer::of(answer.status(), &[], said).unwrap(), "it"),
            false => judge(&payload, answer, "it"),
        }
    });
    let statuses = (100..600).filter(|status| may_pass(*status));
    assert!(statuses.eq([429].into_iter().chain(500..600)));
}

#[test]
fn documents_that_are_taken_or_there_already_are_delivered() {
    assert_eq!(decided([OK; 3]), is("partial", "all", 1));
    assert_eq!(
        decided([OK, (409, "version_conflict_engine_exception"), (200, "")]),
        is("partial", "all", 1)
    );
    let payload: Payload = ["a"].iter().collect();
    let body = br#"{"errors":true,"items":[{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"x"}}}]}"#;
    judge(&payload, &HttpAnswer::of(200, &[], body).unwrap(), "it").unwrap();
}

#[test]
fn busy_documents_alone_are_sent_again() {
    let busy = (429, "es_rejected_execution_exception");
    assert_eq!(decided([OK, busy, OK]), is("retry", "b", 1));
    assert_eq!(decided([busy, OK, (503, "unavailable_shards_exception")]), is("retry", "ac", 1));
    assert_eq!(decided([busy; 3]), is("retry", "abc", 1));
    assert_eq!(decided([OK, OK, (500, "")]), is("retry", "c", 1));
    for status in [403, 429] {
        assert_eq!(decided([OK, OK, (status, "cluster_block_exception")]), is("retry", "c", 1));
    }
}

#[test]
fn refused_documents_alone_are_refused_and_the_error_says_why() {
    let bad = (400, "document_parsing_exception");
    assert_eq!(decided([OK, bad, OK]), is("reject", "b", 1));
    assert_eq!(decided([bad; 3]), is("reject", "abc", 1));
    assert_eq!(decided([OK, OK, (404, "index_not_found_exception")]), is("reject", "c", 1));
    assert_eq!(decided([OK, OK, (403, "security_exception")]), is("reject", "c", 1));
    let error = judged(200, &results([OK, bad, OK])).unwrap_err().to_string();
    assert_eq!(
        error,
        "Elasticsearch refused 1 of 3 documents: 400 document_parsing_exception: because"
    );
}

#[test]
fn where_some_are_busy_and_some_refused_each_is_counted_once() {
    let (bad, busy) = ((400, "mapper_parsing_exception"), (429, "circuit_breaking_exception"));
    assert_eq!(decided([bad, busy, OK]), is("retry", "b", 2));
    assert_eq!(decided([busy, bad, bad]), is("retry", "a", 3));
    let error = judged(200, &results([bad, busy, OK])).unwrap_err();
    assert_eq!(error.as_refused().unwrap().bytes(), records().first(1).bytes());
    let error = error.to_string();
    for kind in [bad.1, busy.1] {
        assert!(error.contains(kind), "{error}");
    }
}

#[test]
fn a_success_that_does_not_say_what_became_of_each_is_tried_again() {
    let one = r#"{"create":{"status":201}}"#;
    let of = |items: &str| format!(r#"{{"errors":false,"items":[{items}]}}"#);
    let bodies = [
        String::new(),
        "<html>".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        r#"{"errors":false}"#.to_owned(),
        of(""),
        of(one),
        of(&[one; 4].join(",")),
        of(&["{}"; 3].join(",")),
        of(&[r#"{"create":{}}"#; 3].join(",")),
        of(&[r#"{"create":{"status":"201"}}"#; 3].join(",")),
        of(&[r#"{"create":{"status":201},"index":{"status":201}}"#; 3].join(",")),
        of(&[r#"{"create":{"status":-1}}"#; 3].join(",")),
        of(&[one; 3].join(",")).trim_end_matches('}').to_owned(),
        "[".repeat(100_000),
        "\u{0}".repeat(7),
    ];
    for body in bodies {
        let error = judged(200, &body).unwrap_err();
        assert!(error.to_string().starts_with("Elasticsearch answered 200 without"), "{error}");
        assert_eq!(decision(Err(error)), is("retry", "all", 0), "{body:.100}");
    }
    judge(
        &records().first(2),
        &HttpAnswer::of(200, &[], of(&[one; 2].join(",")).as_bytes()).unwrap(),
        "it",
    )
    .unwrap();
}

#[test]
fn an_error_of_the_whole_request_is_one_of_all() {
    let body = r#"{"error":{"type":"security_exception","reason":"missing key"},"status":401}"#;
    let error = judged(401, body).unwrap_err();
    assert!(error.to_string().contains("missing key"), "{error}");
    assert_eq!(decision(Err(error)), is("reject", "all", 0));
    assert_eq!(decision(judged(503, "")), is("retry", "all", 0));
    let error: ExportError<Payload> = judged(413, "too large").unwrap_err();
    assert!(format!("{error:?}").contains("Cut"), "{error:?}");
}
