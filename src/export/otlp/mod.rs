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
mod target;
mod env;
mod http;

#[cfg(test)]
mod tests;

use std::time::Duration;

use self::{
    encoder::OtlpEncoder,
    env::FromEnv,
    http::HttpSender,
    metric::{Histograms, MOST_BUCKETS},
    signal::{Encoding, OtlpSignal},
    target::{Protocol, Target},
};
use super::{Backend, Routes};
use crate::{
    diagnostics,
    log::LogRecord,
    metric::{DataPoint, Temporality},
    pipeline::{Batch, Encoder as _, Route, Setup},
    trace::SpanRecord,
    transport::{Endpoint, http_client::HttpClient},
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
    spans: Option<Target>,
    metrics: Option<Target>,
    logs: Option<Target>,
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
        let target = Some(Target::new(endpoint.into()));
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
    pub fn without_spans(self) -> Self {
        Self { spans: None, ..self }
    }

    /// Sends no metrics.
    pub fn without_metrics(self) -> Self {
        Self { metrics: None, ..self }
    }

    /// Sends no logs.
    pub fn without_logs(self) -> Self {
        Self { logs: None, ..self }
    }

    /// Sends JSON in place of protobuf: larger, and slower on both sides, but people can read it.
    pub fn json(self) -> Self {
        self.speaking(Protocol::HttpJson)
    }

    fn speaking(mut self, protocol: Protocol) -> Self {
        for target in [&mut self.spans, &mut self.metrics, &mut self.logs].into_iter().flatten() {
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
        self.request(self.spans.as_ref(), setup, batch)
    }

    /// As [`spans_request`](Self::spans_request).
    #[doc(hidden)]
    #[must_use]
    pub fn metrics_request(&self, setup: &Setup, batch: &Batch<DataPoint>) -> Vec<u8> {
        self.request(self.metrics.as_ref(), setup, batch)
    }

    /// As [`spans_request`](Self::spans_request).
    #[doc(hidden)]
    #[must_use]
    pub fn logs_request(&self, setup: &Setup, batch: &Batch<LogRecord>) -> Vec<u8> {
        self.request(self.logs.as_ref(), setup, batch)
    }

    fn request<S: OtlpSignal>(
        &self,
        target: Option<&Target>,
        setup: &Setup,
        batch: &Batch<S>,
    ) -> Vec<u8> {
        let encoding = target.map_or(Encoding::Protobuf, Target::encoding);
        let mut encoder = OtlpEncoder::<S>::new(encoding, self.histograms);
        let payload = encoder.start(setup).map(|()| encoder.encode(batch)).unwrap_or_default();
        request::body(&payload, S::NAMES, encoding).unwrap_or_default()
    }

    /// The route of a signal to its target.
    fn route<S: OtlpSignal>(&self, target: &Target) -> Route<S> {
        let encoding = target.encoding();
        let encoder = OtlpEncoder::new(encoding, self.histograms);
        let sender = HttpSender {
            client: HttpClient::new(target.endpoint.clone()),
            path: if target.is_general { S::NAMES.path } else { "" },
            names: S::NAMES,
            encoding,
        };
        Route::wire(encoder, sender).settings(|settings| target.apply(settings))
    }

    fn metrics_route(&self, target: &Target) -> Route<DataPoint> {
        let route = self.route(target).temporality(self.temporality);
        match self.metrics_interval {
            Some(interval) => route.interval(interval),
            None => route,
        }
    }
}

impl Backend for Otlp {
    fn routes(self, routes: &mut Routes) {
        if let Some(target) = &self.spans {
            routes.add(self.route::<SpanRecord>(target));
        }
        if let Some(target) = &self.metrics {
            routes.add(self.metrics_route(target));
        }
        if let Some(target) = &self.logs {
            routes.add(self.route::<LogRecord>(target));
        }
    }
}
