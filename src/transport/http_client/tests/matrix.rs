//! Every status with every form of `Retry-After`, against what a protocol decides.

use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderValue, RETRY_AFTER},
};

use super::{Duration, HttpAnswer};
use crate::pipeline::{ExportError, Payload};

/// What a server may ask for, and the delay that it is.
const FORMS: [(Option<&str>, Option<u64>); 8] = [
    (None, None),
    (Some("0"), Some(0)),
    (Some("5"), Some(5)),
    (Some("1e30"), None),
    (Some("-1"), None),
    (Some("Sun, 06 Nov 1994 08:49:37 GMT"), Some(0)),
    (Some("Sun, 06 Nov 9994 08:49:37 GMT"), Some(60)),
    (Some("\u{1}soon"), None),
];

/// Checks that of all answers `decide` takes 2xx as delivered, cuts what got 413, tries again what has a status
/// that `may_pass`, when the server asks for it, and rejects all else.
pub(crate) fn check(
    may_pass: impl Fn(u16) -> bool,
    decide: impl Fn(&HttpAnswer) -> Result<(), ExportError<Payload>>,
) {
    let mut n = 0;
    for status in 100..600 {
        for (form, seconds) in FORMS {
            let decided = decide(&answer(status, form));
            let what = format!("{status}, {form:?}: {decided:?}");
            let is_cut = format!("{decided:?}").contains("(Cut,");
            match (status, decided) {
                (200..300, Ok(())) => {}
                (413, Err(error)) => assert!(is_cut && !error.is_retry(), "{what}"),
                (status, Err(error)) if may_pass(status) => {
                    assert!(error.is_retry() && !is_cut, "{what}");
                    assert_eq!(error.retry_after(), seconds.map(Duration::from_secs), "{what}");
                }
                (_, Err(error)) => assert!(!error.is_retry() && !is_cut, "{what}"),
                (_, Ok(())) => panic!("{what}"),
            }
            n += 1;
        }
    }
    assert_eq!(n, 4_000);
}

fn answer(status: u16, retry_after: Option<&str>) -> HttpAnswer {
    let value = retry_after.map(|text| HeaderValue::from_bytes(text.as_bytes()));
    // What no header can hold never comes.
    let value =
        value.and_then(|value| value.or_else(|_| HeaderValue::from_bytes(b"\xffsoon")).ok());
    let headers = value.map(|value| (RETRY_AFTER, value)).into_iter().collect();
    HttpAnswer {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: b"said".to_vec(),
        trailers: HeaderMap::new(),
    }
}
