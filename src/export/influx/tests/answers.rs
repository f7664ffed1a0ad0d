//! What servers say, and what becomes of the records.

use super::*;
use crate::{
    export::influx::answer::{judge, may_pass},
    pipeline::{ExportError, SendResult},
    transport::{http_client::HttpAnswer, http_client::tests::matrix},
};

/// Four records, of which the third has no line.
fn records() -> Payload {
    ["a v=1i 1\n", "b,k=\\\"x\\\\ v=2i 1\n", "", "c v=3i 1\n"].iter().collect()
}

fn judged(status: u16, body: &str) -> SendResult {
    let answer = HttpAnswer::of(status, &[], body.as_bytes()).unwrap();
    judge(&records(), &answer, "InfluxDB")
}

/// `retry`, `reject` or `partial`, the records that it concerns, and how many are refused besides.
fn decision(result: SendResult) -> (&'static str, Vec<String>, usize) {
    let Err(error) = result else { return ("delivered", Vec::new(), 0) };
    let what = match (error.is_retry(), error.is_partial()) {
        (true, _) => "retry",
        (_, true) => "partial",
        _ => "reject",
    };
    let text = |record: &[u8]| String::from_utf8(record[..1].to_vec()).unwrap();
    let all = error.as_unsent().map(|unsent| unsent.records().map(text).collect());
    (what, all.unwrap_or_else(|| vec!["all".to_owned()]), error.n_rejected())
}

fn some(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn each_status_is_a_delivery_a_retry_a_cut_or_a_refusal_whatever_the_server_asks_for() {
    let payload: Payload = ["a v=1i 1\n"].iter().collect();
    matrix::check(may_pass, |answer| judge(&payload, answer, "InfluxDB"));
    let statuses = (100..600).filter(|status| may_pass(*status));
    assert!(statuses.eq([429].into_iter().chain(500..600)));
}

#[test]
fn of_a_partial_write_as_many_are_refused_as_the_server_says() {
    let body = r#"{"error":"partial write: field type conflict: input field \"v\" on measurement \"a\" is type integer, already exists as type float dropped=2"}"#;
    for status in [400, 422] {
        let result = judged(status, body);
        assert!(result.as_ref().unwrap_err().to_string().contains("field type conflict"));
        assert_eq!(decision(result), ("partial", some(&["all"]), 3), "{status}");
    }
    let of_v2 = r#"{"code":"unprocessable entity","message":"failure writing points to database: partial write: points beyond retention policy dropped=1"}"#;
    assert_eq!(decision(judged(422, of_v2)), ("partial", some(&["all"]), 2));
    let more_than_sent = r#"{"error":"partial write: x dropped=99999999999"}"#;
    assert_eq!(decision(judged(400, more_than_sent)), ("partial", some(&["all"]), 4));
}

#[test]
fn of_a_partial_write_that_names_lines_these_are_refused_and_no_other() {
    let of_v1 = r#"{"error":"partial write: unable to parse 'b,k=\\\"x\\\\ v=2i 1': missing fields dropped=0"}"#;
    assert_eq!(decision(judged(400, of_v1)), ("reject", some(&["b"]), 1));
    let of_v3 = r#"{"error":"partial write of line protocol occurred","data":[{"original_line":"c","line_number":3,"error_message":"x"},{"original_line":"a","line_number":1,"error_message":"x"}]}"#;
    assert_eq!(decision(judged(400, of_v3)), ("reject", some(&["a", "c"]), 1));
}

#[test]
fn where_bad_lines_are_named_and_none_was_written_the_others_are_sent_again_without_them() {
    let of_v2 = r#"{"code":"invalid","message":"unable to parse 'a v=1i 1': bad\nunable to parse 'c v=3i 1': bad"}"#;
    assert_eq!(decision(judged(400, of_v2)), ("retry", some(&["b"]), 3));
    let of_v3 = r#"{"error":"parsing failed for write_lp endpoint","data":{"original_line":"b","line_number":2,"error_message":"x"}}"#;
    assert_eq!(decision(judged(400, of_v3)), ("retry", some(&["a", "c"]), 2));
    let of_victoria = r#"cannot process influx line protocol data: incorrect influx line "b,k=\\\"x\\\\ v=2i 1": cannot parse; see https://docs.victoriametrics.com"#;
    assert_eq!(decision(judged(400, of_victoria)), ("retry", some(&["a", "c"]), 2));
}

#[test]
fn what_names_all_lines_or_none_is_a_refusal_of_all() {
    for body in [
        r#"{"error":"database not found: \"shop\""}"#,
        r#"{"error":"partial write"}"#,
        r#"{"error":"unable to parse 'other': missing fields"}"#,
        r#"{"code":"invalid","message":"unable to parse 'a v=1i 1': x, unable to parse 'b,k=\\\"x\\\\ v=2i 1': x, unable to parse 'c v=3i 1': x"}"#,
        r#"{"error":"x","data":[{"line_number":0},{"line_number":-1},{"line_number":9},{"line_number":"1"},7]}"#,
        r#"{"error":7,"data":null}"#,
        "dropped=",
        "<html>",
        "",
        "\u{0}{",
    ] {
        assert_eq!(decision(judged(400, body)), ("reject", some(&["all"]), 0), "{body}");
    }
    assert_eq!(decision(judged(401, "partial write dropped=1")), ("reject", some(&["all"]), 0));
}

#[test]
fn a_success_with_an_error_inside_is_none() {
    for body in [r#"{"error":"no such route"}"#, r#"{"code":"x","message":"not here"}"#] {
        let result = judged(200, body);
        assert!(result.as_ref().unwrap_err().to_string().starts_with("InfluxDB answered 200"));
        assert_eq!(decision(result), ("reject", some(&["all"]), 0), "{body}");
    }
    for body in ["", "ok", r#"{"results":[]}"#] {
        assert_eq!(decision(judged(200, body)), ("partial", some(&["all"]), 1), "{body}");
        let answer = HttpAnswer::of(204, &[], body.as_bytes()).unwrap();
        judge(&records().first(2), &answer, "InfluxDB").unwrap();
    }
}

#[test]
fn what_is_too_large_is_cut() {
    let error: ExportError<Payload> = judged(413, "too large").unwrap_err();
    assert!(format!("{error:?}").contains("Cut"), "{error:?}");
}

#[test]
fn an_answer_that_seems_to_name_lines_without_end_names_none() {
    let lines: Vec<String> = (0..5_000).map(|n| format!("unable,n={n} v=1i 1\n")).collect();
    let payload: Payload = lines.iter().collect();
    for begin in ["unable to parse '", "influx line \""] {
        let text = format!("partial write: {}", begin.repeat(200_000));
        let answer = HttpAnswer::of(400, &[], text.as_bytes()).unwrap();
        let error = judge(&payload, &answer, "InfluxDB").unwrap_err();
        assert_eq!((error.is_retry(), error.is_partial()), (false, false));
    }
}
