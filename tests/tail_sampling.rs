//! Tail sampling from a user's side: what is kept under load, what exemplars lead to, and what `start`
//! refuses.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the rules are the library's own"
)]

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use bellwether::{
    Builder, ErrorKind, Histogram, Telemetry, Unit,
    clock::Timestamp,
    context::{Outcome, TraceId},
    export::{Memory, Route},
    span,
    trace::{SpanRecord, sampler::Tail, set_attribute},
};

/// Telemetry is the process's: these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

const PATIENCE: Duration = Duration::from_secs(20);

fn started(builder: Builder) -> (Telemetry, Memory<SpanRecord>) {
    let spans = Memory::<SpanRecord>::new();
    let telemetry = builder.export(Route::new(spans.clone())).start().unwrap();
    (telemetry, spans)
}

/// A request that took `millis`, with a child, and whether it failed.
fn request(name: &'static str, millis: u64, has_failed: bool) -> TraceId {
    let start = Timestamp::now();
    let end = Timestamp::from_unix_nanos(start.unix_nanos() + millis * 1_000_000);
    let root = span(name).start_at(start.into()).enter();
    let trace = bellwether::current().trace_id();
    let child = span("work").enter();
    if has_failed {
        child.set_outcome(Outcome::Error);
    }
    drop(child);
    root.end_at(end.into());
    trace
}

#[test]
fn under_load_every_error_and_every_slow_trace_is_kept_whole_and_a_share_of_the_rest() {
    let _turn = turn();
    let tail = Tail::new().errors(1.0).slower_than(Duration::from_secs(1), 1.0).otherwise(0.05);
    let (telemetry, spans) = started(bellwether::builder("load").tail_sampler(tail));
    let (threads, of_each) = (4, 10_000);
    let wanted: HashSet<TraceId> = thread::scope(|scope| {
        let load = |thread: u64| {
            let mut wanted = Vec::new();
            for n in 0..of_each {
                let has_failed = (n + thread).is_multiple_of(100);
                let millis = if n % 97 == 0 { 1_500 } else { 5 };
                let trace = request("GET /", millis, has_failed);
                if has_failed || millis > 1_000 {
                    wanted.push(trace);
                }
            }
            wanted
        };
        let running: Vec<_> = (0..threads).map(|n| scope.spawn(move || load(n))).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let report = telemetry.shutdown(PATIENCE);
    let records = spans.records();
    assert_eq!(report.totals().delivered, records.len() as u64);
    let kept: HashSet<TraceId> = records.iter().map(SpanRecord::trace_id).collect();
    assert!(wanted.is_subset(&kept));
    assert_eq!(records.len(), 2 * kept.len(), "each is kept whole");
    assert!(records.iter().all(|span| span.context().is_sampled()));
    let (n_rest, n_kept) = (threads * of_each - wanted.len() as u64, kept.len() - wanted.len());
    // Five standard deviations.
    let (expected, deviation) = (0.05 * n_rest as f64, (0.05 * 0.95 * n_rest as f64).sqrt());
    assert!((n_kept as f64 - expected).abs() < 5.0 * deviation, "{n_kept} of {expected}");
}

#[test]
fn exemplars_lead_to_traces_that_are_kept() {
    static SIZE: Histogram = Histogram::new("tail.size", "Size of answers").unit(Unit::Bytes);
    let _turn = turn();
    let (telemetry, spans) =
        started(bellwether::builder("exemplars").tail_sampler(Tail::new().attribute("k", 1, 1.0)));
    for n in 0..8 {
        let _root = span("root").enter();
        set_attribute("k", n % 2);
        SIZE.record(10_f64.powi(n));
    }
    telemetry.flush(PATIENCE);
    let kept: HashSet<_> = spans.records().iter().map(SpanRecord::trace_id).collect();
    let snapshot = telemetry.snapshot();
    let size = snapshot.value("tail.size", &[]).unwrap().as_histogram().unwrap();
    let shown: HashSet<_> = size.exemplars().iter().map(|exemplar| exemplar.trace_id()).collect();
    assert_eq!((kept.len(), &shown), (4, &kept));
    drop(telemetry);
}

#[test]
fn what_is_slower_than_the_live_percentile_of_its_route_is_kept() {
    static TIME: Histogram = Histogram::new("tail.op.duration", "Time").unit(Unit::Seconds);
    let _turn = turn();
    let tail = Tail::new().slower_than_p99(1.0);
    let (telemetry, spans) = started(bellwether::builder("slow").tail_sampler(tail));
    // Before the first tick, which is the first time that percentiles are read.
    (0..1_000).for_each(|n| TIME.record(0.010 + f64::from(n) * 1e-6));
    let until = Instant::now() + PATIENCE;
    while spans.records().is_empty() && Instant::now() < until {
        request("tail.op", 10, false); // Faster than the percentile.
        request("tail.op", 12, false);
        request("tail.unknown", 12, false);
        telemetry.flush(PATIENCE);
    }
    let records = spans.records();
    assert!(!records.is_empty());
    let roots = records.iter().filter(|span| span.name() != "work");
    assert!(roots.clone().all(|root| root.name() == "tail.op"));
    assert!(roots.clone().all(|root| root.duration().as_millis() == 12));
    drop(telemetry);
}

#[test]
fn without_a_history_a_percentile_is_refused_by_name() {
    let _turn = turn();
    let builder = bellwether::builder("refused").without_history();
    let error = builder.tail_sampler(Tail::new().slower_than_p99(1.0)).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert!(error.to_string().contains("slower_than_p99"), "{error}");
}

#[test]
fn a_bucket_that_every_trace_comes_to_leads_to_one_that_is_kept() {
    static BUSY: Histogram = Histogram::new("tail.busy", "Size of answers").unit(Unit::Bytes);
    let _turn = turn();
    let tail = Tail::new().otherwise(1.0);
    let builder = bellwether::builder("busy").tick(Duration::from_millis(20)).tail_sampler(tail);
    let (telemetry, spans) = started(builder);
    let work = || {
        let _root = span("root").enter();
        BUSY.record(2.0);
    };
    let until = Instant::now() + PATIENCE;
    // Without a flush: what is shown is decided by the ticks alone.
    let shown = loop {
        work();
        let snapshot = telemetry.snapshot();
        let busy = snapshot.value("tail.busy", &[]).unwrap().as_histogram().unwrap();
        match busy.exemplars().first() {
            Some(exemplar) => break exemplar.trace_id(),
            None => assert!(Instant::now() < until, "none is ever shown"),
        }
    };
    telemetry.shutdown(PATIENCE);
    assert!(spans.records().iter().any(|span| span.trace_id() == shown));
}
