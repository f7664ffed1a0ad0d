//! Spans, metrics and logs to an OpenTelemetry Collector, or to whatever else takes OTLP 1.
//!
//! [`Otlp`] sends over HTTP in protobuf or JSON, or by gRPC; [`OtlpFile`] appends to a file.
//!
//! # What is sent, and when?
//!
//! Each signal has a route of its own, named `otlp`: a queue, a thread and connections, so that none waits for
//! another. Spans and logs are sent when a batch of 512 is full or a second old, metrics every ten seconds, at
//! each flush and at shutdown, 8,192 points in a request at most. A request has the resource of the service, the
//! scope `bellwether` with the version of the crate, and the records.
//!
//! - Spans: all that a [`SpanRecord`] has. The end is the start and the duration, which is that of the monotonic
//!   clock. A span that panicked or was cancelled has the attribute `bellwether.outcome`.
//! - Metrics: counters as monotonic sums, up-down counters as others, gauges as gauges, with exemplars and start
//!   times. Histograms have exponential buckets, or by [choice](Otlp::explicit_histograms) the bounds of a
//!   Prometheus page; those with bounds of their own keep them. A summary is a point of all values, and one for
//!   each window with the attribute `window`. Infos and state sets are sums with the metadata `prometheus.type`.
//!   A total above 2^63 is a float.
//! - Logs: all that a [`LogRecord`] has. OTLP has no fields for the target and the place in the source: they are
//!   the attributes `bellwether.target`, `code.file.path` and `code.line.number`, unless a record has its own.
//! - What was beyond limits of our own is counted in OTLP's fields for it, and in the attributes
//!   `bellwether.truncated_texts`, `bellwether.dropped_array_items`, `bellwether.repeated` (folded duplicates) and
//!   `bellwether.suppressed`.
//!
//! # What happens when the backend is down, slow, or says no?
//!
//! | answer | then |
//! |---|---|
//! | 2xx | delivered |
//! | 2xx with a partial success | what it refused is counted as rejected and never sent again; its message is the route's last error |
//! | 2xx with a message alone | delivered; a diagnostic says the message |
//! | 429, 502, 503, 504, no connection, a broken one, a time-out | sent again, after a backoff or when `Retry-After` says |
//! | 413 | sent again in two halves; a record that is too large alone is rejected |
//! | any other, redirects too | rejected; what the server says of it is the route's last error |
//!
//! By gRPC, `CANCELLED`, `DEADLINE_EXCEEDED`, `ABORTED`, `OUT_OF_RANGE`, `UNAVAILABLE` and `DATA_LOSS` are sent
//! again, `RESOURCE_EXHAUSTED` only where the server says when. Servers answer it, or `OUT_OF_RANGE`, to a message
//! that is too large for them: of a request above 4 MiB, the usual limit, the halves are sent. All else is
//! rejected.
//!
//! Meanwhile records wait in the queue, up to its limits, and what does not fit is dropped and counted; a batch is
//! given up after five minutes of attempts. [`Settings`](crate::pipeline::Settings) has these limits.
//!
//! # What may be lost or doubled?
//!
//! After a time-out or a broken connection it is unknown whether the receiver took the request: it may get it
//! twice. The protocol has no key against that. Records in the queue are lost if the process is killed.
//!
//! # Limits
//!
//! A request has at most 64 MiB, or its halves are sent; of an answer, at most 4 MiB are read, and of its message
//! 512 bytes are kept. Answers are never trusted to be what they say: one that cannot be read counts by its
//! status.
//!
//! # Options
//!
//! What concerns the connection is an option of the [`Endpoint`]: headers and secrets, certificates, proxies, the
//! time limit of a request (10 s), compression (none).
//! What concerns a queue is an option of a [`Route`], which each signal [becomes](Otlp#impl-From<Otlp>-for-Route<SpanRecord>).
//!
//! | option | default |
//! |---|---|
//! | [`json`](Otlp::json), `grpc` | HTTP with protobuf |
//! | [`without_spans`](Otlp::without_spans), [`without_metrics`](Otlp::without_metrics), [`without_logs`](Otlp::without_logs) | all are sent |
//! | [`metrics_interval`](Otlp::metrics_interval) | 10 s |
//! | [`temporality`](Otlp::temporality) | totals |
//! | [`exponential_histograms`](Otlp::exponential_histograms) | at most 160 buckets |
//! | [`explicit_histograms`](Otlp::explicit_histograms) | exponential |
//!
//! # Environment variables
//!
//! [`Otlp::from_env`] reads these. `…` is empty, for all signals, or `TRACES_`, `METRICS_` or `LOGS_` for one, which
//! counts before. An empty variable is not set. A value that cannot be used is named by a diagnostic, and counts
//! as not set.
//!
//! | variable | what it is | if it is not set |
//! |---|---|---|
//! | `OTEL_EXPORTER_OTLP_ENDPOINT` | URL; the path of the signal follows its path | `http://localhost:4318`, by gRPC `:4317` |
//! | `OTEL_EXPORTER_OTLP_{TRACES,METRICS,LOGS}_ENDPOINT` | URL, used as it is | that for all |
//! | `OTEL_EXPORTER_OTLP_…PROTOCOL` | `http/protobuf`, `http/json`, `grpc` | `http/protobuf` |
//! | `OTEL_EXPORTER_OTLP_…HEADERS` | `key=value,…`, in percent encoding | none |
//! | `OTEL_EXPORTER_OTLP_…TIMEOUT` | milliseconds for a request; 0 is a day | 10,000 |
//! | `OTEL_EXPORTER_OTLP_…COMPRESSION` | `gzip`, `none`; `zstd` with that feature. Not by gRPC | `none` |
//! | `OTEL_EXPORTER_OTLP_…CERTIFICATE` | file of the roots that are trusted | those of the system |
//! | `OTEL_EXPORTER_OTLP_…CLIENT_CERTIFICATE`, `…CLIENT_KEY` | files of the certificate that is shown | none |
//! | `OTEL_EXPORTER_OTLP_…INSECURE` | `true`, `false`: of gRPC, whether an endpoint without a scheme is of plain http | `false` |
//! | `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` | `cumulative`, `delta`, `lowmemory`; the last two are one here | `cumulative` |
//! | `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION` | `base2_exponential_bucket_histogram`, `explicit_bucket_histogram` | the first, unlike OpenTelemetry's SDKs |
//! | `OTEL_{TRACES,METRICS,LOGS}_EXPORTER` | `otlp`, or `none`: the signal is not sent | `otlp` |
//! | `OTEL_BSP_SCHEDULE_DELAY`, `OTEL_BLRP_SCHEDULE_DELAY` | milliseconds that a span, or a log record, may wait for its batch | 1,000 |
//! | `OTEL_BSP_MAX_QUEUE_SIZE`, `OTEL_BLRP_MAX_QUEUE_SIZE` | records that are held | 262,144 |
//! | `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`, `OTEL_BLRP_MAX_EXPORT_BATCH_SIZE` | records of a request | 512 |
//! | `OTEL_BSP_EXPORT_TIMEOUT`, `OTEL_BLRP_EXPORT_TIMEOUT`, `OTEL_METRIC_EXPORT_TIMEOUT` | milliseconds for all attempts of a batch; 0 is a day | 300,000 |
//! | `OTEL_METRIC_EXPORT_INTERVAL` | milliseconds between two readings | 10,000 |

mod attribute;
mod form;
mod span;
mod log;
mod metric;
mod signal;
mod request;
mod encoder;
mod answer;
mod target;
mod env;
mod http;
#[cfg(feature = "otlp-grpc")]
mod grpc;
#[cfg(not(feature = "otlp-grpc"))]
#[path = "grpc_absent.rs"]
mod grpc;
mod file;
#[cfg(feature = "broker")]
mod message;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::file::OtlpFile;
#[cfg(feature = "broker")]
#[cfg_attr(docsrs, doc(cfg(feature = "broker")))]
pub use self::message::OtlpMessages;

use self::{
    encoder::OtlpEncoder,
    env::FromEnv,
    grpc::GrpcSender,
    http::HttpSender,
    metric::{Histograms, MOST_BUCKETS},
    signal::OtlpSignal,
    target::{Protocol, Target},
};
use super::{Backend, Routes, wire::signals::Signals};
use crate::{
    diagnostics,
    log::LogRecord,
    metric::{DataPoint, Temporality},
    pipeline::{Batch, Encoder as _, Route, SendResult, Setup},
    trace::SpanRecord,
    transport::{Endpoint, http_client::HttpAnswer},
};

/// Sends spans, metrics and logs by OTLP. See the [module](self) for what it does when.
///
/// As a backend it takes all three, each on a route of its own; [`without_logs`](Self::without_logs) and its
/// like leave one out. A single route is a `Route::<SpanRecord>::from(otlp)`, and has the options of a
/// [`Route`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::{export::otlp::Otlp, transport::Endpoint};
///
/// let collector = Endpoint::new("http://127.0.0.1:4318").allow_plain_http().allow_private();
/// let otlp = Otlp::new(collector).metrics_interval(Duration::from_secs(60)).without_logs();
/// # let otlp = otlp.without_metrics().without_spans();
/// let telemetry = bellwether::builder("shop").export(otlp).start()?;
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a backend that is given to no builder sends nothing"]
pub struct Otlp {
    spans: Target,
    metrics: Target,
    logs: Target,
    metrics_interval: Option<Duration>,
    temporality: Temporality,
    histograms: Histograms,
}

impl Otlp {
    /// Sends to `endpoint`, all signals, in protobuf. `/v1/traces`, `/v1/metrics` and `/v1/logs` follow the
    /// path of its URL.
    ///
    /// An endpoint that cannot be used is an error of [`Builder::start`](crate::Builder::start).
    pub fn new(endpoint: impl Into<Endpoint>) -> Self {
        let target = Target::new(endpoint.into());
        Self {
            spans: target.clone(),
            metrics: target.clone(),
            logs: target,
            metrics_interval: None,
            temporality: Temporality::Cumulative,
            histograms: Histograms::Exponential(MOST_BUCKETS),
        }
    }

    /// Sends as the environment says, by default to `http://localhost:4318`. The [module](self) has the
    /// variables.
    ///
    /// A value that cannot be used is reported as a diagnostic, with the name of the variable, and counts as
    /// not set. Plain http and private addresses are allowed: whoever sets the environment decides.
    pub fn from_env() -> Self {
        let look_up = |name: &str| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
        let report = |text: &str| diagnostics::report_each("OTLP", format_args!("{text}"));
        Self::of(FromEnv::read(&look_up, &report))
    }

    fn of(read: FromEnv) -> Self {
        let FromEnv { spans, metrics, logs, metrics_interval, temporality, histograms } = read;
        Self { spans, metrics, logs, metrics_interval, temporality, histograms }
    }

    /// Sends no spans.
    pub fn without_spans(mut self) -> Self {
        self.spans.is_sent = false;
        self
    }

    /// Sends no metrics.
    pub fn without_metrics(mut self) -> Self {
        self.metrics.is_sent = false;
        self
    }

    /// Sends no logs.
    pub fn without_logs(mut self) -> Self {
        self.logs.is_sent = false;
        self
    }

    /// Sends JSON in place of protobuf: larger, and slower on both sides, but people can read it.
    pub fn json(self) -> Self {
        self.speaking(Protocol::HttpJson)
    }

    /// Sends by gRPC in place of HTTP: to the port 4317, where nothing else is agreed. The path of the URL
    /// stands before that of the method.
    #[cfg(feature = "otlp-grpc")]
    #[cfg_attr(docsrs, doc(cfg(feature = "otlp-grpc")))]
    pub fn grpc(self) -> Self {
        self.speaking(Protocol::Grpc)
    }

    fn speaking(mut self, protocol: Protocol) -> Self {
        for target in [&mut self.spans, &mut self.metrics, &mut self.logs] {
            target.protocol = protocol;
        }
        self
    }

    /// How often metrics are read and sent; every 10 s by default.
    pub fn metrics_interval(self, interval: Duration) -> Self {
        Self { metrics_interval: Some(interval), ..self }
    }

    /// Whether the sums of metrics are totals, the default, or differences.
    pub fn temporality(self, temporality: Temporality) -> Self {
        Self { temporality, ..self }
    }

    /// Sends histograms by the bounds that a Prometheus page shows, in place of exponential buckets: for
    /// backends that do not know these. Histograms with bounds of their own are always sent by them.
    pub fn explicit_histograms(self) -> Self {
        Self { histograms: Histograms::Explicit, ..self }
    }

    /// Sends histograms by at most `most` exponential buckets, at least two: of a wider distribution,
    /// neighbours are added up until they fit. 160 by default, as in OpenTelemetry's SDKs; with 4,480
    /// nothing is ever added up.
    pub fn exponential_histograms(self, most: usize) -> Self {
        Self { histograms: Histograms::Exponential(most), ..self }
    }

    /// The body of the request that `batch` becomes; for tests and benches.
    #[doc(hidden)]
    #[must_use]
    pub fn spans_request(&self, setup: &Setup, batch: &Batch<SpanRecord>) -> Vec<u8> {
        self.request(&self.spans, setup, batch)
    }

    /// As [`spans_request`](Self::spans_request).
    #[doc(hidden)]
    #[must_use]
    pub fn metrics_request(&self, setup: &Setup, batch: &Batch<DataPoint>) -> Vec<u8> {
        self.request(&self.metrics, setup, batch)
    }

    /// As [`spans_request`](Self::spans_request).
    #[doc(hidden)]
    #[must_use]
    pub fn logs_request(&self, setup: &Setup, batch: &Batch<LogRecord>) -> Vec<u8> {
        self.request(&self.logs, setup, batch)
    }

    /// What becomes of spans when a server answers so; `None` if no server can. For fuzzing.
    #[doc(hidden)]
    #[must_use]
    pub fn spans_answered(
        &self,
        status: u16,
        headers: &[(&str, &[u8])],
        body: &[u8],
    ) -> Option<SendResult> {
        let answer = HttpAnswer::of(status, headers, body)?;
        let encoding = self.spans.encoding();
        Some(http::judge(&answer, "a server", SpanRecord::NAMES, encoding))
    }

    fn request<S: OtlpSignal>(&self, target: &Target, setup: &Setup, batch: &Batch<S>) -> Vec<u8> {
        let encoding = target.encoding();
        let mut encoder = OtlpEncoder::<S>::new(encoding, self.histograms);
        let payload = encoder.start(setup).map(|()| encoder.encode(batch)).unwrap_or_default();
        request::body(&payload, S::NAMES, encoding).unwrap_or_default()
    }

    /// The route of a signal to its target.
    fn route<S: OtlpSignal>(&self, target: &Target) -> Route<S> {
        let encoding = target.encoding();
        let encoder = OtlpEncoder::new(encoding, self.histograms);
        let route = match target.protocol {
            Protocol::Grpc => Route::wire(encoder, GrpcSender::new(target, S::NAMES)),
            Protocol::HttpProtobuf | Protocol::HttpJson => {
                Route::wire(encoder, HttpSender::new(target, S::NAMES))
            }
        };
        route.settings(|settings| target.apply(settings))
    }
}

impl Otlp {
    fn signals(&self) -> Signals {
        Signals {
            metrics: self.metrics.is_sent,
            spans: self.spans.is_sent,
            logs: self.logs.is_sent,
            interval: self.metrics_interval,
        }
    }
}

impl Backend for Otlp {
    fn routes(self, routes: &mut Routes) {
        self.signals().add(self, routes);
    }
}

/// The route of the spans alone.
impl From<Otlp> for Route<SpanRecord> {
    fn from(otlp: Otlp) -> Self {
        otlp.route(&otlp.spans)
    }
}

/// The route of the metrics alone.
impl From<Otlp> for Route<DataPoint> {
    fn from(otlp: Otlp) -> Self {
        let route = otlp.route(&otlp.metrics).temporality(otlp.temporality);
        otlp.signals().at_interval(route)
    }
}

/// The route of the logs alone.
impl From<Otlp> for Route<LogRecord> {
    fn from(otlp: Otlp) -> Self {
        otlp.route(&otlp.logs)
    }
}
