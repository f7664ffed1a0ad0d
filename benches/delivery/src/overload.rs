//! What an increment and a span cost at worst, while twice as many spans are recorded as the backend takes.
//!
//! Samples in which the kernel took the processor away are left out and counted: on two cores, that is what other
//! threads do to any thread. What stays is what a thread pays in our code, and the interrupts of the machine: the
//! row of nothing at all shows these.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use bellwether::{
    Counter, Telemetry,
    export::{Route, otlp::Otlp},
    trace::SpanRecord,
    transport::{Compression, Endpoint},
};
use nix::sys::resource::{UsageWho, getrusage};

use crate::{
    flood::trace,
    sink::{Manner, Sink},
};

static HITS: Counter = Counter::new("hits", "");

/// What the sink takes a second.
const CAPACITY: u64 = 50_000;
const PRODUCERS: u64 = 8;

pub fn run(is_quick: bool, arguments: &[String]) -> Result<(), String> {
    if let [manner] = arguments {
        return measure(is_quick, manner == "loaded");
    }
    println!("| | p50, ns | p99.99, ns | left out of all |\n|---|---|---|---|");
    for manner in ["unloaded", "loaded"] {
        let status = crate::again(is_quick, "overload", &[manner])
            .and_then(|mut command| command.status())
            .map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(format!("{manner} failed"));
        }
    }
    println!("\nwanted: p99.99 loaded at most 1.1 x unloaded and 200 ns");
    Ok(())
}

fn measure(is_quick: bool, is_loaded: bool) -> Result<(), String> {
    let n = if is_quick { 20_000 } else { 1_000_000 };
    let sink = Sink::start(Manner::Paced(CAPACITY)).map_err(|error| error.to_string())?;
    let telemetry = start(&sink.url).map_err(|error| error.to_string())?;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..if is_loaded { PRODUCERS } else { 0 } {
            scope.spawn(|| produce(&is_over));
        }
        // Until the queue is full.
        let patience = Instant::now() + Duration::from_secs(60);
        while is_loaded && telemetry.report().totals().dropped == 0 && Instant::now() < patience {
            thread::sleep(Duration::from_millis(10));
        }
        let manner = if is_loaded { "twice the load" } else { "unloaded" };
        print(manner, "nothing", &mut samples(n, || ()));
        print(manner, "an increment", &mut samples(n, || HITS.inc()));
        print(manner, "a span", &mut samples(n, || drop(bellwether::span("measured").enter())));
        is_over.store(true, Relaxed);
    });
    let report = telemetry.shutdown(Duration::from_millis(500));
    let totals = report.totals();
    if totals.offered != totals.delivered + totals.held + totals.dropped
        || is_loaded != (totals.dropped > 0 && totals.offered > totals.delivered)
    {
        return Err(report.to_string());
    }
    Ok(())
}

fn start(url: &str) -> Result<Telemetry, bellwether::Error> {
    let endpoint = Endpoint::new(url).allow_plain_http().allow_private();
    let otlp = Otlp::new(endpoint.compression(Compression::Gzip));
    // Small, so that it is full soon.
    let route = Route::<SpanRecord>::from(otlp).settings(|settings| settings.max_items = 50_000);
    bellwether::builder("overload").export(route).start()
}

/// A producer's share of twice the capacity.
fn produce(is_over: &AtomicBool) {
    const AT_ONCE: u64 = 10; // Traces of five spans.
    let pause = Duration::from_nanos(AT_ONCE * 5 * PRODUCERS * 1_000_000_000 / (2 * CAPACITY));
    let mut next = Instant::now();
    while !is_over.load(Relaxed) {
        (0..AT_ONCE).for_each(trace);
        next += pause;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// How long each of `n` calls took, in nanoseconds, and how many were left out.
fn samples(n: usize, mut work: impl FnMut()) -> (Vec<u64>, usize) {
    let (mut kept, mut n_left_out) = (Vec::with_capacity(n), 0);
    let mut before = n_switches();
    for _ in 0..n {
        let begun = Instant::now();
        work();
        let nanos = begun.elapsed().as_nanos() as u64;
        let after = n_switches();
        match after == before {
            true => kept.push(nanos),
            false => n_left_out += 1,
        }
        before = after;
    }
    (kept, n_left_out)
}

/// How often the kernel took the processor from this thread, which did not ask for that.
fn n_switches() -> i64 {
    getrusage(UsageWho::RUSAGE_THREAD).map_or(0, |usage| usage.involuntary_context_switches())
}

fn print(manner: &str, what: &str, (kept, n_left_out): &mut (Vec<u64>, usize)) {
    kept.sort_unstable();
    let at = |share: f64| kept.get((kept.len() as f64 * share) as usize).copied().unwrap_or(0);
    println!("| {what}, {manner} | {} | {} | {n_left_out} |", at(0.5), at(0.9999));
}
