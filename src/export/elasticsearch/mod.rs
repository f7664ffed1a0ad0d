//! Metrics, spans and logs to Elasticsearch and OpenSearch, as documents with the names of the Elastic Common
//! Schema; and back from there.
//!
//! It is written from their documentation, and checked against a strict stand-in for it (`.ci/elasticsearch_check.py`)
//! that the official client for Python agrees with. No real server was tried.
//!
//! # What is sent, and when?
//!
//! Each signal has a route of its own, named `elasticsearch`, and goes to the bulk API, compressed by gzip unless the
//! [`Endpoint`] says otherwise. Metrics are sent every ten seconds, at each flush and at shutdown, 2,000 documents in
//! a request at most; spans and logs when a batch of 512 is full or a second old. The documents are in the data streams
//! `logs-bellwether-default`, `metrics-…` and `traces-…` ([`dataset`](Elasticsearch::dataset),
//! [`namespace`](Elasticsearch::namespace)), or in an index for each day, by their own time
//! ([`daily`](Elasticsearch::daily)).
//!
//! | a record | has the fields |
//! |---|---|
//! | each | `@timestamp` in nanoseconds, `event.id` as its `_id`, `event.kind`, `ecs.version`, `data_stream.*`; of its resource `service.name`, `service.version`, `service.node.name`, `service.environment`, `host.name` and 21 more |
//! | a log record | `message`, `log.level`, `event.severity` (1 to 24), `log.logger`, `event.action` (the name of the event), `trace.id`, `span.id`, `log.origin.file.name` and `.line`, `event.created` if it was seen later, `error.type`, `error.message`, `error.stack_trace`, `bellwether.log.repeated` and its like |
//! | a span, at its start | `trace.id`, `span.id`, `parent.id`, `span.name`, `span.kind`, `event.duration` in nanoseconds, `event.end`, `event.outcome`: `success`, `failure` or `unknown`; `bellwether.span.outcome`, `otel.status_code`, `error.type`, `error.message`, `error.stack_trace`, `span.events`, `span.links`, `bellwether.span.dropped_attributes` and its like |
//! | a data point | `metric.name`, `metric.kind`, `metric.unit`, `metric.temporality`; `metric.value`, or of histograms and summaries `metric.count`, `metric.sum`, `metric.min`, `metric.max`, `metric.p50`, `metric.p90`, `metric.p99`, by choice `metric.distribution` ([`ElasticHistograms`]) |
//!
//! What a record does not have is not there. An attribute that the schema has under the same name is that field:
//! `http.request.method`, `http.response.status_code`, `url.path`, `server.address`, `user.id` and twenty more, if its
//! value is of the field's type. All others, and the labels of metrics, are `labels.KEY` as text or `numeric_labels.KEY`
//! as numbers, as Elastic's own agents have them. What a text is not, `true` or `NaN`, becomes one.
//!
//! # What a document cannot express
//!
//! - A data point that is not finite: it is rejected and counted, for JSON has no word for it. A figure of a histogram
//!   that is not is left out, and an attribute that is not is a text.
//! - A dot in the key of a label, which would make an object of it: it is `_`, as are `*`, `"`, `\` and control
//!   characters, the whole of a key that is blank, and what is beyond 256 bytes is cut. Where two keys of a record become
//!   one, the later one is kept.
//! - A text of more than 1,024 characters is kept, but not found by its value; words of messages and errors are.
//! - A whole number beyond 2^53 is exact in the document and rounded in the index.
//! - Exemplars, trace flags and trace states are not sent.
//!
//! # What happens when Elasticsearch is down, slow, or says no?
//!
//! | answer | what follows |
//! |---|---|
//! | 2xx, and of a document 2xx | the document is delivered |
//! | of a document 409 | it is there already, from an attempt whose answer was lost: it is delivered |
//! | of a document 429, 5xx, or that its index is blocked (`cluster_block_exception`, of a full disk say) | it is tried again, and no other, as long as [`Retry`](crate::pipeline::Retry) says |
//! | of a document any other, such as 400 for one that contradicts the mapping | it is dropped, with the reason `rejected`, and is a [dead letter](crate::pipeline::DeadLetters) where these are kept |
//! | 2xx without a result for each document | they are tried again: nobody knows which of them are there, and their ids keep them from being doubled |
//! | no connection, no answer in time, 429, any 5xx | they are tried again; `Retry-After` is followed |
//! | 413 | they are sent in two halves; a document that is too large by itself is dropped |
//! | any other, redirects too | they are dropped, with the reason `rejected`, and the error has what was said |
//!
//! # What may be lost or doubled?
//!
//! Each document has an id that it is created under, and has again when it is sent again: a span those of its trace and
//! its own, all others 128 random bits that are drawn when they are encoded. So none is doubled, but for one case: a data
//! stream looks at its newest index alone, so that what is sent again after the stream went on in another index (once a
//! day, say) may be there twice. An index for each day has no such case. A span that is exported while it is open, and
//! again when it has ended, is a document for each.
//!
//! What is acknowledged is on the disk of each copy of its shard that was there. A stream with a failure store may have
//! put a document there instead.
//!
//! [Install](ElasticClient::install) the templates before the first document. Without them a stream gets the types that
//! its first documents suggest, and may refuse later ones; and `traces-…` becomes a plain index, in which
//! [`spans`](ElasticClient::spans) cannot sort.
//!
//! # Options
//!
//! | option | default |
//! |---|---|
//! | URL, credentials ([`api_key`](Elasticsearch::api_key), [`Endpoint::basic`]), and all else of an [`Endpoint`] | |
//! | [`dataset`](Elasticsearch::dataset), [`namespace`](Elasticsearch::namespace) | `bellwether`, `default` |
//! | [`daily`](Elasticsearch::daily), in place of data streams | |
//! | [`opensearch`](Elasticsearch::opensearch) | Elasticsearch |
//! | [`histograms`](Elasticsearch::histograms) | [`ElasticHistograms::Figures`] |
//! | [`pipeline`](Elasticsearch::pipeline), an ingest pipeline | that of the index |
//! | [`resource_labels`](Elasticsearch::resource_labels) | `service.namespace` |
//! | [`metrics_interval`](Elasticsearch::metrics_interval) | 10 s |
//! | [`without_metrics`](Elasticsearch::without_metrics), [`without_spans`](Elasticsearch::without_spans), [`without_logs`](Elasticsearch::without_logs) | all are sent |
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//! use bellwether::{
//!     export::elasticsearch::{ElasticLifecycle, Elasticsearch},
//!     transport::{Endpoint, Secret},
//! };
//!
//! // In each process; here to a node on the same machine.
//! let endpoint = Endpoint::new("http://127.0.0.1:9200").allow_plain_http().allow_private();
//! let telemetry = bellwether::builder("shop").export(Elasticsearch::new(endpoint)).start()?;
//! # drop(telemetry);
//!
//! let elastic = Elasticsearch::new("https://elastic.example.com")
//!     .api_key(Secret::from_file("/run/secrets/elastic-key"))
//!     .dataset("shop");
//! // Once for each deployment.
//! let install = || {
//!     let month = Duration::from_secs(30 * 86_400);
//!     elastic.client().install(&ElasticLifecycle::keep(month))
//! };
//! # let _ = install;
//! # Ok::<(), bellwether::Error>(())
//! ```

mod answer;
mod client;
mod encoder;
mod fields;
mod hit;
mod install;
mod labels;
mod log;
mod options;
mod point;
mod query;
mod sender;
mod span;
#[cfg(test)]
mod tests;

pub use self::{
    client::{ElasticClient, ElasticError},
    hit::{ElasticHit, ElasticPage},
    install::ElasticLifecycle,
    options::ElasticHistograms,
    query::ElasticQuery,
};

use std::{borrow::Cow, time::Duration};

use self::{
    encoder::{Document, Documents},
    options::{Kin, Naming, Options},
    sender::{Bulk, path_of},
};
use super::{Backend, Routes, wire::signals::Signals};
use crate::{
    log::LogRecord,
    metric::DataPoint,
    pipeline::{Encoder, Route},
    trace::SpanRecord,
    transport::{Compression, Endpoint, Secret, http_client::HttpClient},
};

/// Sends metrics, spans and logs to Elasticsearch or OpenSearch; the [module](self) says what, when, and what may go
/// wrong.
#[derive(Clone, Debug)]
#[must_use = "a backend that is given to no builder sends nothing"]
pub struct Elasticsearch {
    endpoint: Endpoint,
    options: Options,
    signals: Signals,
}

impl Elasticsearch {
    /// Sends to the cluster at `endpoint`. [`Endpoint::or`] names other nodes of it.
    pub fn new(endpoint: impl Into<Endpoint>) -> Self {
        let (endpoint, options) = (endpoint.into(), Options::default());
        Self { endpoint, options, signals: Signals::ALL }
    }

    /// Sends `authorization: ApiKey` with a key as Elasticsearch gives it out, encoded. For a user and a password there
    /// is [`Endpoint::basic`].
    pub fn api_key(mut self, key: Secret) -> Self {
        self.endpoint = self.endpoint.authorization("ApiKey", key);
        self
    }

    /// Sets the middle part of the names of the data streams: `shop` for `logs-shop-default`. At most 100 bytes in lower
    /// case, without `-` and what no index may have in its name; another one is an error at the start.
    pub fn dataset(mut self, dataset: impl Into<String>) -> Self {
        let dataset = dataset.into();
        self.options.naming = match self.options.naming {
            Naming::Streams { namespace, .. } => Naming::Streams { dataset, namespace },
            Naming::Daily { .. } => Naming::Streams { dataset, namespace: "default".to_owned() },
        };
        self
    }

    /// Sets the last part of the names of the data streams, for environments or teams; as [`dataset`](Self::dataset).
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        let namespace = namespace.into();
        self.options.naming = match self.options.naming {
            Naming::Streams { dataset, .. } => Naming::Streams { dataset, namespace },
            Naming::Daily { .. } => Naming::Streams { dataset: "bellwether".to_owned(), namespace },
        };
        self
    }

    /// Sends to an index for each day (of UTC) in place of data streams: `shop-logs-2026.11.30`, `shop-metrics-…`,
    /// `shop-traces-…` for the prefix `shop`. A document is in the index of its own day, also when it comes late.
    pub fn daily(mut self, prefix: impl Into<String>) -> Self {
        self.options.naming = Naming::Daily { prefix: prefix.into() };
        self
    }

    /// Says that it is OpenSearch, which has other policies and lacks a type of field. What is sent is the same.
    pub fn opensearch(mut self) -> Self {
        self.options.kin = Kin::OpenSearch;
        self
    }

    /// Has the documents go through this ingest pipeline, in place of the one that the index names.
    pub fn pipeline(mut self, name: impl Into<String>) -> Self {
        self.options.pipeline = Some(name.into());
        self
    }

    /// Sets in which form histograms are sent.
    pub fn histograms(mut self, form: ElasticHistograms) -> Self {
        self.options.histograms = form;
        self
    }

    /// Sets which attributes of the resource each document has as labels, besides those that are fields of the schema.
    /// A label or an attribute of the same name does not take its place: both are found.
    pub fn resource_labels<K: Into<Cow<'static, str>>>(
        mut self,
        keys: impl IntoIterator<Item = K>,
    ) -> Self {
        self.options.resource_labels = keys.into_iter().map(Into::into).collect();
        self
    }

    /// How often metrics are read and sent; every 10 s by default.
    pub fn metrics_interval(mut self, interval: Duration) -> Self {
        self.signals.interval = Some(interval);
        self
    }

    /// Sends no metrics, as a [`Backend`].
    pub fn without_metrics(mut self) -> Self {
        self.signals.metrics = false;
        self
    }

    /// Sends no spans, as a [`Backend`].
    pub fn without_spans(mut self) -> Self {
        self.signals.spans = false;
        self
    }

    /// Sends no logs, as a [`Backend`].
    pub fn without_logs(mut self) -> Self {
        self.signals.logs = false;
        self
    }

    /// A client that finds what was sent, and installs what is needed beforehand.
    #[must_use]
    pub fn client(&self) -> ElasticClient {
        ElasticClient::new(self.endpoint.clone(), self.options.clone())
    }

    /// What writes the documents of metrics; for tests and benches.
    #[doc(hidden)]
    pub fn metrics_encoder(&self) -> impl Encoder<DataPoint> + use<> {
        Documents::new(self.options.clone())
    }

    /// What writes the documents of spans; for tests and benches.
    #[doc(hidden)]
    pub fn spans_encoder(&self) -> impl Encoder<SpanRecord> + use<> {
        Documents::new(self.options.clone())
    }

    /// What writes the documents of log records; for tests and benches.
    #[doc(hidden)]
    pub fn logs_encoder(&self) -> impl Encoder<LogRecord> + use<> {
        Documents::new(self.options.clone())
    }

    fn route<S: Document>(self) -> Route<S> {
        let stream = self.options.naming.stream(S::TYPE);
        let client = HttpClient::new(self.endpoint).compressing(Compression::Gzip);
        let timeout = client.time_limit();
        let path = path_of(stream.as_deref(), self.options.pipeline.as_deref());
        let sender = Bulk { client, path };
        Route::wire(Documents::new(self.options), sender)
            .settings(|settings| settings.attempt_timeout = timeout)
    }
}

/// The most data points of a request: if each is refused, the answer has a few megabytes.
const BATCH_ITEMS: usize = 2_000;

impl Backend for Elasticsearch {
    fn routes(self, routes: &mut Routes) {
        self.signals.add(self, routes);
    }
}

/// The route of the metrics alone.
impl From<Elasticsearch> for Route<DataPoint> {
    fn from(elastic: Elasticsearch) -> Self {
        let signals = elastic.signals;
        let route = elastic.route().settings(|settings| settings.batch_items = BATCH_ITEMS);
        signals.at_interval(route)
    }
}

/// The route of the spans alone.
impl From<Elasticsearch> for Route<SpanRecord> {
    fn from(elastic: Elasticsearch) -> Self {
        elastic.route()
    }
}

/// The route of the logs alone.
impl From<Elasticsearch> for Route<LogRecord> {
    fn from(elastic: Elasticsearch) -> Self {
        elastic.route()
    }
}
