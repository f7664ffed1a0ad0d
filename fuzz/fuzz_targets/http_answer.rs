#![no_main]
//! What a server answers becomes a decision: the input is a status, which form the answer says that it has, a
//! line for `Retry-After`, and the body.
use std::time::Duration;

use bellwether::{export::otlp::Otlp, pipeline::Payload};
use bellwether_fuzz::{messages::Response, taken::Taken};
use prost::Message as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut taken = Taken(data);
    // The statuses that mean something come more often.
    let status = match taken.byte() {
        0..=40 => 200,
        41..=80 => 429,
        81..=100 => 503,
        101..=110 => 413,
        n => 100 + u16::from_le_bytes([n, taken.byte()]) % 900,
    };
    let forms =
        ["application/x-protobuf", "application/json", "application/json; charset=utf-8", "a"];
    let form = forms[usize::from(taken.byte()) % forms.len()];
    let end = taken.0.iter().position(|&byte| byte == b'\n').unwrap_or(taken.0.len());
    let (retry_after, body) = taken.0.split_at(end);
    let body = body.get(1..).unwrap_or_default();
    check(status, form, retry_after, body);
});

fn check(status: u16, form: &str, retry_after: &[u8], body: &[u8]) {
    let mut payload = Payload::new();
    (0..3).for_each(|_| payload.record(|bytes| bytes.push(0)));
    let headers = [("content-type", form.as_bytes()), ("retry-after", retry_after)];
    let otlp = Otlp::new("https://a.example");
    let Some(result) = otlp.spans_answered(status, &headers, body) else {
        return; // No server can say that.
    };
    if (200..300).contains(&status) {
        let rejected = result.as_ref().map_or_else(|error| error.n_rejected(), |()| 0);
        if let Err(error) = &result {
            assert!(error.is_partial() && !error.is_retry());
        }
        // Where another reader finds a message at all, it is the same one.
        if form == "application/x-protobuf"
            && let Ok(response) = Response::decode(body)
        {
            let theirs = response.partial.map_or(0, |partial| partial.rejected);
            assert_eq!(rejected, usize::try_from(theirs).unwrap_or(0));
        }
        return;
    }
    let error = result.expect_err("no success");
    assert_eq!(error.is_retry(), matches!(status, 429 | 502 | 503 | 504), "{status}");
    assert_eq!((error.n_rejected(), error.as_unsent().is_none()), (0, true), "all of it");
    assert!(error.to_string().len() <= 512);
    if error.is_retry() {
        check_delay(retry_after, error.retry_after());
    }
}

/// Digits are seconds, at most sixty. All else is a date, or nothing.
fn check_delay(text: &[u8], delay: Option<Duration>) {
    let text = text.trim_ascii();
    assert!(delay.is_none_or(|delay| delay <= Duration::from_secs(60)));
    if !text.is_empty() && text.iter().all(u8::is_ascii_digit) {
        let seconds = text.iter().fold(0u64, |n, digit| (10 * n + u64::from(digit - b'0')).min(60));
        assert_eq!(delay, Some(Duration::from_secs(seconds)));
    } else if delay.is_some() {
        assert!(text.ends_with(b" GMT"), "{text:?}");
    }
}
