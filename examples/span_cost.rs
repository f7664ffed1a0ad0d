//! What one thread does for a span, in instructions, which other work on the machine does not change:
//!
//! ```sh
//! cargo build --profile bench --example span_cost
//! valgrind --tool=callgrind --separate-threads=yes target/release/examples/span_cost child 40000
//! ```
//!
//! Callgrind counts for each thread ("Collected"); that of thread 1 for 40,000 spans, less that for 20,000, over
//! 20,000, is one span. Without an argument it prints the time of each kind; without valgrind, a number alone.

use std::{
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bellwether::{
    Telemetry, builder, clock, observe,
    pipeline::{Batch, Deadline, ExportResult, Exporter, Route},
    span,
    trace::{SpanRecord, sampler::AlwaysOff},
};

/// What is done again and again, and whether its spans are sampled.
const WORK: [(&str, Start, fn()); 9] = [
    ("not-sampled", Start::NotSampled, root),
    ("root", Start::Sampled, root),
    ("child", Start::Sampled, child),
    ("content", Start::Sampled, content),
    ("child-watched", Start::Watched, child),
    ("content-watched", Start::Watched, content),
    ("observed-not-started", Start::No, observed),
    ("observed-not-sampled", Start::NotSampled, observed),
    ("observed", Start::Sampled, observed),
];

/// How many are in a burst, which is exported before the next one.
const BURST: u64 = 500;

#[derive(Clone, Copy)]
enum Start {
    No,
    NotSampled,
    Sampled,
    /// Sampled, and open spans are exported too.
    Watched,
}

#[inline(never)]
fn root() {
    drop(black_box(span("root").root().enter()));
}

#[inline(never)]
fn child() {
    drop(black_box(span("child").enter()));
}

#[inline(never)]
fn content() {
    let span = span("child").enter();
    span.set_attribute("cart", 7);
    span.set_attribute("tier", "gold");
    span.set_attribute("is_new", true);
    span.add_event("paid", []);
    black_box(&span);
}

#[observe(name = "span_cost")]
async fn observed_function() {
    black_box(());
}

#[inline(never)]
fn observed() {
    let poll = pin!(observed_function()).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(poll, Poll::Ready(())));
}

/// Takes everything.
struct Nowhere;

impl Exporter<SpanRecord> for Nowhere {
    fn export(&mut self, _: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        Ok(())
    }
}

fn start(how: Start) -> Result<Option<Telemetry>, bellwether::Error> {
    let builder = builder("span-cost").export(Route::new(Nowhere));
    match how {
        Start::No => Ok(None),
        Start::NotSampled => builder.sampler(AlwaysOff).start().map(Some),
        Start::Sampled => builder.start().map(Some),
        Start::Watched => builder.export_open_spans().start().map(Some),
    }
}

/// The nanoseconds of one in the fastest burst.
fn time(how: Start, work: fn(), n: u64) -> Result<f64, bellwether::Error> {
    let telemetry = start(how)?;
    let _around = span("around").root().enter();
    let mut fastest = Duration::MAX;
    for _ in 0..n / BURST {
        let begun = clock::now();
        (0..BURST).for_each(|_| work());
        fastest = fastest.min(clock::now().since(begun));
        if let Some(telemetry) = &telemetry {
            let report = telemetry.flush(Duration::from_secs(5));
            assert_eq!(report.totals().dropped, 0, "{report}");
        }
    }
    Ok(fastest.as_nanos() as f64 / BURST as f64)
}

fn main() -> Result<(), bellwether::Error> {
    let mut arguments = std::env::args().skip(1);
    let only = arguments.next();
    let n = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(100 * BURST);
    for (name, how, work) in WORK {
        if only.as_ref().is_none_or(|only| only == name) {
            println!("{name:>20}: {:.1} ns", time(how, work, n)?);
        }
    }
    Ok(())
}
