//! What Loki says, and what becomes of the records.

use super::{
    super::answer::{judge, may_pass},
    *,
};
use crate::{
    pipeline::{ExportError, SendResult},
    transport::{http_client::HttpAnswer, http_client::tests::matrix},
};

/// Three entries of two streams, the first a second after [`NOON`], and between them a record without an entry.
fn records() -> Payload {
    let at = |n: u64| Timestamp::from_unix_nanos(NOON + n * 1_000_000_000);
    let loki = loki().max_line_bytes(5).long_lines(LokiLongLines::Reject);
    let error = LogRecord::new(LogSeverity::ERROR, "three").with_time(at(3));
    let long = record("too long").with_time(at(1));
    let lines = vec![record("one").with_time(at(1)), long, record("two").with_time(at(2)), error];
    payload(&loki, lines)
}

fn judged(status: u16, body: &str) -> SendResult {
    let answer = HttpAnswer::of(status, &[], body.as_bytes()).unwrap();
    judge(&records(), &answer, "Loki")
}

/// `retry`, `reject` or `partial`, how many records it concerns, and how many are refused besides.
fn decision(result: SendResult) -> (&'static str, Option<usize>, usize) {
    let Err(error) = result else { return ("delivered", None, 0) };
    let what = match (error.is_retry(), error.is_partial()) {
        (true, _) => "retry",
        (_, true) => "partial",
        _ if format!("{error:?}").contains("(Cut,") => "cut",
        _ => "reject",
    };
    (what, error.as_unsent().map(Payload::len), error.n_rejected())
}

#[test]
fn each_status_is_a_delivery_a_retry_a_cut_or_a_refusal_whatever_the_server_asks_for() {
    let payload = payload(&loki(), vec![record("x")]);
    matrix::check(may_pass, |answer| match answer.status() {
        260 => Ok(()), // Shown below.
        _ => judge(&payload, answer, "Loki"),
    });
    let statuses = (100..600).filter(|status| may_pass(*status));
    assert!(statuses.eq([429].into_iter().chain(500..600)));
}

#[test]
fn a_success_is_one_but_for_records_without_an_entry_and_where_nothing_is_taken() {
    assert_eq!(decision(judged(204, "")), ("partial", None, 1));
    assert_eq!(decision(judged(200, "whatever")), ("partial", None, 1));
    let whole = records().filter(|at| at != 1);
    judge(&whole, &HttpAnswer::of(204, &[], b"").unwrap(), "Loki").unwrap();
    let blocked = judged(260, "ingestion blocked for user shop until '2026-12-01T00:00:00Z'");
    assert!(blocked.as_ref().unwrap_err().to_string().contains("ingestion blocked"));
    assert_eq!(decision(blocked), ("reject", None, 0));
}

const TOO_OLD: &str = "has timestamp too old: 2020-01-01T00:00:01Z, oldest acceptable timestamp is: 2026-11-23T00:00:00Z";
const LABELS: &str = r#"{level="info", service_name="shop"}"#;

#[test]
fn what_no_stream_takes_is_refused_by_number_and_the_rest_is_delivered() {
    let single = format!("entry for stream '{LABELS}' {TOO_OLD}\n");
    let result = judged(400, &single);
    let text = result.as_ref().unwrap_err().to_string();
    assert!(text.starts_with("Loki refused 1 of 3 entries as too old: entry for"), "{text}");
    assert_eq!(decision(result), ("partial", None, 2));

    let new = format!("entry for stream '{LABELS}' has timestamp too new: 2027-01-01T00:00:01Z");
    let two = format!("1 errors like: {new}; 1 errors like: {single}");
    assert_eq!(decision(judged(400, &two)), ("partial", None, 3));
    let same = format!("2 errors like: {new}");
    let result = judged(400, &same);
    let text = result.as_ref().unwrap_err().to_string();
    assert!(text.starts_with("Loki refused 2 of 3 entries as too far in the future: "), "{text}");
    assert_eq!(decision(result), ("partial", None, 3));
    for (what, why) in [
        (
            "Max entry size '262144' bytes exceeded for stream '{}' while adding an entry with length '262145' bytes",
            "too long",
        ),
        (
            "max entry size 4 bytes exceeded for stream {} while adding an entry with length 5 bytes",
            "too long",
        ),
        (
            "stream '{}' has structured metadata too large: '70000' bytes, limit: '65536' bytes. Please see `limits_config.max_structured_metadata_size` or contact your Loki administrator to increase it.",
            "too large",
        ),
        (
            "stream '{}' has too many structured metadata labels: '129', limit: '128'. Please see `limits_config`",
            "too large",
        ),
        (
            "stream '{}' includes structured metadata, but this feature is disallowed. Please see `limits_config.allow_structured_metadata`",
            "having structured metadata",
        ),
    ] {
        let result = judged(400, what);
        let text = result.as_ref().unwrap_err().to_string();
        assert!(text.contains(&format!("1 of 3 entries as {why}:")), "{text}");
        assert_eq!(decision(result), ("partial", None, 2));
    }
}

#[test]
fn what_is_too_old_for_its_stream_is_refused_by_its_time_where_that_is_named() {
    let of = |second: u32| {
        format!(
            "entry with timestamp 2020-01-01 00:00:0{second} +0000 UTC ignored, reason: 'entry too far behind, entry timestamp is: x, oldest acceptable timestamp is: y',\n"
        )
    };
    let total = |n| format!("user 'fake', total ignored: {n} out of 2 for stream: {LABELS}");
    let one = of(2) + &total(1);
    let result = judged(400, &one);
    let text = result.as_ref().unwrap_err().to_string();
    assert!(text.starts_with("Loki refused 1 of 3 entries as too old: entry with"), "{text}");
    let unsent = result.as_ref().unwrap_err().as_unsent().unwrap();
    let times: Vec<_> = unsent.records().map(|record| frame::read(record).unwrap().time).collect();
    assert_eq!(times, [NOON + 2_000_000_000]);
    assert_eq!(decision(result), ("reject", Some(1), 1));
    // Of many, Loki names ten.
    assert_eq!(decision(judged(400, &(of(1) + &total(2)))), ("partial", None, 3));
    // Older versions have the stream behind each.
    let older = format!(
        "entry with timestamp 2020-01-01 00:00:03 +0000 UTC ignored, reason: 'entry out of order' for stream: {LABELS},\ntotal ignored: 1 out of 2"
    );
    assert_eq!(decision(judged(400, &older)), ("reject", Some(1), 1));
    assert_eq!(decision(judged(400, &(of(9) + &total(2)))), ("partial", None, 3));
}

#[test]
fn if_all_are_refused_all_are_known() {
    let all = format!("3 errors like: entry for stream '{LABELS}' {TOO_OLD}");
    let result = judged(400, &all);
    assert!(result.as_ref().unwrap_err().to_string().contains("3 of 3 entries as too old"));
    assert_eq!(decision(result), ("reject", None, 0));
}

#[test]
fn a_stream_with_bad_labels_is_refused_and_no_other() {
    for text in [
        format!("entry for stream '{LABELS}' has 16 label names; limit 15"),
        format!("stream '{LABELS}' has label value too long: 'x'"),
        format!("missing required labels env for user shop for stream {LABELS}"),
        format!("1 errors like: stream '{LABELS}' has duplicate label name: 'x'"),
    ] {
        assert_eq!(decision(judged(400, &text)), ("partial", None, 3), "{text}");
    }
    let other = "stream '{a=\"b\"}' has label name too long: 'x'";
    assert_eq!(decision(judged(400, other)), ("reject", None, 0));
    let and_more = format!(
        "1 errors like: stream '{LABELS}' has label name too long: 'x'; 1 errors like: entry for stream '{{}}' {TOO_OLD}"
    );
    assert_eq!(decision(judged(400, &and_more)), ("reject", None, 0), "all three");
    let alone = payload(&loki().form(LokiForm::Json), vec![record("x"), record("y")]);
    let answer = HttpAnswer::of(400, &[], other.as_bytes()).unwrap();
    assert_eq!(decision(judge(&alone, &answer, "Loki")), ("reject", None, 0));
}

#[test]
fn what_a_label_says_is_no_answer() {
    let hostile = r#"{who="x\", total ignored: 3 out of 3 for \\", b="; 7 errors like: has timestamp too old"}"#;
    let one = format!("entry for stream '{hostile}' {TOO_OLD}");
    assert_eq!(decision(judged(400, &one)), ("partial", None, 2));
    let total = format!("user 'x', total ignored: 2 out of 3 for stream: {hostile}");
    assert_eq!(decision(judged(400, &total)), ("partial", None, 3));
}

#[test]
fn any_other_400_is_a_refusal_of_all_with_what_loki_said() {
    for body in [
        "",
        "couldn't parse push request: unexpected EOF",
        "total ignored: none",
        "total ignored: 0 out of 3",
        "user 'x', total ignored: 99999999999999999999999 out of 3",
        "user 'x', total ignored: 4 out of 3",
        "7 errors like: the moon; 1 errors like: has timestamp too old",
        "<html>\u{0}\"",
        "has timestamp too old \"and what is in here has no end; 3 errors like: x",
    ] {
        let result = judged(400, body);
        let text = result.as_ref().unwrap_err().to_string();
        assert!(text.starts_with("Loki answered 400 Bad Request"), "{text}");
        assert_eq!(decision(result), ("reject", None, 0), "{body}");
    }
    for status in [401, 403, 404, 422] {
        let result = judged(status, &format!("entry for stream '{LABELS}' {TOO_OLD}"));
        assert_eq!(decision(result), ("reject", None, 0), "{status}");
    }
}

#[test]
fn a_rate_that_is_exceeded_is_no_refusal() {
    for body in [
        "Ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec) while attempting to ingest '3' lines totaling '9' bytes",
        "entry with timestamp 2020-01-01 00:00:02 +0000 UTC ignored, reason: 'Per stream rate limit exceeded (limit: 3MB/sec)',\nuser 'fake', total ignored: 1 out of 2 for stream: {}",
        "Maximum active stream limit exceeded when trying to create stream {}",
    ] {
        let answer = HttpAnswer::of(429, &[("retry-after", b"7")], body.as_bytes()).unwrap();
        let error = judge(&records(), &answer, "Loki").unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(decision(Err(error)), ("retry", None, 0));
    }
}

#[test]
fn what_is_too_large_is_cut() {
    for (status, body) in [
        (413, "too large"),
        (
            500,
            "rpc error: code = ResourceExhausted desc = trying to send message larger than max (5000000 vs. 4194304)",
        ),
        (400, "received message larger than max (104857601 vs 104857600)"),
        (400, "request body too large: 5 bytes, limit: 4 bytes"),
    ] {
        assert_eq!(decision(judged(status, body)).0, "cut", "{status}");
    }
    let error: ExportError<Payload> = judged(500, "ingester is gone").unwrap_err();
    assert!(error.is_retry());
}

#[test]
fn an_answer_that_seems_to_name_entries_without_end_names_none() {
    let records: Vec<_> = (0..5_000).map(|n| record(format!("{n}"))).collect();
    let payload = payload(&loki(), records);
    for begin in ["total ignored: ", "entry with timestamp ", "; 1 errors like: ", "\"\\"] {
        let text = begin.repeat(100_000);
        let answer = HttpAnswer::of(400, &[], text.as_bytes()).unwrap();
        assert_eq!(decision(judge(&payload, &answer, "Loki")), ("reject", None, 0), "{begin}");
    }
}
