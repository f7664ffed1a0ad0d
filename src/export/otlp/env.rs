//! What environment variables say (OpenTelemetry, "OpenTelemetry Protocol Exporter" and "Environment
//! Variable Specification").

use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};

use super::{
    metric::{Histograms, MOST_BUCKETS},
    signal::{Names, OtlpSignal},
    target::{Protocol, QueueChanges, Target},
};
use crate::{
    log::LogRecord,
    metric::{DataPoint, Temporality},
    trace::SpanRecord,
    transport::{Compression, Endpoint, http_client::HttpClient},
    util::percent,
};

/// What the environment says of the backend.
#[derive(Debug)]
pub(super) struct FromEnv {
    pub(super) spans: Target,
    pub(super) metrics: Target,
    pub(super) logs: Target,
    pub(super) metrics_interval: Option<Duration>,
    pub(super) temporality: Temporality,
    pub(super) histograms: Histograms,
}

impl FromEnv {
    /// What `look_up` finds by the names of variables; `report` is called for each value that cannot be used.
    /// Values of headers are never in it: they may be secrets.
    pub(super) fn read(look_up: &dyn Fn(&str) -> Option<String>, report: &dyn Fn(&str)) -> Self {
        let variables = Variables { look_up, report };
        Self {
            spans: variables.target::<SpanRecord>(|| variables.queue("OTEL_BSP")),
            metrics: variables.target::<DataPoint>(|| QueueChanges {
                max_elapsed: variables.millis("OTEL_METRIC_EXPORT_TIMEOUT").map(unlimited),
                ..QueueChanges::default()
            }),
            logs: variables.target::<LogRecord>(|| variables.queue("OTEL_BLRP")),
            metrics_interval: variables.millis("OTEL_METRIC_EXPORT_INTERVAL"),
            temporality: variables.temporality(),
            histograms: variables.histograms(),
        }
    }
}

/// A time limit of zero is none (OpenTelemetry, "Timeout"). Here everything ends, if only in a day.
fn unlimited(limit: Duration) -> Duration {
    if limit.is_zero() { Duration::from_secs(24 * 3600) } else { limit }
}

struct Variables<'a> {
    look_up: &'a dyn Fn(&str) -> Option<String>,
    report: &'a dyn Fn(&str),
}

impl Variables<'_> {
    /// Where a signal goes.
    fn target<S: OtlpSignal>(&self, queue: impl FnOnce() -> QueueChanges) -> Target {
        let names = S::NAMES;
        let exporter = self.choice(&format!("OTEL_{}_EXPORTER", names.variable), &EXPORTERS);
        let protocol = self.of_signal(names, "PROTOCOL", |name| self.choice(name, &PROTOCOLS));
        let protocol = protocol.unwrap_or(Protocol::HttpProtobuf);
        // For gRPC, a host and a port are enough; whether by TLS is then said apart.
        let is_insecure = self.of_signal(names, "INSECURE", |name| self.choice(name, &BOOLEANS));
        let scheme = match protocol {
            Protocol::Grpc if is_insecure == Some(true) => "http://",
            Protocol::Grpc => "https://",
            Protocol::HttpProtobuf | Protocol::HttpJson => "",
        };
        let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", names.variable);
        let own = self.endpoint(&own, scheme);
        let is_general = own.is_none();
        let endpoint = own.or_else(|| self.endpoint("OTEL_EXPORTER_OTLP_ENDPOINT", scheme));
        let endpoint = endpoint.unwrap_or_else(|| {
            at(match protocol {
                Protocol::Grpc => "http://localhost:4317",
                Protocol::HttpProtobuf | Protocol::HttpJson => "http://localhost:4318",
            })
        });
        let endpoint = self.connection(names, endpoint);
        let is_sent = exporter.unwrap_or(true);
        Target { is_sent, endpoint, is_general, protocol, queue: queue() }
    }

    /// The endpoint with what is said of requests and of TLS.
    fn connection(&self, names: &Names, mut endpoint: Endpoint) -> Endpoint {
        let text = |end| self.of_signal(names, end, |name| self.text(name));
        let headers = self.of_signal(names, "HEADERS", |name| self.headers(name));
        for (name, value) in headers.unwrap_or_default() {
            endpoint = endpoint.header(name, value);
        }
        if let Some(limit) = self.of_signal(names, "TIMEOUT", |name| self.millis(name)) {
            endpoint = endpoint.timeout(unlimited(limit));
        }
        let compression = |name: &str| self.choice(name, &COMPRESSIONS);
        if let Some(compression) = self.of_signal(names, "COMPRESSION", compression) {
            endpoint = endpoint.compression(compression);
        }
        if let Some(path) = text("CERTIFICATE") {
            endpoint = endpoint.root_certificates_file(path);
        }
        match (text("CLIENT_CERTIFICATE"), text("CLIENT_KEY")) {
            (Some(chain), Some(key)) => endpoint.client_certificate_files(chain, key),
            (None, None) => endpoint,
            _ => {
                (self.report)(&format!(
                    "OTEL_EXPORTER_OTLP_…CLIENT_CERTIFICATE and …CLIENT_KEY need each other; for {} one is \
                     missing, and the other is ignored",
                    names.variable
                ));
                endpoint
            }
        }
    }

    /// What `read` finds for the signal, or else for all.
    fn of_signal<T>(
        &self,
        names: &Names,
        end: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let own = read(&format!("OTEL_EXPORTER_OTLP_{}_{end}", names.variable));
        own.or_else(|| read(&format!("OTEL_EXPORTER_OTLP_{end}")))
    }

    /// The settings of a batch processor, whose variables begin with `prefix`.
    fn queue(&self, prefix: &str) -> QueueChanges {
        let changes = QueueChanges {
            batch_delay: self.millis(&format!("{prefix}_SCHEDULE_DELAY")),
            max_items: self.count(&format!("{prefix}_MAX_QUEUE_SIZE")),
            batch_items: self.count(&format!("{prefix}_MAX_EXPORT_BATCH_SIZE")),
            max_elapsed: self.millis(&format!("{prefix}_EXPORT_TIMEOUT")).map(unlimited),
        };
        if let (Some(batch), Some(most)) = (changes.batch_items, changes.max_items)
            && batch > most
        {
            (self.report)(&format!(
                "{prefix}_MAX_EXPORT_BATCH_SIZE is {batch}, which is more than the queue holds; it is {most}"
            ));
        }
        changes
    }

    fn temporality(&self) -> Temporality {
        let name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
        self.choice(name, &TEMPORALITIES).unwrap_or_default()
    }

    fn histograms(&self) -> Histograms {
        let name = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
        self.choice(name, &HISTOGRAMS).unwrap_or(Histograms::Exponential(MOST_BUCKETS))
    }

    /// The endpoint in the variable; `scheme` stands before one that has none.
    fn endpoint(&self, name: &str, scheme: &str) -> Option<Endpoint> {
        let text = self.text(name)?;
        let scheme = if text.contains("://") { "" } else { scheme };
        let endpoint = at(&format!("{scheme}{text}"));
        match HttpClient::new(endpoint.clone()).check() {
            Ok(()) => Some(endpoint),
            Err(error) => {
                (self.report)(&format!("{name} is ignored: {error}"));
                None
            }
        }
    }

    /// Pairs `key=value`, separated by commas, the values in percent encoding (W3C Baggage without
    /// properties).
    fn headers(&self, name: &str) -> Option<Vec<(String, String)>> {
        let text = self.text(name)?;
        let mut headers = Vec::new();
        for (place, pair) in text.split(',').enumerate() {
            if pair.trim().is_empty() {
                continue;
            }
            match header(pair) {
                Some(header) => headers.push(header),
                None => (self.report)(&format!(
                    "{name}: header {} is not `key=value` of legal characters, and is ignored",
                    place + 1
                )),
            }
        }
        Some(headers)
    }

    fn millis(&self, name: &str) -> Option<Duration> {
        self.number(name, "no whole number of milliseconds").map(Duration::from_millis)
    }

    fn count(&self, name: &str) -> Option<usize> {
        let n = self.number(name, "no whole number")?;
        if n == 0 {
            (self.report)(&format!("{name} is 0, which is not possible; it is ignored"));
        }
        usize::try_from(n).ok().filter(|n| *n > 0)
    }

    fn number(&self, name: &str, fault: &str) -> Option<u64> {
        let text = self.text(name)?;
        let number = text.parse().ok();
        if number.is_none() {
            (self.report)(&format!("{name} is {text:?}, which is {fault}; it is ignored"));
        }
        number
    }

    fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        let chosen = choices.iter().find(|(word, _)| text.eq_ignore_ascii_case(word));
        if chosen.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let words = words.join(", ");
            (self.report)(&format!("{name} is {text:?}, and not one of {words}; it is ignored"));
        }
        chosen.map(|(_, choice)| *choice)
    }

    /// The value of a variable that is set, and not empty.
    fn text(&self, name: &str) -> Option<String> {
        let text = (self.look_up)(name)?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// Whether a signal is sent.
const EXPORTERS: [(&str, bool); 2] = [("otlp", true), ("none", false)];

const PROTOCOLS: [(&str, Protocol); 3] = [
    ("grpc", Protocol::Grpc),
    ("http/protobuf", Protocol::HttpProtobuf),
    ("http/json", Protocol::HttpJson),
];

const BOOLEANS: [(&str, bool); 2] = [("true", true), ("false", false)];

const COMPRESSIONS: [(&str, Compression); 3] =
    [("none", Compression::None), ("gzip", Compression::Gzip), ("zstd", Compression::Zstd)];

const TEMPORALITIES: [(&str, Temporality); 3] = [
    ("cumulative", Temporality::Cumulative),
    ("delta", Temporality::Delta),
    ("lowmemory", Temporality::Delta),
];

const HISTOGRAMS: [(&str, Histograms); 2] = [
    ("explicit_bucket_histogram", Histograms::Explicit),
    ("base2_exponential_bucket_histogram", Histograms::Exponential(MOST_BUCKETS)),
];

/// The endpoint at `url`, which the operator of the process chose.
fn at(url: &str) -> Endpoint {
    Endpoint::new(url).allow_plain_http().allow_private()
}

/// A header in percent encoding, if it is legal.
fn header(pair: &str) -> Option<(String, String)> {
    let (name, value) = pair.split_once('=')?;
    let (name, value) = (percent::decoded(name.trim())?, percent::decoded(value.trim())?);
    let is_legal = name.parse::<HeaderName>().is_ok() && value.parse::<HeaderValue>().is_ok();
    is_legal.then_some((name, value))
}
