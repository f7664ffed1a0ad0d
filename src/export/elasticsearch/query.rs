//! What is searched for.

use serde_json::{Value as Json, json};

use super::labels::{field_name, is_number};
use crate::{
    clock::Timestamp,
    context::{SpanId, TraceId},
    label::Value,
    log::LogSeverity,
};

/// What is searched for: what has all of it is found. Without anything, all is.
///
/// # Examples
///
/// ```
/// use bellwether::{export::elasticsearch::ElasticQuery, log::LogSeverity};
///
/// let grave = ElasticQuery::new()
///     .at_least(LogSeverity::WARN)
///     .label("http.route", "/pay")
///     .newest_first()
///     .limit(20);
/// ```
#[derive(Clone, Debug)]
#[must_use = "what is asked of nobody finds nothing"]
pub struct ElasticQuery {
    /// Each has to hold.
    filters: Vec<Json>,
    text: Option<String>,
    is_newest_first: bool,
    /// In 1..=MOST_HITS.
    limit: usize,
    /// What the last hit of the page before was sorted by.
    after: Option<Json>,
}

/// The most hits of a page (`index.max_result_window`).
const MOST_HITS: usize = 10_000;

impl Default for ElasticQuery {
    fn default() -> Self {
        Self::new()
    }
}

impl ElasticQuery {
    /// Finds everything, the oldest first, a hundred at a time.
    pub fn new() -> Self {
        Self { filters: Vec::new(), text: None, is_newest_first: false, limit: 100, after: None }
    }

    /// Finds what was at `time` or later: a span by its start.
    pub fn from(self, time: Timestamp) -> Self {
        self.with(json!({"range": {"@timestamp": {"gte": time.to_string()}}}))
    }

    /// Finds what was before `time`: a span by its start.
    pub fn until(self, time: Timestamp) -> Self {
        self.with(json!({"range": {"@timestamp": {"lt": time.to_string()}}}))
    }

    /// Finds what is of this trace.
    pub fn trace(self, id: TraceId) -> Self {
        self.with(json!({"term": {"trace.id": id.to_string()}}))
    }

    /// Finds this span, and log records that were made in it.
    pub fn span(self, id: SpanId) -> Self {
        self.with(json!({"term": {"span.id": id.to_string()}}))
    }

    /// Finds what is of this service.
    pub fn service(self, name: &str) -> Self {
        self.with(json!({"term": {"service.name": name}}))
    }

    /// Finds log records that are at least as grave.
    pub fn at_least(self, severity: LogSeverity) -> Self {
        self.with(json!({"range": {"event.severity": {"gte": severity.number()}}}))
    }

    /// Finds what has all words of `text` in its message, in the name of the span, or in the text of its error, in
    /// whatever case.
    pub fn text(self, text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..self }
    }

    /// Finds what has exactly this value in a field: `metric.name`, `span.kind`. A text of more than 1,024
    /// characters is not found so.
    pub fn field(self, name: &str, value: impl Into<Value>) -> Self {
        let value = json_of(&value.into());
        self.with(json!({"term": {name: value}}))
    }

    /// Finds what has this label, or this attribute where that is no field of its own. A number is found as the
    /// number that an attribute has, and as the text that a label of a series has.
    pub fn label(self, key: &str, value: impl Into<Value>) -> Self {
        let (value, name) = (value.into(), field_name(key));
        let text = format!("labels.{name}");
        if !is_number(&value) {
            return self.field(&text, value.to_string());
        }
        let number = format!("numeric_labels.{name}");
        let either = [
            json!({"term": {number: json_of(&value)}}),
            json!({"term": {text: value.to_string()}}),
        ];
        self.with(json!({"bool": {"should": either, "minimum_should_match": 1}}))
    }

    /// Has the newest first.
    pub fn newest_first(self) -> Self {
        Self { is_newest_first: true, ..self }
    }

    /// The most hits of a page: 100 by default, at least 1, at most 10,000. A page has at most 4 MiB.
    pub fn limit(self, n: usize) -> Self {
        Self { limit: n.clamp(1, MOST_HITS), ..self }
    }

    fn with(mut self, filter: Json) -> Self {
        self.filters.push(filter);
        self
    }

    /// The same, behind a page whose last hit was sorted by `after`; `None` if a page of `n` hits was the last.
    pub(super) fn behind(&self, n: usize, after: Option<&Json>) -> Option<Self> {
        let after = after.filter(|_| n >= self.limit)?;
        Some(Self { after: Some(after.clone()), ..self.clone() })
    }

    /// The body of the request. Two documents of one instant are sorted by their ids, so that a page ends between
    /// two of them and never within.
    pub(super) fn body(&self) -> Json {
        let order = if self.is_newest_first { "desc" } else { "asc" };
        let mut query = json!({"bool": {"filter": self.filters}});
        if let Some(text) = &self.text {
            query["bool"]["must"] = json!([{"multi_match": {
                "query": text,
                "operator": "and",
                "fields": ["message", "span.name.text", "error.message"],
            }}]);
        }
        let mut body = json!({
            "size": self.limit,
            "track_total_hits": false,
            "query": query,
            "sort": [
                {"@timestamp": {"order": order, "numeric_type": "date_nanos", "unmapped_type": "date_nanos"}},
                {"event.id": {"order": order, "unmapped_type": "keyword"}},
            ],
        });
        if let Some(after) = &self.after {
            body["search_after"] = after.clone();
        }
        body
    }
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::Bool(value) => json!(value),
        Value::I64(value) => json!(value),
        Value::F64(value) if value.is_finite() => json!(value),
        value => json!(value.to_string()),
    }
}
