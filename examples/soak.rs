//! A service's worth of records for minutes, and what it does to memory: nothing.
//!
//! `cargo run --release --example soak [-- SECONDS]`; 600 by default, or what `BELLWETHER_SOAK_SECONDS`
//! says. Threads that stay and threads that come and go record into every kind of instrument; label
//! sets come, expire and are removed; snapshots and pages are made on the way, and between them nobody
//! reads. It fails if a total is off by one, or if resident memory, fitted by a line over the second
//! half of the time, grows by more than 2 MiB in ten minutes and 1 MiB in all.
#![allow(clippy::disallowed_methods, reason = "the rule is the library's own")]

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use bellwether::{
    Counter, Gauge, Histogram, Labels, Unit, UpDownCounter,
    export::prometheus::{self, Format},
    label::Dynamic,
    metric::{FloatCounter, Registry, SeriesValue},
    resource::Resource,
};

static REQUESTS: Counter<Served> = Counter::new("soak.requests", "Requests served");
static LATENCY: Histogram<Served> =
    Histogram::new("soak.request.duration", "Time to answer").unit(Unit::Seconds);
static IN_FLIGHT: UpDownCounter = UpDownCounter::new("soak.active", "Requests in flight");
static REVENUE: FloatCounter = FloatCounter::new("soak.revenue", "Money earned");
static LEVEL: Gauge = Gauge::new("soak.level", "A level that is set");
/// Pods that come and go: each is seen for a while, and expires.
static PODS: Counter<Dynamic> = Counter::dynamic("soak.pods", "Work by pod", &["pod"])
    .expire_after(Duration::from_secs(2))
    .series_limit(20_000);
/// Users without number: nearly all are in the overflow series.
static USERS: Counter<Dynamic> = Counter::dynamic("soak.users", "Work by user", &["user"]);
/// Sessions that are removed as they end.
static SESSIONS: Histogram<Dynamic> =
    Histogram::dynamic("soak.sessions", "Sizes by session", &["session"]);

#[derive(Labels, Clone, Copy)]
struct Served {
    cached: bool,
    #[label(range = 0..=9)]
    shard: u8,
}

/// What was recorded, to compare with.
static RECORDED: AtomicU64 = AtomicU64::new(0);
static STOP: AtomicBool = AtomicBool::new(false);

fn main() -> Result<(), String> {
    let seconds = std::env::args().nth(1).or(std::env::var("BELLWETHER_SOAK_SECONDS").ok());
    let seconds = seconds.map_or(Ok(600), |seconds| seconds.parse::<u64>());
    let seconds = seconds.map_err(|error| format!("SECONDS is a number: {error}"))?.max(6);
    let workers: Vec<_> = (0..2).map(|worker| thread::spawn(move || work(worker))).collect();
    let short_lived = thread::spawn(come_and_go);

    let (start, mut memory, mut page) = (Instant::now(), Vec::new(), Vec::new());
    for tick in 1..=seconds * 4 {
        thread::sleep(Duration::from_millis(250));
        if tick % 8 == 0 {
            let snapshot = Registry::global().snapshot();
            page.clear();
            prometheus::render_into(&mut page, &snapshot, &Resource::default(), Format::Text);
        }
        memory.push((start.elapsed().as_secs_f64(), resident_bytes() as f64));
    }
    STOP.store(true, Relaxed);
    for thread in workers.into_iter().chain([short_lived]) {
        thread.join().map_err(|_| "a thread panicked")?;
    }
    judge_totals()?;
    judge_memory(&memory[memory.len() / 2..])
}

/// A thread that stays.
fn work(worker: u64) {
    let mut random = worker + 1;
    let mut n = 0_u64;
    while !STOP.load(Relaxed) {
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let served = Served { cached: random >> 63 == 1, shard: (random >> 32) as u8 % 10 };
        let _active = IN_FLIGHT.hold();
        REQUESTS.with(served).inc();
        LATENCY.with(served).record((random >> 40) as f64 * 1e-7);
        REVENUE.add(0.25);
        LEVEL.set(random as f64);
        RECORDED.fetch_add(1, Relaxed);
        n += 1;
        if n.is_multiple_of(64) {
            PODS.with_labels(&[("pod", &format!("pod-{worker}-{}", n / 65_536))]).inc();
            USERS.with_labels(&[("user", &format!("{random:x}"))]).inc();
        }
        if n.is_multiple_of(4_096) {
            let session = format!("{worker}-{n}");
            let handle = SESSIONS.bind_labels(&[("session", &session)]);
            (0..300).for_each(|value| handle.record(f64::from(value)));
            SESSIONS.remove_labels(&[("session", &session)]);
        }
    }
}

/// Threads that live for some records each.
fn come_and_go() {
    while !STOP.load(Relaxed) {
        let threads = [0, 1].map(|shard| {
            thread::spawn(move || {
                for n in 0..100 {
                    let served = Served { cached: true, shard };
                    REQUESTS.with(served).inc();
                    LATENCY.with(served).record(f64::from(n));
                    REVENUE.add(0.25);
                    RECORDED.fetch_add(1, Relaxed);
                }
            })
        });
        threads.into_iter().for_each(|thread| drop(thread.join()));
        thread::sleep(Duration::from_millis(5));
    }
}

fn judge_totals() -> Result<(), String> {
    let snapshot = Registry::global().snapshot();
    let sum = |name: &str| -> f64 {
        let series = snapshot.family(name).map_or(&[][..], |family| family.series());
        series.iter().map(|series| series.value().as_f64()).sum()
    };
    let recorded = RECORDED.load(Relaxed) as f64;
    let found = [sum("soak.requests"), sum("soak.request.duration"), sum("soak.revenue") * 4.0];
    println!("{recorded} records; counted, in histograms, in fractions: {found:?}");
    let active = snapshot.value("soak.active", &[]).map(SeriesValue::as_f64);
    if found != [recorded; 3] || active != Some(0.0) {
        return Err(format!("a total is off; {active:?} in flight"));
    }
    let sessions = snapshot.family("soak.sessions").map_or(0, |family| family.series().len());
    println!("sessions left: {sessions}; pods on the page: {}", {
        snapshot.family("soak.pods").map_or(0, |family| family.series().len())
    });
    if sessions > 0 { Err(format!("{sessions} removed sessions are on the page")) } else { Ok(()) }
}

fn judge_memory(memory: &[(f64, f64)]) -> Result<(), String> {
    let n = memory.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| memory.iter().map(of).sum::<f64>() / n;
    let (middle, level) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = memory.iter().map(|(t, bytes)| (t - middle) * (bytes - level)).sum();
    let variance: f64 = memory.iter().map(|(t, _)| (t - middle).powi(2)).sum();
    let slope = covariance / variance.max(f64::MIN_POSITIVE);
    let span = memory.last().map_or(0.0, |last| last.0 - memory[0].0);
    let (kib, hour) = (1024.0, 3600.0);
    println!(
        "resident memory {:.0} KiB, slope {:+.1} KiB/h, {:+.1} KiB over {span:.0} s",
        level / kib,
        slope * hour / kib,
        slope * span / kib
    );
    let (mebibyte, ten_minutes) = (1024.0 * 1024.0, 600.0);
    if slope * span > mebibyte && slope * ten_minutes > 2.0 * mebibyte {
        return Err("memory grows".to_owned());
    }
    Ok(())
}

/// Zero where the system does not say.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}
