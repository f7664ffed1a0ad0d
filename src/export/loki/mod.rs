//! Log records to Grafana Loki, and to what takes its push API: Grafana Cloud, VictoriaLogs, OpenObserve.
//!
//! # What is sent, and when?
//!
//! One route of log records, named `loki`; [wide events](crate::telemetry::Builder::wide_events) are log records too.
//! A batch of 512 that is full or a second old is one `POST /loki/api/v1/push`, in protobuf with snappy or in JSON
//! ([`LokiForm`]). Each record is an entry of a stream, which is all that has the same labels:
//!
//! | of a record | is | named |
//! |---|---|---|
//! | the service's name | a label | `service_name`; `unknown_service` if it has none |
//! | the severity | a label | `level`: `trace`, `debug`, `info`, `warn`, `error`, `fatal` |
//! | an attribute that is named by [`label`](Loki::label), or else the resource's | a label | by its key |
//! | the body | the line; or by choice the whole record as JSON ([`LokiLine`]) | |
//! | the time | the time of the entry | |
//! | trace and span | structured metadata | `trace_id`, `span_id` |
//! | all other attributes | structured metadata | by their keys |
//! | some attributes of the resource ([`resource_metadata`](Loki::resource_metadata)) | structured metadata | by their keys |
//! | what few records have | structured metadata | `severity_number` if it is not the first of its level, `severity_text` if it is another word, `target`, `event_name`, `code_file_path`, `code_line_number`, `observed_timestamp`, `dropped_attributes_count`, `truncated_texts`, `repeated`, `suppressed` |
//!
//! Labels are few because each of their combinations is a stream of its own, which costs Loki memory: name attributes
//! that have a handful of values.
//!
//! # What Loki does not take as it is
//!
//! - **Names** have letters, digits and `_` alone. A key is made one as Loki makes it of what comes by OTLP:
//!   `http.route` is `http_route`; a name that would begin with a digit has `key_` before it, one with `_` `key`. Of
//!   two keys that become one name, or a key that becomes one of the names above, the later one ends in `_2`, and so
//!   on: none hides another. Of an attribute that was set twice, the last value counts.
//! - **Values of labels** are not empty, at most 2,048 bytes long, and without U+FFFD. An attribute of a record with
//!   another value is structured metadata, and the label is the resource's or missing. The resource's own are cut,
//!   with `_` in place of U+FFFD.
//! - **Structured metadata** is text, of 64 KiB and 128 pairs at most. A value that does not fit is cut at a
//!   character, and left out where there is no room at all; `cut_values` says how many were. Loki itself takes U+FFFD
//!   out of it.
//! - **Lines** are at most 256 KiB long ([`max_line_bytes`](Loki::max_line_bytes)): a longer one is cut, or refused
//!   by choice ([`LokiLongLines`]). What was cut is also reported, as the crate reports what it has to say about itself.
//! - **More than 15 labels**, one whose name is longer than 1,024 bytes, or two that have the same name: an error when
//!   telemetry starts.
//! - **Equal entries**: Loki takes two of a stream for one that have the same time, line and structured metadata. So
//!   records that follow each other with the same time are sent a nanosecond apart. By its source it may look at time
//!   and line alone: give replicas a label of their own.
//!
//! # Order
//!
//! One request is sent after the other, and within one the entries of each stream are in the order of their times. An
//! entry may still be older than one that was sent before, by the second or so that threads keep what they log. Loki
//! takes that since 2.4, up to an hour behind the newest entry of the stream; before, or where `unordered_writes` is
//! off, it refuses such entries. Errors may overtake others in a full queue; they are in a stream of their own, as
//! long as the level is a label.
//!
//! # What happens when Loki is down, slow, or says no?
//!
//! | answer | what follows |
//! |---|---|
//! | 2xx | the entries are delivered |
//! | no connection, no answer in time, 429 (a rate or the number of streams is exceeded), any 5xx | they are tried again, as long as [`Retry`](crate::pipeline::Retry) says; `Retry-After` is followed |
//! | 400, some entries are too old, too new, too long, or too large | as many as it says are dropped with the reason `rejected`, and the error says why; which ones they were is known if it names their times. The others are delivered |
//! | 400, a label is not as it should be | the entries of that stream are dropped so; the others are delivered |
//! | 413, or a message that is larger than Loki's parts take | they are sent in two halves |
//! | 260, with which Loki says that it takes nothing for now; any other, redirects too | they are dropped, with the reason `rejected`, and the error has what Loki said |
//!
//! # What may be lost or doubled?
//!
//! An entry that is sent twice, after a time-out say, is one to Loki, because it is equal. Of entries that are too old
//! for their stream (an hour behind its newest), Loki's answer is about the last stream of a request alone: those of
//! other streams may be lost and count as delivered. With [`without_level_label`](Loki::without_level_label) and no
//! other labels there is one stream, and the count is exact.
//!
//! What was offered, delivered and dropped is in the [report](crate::pipeline::QueueReport) of the route. A
//! spool (`Route::spool`) keeps records over an outage; Loki refuses what is older than a week.
//!
//! This module was tried against a strict server of our own that was written from Loki's documentation, not against
//! Loki itself.
//!
//! # Options
//!
//! | option | default |
//! |---|---|
//! | URL, credentials ([`Endpoint::basic`], [`Endpoint::bearer`]), and all else of an [`Endpoint`] | |
//! | [`tenant`](Loki::tenant) | none |
//! | [`label`](Loki::label) | none besides `service_name` and `level` |
//! | [`without_level_label`](Loki::without_level_label) | the level is a label |
//! | [`resource_metadata`](Loki::resource_metadata) | `service.namespace`, `service.instance.id`, `deployment.environment.name`, `host.name` |
//! | [`line`](Loki::line) | [`LokiLine::Body`] |
//! | [`form`](Loki::form) | [`LokiForm::Protobuf`] |
//! | [`max_line_bytes`](Loki::max_line_bytes), [`long_lines`](Loki::long_lines) | 256 KiB, [`LokiLongLines::Cut`] |
//!
//! # Examples
//!
//! ```
//! use bellwether::{export::loki::Loki, transport::{Endpoint, Secret}};
//!
//! // On the same machine.
//! let endpoint = Endpoint::new("http://127.0.0.1:3100").allow_plain_http().allow_private();
//! let telemetry = bellwether::builder("shop").export(Loki::new(endpoint)).start()?;
//! # drop(telemetry);
//! // Grafana Cloud, and one more label.
//! let token = Secret::from_file("/run/secrets/grafana-token");
//! let endpoint = Endpoint::new("https://logs-prod-006.grafana.net").basic("123456", token);
//! let loki = Loki::new(endpoint).label("deployment.environment.name");
//! # Ok::<(), bellwether::Error>(())
//! ```

mod answer;
mod encoder;
mod form;
mod frame;
mod labels;
mod metadata;
mod names;
mod options;
mod request;
mod sender;
#[cfg(test)]
mod tests;
mod text;

pub use self::options::{LokiForm, LokiLine, LokiLongLines};

use std::borrow::Cow;

use self::{encoder::Entries, options::Options, sender::Push};
use super::{Backend, Routes};
use crate::{
    log::LogRecord,
    pipeline::{Encoder, Route},
    transport::{Endpoint, http_client::HttpClient},
};

/// Sends log records to Loki; the [module](self) says what, when, and what may go wrong.
#[derive(Clone, Debug)]
#[must_use = "a backend that is given to no builder sends nothing"]
pub struct Loki {
    endpoint: Endpoint,
    options: Options,
}

impl Loki {
    /// Sends to the Loki at `endpoint`. `/loki/api/v1/push` is added to its URL, unless that ends in `/push`
    /// already.
    pub fn new(endpoint: impl Into<Endpoint>) -> Self {
        Self { endpoint: endpoint.into(), options: Options::default() }
    }

    /// Sends the header `X-Scope-OrgID`, by which a Loki of many tenants knows whose the entries are.
    pub fn tenant(mut self, name: impl Into<String>) -> Self {
        self.endpoint = self.endpoint.header("x-scope-orgid", name);
        self
    }

    /// Makes a label of this attribute of records, or of the resource for records that do not have it. At most 13 of
    /// them, each with few values: every combination is a stream.
    pub fn label(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.options.labels.push(key.into());
        self
    }

    /// Makes the level structured metadata, under the same name, and no label: then all records of a service are one
    /// stream, unless there are other labels.
    pub fn without_level_label(mut self) -> Self {
        self.options.has_level = false;
        self
    }

    /// Sets which attributes of the resource each entry has as structured metadata. What is a label is not there
    /// again.
    pub fn resource_metadata<K: Into<Cow<'static, str>>>(
        mut self,
        keys: impl IntoIterator<Item = K>,
    ) -> Self {
        self.options.resource_metadata = keys.into_iter().map(Into::into).collect();
        self
    }

    /// Sets what the line of an entry is.
    pub fn line(mut self, line: LokiLine) -> Self {
        self.options.line = line;
        self
    }

    /// Sets in which form requests are.
    pub fn form(mut self, form: LokiForm) -> Self {
        self.options.form = form;
        self
    }

    /// The most bytes of a line: 256 KiB by default, as Loki's `max_line_size`.
    pub fn max_line_bytes(mut self, n_bytes: usize) -> Self {
        self.options.most_line = n_bytes;
        self
    }

    /// Sets what becomes of longer lines. A line of JSON that is cut is none any more.
    pub fn long_lines(mut self, fate: LokiLongLines) -> Self {
        self.options.long_lines = fate;
        self
    }

    /// What writes the entries; for tests and benches.
    #[doc(hidden)]
    pub fn logs_encoder(&self) -> impl Encoder<LogRecord> + use<> {
        Entries::new(self.options.clone())
    }
}

impl Backend for Loki {
    fn routes(self, routes: &mut Routes) {
        routes.add(Route::from(self));
    }
}

impl From<Loki> for Route<LogRecord> {
    fn from(loki: Loki) -> Self {
        let Loki { endpoint, options } = loki;
        let client = HttpClient::new(endpoint);
        let (timeout, form) = (client.time_limit(), options.form);
        Self::wire(Entries::new(options), Push { client, form })
            .settings(|settings| settings.attempt_timeout = timeout)
    }
}
