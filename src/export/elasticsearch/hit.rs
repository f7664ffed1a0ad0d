//! What was found.

use std::time::Duration;

use serde_json::Value as Json;

use super::{labels::field_name, query::ElasticQuery};
use crate::{
    clock::Timestamp,
    context::{SpanId, TraceId},
    util::civil::days,
};

/// Some of what was found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ElasticPage {
    /// In the order that was asked for.
    pub hits: Vec<ElasticHit>,
    /// What to ask for to get what comes next; `None` where this was all. What is delivered meanwhile with an
    /// earlier time than that of the last hit is not found so.
    pub next: Option<ElasticQuery>,
}

impl ElasticPage {
    /// The page that an answer is; `None` if it is none.
    pub(super) fn of(answer: &Json, query: &ElasticQuery) -> Option<Self> {
        let is_whole = answer.get("timed_out") != Some(&Json::Bool(true));
        let found = answer.get("hits")?.get("hits")?.as_array().filter(|_| is_whole)?;
        let hits: Vec<_> = found.iter().map(ElasticHit::of).collect::<Option<_>>()?;
        let next = query.behind(hits.len(), found.last().and_then(|last| last.get("sort")));
        Some(Self { hits, next })
    }
}

/// A document that was found: a span, a log record or a data point.
///
/// Fields are named as in the [table](super) of what is sent. Each question has `None` where the document has no
/// such field, or one of another kind.
#[derive(Clone, Debug)]
pub struct ElasticHit {
    index: String,
    id: String,
    source: Json, // An object.
}

impl ElasticHit {
    fn of(hit: &Json) -> Option<Self> {
        let text = |key| Some(hit.get(key)?.as_str()?.to_owned());
        let source = hit.get("_source").filter(|source| source.is_object())?.clone();
        Some(Self { index: text("_index")?, id: text("_id")?, source })
    }

    /// The index that it is in.
    #[must_use]
    pub fn index(&self) -> &str {
        &self.index
    }

    /// Its id, which no other document of its stream has.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When it was: a span, when it began.
    #[must_use]
    pub fn time(&self) -> Option<Timestamp> {
        match self.get("@timestamp")? {
            Json::String(text) => timestamp(text),
            millis => Some(Timestamp::from_unix_nanos(millis.as_u64()?.saturating_mul(1_000_000))),
        }
    }

    /// The trace that it is of.
    #[must_use]
    pub fn trace_id(&self) -> Option<TraceId> {
        self.text("trace.id")?.parse().ok()
    }

    /// The span that it is, or was made in.
    #[must_use]
    pub fn span_id(&self) -> Option<SpanId> {
        self.text("span.id")?.parse().ok()
    }

    /// The span that it is a child of.
    #[must_use]
    pub fn parent_span_id(&self) -> Option<SpanId> {
        self.text("parent.id")?.parse().ok()
    }

    /// How long it took.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        self.get("event.duration")?.as_u64().map(Duration::from_nanos)
    }

    /// A field that is text: `message`, `span.name`, `service.name`.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&str> {
        self.get(field)?.as_str()
    }

    /// A field that is a number: `metric.value`, `event.severity`.
    #[must_use]
    pub fn number(&self, field: &str) -> Option<f64> {
        self.get(field)?.as_f64()
    }

    /// A field that is a whole number.
    #[must_use]
    pub fn whole(&self, field: &str) -> Option<i64> {
        self.get(field)?.as_i64()
    }

    /// A label, or an attribute that is no field of its own, as text.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<String> {
        let name = field_name(key);
        let find = |of: &str| self.get(&format!("{of}.{name}"));
        match find("labels").or_else(|| find("numeric_labels"))? {
            Json::String(text) => Some(text.clone()),
            value => Some(value.to_string()),
        }
    }

    /// The whole document, as JSON.
    #[must_use]
    pub fn json(&self) -> String {
        self.source.to_string()
    }

    fn get(&self, field: &str) -> Option<&Json> {
        find(&self.source, field)
    }
}

/// A field, whether it is written as `{"a.b": 1}` or as `{"a": {"b": 1}}`.
fn find<'a>(source: &'a Json, field: &str) -> Option<&'a Json> {
    let object = source.as_object()?;
    object.get(field).or_else(|| {
        let mut dots = field.match_indices('.');
        dots.find_map(|(dot, _)| find(object.get(&field[..dot])?, &field[dot + 1..]))
    })
}

/// A date as the crate writes it, and as most others do: `2026-11-30T08:00:00.25Z`.
fn timestamp(text: &str) -> Option<Timestamp> {
    let (date, fraction) = text.strip_suffix('Z')?.split_at_checked(19)?;
    let bytes = date.as_bytes();
    let shape = b"0000-00-00T00:00:00";
    let fits =
        |(byte, like): (&u8, &u8)| if *like == b'0' { byte.is_ascii_digit() } else { byte == like };
    if !bytes.iter().zip(shape).all(fits) {
        return None;
    }
    let number = |from: usize, to: usize| date[from..to].parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let is_date = year >= 1970 && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let digits = match fraction.strip_prefix('.') {
        Some(digits) if (1..=9).contains(&digits.len()) => digits,
        None if fraction.is_empty() => "0",
        _ => return None,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos = digits.parse::<u64>().ok()? * 10u64.pow(9 - digits.len() as u32);
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(Timestamp::from_unix_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos)))
}
