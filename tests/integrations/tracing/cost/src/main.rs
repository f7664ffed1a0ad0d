//! What spans and events of `tracing` cost below the layer, beside `tracing-opentelemetry` and
//! `tracing_subscriber::fmt`. All in one run, turn by turn; the fastest burst counts.
//!
//! `cd tests/integrations/tracing/cost && cargo run --release`, or `-- spans`, `-- logs`; `-- only <words>` runs one case alone, for
//! a profiler.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rules are the library's own"
)]

use std::{
    fs::OpenOptions,
    hint::black_box,
    io,
    path::PathBuf,
    time::{Duration, Instant},
};

use bellwether::{
    Telemetry,
    export::File,
    integration::tracing::{TracingOptions, layer},
    pipeline::{Batch, Deadline, ExportResult, Exporter, Route},
    trace::{SpanRecord, sampler::AlwaysOff},
};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter},
};
use tracing::{Dispatch, dispatcher, info, info_span, trace, trace_span};
use tracing_subscriber::{fmt, layer::SubscriberExt as _, registry};

const BURST: u32 = 1_000;
const BURSTS: u32 = 300;

/// Takes everything.
#[derive(Debug)]
struct Nowhere;

impl Exporter<SpanRecord> for Nowhere {
    fn export(&mut self, _: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        Ok(())
    }
}

impl SpanExporter for Nowhere {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        Ok(())
    }
}

#[inline(never)]
fn bare() {
    let _span = info_span!("bare").entered();
}

#[inline(never)]
fn with_fields() {
    let _span = info_span!("fields", cart = 7, tier = "gold", is_new = true).entered();
}

#[inline(never)]
fn nested() {
    let _span = info_span!("outer").entered();
    let _inner = info_span!("inner").entered();
}

#[inline(never)]
fn disabled_span() {
    let _span = trace_span!("disabled", cart = 7).entered();
}

#[inline(never)]
fn disabled_event() {
    trace!(cart = 7, "disabled");
}

const CASES: [(&str, fn()); 5] = [
    ("span", bare),
    ("span with 3 fields", with_fields),
    ("span in a span", nested),
    ("disabled span", disabled_span),
    ("disabled event", disabled_event),
];

/// Who is below the spans, and what must be kept alive for it.
struct Subject {
    name: &'static str,
    dispatch: Dispatch,
    otel: Option<SdkTracerProvider>,
}

fn provider(sampler: Sampler) -> SdkTracerProvider {
    let processor = BatchSpanProcessor::builder(Nowhere).build();
    SdkTracerProvider::builder().with_sampler(sampler).with_span_processor(processor).build()
}

fn subjects(is_sampled: bool) -> Vec<Subject> {
    let ours = TracingOptions::new().spans_from(tracing::level_filters::LevelFilter::DEBUG);
    let level = tracing::level_filters::LevelFilter::DEBUG;
    let otel = |is_lean: bool| {
        let sampler = if is_sampled { Sampler::AlwaysOn } else { Sampler::AlwaysOff };
        let provider = provider(sampler);
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("cost"));
        let layer =
            layer.with_location(!is_lean).with_threads(!is_lean).with_tracked_inactivity(!is_lean);
        let filter = tracing_subscriber::Layer::with_filter(layer, level);
        (Dispatch::new(registry().with(filter)), Some(provider))
    };
    let nothing =
        tracing_subscriber::Layer::with_filter(tracing_subscriber::layer::Identity::new(), level);
    let (lean, lean_provider) = otel(true);
    let (default, default_provider) = otel(false);
    vec![
        Subject {
            name: "registry alone",
            dispatch: Dispatch::new(registry().with(nothing)),
            otel: None,
        },
        Subject {
            name: "ours",
            dispatch: Dispatch::new(registry().with(ours.layer())),
            otel: None,
        },
        Subject { name: "otel, as lean", dispatch: lean, otel: lean_provider },
        Subject { name: "otel, default", dispatch: default, otel: default_provider },
    ]
}

fn flush(telemetry: &Telemetry, subject: &Subject) {
    telemetry.flush(Duration::from_secs(5));
    if let Some(otel) = &subject.otel {
        let _ = otel.force_flush();
    }
}

/// The nanoseconds of one in the fastest burst.
fn burst(work: fn()) -> f64 {
    let begun = Instant::now();
    (0..BURST).for_each(|_| work());
    begun.elapsed().as_nanos() as f64 / f64::from(BURST)
}

fn spans(is_sampled: bool) {
    let builder = bellwether::builder("cost").export(Route::new(Nowhere));
    let builder = if is_sampled { builder } else { builder.sampler(AlwaysOff) };
    let telemetry = builder.start().unwrap();
    let subjects = subjects(is_sampled);
    let rounds = if is_sampled { BURSTS } else { BURSTS / 2 };
    println!("{}", if is_sampled { "sampled, ns each" } else { "not sampled, ns each" });
    println!(
        "{:24}{}",
        "",
        subjects.iter().map(|one| format!("{:>16}", one.name)).collect::<String>()
    );
    for (name, work) in CASES {
        let mut fastest = vec![f64::MAX; subjects.len()];
        for _ in 0..rounds {
            for (subject, fastest) in subjects.iter().zip(&mut fastest) {
                dispatcher::with_default(&subject.dispatch, || {
                    let around = info_span!("around").entered();
                    *fastest = fastest.min(burst(work));
                    drop(around);
                });
                flush(&telemetry, subject);
            }
        }
        let figures = fastest.iter().map(|ns| format!("{ns:16.1}")).collect::<String>();
        println!(
            "{name:24}{figures}   ours/otel {:.2}, above the registry {:.2}",
            fastest[1] / fastest[2],
            (fastest[1] - fastest[0]) / (fastest[2] - fastest[0])
        );
    }
    telemetry.shutdown(Duration::from_secs(5));
}

#[inline(never)]
fn event(n: u64) {
    info!(cart = n, tier = "gold", is_new = true, "the cart is paid");
}

/// The CPU time of this process.
fn cpu() -> Duration {
    // SAFETY: the struct is written by the call before it is read.
    #[allow(unsafe_code, reason = "std has no CPU time")]
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// The nanoseconds of an event on the calling thread, and of the whole process's CPU.
fn timed(dispatch: &Dispatch, n: u64, finish: impl FnOnce()) -> [f64; 2] {
    let (begun, cpu_before) = (Instant::now(), cpu());
    let mut called = Duration::ZERO;
    dispatcher::with_default(dispatch, || {
        let _order = info_span!("order").entered();
        (0..n).for_each(|n| event(black_box(n)));
        called = begun.elapsed();
    });
    finish();
    [called, cpu() - cpu_before].map(|time| time.as_nanos() as f64 / n as f64)
}

fn file(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("bellwether-cost-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

/// Writes as people set `fmt` up that write to a file: each line with a call of the system.
fn fmt_to(path: &PathBuf) -> Dispatch {
    let file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let lines = fmt::layer().json().with_writer(std::sync::Mutex::new(file));
    Dispatch::new(registry().with(lines))
}

/// As quick as `fmt` can be: buffered.
fn fmt_buffered_to(path: &PathBuf) -> Dispatch {
    let file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let file = io::BufWriter::with_capacity(64 << 10, file);
    let lines = fmt::layer().json().with_writer(std::sync::Mutex::new(file));
    Dispatch::new(registry().with(lines))
}

fn logs() {
    const EVENTS: u64 = 50_000; // Within what is held while the worker writes.
    let names = ["ours", "fmt, json", "fmt, json, buffered"];
    let mut fastest = [[f64::MAX; 2]; 3];
    for _ in 0..7 {
        let path = file("ours");
        let builder = bellwether::builder("cost").export(File::open(&path).unwrap());
        let telemetry = builder.start().unwrap();
        let ours = Dispatch::new(registry().with(layer()));
        let ours = timed(&ours, EVENTS, || {
            let report = telemetry.shutdown(Duration::from_secs(30));
            assert_eq!(report.totals().dropped, 0, "{report}");
        });
        let n_lines = std::fs::read_to_string(&path).unwrap().lines().count() as u64;
        assert!(n_lines > EVENTS, "{n_lines}");
        let path = file("fmt");
        let plain = timed(&fmt_to(&path), EVENTS, || ());
        let path = file("buffered");
        let buffered = fmt_buffered_to(&path);
        let buffered = timed(&buffered, EVENTS, || ());
        for (fastest, now) in fastest.iter_mut().zip([ours, plain, buffered]) {
            *fastest = [0, 1].map(|place| fastest[place].min(now[place]));
        }
    }
    println!("a kept event with 3 fields to a file, ns each");
    println!("{:24}{:>16}{:>16}", "", "calling thread", "process's CPU");
    for (name, [wall, cpu]) in names.into_iter().zip(fastest) {
        println!("{name:24}{wall:16.0}{cpu:16.0}");
    }
}

/// One case alone, for a profiler.
fn only(name: &str) {
    let telemetry = bellwether::builder("cost").export(Route::new(Nowhere)).start().unwrap();
    let (_, work) = CASES.into_iter().find(|(known, _)| *known == name).expect("a case");
    dispatcher::with_default(&subjects(true)[1].dispatch, || {
        let _around = info_span!("around").entered();
        (0..100 * BURST).for_each(|_| work());
    });
    telemetry.shutdown(Duration::from_secs(5));
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("only") => only(&arguments[1]),
        Some("logs") => logs(),
        Some("spans") => [true, false].into_iter().for_each(spans),
        _ => {
            [true, false].into_iter().for_each(spans);
            logs();
        }
    }
}
