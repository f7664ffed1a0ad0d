//! What a span, a counter and a log record cost by OpenTelemetry's API, through ours and through
//! opentelemetry_sdk, in one run: `cargo run --release --example cost`.
//!
//! Both drop what they have recorded in their pipeline: ours in an exporter that discards, the SDK's in
//! processors that discard. The median of rounds is printed, in which both take turns.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rule is the library's own"
)]

use std::time::{Duration, Instant};

use bellwether::{
    integration::opentelemetry::{OtelMeterProvider, logger_provider, tracer_provider},
    log::LogRecord as OurRecord,
    metric::Registry,
    pipeline::{Batch, Deadline, ExportResult, Exporter, Route},
    trace::{SpanRecord, sampler::AlwaysOn},
};
use opentelemetry::{
    Context, InstrumentationScope, KeyValue,
    logs::{LogRecord as _, Logger, LoggerProvider as _, Severity},
    metrics::{Counter, MeterProvider as _},
    trace::{Span as _, TraceContextExt as _, Tracer, TracerProvider as _},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    logs::{LogProcessor, SdkLogRecord, SdkLoggerProvider},
    metrics::{ManualReader, SdkMeterProvider},
    trace::{SdkTracerProvider, Span, SpanData, SpanProcessor},
};

const N: u32 = 20_000;
const ROUNDS: usize = 41;

/// An exporter that takes everything and keeps nothing.
struct Discards;

impl<S> Exporter<S> for Discards {
    fn export(&mut self, _: &Batch<S>, _: &Deadline) -> ExportResult<S> {
        Ok(())
    }
}

#[derive(Debug)]
struct DiscardSpans;

impl SpanProcessor for DiscardSpans {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        std::hint::black_box(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[derive(Debug)]
struct DiscardLogs;

impl LogProcessor for DiscardLogs {
    fn emit(&self, record: &mut SdkLogRecord, _: &InstrumentationScope) {
        std::hint::black_box(record);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
}

fn span<T: Tracer>(tracer: &T) {
    let mut span = tracer.start("order");
    span.set_attribute(KeyValue::new("items", 3));
    span.set_attribute(KeyValue::new("express", true));
    span.set_attribute(KeyValue::new("tier", "gold"));
    span.end();
}

fn active<T: Tracer>(tracer: &T)
where
    T::Span: Send + Sync + 'static,
{
    tracer.in_span("order", |context| {
        context.span().set_attribute(KeyValue::new("items", 3));
        context.span().set_attribute(KeyValue::new("express", true));
        context.span().set_attribute(KeyValue::new("tier", "gold"));
    });
}

fn add(counter: &Counter<u64>) {
    counter.add(1, &[KeyValue::new("method", "GET"), KeyValue::new("status", 200)]);
}

fn log<L: Logger>(logger: &L) {
    let mut record = logger.create_log_record();
    record.set_severity_number(Severity::Info);
    record.set_body("paid".into());
    record.add_attribute("cart", 7);
    record.add_attribute("tier", "gold");
    logger.emit(record);
}

/// The nanoseconds of one call.
fn time(work: &dyn Fn()) -> f64 {
    let start = Instant::now();
    (0..N).for_each(|_| work());
    start.elapsed().as_nanos() as f64 / f64::from(N)
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

fn compare(what: &str, ours: &dyn Fn(), sdk: &dyn Fn(), between: &dyn Fn()) {
    let (mut own, mut other) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        own.push(time(ours));
        between();
        other.push(time(sdk));
    }
    println!(
        "{what:<42} ours {:>6.0} ns   opentelemetry_sdk {:>6.0} ns",
        median(own),
        median(other)
    );
}

fn main() {
    let telemetry = bellwether::builder("cost")
        .sampler(AlwaysOn)
        .export(Route::<SpanRecord>::new(Discards))
        .export(Route::<OurRecord>::new(Discards))
        .start()
        .expect("nothing else runs");
    let flush = || {
        telemetry.flush(Duration::from_secs(20));
    };
    let sdk_traces = SdkTracerProvider::builder().with_span_processor(DiscardSpans).build();
    let sdk_logs = SdkLoggerProvider::builder().with_log_processor(DiscardLogs).build();
    let reader = ManualReader::builder().build();
    let sdk_metrics = SdkMeterProvider::builder().with_reader(reader).build();

    let (ours, sdk) = (tracer_provider().tracer("library"), sdk_traces.tracer("library"));
    compare("a span, 3 attributes", &|| span(&ours), &|| span(&sdk), &flush);
    compare("the same, active", &|| active(&ours), &|| active(&sdk), &flush);
    let registry = Registry::new();
    let ours = OtelMeterProvider::new(&registry).meter("library").u64_counter("c").build();
    let sdk = sdk_metrics.meter("library").u64_counter("c").build();
    compare("a counter, 2 attributes", &|| add(&ours), &|| add(&sdk), &|| ());
    let attributes = [KeyValue::new("method", "GET"), KeyValue::new("status", 200)];
    let (ours, sdk) = (ours.bind(&attributes), sdk.bind(&attributes));
    compare("the same, bound", &|| ours.add(1), &|| sdk.add(1), &|| ());
    let (ours, sdk) = (logger_provider().logger("library"), sdk_logs.logger("library"));
    compare("a log record, 2 attributes", &|| log(&ours), &|| log(&sdk), &flush);
    telemetry.shutdown(Duration::from_secs(20));
}
