//! Spans, metrics and logs to an OpenTelemetry Collector, or to whatever else takes OTLP.

mod attribute;
mod form;
mod span;
mod log;
mod metric;
mod signal;
mod request;
mod encoder;
mod answer;
mod percent;
mod target;
mod env;
mod http;
#[cfg(feature = "otlp-grpc")]
mod grpc;
#[cfg(not(feature = "otlp-grpc"))]
#[path = "grpc_absent.rs"]
mod grpc;

#[cfg(test)]
mod tests;

use std::time::Duration;

use self::{
    encoder::OtlpEncoder,
    env::FromEnv,
    grpc::GrpcSender,
    http::HttpSender,
    metric::{Histograms, MOST_BUCKETS},
    signal::OtlpSignal,
    target::{Protocol, Target},
};
use super::{Backend, Routes};
use crate::{
    diagnostics,
    log::LogRecord,
    metric::{DataPoint, Temporality},
    pipeline::{Batch, Encoder as _, Route, Setup},
    trace::SpanRecord,
    transport::Endpoint,
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

    fn request<S: OtlpSignal>(
        &self,
        target: &Target,
        setup: &Setup,
        batch: &Batch<S>,
    ) -> Vec<u8> {
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

impl Backend for Otlp {
    fn routes(self, routes: &mut Routes) {
        let [spans, metrics, logs] =
            [&self.spans, &self.metrics, &self.logs].map(|target| target.is_sent);
        if spans {
            routes.add(Route::<SpanRecord>::from(self.clone()));
        }
        if metrics {
            routes.add(Route::<DataPoint>::from(self.clone()));
        }
        if logs {
            routes.add(Route::<LogRecord>::from(self));
        }
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
        match otlp.metrics_interval {
            Some(interval) => route.interval(interval),
            None => route,
        }
    }
}

/// The route of the logs alone.
impl From<Otlp> for Route<LogRecord> {
    fn from(otlp: Otlp) -> Self {
        otlp.route(&otlp.logs)
    }
}
