//! Series from a JSON document behind a URL.
//!
//! A [`JsonPoll`] requests the document at an interval, on a thread of its own, and maps [`JsonField`]s
//! of it to series.

mod path;

use std::{borrow::Cow, fmt, time::Duration};

use serde_json::Value;

use self::path::{Found, Path};
use super::{
    collector::{Collector, Description, Failure, Reading},
    source::Source,
};
use crate::{
    error::{Error, ErrorKind},
    metric::{Kind, Unit},
    snapshot::key_fault,
    transport::{Endpoint, http_client::HttpClient},
};

/// Requests a JSON document at an interval, ten seconds by default, and maps its fields to series.
///
/// # What may go wrong
///
/// * There is no 2xx response in time, or it is too large, or not JSON. Then nothing is read, and
///   `telemetry.source.failures` counts it, by `reason`: `timeout`, `connection`, `status`,
///   `too_large`, `parse`, `forbidden`. The last good values stay until they are stale.
/// * A field is missing or is not a number. This affects only its own series: `missing`,
///   `not_a_number`, `negative` (for a counter).
/// * The document has the time stamp of the last one. It is a duplicate, dropped and counted. A missing
///   time stamp, if one was configured, makes the document a failure.
///
/// # What it will not do
///
/// See [`Endpoint`], which has the options of the request too.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::{Unit, collect::{JsonPoll, Source, poll::JsonField}, metric::Registry};
///
/// // {"updated": 1795253684, "pools": [{"name": "io", "size": 4, "served": "17"}, …]}
/// let poll = JsonPoll::new("proxy", "https://proxy.example.com/stats?key=secret")
///     .every(Duration::from_secs(15))
///     .stamp("/updated")
///     .field(JsonField::gauge("/pools/*/size", "proxy.pool.size").label_at("pool", "/name"))
///     .field(JsonField::counter("/pools/*/served", "proxy.served").label_at("pool", "/name"));
/// assert!(poll.check().is_ok());
///
/// let private = JsonPoll::new("proxy", "https://127.0.0.1/stats");
/// let error = Source::from(private).register(&Registry::new()).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "https://127.0.0.1: the host has no public address: allow others by .allow_private()",
/// );
/// # use bellwether::collect::Collector;
/// ```
#[must_use = "nothing is asked before it is registered as a source"]
pub struct JsonPoll {
    name: String,
    client: HttpClient,
    interval: Duration,
    stale_after: Option<Duration>,
    limit: usize,
    stamp: Option<Path>,
    fields: Vec<JsonField>,
}

/// A value in a document, and the series that it becomes.
///
/// It is found by a JSON pointer (RFC 6901) such as `/pools/0/size`. One part of the pointer may be
/// `*`, for each element of an array or each member of an object: each becomes a series, and their
/// labels come from [`label_key`](Self::label_key) and [`label_at`](Self::label_at).
///
/// Accepted are numbers, booleans as 1 and 0, and texts that are finite numbers.
#[derive(Clone, Debug)]
#[must_use = "a field does nothing before a poll has it"]
pub struct JsonField {
    path: Path,
    kind: Kind,
    name: Cow<'static, str>,
    help: Cow<'static, str>,
    unit: Unit,
    labels: Vec<(&'static str, LabelFrom)>,
}

/// Where the value of a label comes from.
#[derive(Clone, Debug)]
enum LabelFrom {
    Text(String),
    /// What the `*` matched.
    Key,
    /// A path from there on.
    At(Path),
}

/// The largest document that is read by default. Arbitrary: far more than a page of figures. A parsed
/// document takes some tens of times its size.
const LIMIT: usize = 1 << 20;

impl JsonPoll {
    /// Requests `endpoint`; `name` is the label `source` of the counts.
    ///
    /// A URL that cannot be used is an error of [`Source::register`].
    pub fn new(name: impl Into<String>, endpoint: impl Into<Endpoint>) -> Self {
        Self {
            name: name.into(),
            client: HttpClient::new(endpoint),
            interval: Duration::from_secs(10),
            stale_after: None,
            limit: LIMIT,
            stamp: None,
            fields: Vec::new(),
        }
    }

    /// How often to request the document.
    pub fn every(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// As [`Source::stale_after`].
    pub fn stale_after(self, age: Duration) -> Self {
        Self { stale_after: Some(age), ..self }
    }

    /// Maps a value of the document to a series, or to several.
    pub fn field(mut self, field: JsonField) -> Self {
        self.fields.push(field);
        self
    }

    /// The path of the time stamp that the document gives its figures, a number or a text.
    pub fn stamp(self, path: impl Into<String>) -> Self {
        Self { stamp: Some(Path::new(path.into())), ..self }
    }

    /// The most bytes that a document may have; 1 MiB by default.
    pub fn limit(self, bytes: usize) -> Self {
        Self { limit: bytes, ..self }
    }
}

impl From<JsonPoll> for Source {
    fn from(poll: JsonPoll) -> Self {
        let (interval, stale_after) = (poll.interval, poll.stale_after);
        let source = Self::new(poll.name.clone(), poll).every(interval);
        match stale_after {
            Some(age) => source.stale_after(age),
            None => source,
        }
    }
}

/// One reading is one request; a source created by [`Source::from`] requests on its own thread.
impl Collector for JsonPoll {
    fn families(&self) -> Vec<Description> {
        let mut families: Vec<Description> = Vec::new();
        for JsonField { kind, name, help, unit, .. } in &self.fields {
            if !families.iter().any(|family| family.name == *name) {
                let (name, help) = (name.clone(), help.clone());
                families.push(Description { kind: *kind, name, help, unit: *unit });
            }
        }
        families
    }

    fn collect(&mut self, to: &mut Reading) -> Result<(), Failure> {
        let body = self
            .client
            .get("application/json", self.limit)
            .map_err(|failure| Failure::new(failure.reason, failure.message))?;
        let document: Value = serde_json::from_slice(&body).map_err(|error| {
            Failure::new("parse", format!("the answer of {}: {error}", self.client))
        })?;
        if let Some(path) = &self.stamp {
            to.stamp(text_at(&document, path)?);
        }
        self.fields.iter().for_each(|field| field.tell(&document, to));
        Ok(())
    }

    /// Checks the URL, the headers, the paths and the label keys.
    fn check(&self) -> Result<(), Error> {
        self.client.check()?;
        for field in &self.fields {
            field.check()?;
            let same = |other: &&JsonField| other.name == field.name;
            let first = self.fields.iter().find(same).unwrap_or(field);
            if (first.kind, first.unit) != (field.kind, field.unit) {
                let text = format!("two fields of {:?} have different kinds or units", field.name);
                return Err(Error::new(ErrorKind::Conflict, text));
            }
        }
        self.stamp.as_ref().map_or(Ok(()), Path::check)
    }
}

impl fmt::Debug for JsonPoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonPoll")
            .field("name", &self.name)
            .field("client", &self.client)
            .field("interval", &self.interval)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

impl JsonField {
    /// The value at `path` as a gauge called `name`.
    pub fn gauge(path: impl Into<String>, name: impl Into<Cow<'static, str>>) -> Self {
        Self::new(path.into(), Kind::Gauge, name.into())
    }

    /// The value at `path` as a counter called `name`: a total that only grows.
    pub fn counter(path: impl Into<String>, name: impl Into<Cow<'static, str>>) -> Self {
        Self::new(path.into(), Kind::Counter, name.into())
    }

    /// The value at `path` as an up-down counter called `name`; its fraction is cut off.
    pub fn up_down_counter(path: impl Into<String>, name: impl Into<Cow<'static, str>>) -> Self {
        Self::new(path.into(), Kind::UpDownCounter, name.into())
    }

    fn new(path: String, kind: Kind, name: Cow<'static, str>) -> Self {
        let path = Path::new(path);
        Self { path, kind, name, help: "".into(), unit: Unit::NONE, labels: Vec::new() }
    }

    /// The description; of several fields with one name, the first description counts.
    pub fn help(self, help: impl Into<Cow<'static, str>>) -> Self {
        Self { help: help.into(), ..self }
    }

    /// The unit.
    pub fn unit(self, unit: Unit) -> Self {
        Self { unit, ..self }
    }

    /// A label with a fixed value.
    pub fn label(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((key, LabelFrom::Text(value.into())));
        self
    }

    /// A label with what `*` matched: the name of the member, or the index of the element.
    pub fn label_key(mut self, key: &'static str) -> Self {
        self.labels.push((key, LabelFrom::Key));
        self
    }

    /// A label with the text, number or boolean at `path`. The path begins at what `*` matched, or at
    /// the document if the field has no `*`.
    pub fn label_at(mut self, key: &'static str, path: impl Into<String>) -> Self {
        self.labels.push((key, LabelFrom::At(Path::new(path.into()))));
        self
    }

    fn check(&self) -> Result<(), Error> {
        self.path.check()?;
        for (key, from) in &self.labels {
            if let Some(fault) = key_fault(key) {
                return Err(Error::new(
                    ErrorKind::InvalidName,
                    format!("label key {key:?} {fault}"),
                ));
            }
            match from {
                LabelFrom::Key if !self.path.has_star() => {
                    let text = self.path.as_str();
                    let text = format!("the path {text:?} has no `*` for the label {key:?}");
                    return Err(Error::new(ErrorKind::InvalidOption, text));
                }
                LabelFrom::At(path) => path.check()?,
                LabelFrom::Key | LabelFrom::Text(_) => {}
            }
        }
        Ok(())
    }

    /// Observes every value that the path leads to; a missing value affects only its own series.
    fn tell(&self, document: &Value, to: &mut Reading) {
        let Some(places) = self.path.find(document) else {
            return to.fail(&self.name, missing(&self.path));
        };
        for place in places {
            match self.value(&place).and_then(|value| Ok((value, self.labels(&place)?))) {
                Ok((value, labels)) => {
                    let labels: Vec<_> = labels.iter().map(|(key, text)| (*key, &**text)).collect();
                    to.observe(&self.name, value, &labels);
                }
                Err(failure) => to.fail(&self.name, failure),
            }
        }
    }

    fn value(&self, place: &Found<'_>) -> Result<f64, Failure> {
        let path = self.path.as_str();
        let value = place.value.ok_or_else(|| missing(&self.path))?;
        match number(value) {
            None => Err(Failure::new("not_a_number", format!("what is at {path:?} is no number"))),
            Some(value) if self.kind == Kind::Counter && value < 0.0 => {
                Err(Failure::new("negative", format!("the counter at {path:?} is negative")))
            }
            Some(value) => Ok(value),
        }
    }

    fn labels<'a>(
        &'a self,
        place: &'a Found<'_>,
    ) -> Result<Vec<(&'static str, Cow<'a, str>)>, Failure> {
        let label = |(key, from): &'a (&'static str, LabelFrom)| {
            let text = match from {
                LabelFrom::Text(text) => Cow::Borrowed(text.as_str()),
                LabelFrom::Key => Cow::Borrowed(place.key.as_deref().unwrap_or_default()),
                LabelFrom::At(path) => Cow::Owned(text_at(place.base, path)?),
            };
            Ok((*key, text))
        };
        self.labels.iter().map(label).collect()
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(holds) => Some(f64::from(u8::from(*holds))),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

/// The text, number or boolean at `path` of `base`.
fn text_at(base: &Value, path: &Path) -> Result<String, Failure> {
    let found = path.find(base).and_then(|places| places.into_iter().next()?.value);
    match found {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(scalar @ (Value::Number(_) | Value::Bool(_))) => Ok(scalar.to_string()),
        _ => Err(missing(path)),
    }
}

fn missing(path: &Path) -> Failure {
    Failure::new("missing", format!("the document has nothing at {:?}", path.as_str()))
}

#[cfg(test)]
mod tests;
