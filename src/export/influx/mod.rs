//! Metrics, spans and logs to InfluxDB 1, 2 and 3 in its line protocol, and to what takes that: VictoriaMetrics,
//! Telegraf, QuestDB, the OpenTelemetry Collector.
//!
//! # What is sent, and when?
//!
//! Each signal has a route of its own, named `influx`. Metrics are sent every ten seconds, at each flush and at
//! shutdown, 5,000 lines in a request at most; spans and logs when a batch of 512 is full or a second old. Over
//! HTTP bodies are compressed by gzip, unless the [`Endpoint`] says otherwise.
//!
//! | a record | is a point of | with the tags | and the fields |
//! |---|---|---|---|
//! | a counter, an up-down counter | its name | its labels | `value`, a whole number |
//! | a float counter, a gauge | its name | its labels | `value`, a float |
//! | an info, a state | its name | its labels | `value`: `1i`, or `0i` of a state that does not hold |
//! | a histogram | its name | its labels | `count`, `sum`, `min`, `max`, `p50`, `p90`, `p99`; or by choice ([`InfluxHistograms`]) a field for each bucket |
//! | a summary | its name | its labels | `count`, `sum`, and `p50`, `p90`, `p99` of its shortest window |
//! | a span, at its start | `spans` | `span.name`, `span.kind`, `otel.status_code`, `outcome` | `trace_id`, `span_id`, `parent_span_id`, `duration_nano`, `otel.status_description`; `attributes`, `events` and `links` as JSON; `dropped_attributes_count` and its like |
//! | a log record | `logs` | `severity_text`, `target`, `event.name` | `severity_number`, `body`, `trace_id`, `span_id`; `attributes` as JSON; `code.file.path`, `code.line.number`; `observed_timestamp` if it was seen later; `dropped_attributes_count`, `truncated_texts`, `repeated`, `suppressed` |
//!
//! What a record does not have is not there. Each has some attributes of the resource as tags too
//! ([`resource_tags`](Influx::resource_tags)). The names of spans and logs are those of InfluxData's own schema
//! for OpenTelemetry where it has one. Attributes are one field, because a field has one type for ever and
//! attributes do not; [`attribute_tags`](Influx::attribute_tags) makes tags of some, to search by.
//!
//! # What a line cannot express
//!
//! - A value that is not finite, or a count above 2^63: its field is missing. A point without fields, or with
//!   tags of more than 64 KiB, is rejected and counted.
//! - A control character (a line feed, say) in a name or a tag, and a backslash at the end of one: `_` stands for
//!   it. How many there were is reported, as the crate reports what it has to say about itself.
//! - An empty tag: it is left out, which means the same to InfluxDB.
//! - The keys `time`, `_time`, `_field` and `_measurement`, which InfluxDB keeps for itself: they end in `_`.
//! - A line feed in a text: it is `\n`, as InfluxData's own encoder writes it. InfluxDB 1 and 2 show these two
//!   characters, newer readers the line feed.
//! - A backslash right before a space, `,` or `=` in a tag, in a line with a quote: `_` stands for it, because
//!   InfluxDB 1 and 2 would misread the line.
//!
//! # What happens when InfluxDB is down, slow, or says no?
//!
//! | answer | what follows |
//! |---|---|
//! | 2xx without an error in its body | the points are delivered |
//! | no connection, no answer in time, 429, any 5xx | they are tried again, as long as [`Retry`](crate::pipeline::Retry) says; `Retry-After` is followed |
//! | 413 | they are sent in two halves; a point that is too large by itself is dropped |
//! | 400 or 422, "partial write" | those that it names, or as many as it says, are dropped with the reason `rejected`; the others are delivered |
//! | 400 or 422, naming lines of which none was written | these are dropped, with the reason `rejected`; the others are sent again without them |
//! | any other, redirects too | they are dropped, with the reason `rejected`, and the error has what InfluxDB said |
//!
//! Over UDP nobody answers: what can be seen is that nobody listens. A line that is longer than a datagram is
//! rejected and counted.
//!
//! # What may be lost or doubled?
//!
//! A point that is sent twice replaces itself, for it has the same tags and time. For the same reason two
//! processes that have all tags in common may replace each other's points: give them a `service.instance.id`.
//! Spans of one batch that have the same start, and log records with the same time, are a nanosecond apart for
//! that; those of different batches replace each other if their tags are the same too.
//!
//! VictoriaMetrics keeps numbers alone, so that of spans and logs next to nothing is left there; it answers 204 even
//! for lines that it drops, in older versions always. What a network or a full server drops of datagrams is lost and
//! counted as delivered.
//!
//! # Options
//!
//! | option | default |
//! |---|---|
//! | URL, credentials ([`token`](Influx::token), [`Endpoint::basic`]), and all else of an [`Endpoint`] | |
//! | [`retention_policy`](Influx::retention_policy), of InfluxDB 1 | the database's own |
//! | [`precision`](Influx::precision), of metrics | nanoseconds |
//! | [`histograms`](Influx::histograms) | [`InfluxHistograms::Figures`] |
//! | [`prefix`](Influx::prefix), of the names of metrics | none |
//! | [`resource_tags`](Influx::resource_tags) | `service.name`, `service.namespace`, `service.instance.id`, `deployment.environment.name`, `host.name` |
//! | [`attribute_tags`](Influx::attribute_tags), of spans and logs | none |
//! | [`metrics_interval`](Influx::metrics_interval) | 10 s |
//! | [`without_metrics`](Influx::without_metrics), [`without_spans`](Influx::without_spans), [`without_logs`](Influx::without_logs) | all are sent |
//! | [`max_datagram`](Influx::max_datagram), over UDP | 1,432 bytes |
//!
//! # Examples
//!
//! ```
//! use bellwether::{export::influx::Influx, transport::{Endpoint, Secret}};
//!
//! // InfluxDB 1 on the same machine.
//! let endpoint = Endpoint::new("http://127.0.0.1:8086").allow_plain_http().allow_private();
//! let metrics = Influx::v1(endpoint, "shop").without_spans().without_logs();
//! let telemetry = bellwether::builder("shop").export(metrics).start()?;
//! # drop(telemetry);
//! // InfluxDB 2 and 3.
//! let influx = Influx::v2("https://influx.example.com", "our-org", "shop")
//!     .token(Secret::from_file("/run/secrets/influx-token"))
//!     .attribute_tags([("http.route", "http.route")]);
//! # Ok::<(), bellwether::Error>(())
//! ```

mod answer;
mod encoder;
mod line;
mod log;
#[cfg(feature = "broker")]
mod message;
mod options;
mod point;
mod sender;
mod span;
mod tags;
#[cfg(test)]
mod tests;

#[cfg(feature = "broker")]
#[cfg_attr(docsrs, doc(cfg(feature = "broker")))]
pub use self::message::InfluxMessages;
pub use self::options::{InfluxHistograms, InfluxPrecision};

use std::{borrow::Cow, time::Duration};

use self::{
    encoder::Lines,
    options::{Options, Way},
    sender::{Post, Send, path_of},
};
use super::{Backend, Routes, wire::signals::Signals};
use crate::{
    log::LogRecord,
    metric::DataPoint,
    pipeline::{Encoder, Route, Signal},
    trace::SpanRecord,
    transport::{
        Compression, Endpoint, Secret,
        http_client::HttpClient,
        socket::{DatagramPlace, Datagrams},
    },
};

/// Sends metrics, spans and logs to InfluxDB; the [module](self) says what, when, and what may go wrong.
#[derive(Clone, Debug)]
#[must_use = "a backend that is given to no builder sends nothing"]
pub struct Influx {
    way: Way,
    options: Options,
    signals: Signals,
}

impl Influx {
    /// Writes to a database of InfluxDB 1, or by its API to InfluxDB 2 and 3: `POST /write?db=`. The endpoint's
    /// [`basic`](Endpoint::basic) says who asks.
    pub fn v1(endpoint: impl Into<Endpoint>, database: impl Into<String>) -> Self {
        Self::new(Way::V1 { endpoint: endpoint.into(), database: database.into(), policy: None })
    }

    /// Writes to a bucket of InfluxDB 2, or by its API to InfluxDB 3 and VictoriaMetrics:
    /// `POST /api/v2/write?org=&bucket=`, for which most want a [`token`](Self::token).
    pub fn v2(
        endpoint: impl Into<Endpoint>,
        org: impl Into<String>,
        bucket: impl Into<String>,
    ) -> Self {
        let (endpoint, org, bucket) = (endpoint.into(), org.into(), bucket.into());
        Self::new(Way::V2 { endpoint, org, bucket })
    }

    /// Sends datagrams to `host:port`: to a service `[[udp]]` of InfluxDB 1 with the precision `n`, or to
    /// Telegraf's `socket_listener`. A name is looked up every half a minute.
    pub fn udp(place: impl Into<String>) -> Self {
        Self::new(Way::Udp { place: DatagramPlace::Udp(place.into()), most_bytes: None })
    }

    fn new(way: Way) -> Self {
        Self { way, options: Options::default(), signals: Signals::ALL }
    }

    /// Sends `authorization: Token`, as InfluxDB 2 and 3 want it. Over UDP it has no effect.
    pub fn token(mut self, token: Secret) -> Self {
        if let Way::V1 { endpoint, .. } | Way::V2 { endpoint, .. } = &mut self.way {
            *endpoint = endpoint.clone().authorization("Token", token);
        }
        self
    }

    /// Writes to this retention policy of a database of InfluxDB 1. Other ways have none.
    pub fn retention_policy(mut self, name: impl Into<String>) -> Self {
        if let Way::V1 { policy, .. } = &mut self.way {
            *policy = Some(name.into());
        }
        self
    }

    /// How fine the times of metrics are: a coarser time takes less room on disk. Of two readings within one
    /// unit the later stays. Spans and logs always have nanoseconds, which keep them apart.
    pub fn precision(mut self, precision: InfluxPrecision) -> Self {
        self.options.precision = precision;
        self
    }

    /// Sets in which form histograms are sent.
    pub fn histograms(mut self, form: InfluxHistograms) -> Self {
        self.options.histograms = form;
        self
    }

    /// Puts this before the name of each metric.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.prefix = prefix.into();
        self
    }

    /// Sets which attributes of the resource are tags, and their names. A label or an attribute that is a tag of
    /// the same name stands in its place.
    pub fn resource_tags<K, T>(mut self, tags: impl IntoIterator<Item = (K, T)>) -> Self
    where
        K: Into<Cow<'static, str>>,
        T: Into<Cow<'static, str>>,
    {
        self.options.resource_tags = options::renamed(tags);
        self
    }

    /// Sets which attributes of spans and logs are tags, and their names. InfluxDB 1 and 2 keep all that is ever
    /// in a tag in memory, so these should have few values; `trace_id` is better searched in its field.
    pub fn attribute_tags<K, T>(mut self, tags: impl IntoIterator<Item = (K, T)>) -> Self
    where
        K: Into<Cow<'static, str>>,
        T: Into<Cow<'static, str>>,
    {
        self.options.attribute_tags = options::renamed(tags);
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

    /// The most bytes of a datagram: 1,432 by default, which every path takes. On the own machine up to 65,507.
    pub fn max_datagram(mut self, n_bytes: usize) -> Self {
        if let Way::Udp { most_bytes, .. } = &mut self.way {
            *most_bytes = Some(n_bytes);
        }
        self
    }

    /// What writes the lines of metrics; for tests and benches.
    #[doc(hidden)]
    pub fn metrics_encoder(&self) -> impl Encoder<DataPoint> + use<> {
        Lines::new(self.options.clone())
    }

    /// What writes the lines of spans; for tests and benches.
    #[doc(hidden)]
    pub fn spans_encoder(&self) -> impl Encoder<SpanRecord> + use<> {
        Lines::new(self.options.clone())
    }

    /// What writes the lines of log records; for tests and benches.
    #[doc(hidden)]
    pub fn logs_encoder(&self) -> impl Encoder<LogRecord> + use<> {
        Lines::new(self.options.clone())
    }

    /// A route of the lines of `encoder`, whose times have this precision.
    fn route<S: Signal>(self, encoder: impl Encoder<S>, precision: InfluxPrecision) -> Route<S> {
        let (endpoint, path) = match self.way {
            Way::V1 { endpoint, database, policy } => {
                let mut query = vec![("db", &*database), ("precision", precision.word_of_v1())];
                query.extend(policy.as_deref().map(|policy| ("rp", policy)));
                (endpoint, path_of("/write", &query))
            }
            Way::V2 { endpoint, org, bucket } => {
                let precision = ("precision", precision.word_of_v2());
                let query = [("org", &*org), ("bucket", &*bucket), precision];
                (endpoint, path_of("/api/v2/write", &query))
            }
            Way::Udp { place, most_bytes } => {
                let most_bytes = most_bytes.unwrap_or_else(|| place.usual_size());
                let datagrams = Datagrams::new(place);
                return Route::wire(encoder, Send { datagrams, most_bytes });
            }
        };
        let client = HttpClient::new(endpoint).compressing(Compression::Gzip);
        let timeout = client.time_limit();
        Route::wire(encoder, Post { client, path })
            .settings(|settings| settings.attempt_timeout = timeout)
    }
}

/// The most data points of a request: what InfluxData's own documentation finds best.
const BATCH_ITEMS: usize = 5_000;

impl Backend for Influx {
    fn routes(self, routes: &mut Routes) {
        self.signals.add(self, routes);
    }
}

/// The route of the metrics alone.
impl From<Influx> for Route<DataPoint> {
    fn from(influx: Influx) -> Self {
        let (signals, precision) = (influx.signals, influx.options.precision);
        let encoder = Lines::new(influx.options.clone());
        let route = influx.route(encoder, precision);
        let route = route.settings(|settings| settings.batch_items = BATCH_ITEMS);
        signals.at_interval(route)
    }
}

/// The route of the spans alone.
impl From<Influx> for Route<SpanRecord> {
    fn from(influx: Influx) -> Self {
        let encoder = Lines::new(influx.options.clone());
        influx.route(encoder, InfluxPrecision::Nanoseconds)
    }
}

/// The route of the logs alone.
impl From<Influx> for Route<LogRecord> {
    fn from(influx: Influx) -> Self {
        let encoder = Lines::new(influx.options.clone());
        influx.route(encoder, InfluxPrecision::Nanoseconds)
    }
}
