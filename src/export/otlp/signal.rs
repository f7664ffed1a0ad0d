//! What is different of the three signals: names, paths, and how their records are written.

use super::{
    form::{Binary, Field, Form, Text, field},
    log,
    metric::{self, Histograms},
    span,
};
use crate::{
    log::LogRecord,
    metric::DataPoint,
    pipeline::{Batch, Payload, Signal},
    trace::SpanRecord,
};

/// A signal that OTLP has: spans, metrics or logs.
pub(super) trait OtlpSignal: Signal {
    const NAMES: &'static Names;

    /// Adds a record to `payload` for each of `batch`.
    fn encode(
        batch: &Batch<Self>,
        payload: &mut Payload,
        encoding: Encoding,
        histograms: Histograms,
    );
}

/// The names that OTLP has for what belongs to a signal.
#[derive(Debug)]
pub(super) struct Names {
    /// What follows the path of a general endpoint.
    pub(super) path: &'static str,
    /// The path of the method of gRPC.
    #[cfg_attr(not(feature = "otlp-grpc"), expect(dead_code, reason = "for gRPC"))]
    pub(super) method: &'static str,
    /// The middle of the names of environment variables.
    pub(super) variable: &'static str,
    /// In JSON, what a request has, what that has for a scope, and what that has for a record.
    pub(super) resources: &'static str,
    pub(super) scopes: &'static str,
    pub(super) records: &'static str,
    /// In JSON, how many records were refused.
    pub(super) rejected: &'static str,
    /// What the payloads are, in protobuf and in JSON.
    pub(super) formats: [&'static str; 2],
    /// Whether a record is a data point, with its metric in front.
    pub(super) has_points: bool,
}

/// A form, chosen at run time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    /// The content type of a request.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// The field with the records of a scope.
const RECORDS: Field = field(2, "");

impl OtlpSignal for SpanRecord {
    const NAMES: &'static Names = &Names {
        path: "/v1/traces",
        method: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        variable: "TRACES",
        resources: "resourceSpans",
        scopes: "scopeSpans",
        records: "spans",
        rejected: "rejectedSpans",
        formats: ["otlp.spans.1", "otlp.spans.json.1"],
        has_points: false,
    };

    fn encode(batch: &Batch<Self>, payload: &mut Payload, encoding: Encoding, _: Histograms) {
        fn each<F: Form>(batch: &Batch<SpanRecord>, payload: &mut Payload) {
            for record in batch {
                payload.record(|out| F::item(out, RECORDS, |fields| span::write(fields, record)));
            }
        }
        match encoding {
            Encoding::Protobuf => each::<Binary>(batch, payload),
            Encoding::Json => each::<Text>(batch, payload),
        }
    }
}

impl OtlpSignal for LogRecord {
    const NAMES: &'static Names = &Names {
        path: "/v1/logs",
        method: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        variable: "LOGS",
        resources: "resourceLogs",
        scopes: "scopeLogs",
        records: "logRecords",
        rejected: "rejectedLogRecords",
        formats: ["otlp.logs.1", "otlp.logs.json.1"],
        has_points: false,
    };

    fn encode(batch: &Batch<Self>, payload: &mut Payload, encoding: Encoding, _: Histograms) {
        fn each<F: Form>(batch: &Batch<LogRecord>, payload: &mut Payload) {
            for record in batch {
                payload.record(|out| F::item(out, RECORDS, |fields| log::write(fields, record)));
            }
        }
        match encoding {
            Encoding::Protobuf => each::<Binary>(batch, payload),
            Encoding::Json => each::<Text>(batch, payload),
        }
    }
}

impl OtlpSignal for DataPoint {
    const NAMES: &'static Names = &Names {
        path: "/v1/metrics",
        method: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        variable: "METRICS",
        resources: "resourceMetrics",
        scopes: "scopeMetrics",
        records: "metrics",
        rejected: "rejectedDataPoints",
        formats: ["otlp.metrics.1", "otlp.metrics.json.1"],
        has_points: true,
    };

    fn encode(
        batch: &Batch<Self>,
        payload: &mut Payload,
        encoding: Encoding,
        histograms: Histograms,
    ) {
        match encoding {
            Encoding::Protobuf => metric::encode::<Binary>(batch, payload, histograms),
            Encoding::Json => metric::encode::<Text>(batch, payload, histograms),
        }
    }
}
