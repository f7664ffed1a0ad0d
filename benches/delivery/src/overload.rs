//! What an increment and a span cost at worst, while twice as many spans are recorded as the backend takes.
//!
//! Samples in which the kernel took the processor away are left out and counted: on two cores, that is what other
//! threads do to any thread. What stays is what a thread pays in our code, and the interrupts of the machine: the
//! row of nothing at all shows these, and that of a word in memory what it costs that other threads have used the
//! caches meanwhile.

use std::{
    process::Stdio,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
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

static WORD: AtomicU64 = AtomicU64::new(0);
static HITS: Counter = Counter::new("hits", "");

/// What the sink takes a second, under load.
const CAPACITY: u64 = 50_000;
/// They record as much as it takes; the thread that measures does so once more.
const PRODUCERS: u64 = 8;
const SPACING: Duration = Duration::from_nanos(1_000_000_000 / CAPACITY);

const ROWS: [&str; 4] = ["nothing", "an addition to a word in memory", "an increment", "a span"];

/// Of a row: the median, the 999th of 1,000 and the 9,999th of 10,000 in nanoseconds, and how many samples were
/// left out.
type Figures = [u64; 4];

pub fn run(is_quick: bool, arguments: &[String]) -> Result<(), String> {
    if let [manner] = arguments {
        return measure(is_quick, manner == "loaded");
    }
    let rounds = if is_quick { 1 } else { 7 };
    let mut best = [[[u64::MAX, u64::MAX, u64::MAX, 0]; ROWS.len()]; 2];
    for _ in 0..rounds {
        for (best, manner) in best.iter_mut().zip(["unloaded", "loaded"]) {
            for (best, figures) in best.iter_mut().zip(round(is_quick, manner)?) {
                let n_left_out = best[3] + figures[3];
                *best = std::array::from_fn(|place| best[place].min(figures[place]));
                best[3] = n_left_out;
            }
        }
    }
    println!("the least of {rounds} rounds; twice the load beside none\n");
    println!("| | p50, ns | p99.9, ns | p99.99, ns | left out | p99.99 against 1.1 x and 200 ns |");
    println!("|---|---|---|---|---|---|");
    for (row, (calm, loaded)) in ROWS.iter().zip(best[0].iter().zip(&best[1])) {
        let ratio = loaded[2] as f64 / (calm[2] as f64 * 1.1 + 200.0);
        let both = |place: usize| format!("{} / {}", loaded[place], calm[place]);
        println!(
            "| {row} | {} | {} | {} | {} | {ratio:.2} x: {} |",
            both(0),
            both(1),
            both(2),
            both(3),
            crate::verdict(ratio <= 1.0)
        );
    }
    Ok(())
}

/// The figures of one process.
fn round(is_quick: bool, manner: &str) -> Result<Vec<Figures>, String> {
    let mut command = crate::again(is_quick, "overload", &[manner]).map_err(|e| e.to_string())?;
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let figures = text.lines().filter_map(|line| {
        let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        numbers.try_into().ok()
    });
    let figures: Vec<Figures> = figures.collect();
    match output.status.success() && figures.len() == ROWS.len() {
        true => Ok(figures),
        false => Err(format!("{manner} failed")),
    }
}

fn measure(is_quick: bool, is_loaded: bool) -> Result<(), String> {
    let n = if is_quick { 20_000 } else { 100_000 };
    let manner = if is_loaded { Manner::Paced(CAPACITY) } else { Manner::Fast };
    let sink = Sink::start(manner).map_err(|error| error.to_string())?;
    let telemetry = start(&sink.url).map_err(|error| error.to_string())?;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..if is_loaded { PRODUCERS } else { 0 } {
            scope.spawn(|| produce(&is_over));
        }
        // Until the queue is full.
        let patience = Instant::now() + Duration::from_secs(60);
        while is_loaded && telemetry.report().totals().dropped == 0 && Instant::now() < patience {
            samples(1_000, || drop(bellwether::span("measured").enter()));
        }
        print(&mut samples(n, || ()));
        print(&mut samples(n, || {
            WORD.fetch_add(1, Relaxed);
        }));
        print(&mut samples(n, || HITS.inc()));
        print(&mut samples(n, || drop(bellwether::span("measured").enter())));
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

/// A producer's share of the capacity.
fn produce(is_over: &AtomicBool) {
    const AT_ONCE: u64 = 10; // Traces of five spans.
    let pause = Duration::from_nanos(AT_ONCE * 5 * PRODUCERS * 1_000_000_000 / CAPACITY);
    let mut next = Instant::now();
    while !is_over.load(Relaxed) {
        (0..AT_ONCE).for_each(trace);
        next += pause;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// How long each of `n` calls took, in nanoseconds, one at each [`SPACING`], and how many were left out.
fn samples(n: usize, mut work: impl FnMut()) -> (Vec<u64>, usize) {
    let (mut kept, mut n_left_out) = (Vec::with_capacity(n), 0);
    let mut before = n_switches();
    let mut next = Instant::now();
    for _ in 0..n {
        while Instant::now() < next {
            std::hint::spin_loop();
        }
        let begun = Instant::now();
        next = begun + SPACING;
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

fn print((kept, n_left_out): &mut (Vec<u64>, usize)) {
    kept.sort_unstable();
    let at = |share: f64| kept.get((kept.len() as f64 * share) as usize).copied().unwrap_or(0);
    println!("{} {} {} {n_left_out}", at(0.5), at(0.999), at(0.9999));
}
