//! What a server says of the lines that it was sent, and what becomes of their records.
//!
//! A server that does not take all says so in one of these ways:
//!
//! | who | what | the other lines |
//! |---|---|---|
//! | InfluxDB 1, 2 | `partial write: … dropped=3` | are written |
//! | InfluxDB 1 | `partial write: unable to parse 'LINE': …` for each, `dropped=0` | are written |
//! | InfluxDB 2 | `unable to parse 'LINE': …` for each | are not written |
//! | InfluxDB 3 | `{"error": "partial write …", "data": [{"line_number": 2, …}, …]}` | are written |
//! | InfluxDB 3 | `{"error": "parsing failed …", "data": {"line_number": 2, …}}` | are not written |
//! | VictoriaMetrics, since it refuses lines at all | `incorrect influx line "LINE": …` for one | are not written |

use std::borrow::Cow;

use serde_json::Value;

use crate::{
    pipeline::{ExportError, Payload, SendResult},
    transport::http_client::HttpAnswer,
};

/// Why a record without bytes is refused.
pub(super) const NO_LINE: &str = "no line can express a record";

/// What `answer` means for the records of `payload`.
pub(super) fn judge(payload: &Payload, answer: &HttpAnswer, place: &str) -> SendResult {
    let n_empty = payload.records().filter(|line| line.is_empty()).count();
    let said = Said::of(answer.body());
    match answer.status() {
        200..300 if said.is_error => {
            let text = format_args!("{place} answered {} with an error: {}", answer.status(), said);
            Err(ExportError::reject(text))
        }
        200..300 if n_empty == 0 => Ok(()),
        200..300 => Err(ExportError::partial(n_empty, NO_LINE)),
        400 | 422 => Err(refused(payload, answer, place, n_empty, &said)),
        _ => Err(answer.error(place, may_pass)),
    }
}

/// The error of an answer that says what is wrong with lines.
fn refused(
    payload: &Payload,
    answer: &HttpAnswer,
    place: &str,
    n_empty: usize,
    said: &Said,
) -> ExportError<Payload> {
    let whole = || answer.error(place, may_pass);
    let named = said.named(payload);
    let n_named = named.iter().filter(|is| **is).count();
    let n_lines = payload.len() - n_empty;
    match said.is_partial {
        // Which ones they are is known, so that they are kept where refused records are kept.
        true if n_named > 0 && said.n_dropped().unwrap_or(0) <= n_named => {
            whole().unsent(payload.filter(|at| named[at])).rejected(n_empty)
        }
        true => match said.n_dropped() {
            // Something was dropped, whatever the number says.
            Some(n) => ExportError::partial(n_empty + n.max(1).min(n_lines), whole()),
            None => whole(),
        },
        // One bad line is no reason to lose all others.
        false if n_named > 0 && n_named < n_lines => {
            let records = payload.records().zip(&named);
            let is_left: Vec<bool> =
                records.map(|(line, is_named)| !line.is_empty() && !is_named).collect();
            let left = payload.filter(|at| is_left[at]);
            let error = ExportError::retry(whole()).unsent(left).rejected(n_empty + n_named);
            error.refused(payload.filter(|at| named[at]))
        }
        false => whole(),
    }
}

/// Whether what was answered by this status is sent again.
pub(super) fn may_pass(status: u16) -> bool {
    status == 429 || status >= 500
}

/// The body of an answer.
struct Said {
    text: String,
    /// The lines that are named by number, from 1; sorted.
    numbers: Vec<u64>,
    is_error: bool,
    is_partial: bool,
}

impl Said {
    fn of(body: &[u8]) -> Self {
        let json: Option<Value> = serde_json::from_slice(body).ok();
        let word = |key: &str| json.as_ref()?.get(key)?.as_str().map(str::to_owned);
        let error = word("error").or_else(|| word("message"));
        let is_error = error.is_some();
        let text = error.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
        let number = |line: &Value| line.get("line_number")?.as_u64();
        let mut numbers: Vec<u64> = match json.as_ref().and_then(|json| json.get("data")) {
            Some(Value::Array(lines)) => lines.iter().filter_map(number).collect(),
            Some(line) => number(line).into_iter().collect(),
            None => Vec::new(),
        };
        numbers.sort_unstable();
        let is_partial = text.contains("partial write");
        Self { text, numbers, is_error, is_partial }
    }

    /// How many points were not written, by the server's own count.
    fn n_dropped(&self) -> Option<usize> {
        let (_, number) = self.text.rsplit_once("dropped=")?;
        let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
        number[..end].parse().ok()
    }

    /// Whether each record is named.
    fn named(&self, payload: &Payload) -> Vec<bool> {
        let mut named = vec![false; payload.len()];
        let lines = payload.records().enumerate().filter(|(_, line)| !line.is_empty());
        let longest = payload.records().map(<[u8]>::len).max().unwrap_or(0);
        let plain = self.behind("unable to parse '", longest);
        let quoted = self.behind("influx line \"", 2 * longest); // Each byte may be escaped.
        for (n, (at, line)) in (1..).zip(lines) {
            named[at] = self.numbers.binary_search(&n).is_ok()
                || begins_one(&plain, || format!("{}'", text_of(line)))
                || begins_one(&quoted, || format!("{}\"", quoted_by_go(line)));
        }
        named
    }

    /// The `length` bytes behind each `begin` in the text, sorted: an answer may name thousands of lines, and may
    /// be made to cost whoever looks for them.
    fn behind(&self, begin: &str, length: usize) -> Vec<&[u8]> {
        let text = self.text.as_bytes();
        let places = self.text.match_indices(begin).map(|(at, _)| &text[at + begin.len()..]);
        let mut behind: Vec<_> = places.map(|rest| &rest[..rest.len().min(length)]).collect();
        behind.sort_unstable();
        behind
    }
}

/// Whether one of `texts`, which are sorted, begins with `begin`.
fn begins_one(texts: &[&[u8]], begin: impl FnOnce() -> String) -> bool {
    if texts.is_empty() {
        return false;
    }
    let begin = begin().into_bytes();
    let at = texts.partition_point(|text| *text < &begin[..]);
    texts.get(at).is_some_and(|text| text.starts_with(&begin))
}

fn text_of(line: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line))
}

fn quoted_by_go(line: &[u8]) -> String {
    text_of(line).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}
