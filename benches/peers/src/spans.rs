//! Spans: root spans to an exporter that only counts, and observed asynchronous functions.
//!
//! Spans come in bursts that fit every library's queue, drained in between outside the measured
//! time, so that no library looks fast by dropping: each must have exported what was started. So the
//! workers sleep while it is measured; the rows "beside an awake worker" are the other half.

use crate::{
    counters::sum_of,
    emitted, floors,
    harness::{ALIKE, Effort, Recording, Stretch, Subject},
    table::{At, Row, Table, row},
};
use bellwether::{
    Telemetry,
    metric::Registry,
    pipeline::{Batch, Deadline, ExportResult, Exporter, Route},
    trace::{
        SpanRecord, SpanScope,
        sampler::{AlwaysOff, Sampler},
    },
};
use fastrace::{
    Span,
    collector::{Config, Reporter, SpanContext},
    future::FutureExt as _,
};
use opentelemetry::{
    Context,
    trace::{Span as _, Tracer, TracerProvider},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter},
};
use std::{
    hint::black_box,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::Waker,
    time::Duration,
};

/// A root span is three commands to fastrace, whose ring holds 10,240 a thread and wakes its
/// collector, which would then compete for the cores, when half of them are taken.
const BURSTS: Stretch = Stretch::Bursts(1_500, 50);
/// The spans of a thread while workers take them: many times what any of them takes at once.
pub const BESIDE_WORKERS: u64 = 300_000;
const HOUR: Duration = Duration::from_secs(3600);

/// Telemetry whose spans go to an exporter that counts them, until it is dropped.
pub struct Spans(Arc<Telemetry>);

impl Spans {
    pub fn start(tick: Duration) -> Self {
        Self::of(bellwether::builder("peers").tick(tick), drained())
    }

    pub fn sampled_by(sampler: impl Sampler) -> Self {
        Self::of(bellwether::builder("peers").sampler(sampler), drained())
    }

    fn of(builder: bellwether::Builder, route: Route<SpanRecord>) -> Self {
        Self(Arc::new(builder.export(route).start().expect("it starts")))
    }

    pub fn drain(&self) -> impl Fn() + Sync + 'static {
        let telemetry = self.0.clone();
        move || {
            let report = telemetry.flush(Duration::from_secs(5)).totals();
            assert_eq!(report.delivered, report.offered, "nothing is dropped or held: {report:?}");
        }
    }
}

impl Drop for Spans {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Duration::from_secs(5));
    }
}

/// What the libraries' workers do while threads record.
#[derive(Clone, Copy, PartialEq)]
pub enum Workers {
    /// They take what is queued when it is drained.
    Asleep,
    /// They take it meanwhile, by the settings that a user has who sets none: one more thread that
    /// needs a core.
    Awake,
}

impl Workers {
    pub fn spans(self) -> Spans {
        let route = if self == Self::Awake { counting() } else { drained() };
        Spans::of(bellwether::builder("peers"), route)
    }

    pub fn fastrace(self) {
        match self {
            Self::Asleep => {
                fastrace::set_reporter(Count, Config::default().report_interval(HOUR));
            }
            Self::Awake => fastrace::set_reporter(Count, Config::default()),
        }
    }

    pub fn otel(self) -> SdkTracerProvider {
        let mut config = BatchConfigBuilder::default();
        if self == Self::Asleep {
            // Its default queue holds 2,048 spans, less than two threads' burst, and a batch of the
            // default 512 would wake its worker in the middle of one.
            config = config
                .with_max_queue_size(65_536)
                .with_max_export_batch_size(8_192)
                .with_scheduled_delay(HOUR);
        }
        let processor =
            BatchSpanProcessor::builder(CountOtel).with_batch_config(config.build()).build();
        SdkTracerProvider::builder().with_span_processor(processor).build()
    }

    /// A peer may lose what comes faster than its worker takes.
    pub fn peer(self, subject: Subject) -> Subject {
        if self == Self::Awake { subject.may_lose() } else { subject }
    }
}

/// A sampled span of this thread, as long as it is held.
pub fn sampled() -> SpanScope {
    bellwether::span("held").root().enter()
}

const STARTED: &str = "started";
const ENTERED: &str = "entered";
const ASYNC: &str = "async";
pub const TREE: &str = "tree";
/// By the second idiom of a library, or through another one.
pub const OTHER_TREE: &str = "other tree";

/// What exporters were handed: spans of each name, of each library.
struct Exported {
    started: AtomicU64,
    entered: AtomicU64,
    of_async: AtomicU64,
    of_trees: AtomicU64,
    of_other_trees: AtomicU64,
}

static OURS: Exported = Exported::new();
static FASTRACE: Exported = Exported::new();
static OTEL: Exported = Exported::new();

impl Exported {
    const fn new() -> Self {
        let [started, entered, of_async, of_trees, of_other_trees] =
            [const { AtomicU64::new(0) }; 5];
        Self { started, entered, of_async, of_trees, of_other_trees }
    }

    fn count<'a>(&self, names: impl Iterator<Item = &'a str>) {
        for name in names {
            match name {
                STARTED => self.started.fetch_add(1, Relaxed),
                ENTERED => self.entered.fetch_add(1, Relaxed),
                ASYNC => self.of_async.fetch_add(1, Relaxed),
                TREE => self.of_trees.fetch_add(1, Relaxed),
                OTHER_TREE => self.of_other_trees.fetch_add(1, Relaxed),
                _ => 0,
            };
        }
    }
}

/// What each library's exporter was handed of the spans of trees.
pub mod exported {
    use super::{FASTRACE, OTEL, OURS};
    use std::sync::atomic::Ordering::Relaxed;

    pub fn ours() -> u64 {
        OURS.of_trees.load(Relaxed)
    }

    pub fn fastrace() -> u64 {
        FASTRACE.of_trees.load(Relaxed)
    }

    pub fn fastrace_moved() -> u64 {
        FASTRACE.of_other_trees.load(Relaxed)
    }

    pub fn otel() -> u64 {
        OTEL.of_trees.load(Relaxed)
    }

    pub fn otel_by_tracing() -> u64 {
        OTEL.of_other_trees.load(Relaxed)
    }
}

/// A route to an exporter that only counts, with the settings that a user has who sets none.
pub fn counting() -> Route<SpanRecord> {
    Route::new(Count)
}

/// As for the peers: the worker takes what is queued when it is drained, not while it is measured.
fn drained() -> Route<SpanRecord> {
    counting().settings(|settings| {
        settings.batch_items = 8_192;
        settings.batch_delay = HOUR;
    })
}

struct Count;

impl Exporter<SpanRecord> for Count {
    fn export(&mut self, batch: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        OURS.count(batch.iter().map(|span| span.name()));
        Ok(())
    }
}

impl Reporter for Count {
    fn report(&mut self, spans: Vec<fastrace::collector::SpanRecord>) {
        FASTRACE.count(spans.iter().map(|span| &*span.name));
    }
}

#[derive(Debug)]
struct CountOtel;

impl SpanExporter for CountOtel {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        OTEL.count(batch.iter().map(|span| &*span.name));
        Ok(())
    }
}

pub fn root(effort: Effort) -> Table {
    let row = |what| {
        let limit = |at: &At| at.floor(floors::CLOCK) + 15.0;
        row(what, floors::CLOCK).budget("2 clock + 15 ns", limit).flat()
    };
    let rows = [row("a sampled root span, started"), row("a sampled root span, entered")];
    let spans = Workers::Asleep.spans();
    let mut subjects = roots(&spans, Workers::Asleep, rows);
    subjects.push(ALIKE.peer(
        "emit",
        "#[span], counted in the span's own thread: nothing is buffered",
        (),
        |_, _| emitted::span(&emitted::COUNTING, || ()),
        |_| emitted::handed(),
    ));
    let recording = Recording::new("a sampled root span", subjects);
    Recording { stretch: BURSTS, ..recording }.measure(effort)
}

/// The same while the workers take the spans. Without a budget: on two cores, three threads need more
/// than two do.
pub fn root_beside(effort: Effort) -> Vec<Table> {
    let started = "a sampled root span, started, beside an awake worker";
    let entered = "a sampled root span, entered, beside an awake worker";
    let rows = [row(started, floors::CLOCK), row(entered, floors::CLOCK)];
    let spans = Workers::Awake.spans();
    let subjects = roots(&spans, Workers::Awake, rows);
    let recording = Recording::new("a sampled root span beside an awake worker", subjects);
    let recording = Recording { stretch: Stretch::BesideWorkers(BESIDE_WORKERS), ..recording };
    let lost = [
        "a sampled root span, started, beside an awake worker, lost",
        "a sampled root span, entered, beside an awake worker, lost",
    ];
    vec![recording.measure(effort), recording.losses(&lost)]
}

fn roots(spans: &Spans, workers: Workers, [started, entered]: [Row; 2]) -> Vec<Subject> {
    let start = |()| bellwether::span(STARTED).root().start().end();
    let enter = |()| drop(bellwether::span(ENTERED).root().enter());
    let (started, entered) = (
        ALIKE.ours(started, start, || OURS.started.load(Relaxed)),
        ALIKE.ours(entered, enter, || OURS.entered.load(Relaxed)),
    );
    let mut subjects = vec![floors::clock(), workers.peer(otel(workers.otel()))];
    workers.fastrace();
    subjects.extend(fastrace_roots().map(|subject| workers.peer(subject)));
    subjects.extend([started.drain(spans.drain()), entered.drain(spans.drain())]);
    subjects
}

fn fastrace_roots() -> [Subject; 2] {
    let started = ALIKE.peer(
        "fastrace",
        "Span::root",
        (),
        |_, _| drop(Span::root(STARTED, SpanContext::random())),
        |_| FASTRACE.started.load(Relaxed),
    );
    let entered = ALIKE.peer(
        "fastrace",
        "Span::root, set_local_parent",
        (),
        |_, _| drop(Span::root(ENTERED, SpanContext::random()).set_local_parent()),
        |_| FASTRACE.entered.load(Relaxed),
    );
    [started.drain(fastrace::flush), entered.drain(fastrace::flush)]
}

fn otel(provider: SdkTracerProvider) -> Subject {
    let tracer = provider.tracer("peers");
    let subject = ALIKE.peer_holding(
        "opentelemetry",
        "start_with_context, end",
        tracer,
        |tracer| (tracer.clone(), Context::new()),
        |(tracer, context), _| tracer.start_with_context(STARTED, context).end(),
        |_| OTEL.started.load(Relaxed),
    );
    subject.drain(move || provider.force_flush().expect("the exporter never fails"))
}

#[bellwether::observe(name = "peers.observed")]
async fn observed() {
    black_box(());
}

#[tracing::instrument]
async fn instrumented() {
    black_box(());
}

#[fastrace::trace]
async fn traced() {
    black_box(());
}

fn finish(future: impl Future<Output = ()>) {
    let mut context = std::task::Context::from_waker(Waker::noop());
    assert!(pin!(future).poll(&mut context).is_ready());
}

/// An asynchronous function that does nothing, by emit's attribute, and its total.
fn by_emit<F: Future<Output = ()>>(
    idiom: &'static str,
    observed: impl Fn() -> F + Copy + Sync + 'static,
) -> Subject {
    ALIKE.peer("emit", idiom, (), move |_, _| finish(observed()), |_| emitted::handed())
}

/// An asynchronous function that does nothing, and what is said of it.
fn observing(effort: Effort, row: Row, emit: Subject, drained: Option<&Spans>) -> Table {
    let ours = ALIKE.ours(
        row,
        |_| finish(observed()),
        || sum_of(Registry::global(), "peers.observed.duration"),
    );
    let tracing =
        ALIKE.peer("tracing", "instrument, off", (), |_, _| finish(instrumented()), |_| 0);
    let alone = ALIKE.peer("fastrace", "trace, no parent", (), |_, _| finish(traced()), |_| 0);
    let (subjects, stretch) = match drained {
        None => {
            let peers = [tracing.uncounted(), alone.uncounted(), emit.uncounted()];
            ([floors::clock()].into_iter().chain(peers).chain([ours]).collect(), Stretch::Round)
        }
        Some(spans) => {
            Workers::Asleep.fastrace();
            let root = ALIKE.peer(
                "fastrace",
                "in_span of a root",
                (),
                |_, _| {
                    let root = Span::root(ASYNC, SpanContext::random());
                    finish(async { black_box(()) }.in_span(root));
                },
                |_| FASTRACE.of_async.load(Relaxed),
            );
            let peer = root.drain(fastrace::flush);
            (vec![floors::clock(), peer, emit, ours.drain(spans.drain())], BURSTS)
        }
    };
    let recording = Recording::new(row.what, subjects);
    Recording { stretch, ..recording }.measure(effort)
}

pub fn observed_not_started(effort: Effort) -> Table {
    let limit = |at: &At| at.floor(floors::CLOCK) + 20.0;
    let row = row("#[observe] on an async fn, not started", floors::CLOCK);
    let emit = by_emit("#[span], no runtime set up", emitted::observed_not_started);
    observing(effort, row.budget("2 clock + 20 ns", limit).flat(), emit, None)
}

pub fn observed_unsampled(effort: Effort) -> Table {
    let _spans = Spans::sampled_by(AlwaysOff);
    let limit = |at: &At| at.floor(floors::CLOCK) + 40.0;
    let row = row("#[observe] on an async fn, not sampled", floors::CLOCK);
    let emit =
        by_emit("#[span], a filter that wants none", || emitted::observed(&emitted::FILTERED));
    observing(effort, row.budget("2 clock + 40 ns", limit).flat(), emit, None)
}

pub fn observed_sampled(effort: Effort) -> Table {
    let spans = Spans::start(Duration::from_secs(1));
    let limit = |at: &At| at.floor(floors::CLOCK) + 60.0;
    let row = row("#[observe] on an async fn, sampled", floors::CLOCK);
    let emit = by_emit("#[span], counted in the span's own thread: nothing is buffered", || {
        emitted::observed(&emitted::COUNTING)
    });
    observing(effort, row.budget("2 clock + 60 ns", limit).flat(), emit, Some(&spans))
}
