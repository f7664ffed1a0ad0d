//! OpenTelemetry alone: the layer of its own `opentelemetry-instrumentation-tower`, which makes the span and
//! the metrics, a batch processor, and a periodic reader.
//!
//! A log line is `tracing::info!` through its own appender, which takes the ids from OpenTelemetry's context,
//! into a batch processor. Queues are larger than by default, so that a rate which no service has loses
//! nothing.

use std::time::Duration;

use axum::extract::Path;
use opentelemetry::{TraceId, global};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_instrumentation_tower::http::server;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    logs::{self, BatchLogProcessor, LogBatch, LogExporter, SdkLoggerProvider},
    metrics::{
        PeriodicReader, SdkMeterProvider, Temporality,
        data::{AggregatedMetrics, Metric, MetricData, ResourceMetrics},
        exporter::PushMetricExporter,
    },
    propagation::TraceContextPropagator,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter},
};
use tracing_subscriber::{
    filter::LevelFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use super::{
    app::{self, Arrived, BODY},
    red,
};

const QUEUE: usize = 65_536;
const BATCH: usize = 4096;

#[derive(Debug)]
struct Null(Arrived);

impl SpanExporter for Null {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.add_known(batch.iter().map(|span| number(span.span_context.trace_id())));
        Ok(())
    }
}

impl LogExporter for Null {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let contexts = batch.iter().filter_map(|(record, _)| record.trace_context());
        self.0.add_known(contexts.map(|context| number(context.trace_id)));
        Ok(())
    }
}

fn number(id: TraceId) -> u128 {
    u128::from_be_bytes(id.to_bytes())
}

impl PushMetricExporter for Null {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let metrics = metrics.scope_metrics().flat_map(|scope| scope.metrics());
        self.0.set(metrics.filter(|metric| metric.name() == red::NAME).map(count).sum());
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

fn count(metric: &Metric) -> u64 {
    match metric.data() {
        AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
            histogram.data_points().map(|point| point.count()).sum()
        }
        _ => 0,
    }
}

/// Spans and metrics, as they are set up for the whole process.
pub struct Providers {
    pub spans: SdkTracerProvider,
    metrics: SdkMeterProvider,
    exported: Arrived,
    requests: Arrived,
}

impl Providers {
    pub fn global() -> Self {
        let (exported, requests) = (Arrived::default(), Arrived::default());
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .build();
        let processor = BatchSpanProcessor::builder(Null(exported.clone()));
        let spans = SdkTracerProvider::builder()
            .with_span_processor(processor.with_batch_config(config).build())
            .build();
        let reader = PeriodicReader::builder(Null(requests.clone())).build();
        let metrics = SdkMeterProvider::builder().with_reader(reader).build();
        global::set_text_map_propagator(TraceContextPropagator::new());
        global::set_tracer_provider(spans.clone());
        global::set_meter_provider(metrics.clone());
        Self { spans, metrics, exported, requests }
    }

    /// Flushes, asserts that so many requests were counted, and returns how many spans were lost.
    pub fn settle(&self, total: u64) -> u64 {
        self.spans.force_flush().expect("a flush of spans");
        self.metrics.force_flush().expect("a flush of metrics");
        assert_eq!(self.requests.get(), total);
        total - self.exported.get()
    }
}

pub fn plain() -> Box<dyn FnMut(u64)> {
    let providers = Providers::global();
    let app = app::app(app::order).layer(server::Layer::new());
    app::serve(app, move |total| providers.settle(total))
}

pub fn logged() -> Box<dyn FnMut(u64)> {
    let providers = Providers::global();
    let lines = Arrived::default();
    let config = logs::BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_max_export_batch_size(BATCH)
        .build();
    let processor = BatchLogProcessor::builder(Null(lines.clone())).with_batch_config(config);
    let logs = SdkLoggerProvider::builder().with_log_processor(processor.build()).build();
    let bridge = OpenTelemetryTracingBridge::new(&logs);
    tracing_subscriber::registry().with(LevelFilter::INFO).with(bridge).init();
    let app = app::app(order).layer(server::Layer::new());
    app::serve(app, move |total| {
        logs.force_flush().expect("a flush of logs");
        providers.settle(total) + total - lines.get()
    })
}

async fn order(Path(id): Path<u64>) -> &'static str {
    tracing::info!(order.id = id, "order {id} is asked for");
    BODY
}
