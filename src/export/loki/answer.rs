//! What Loki says of a request, and what becomes of its records.
//!
//! Of a request with bad entries Loki keeps the others, answers 400 and says how many there were, in one of two ways:
//!
//! | who | says |
//! |---|---|
//! | the distributor, of what no stream takes | `2 errors like: entry for stream '{…}' has timestamp too old: …; 1 errors like: …`, of one entry without the number |
//! | an ingester, of what is too old for its stream | `entry with timestamp … ignored, reason: '…',` for some of them, then `total ignored: 2 out of 7 for stream: {…}` |
//!
//! What is in double quotes there is the text of a label, which may look like anything.

use std::collections::HashSet;

use super::{frame, request};
use crate::{
    pipeline::{ExportError, Payload, SendResult},
    transport::http_client::HttpAnswer,
    util::civil::civil,
};

/// Why a record without bytes is refused.
pub(super) const NO_ENTRY: &str = "a line is longer than `max_line_bytes`";

/// What Loki answers where it takes nothing for a while and was not given another status for that.
const BLOCKED: u16 = 260;

/// What `answer` means for the records of `payload`.
pub(super) fn judge(payload: &Payload, answer: &HttpAnswer, place: &str) -> SendResult {
    let n_empty = payload.records().filter(|record| record.is_empty()).count();
    let said = String::from_utf8_lossy(answer.body());
    match answer.status() {
        BLOCKED => {
            let text = format_args!("{place} takes nothing, and answered 260: {}", said.trim());
            Err(ExportError::reject(text))
        }
        200..300 if n_empty == 0 => Ok(()),
        200..300 => Err(ExportError::partial(n_empty, NO_ENTRY)),
        status @ (400 | 500) if is_too_large(&said) => {
            let text = format_args!("{place} answered {status}: {}", said.trim());
            Err(ExportError::too_large(text))
        }
        400 => Err(refused(payload, answer, place, n_empty, said.trim())),
        _ => Err(answer.error(place, may_pass)),
    }
}

/// Whether what was answered by this status is sent again.
pub(super) fn may_pass(status: u16) -> bool {
    status == 429 || status >= 500
}

/// Whether a request was more than Loki, or one part of it of another, takes at once. What is in quotes may be anybody's
/// words.
fn is_too_large(said: &str) -> bool {
    let said = unquoted(said).unwrap_or_default();
    said.contains("message larger than max") || said.contains("equest body too large")
}

/// The error of an answer that says what is wrong with entries.
fn refused(
    payload: &Payload,
    answer: &HttpAnswer,
    place: &str,
    n_empty: usize,
    said: &str,
) -> ExportError<Payload> {
    let n_sent = payload.len() - n_empty;
    let plain = unquoted(said).unwrap_or_default();
    let n = n_ignored(&plain).or_else(|| n_invalid(said, payload));
    let Some(n) = n.filter(|n| (1..=n_sent).contains(n)) else {
        return answer.error(place, may_pass);
    };
    let why = why(&plain);
    let message = format_args!("{place} refused {n} of {n_sent} entries as {why}: {said}");
    let named = named(&plain, payload);
    match named.iter().filter(|is| **is).count() {
        _ if n == n_sent => ExportError::reject(message),
        // Which ones they are is known, so that they are kept where refused records are kept.
        n_named if n_named == n => {
            let unsent = payload.filter(|at| named[at]);
            ExportError::reject(message).unsent(unsent).rejected(n_empty)
        }
        _ => ExportError::partial(n_empty + n, message),
    }
}

/// What is wrong with an entry, in the words of Loki's several versions, and in ours.
const OF_ENTRIES: [(&str, &str); 8] = [
    ("too far behind", "too old"),
    ("out of order", "too old"),
    ("timestamp too old", "too old"),
    ("timestamp too new", "too far in the future"),
    ("ax entry size", "too long"),
    ("tructured metadata too large", "too large"),
    ("too many structured metadata", "too large"),
    ("includes structured metadata", "having structured metadata"),
];

/// What is wrong with all entries of a stream.
const OF_STREAMS: [&str; 7] = [
    "rror parsing labels",
    " label names",
    "label name too long",
    "label value too long",
    "duplicate label name",
    "issing required labels",
    "at least one label pair is required",
];

fn why(plain: &str) -> &'static str {
    let found = OF_ENTRIES.iter().find(|(words, _)| plain.contains(words));
    found.map_or("invalid", |(_, why)| why)
}

/// How many entries an ingester ignored, if it says so.
fn n_ignored(plain: &str) -> Option<usize> {
    let numbers = plain.split("total ignored: ").skip(1);
    let numbers = numbers.filter_map(|rest| Some(number(rest, " out of ")?.0));
    numbers.reduce(usize::saturating_add)
}

/// How many entries the distributor refused; `None` if it says anything else.
fn n_invalid(said: &str, payload: &Payload) -> Option<usize> {
    let (mut n_all, mut of_streams) = (0_usize, Vec::new());
    for part in parts(said) {
        let what = unquoted(part)?;
        let (n, what) = number(&what, " errors like: ").unwrap_or((1, &what));
        if OF_ENTRIES.iter().any(|(words, _)| what.contains(words)) {
            n_all = n_all.saturating_add(n);
        } else if OF_STREAMS.iter().any(|words| what.contains(words)) {
            of_streams.push(part);
        } else {
            return None;
        }
    }
    match of_streams.is_empty() {
        true => Some(n_all),
        false => Some(n_all.saturating_add(n_of_named_streams(&of_streams, payload)?)),
    }
}

/// What stands between semicolons that are not in quotes. One error has a semicolon itself: `has 16 label names; limit
/// 15`.
fn parts(said: &str) -> Vec<&str> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (place, c) in said.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            ';' if !is_quoted && !said[place..].starts_with("; limit ") => {
                parts.push(&said[begin..place]);
                begin = place + 1;
            }
            _ => {}
        }
    }
    parts.push(&said[begin..]);
    parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect()
}

/// How many entries there are in the streams whose labels stand in one of the parts; all if there is one stream alone.
fn n_of_named_streams(parts: &[&str], payload: &Payload) -> Option<usize> {
    let streams = request::streams(payload);
    let is_alone = streams.len() == 1;
    let parts: HashSet<&str> = parts.iter().copied().collect();
    let is_named = |labels: &[u8]| {
        let Some(labels) = as_printed(labels) else { return false };
        parts.iter().any(|part| part.contains(&labels))
    };
    let named = streams.iter().filter(|stream| is_alone || is_named(stream.labels));
    Some(named.map(|stream| stream.entries.len()).sum()).filter(|n| *n > 0)
}

/// Labels of either form as Loki prints them, between its braces; `None` for those with escapes, which Go writes
/// otherwise.
fn as_printed(labels: &[u8]) -> Option<String> {
    let labels = str::from_utf8(labels).ok().filter(|labels| !labels.contains('\\'))?;
    let labels = labels.strip_prefix('{')?.strip_suffix('}')?;
    let is_json = labels.starts_with('"');
    let mut pairs: Vec<String> = match is_json {
        true => {
            let fields = labels.strip_prefix('"')?.strip_suffix('"')?.split("\",\"");
            let pair = |field: &str| {
                let (name, value) = field.split_once("\":\"")?;
                Some(format!("{name}=\"{value}\""))
            };
            fields.map(pair).collect::<Option<_>>()?
        }
        false => labels.strip_suffix('"')?.split("\", ").map(|pair| format!("{pair}\"")).collect(),
    };
    pairs.sort_unstable();
    Some(pairs.join(", "))
}

/// The number that `text` begins with, and what follows `then` behind it.
fn number<'a>(text: &'a str, then: &str) -> Option<(usize, &'a str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let rest = text[end..].strip_prefix(then)?;
    Some((text[..end].parse().ok()?, rest))
}

/// Whether each record is named, by its time.
fn named(plain: &str, payload: &Payload) -> Vec<bool> {
    let times = plain.split("entry with timestamp ").skip(1);
    let times: HashSet<&str> =
        times.filter_map(|rest| Some(rest.split_once(" ignored, reason")?.0)).collect();
    let is_named = |record| {
        !times.is_empty()
            && frame::read(record).is_some_and(|frame| times.contains(&*shown(frame.time)))
    };
    payload.records().map(is_named).collect()
}

/// A time as Go prints it.
fn shown(nanos: u64) -> String {
    let (seconds, nanos) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let (year, month, day) = civil(seconds / 86_400);
    let second = seconds % 86_400;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = format!(".{nanos:09}");
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{fraction} +0000 UTC")
}

/// `text` without what stands in double quotes, where a backslash escapes them; `None` if they have no end.
fn unquoted(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let (mut is_quoted, mut is_escaped) = (false, false);
    for c in text.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => {
                is_quoted = !is_quoted;
                plain.push(c);
            }
            _ if is_quoted => {}
            _ => plain.push(c),
        }
    }
    (!is_quoted).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_go_prints_them() {
        for (nanos, text) in [
            (1_791_336_932_405_000_000, "2026-10-07 01:35:32.405 +0000 UTC"),
            (1_754_066_618_854_444_845, "2025-08-01 16:43:38.854444845 +0000 UTC"),
            (0, "1970-01-01 00:00:00 +0000 UTC"),
            (1, "1970-01-01 00:00:00.000000001 +0000 UTC"),
        ] {
            assert_eq!(shown(nanos), text);
        }
    }

    #[test]
    fn labels_of_both_forms_are_those_that_loki_prints() {
        let printed = r#"level="info", service_name="a; b""#;
        let protobuf = r#"{service_name="a; b", level="info"}"#;
        for labels in [protobuf, r#"{"service_name":"a; b","level":"info"}"#] {
            assert_eq!(as_printed(labels.as_bytes()).as_deref(), Some(printed));
        }
        assert_eq!(as_printed(br#"{a="\""}"#), None);
        assert_eq!(as_printed(br#"{a="1"}"#).as_deref(), Some(r#"a="1""#));
    }

    #[test]
    fn a_semicolon_in_quotes_or_before_a_limit_ends_no_part() {
        let said = r#"a {b="c; d\"; e"} has 16 label names; limit 15; 2 errors like: f;"#;
        let expected = [r#"a {b="c; d\"; e"} has 16 label names; limit 15"#, "2 errors like: f"];
        assert_eq!(parts(said), expected);
    }

    #[test]
    fn what_is_in_quotes_is_not_looked_at() {
        let plain = unquoted(r#"a {b="c\"d", e="\\"} f"#);
        assert_eq!(plain.as_deref(), Some(r#"a {b="", e=""} f"#));
        assert_eq!([unquoted(r#"a "b"#), unquoted(r#"a "b\""#)], [None, None]);
    }
}
