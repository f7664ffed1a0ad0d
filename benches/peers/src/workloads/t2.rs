//! T2: a root span, sampled, to an exporter that only counts.
//!
//! Spans come in bursts that fit every library's queue, drained in between outside the measured
//! time, so that no library looks fast by dropping: each must have exported what was started.

use super::{Budget, Figure, Recording, Table, floor};
use crate::{
    bellwether_side,
    harness::{Effort, Pace, Stretch, Subject, repeat},
};
use fastrace::{
    Span,
    collector::{Config, Reporter, SpanContext, SpanRecord},
};
use opentelemetry::{
    Context,
    trace::{Span as _, Tracer, TracerProvider},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter,
    },
};
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

pub fn tables(effort: Effort) -> Vec<Table> {
    vec![root_span().measure(effort)]
}

/// A root span is three commands to fastrace, whose ring holds 10,240 a thread and wakes its
/// collector, which would then compete for the cores, when half of them are taken.
const BURST: u64 = 1_500;

fn root_span() -> Recording {
    let mut subjects = vec![floor::two_time_stamps(), fastrace(false), fastrace(true), otel()];
    subjects.extend(bellwether_side::root_spans());
    Recording { name: "T2 root span, sampled", subjects, stretch: Stretch::Bursts(BURST), budget }
}

fn budget(table: &Table, figure: &Figure) -> Option<Budget> {
    let limit = table.no_slower_than_one(figure, table.times(1.0, "fastrace", figure.threads));
    Some(Budget { limit, rule: "fastrace (later 0.35 x), 2T = 1T" })
}

fn fastrace(enter: bool) -> Subject {
    fastrace::set_reporter(CountRecords, Config::default().report_interval(HOUR));
    let root = || Span::root("root", SpanContext::random());
    let total = move || (if enter { &ENTERED } else { &STARTED }).load(Relaxed);
    if enter {
        let body = || drop(Span::root(ENTERED_NAME, SpanContext::random()).set_local_parent());
        let worker = move |_| repeat(Pace::Flat, body);
        Subject::new("fastrace", "Span::root, set_local_parent", worker, total)
    } else {
        let worker = move |_| repeat(Pace::Flat, move || drop(root()));
        Subject::new("fastrace", "Span::root", worker, total)
    }
    .drain(fastrace::flush)
}

const HOUR: Duration = Duration::from_secs(3600);
const ENTERED_NAME: &str = "entered";
static STARTED: AtomicU64 = AtomicU64::new(0);
static ENTERED: AtomicU64 = AtomicU64::new(0);

struct CountRecords;

impl Reporter for CountRecords {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        let entered = spans.iter().filter(|span| span.name == ENTERED_NAME).count();
        ENTERED.fetch_add(entered as u64, Relaxed);
        STARTED.fetch_add((spans.len() - entered) as u64, Relaxed);
    }
}

fn otel() -> Subject {
    // Its default queue holds 2,048 spans, less than two threads' burst, and a batch of the
    // default 512 would wake its worker in the middle of one.
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(65_536)
        .with_max_export_batch_size(8_192)
        .with_scheduled_delay(HOUR)
        .build();
    let processor = BatchSpanProcessor::builder(CountSpans).with_batch_config(config).build();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_sampler(Sampler::AlwaysOn)
        .build();
    let tracer = provider.tracer("peers");
    let worker = move |_| {
        let (tracer, context) = (tracer.clone(), Context::new());
        repeat(Pace::Flat, move || tracer.start_with_context("root", &context).end())
    };
    let total = || EXPORTED.load(Relaxed);
    Subject::new("opentelemetry", "start_with_context, end", worker, total)
        .drain(move || provider.force_flush().expect("the exporter never fails"))
}

static EXPORTED: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
struct CountSpans;

impl SpanExporter for CountSpans {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        EXPORTED.fetch_add(batch.len() as u64, Relaxed);
        Ok(())
    }
}
