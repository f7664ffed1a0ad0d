//! A backend that is down under load, and comes back: with room on disk nothing is lost and each thread's spans
//! come in order; with too little the oldest are, and the figures say how many.
//!
//! It is down for a second at 50,000 spans a second; with `BELLWETHER_FULL=1` for 600.
#![cfg(all(feature = "spool", feature = "otlp", target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "the helpers are part of the tests")]

mod drill;
mod support;

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use bellwether::{
    Telemetry,
    export::otlp::Otlp,
    pipeline::{DropReason, Report, Route, SpoolFolder},
    trace::SpanRecord,
    transport::{Compression, Endpoint},
};
use parking_lot::Mutex;
use support::{Reply, Server, numbered_spans};

const RATE: u64 = 50_000;
const WRITERS: u64 = 4;
const PATIENCE: Duration = Duration::from_secs(60);
const BATCH: usize = 512;
/// What the process may grow by, beside the test's own lists: a queue of 64 MiB, two batches of 4 MiB, and 24.
const MOST_GROWTH: u64 = 96 << 20;

/// What came of each writer: its numbers, in the order in which they came first.
#[derive(Default)]
struct Arrived {
    writers: Mutex<[Vec<u32>; WRITERS as usize]>,
    n: AtomicU64,
    is_away: AtomicBool,
}

/// A backend that is busy while it is away.
fn backend() -> (Server, Arc<Arrived>) {
    let arrived = Arc::new(Arrived { is_away: AtomicBool::new(true), ..Arrived::default() });
    let seen = arrived.clone();
    let server = Server::by(move |request| {
        if seen.is_away.load(SeqCst) {
            return Reply::status(503);
        }
        let mut writers = seen.writers.lock();
        for (writer, seq) in numbered_spans(&request.body) {
            writers[writer as usize].push(seq as u32);
            seen.n.fetch_add(1, SeqCst);
        }
        Reply::ok()
    });
    (server, arrived)
}

fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("bellwether-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn start(server: &Server, folder: &PathBuf, quota: u64) -> Telemetry {
    let endpoint = Endpoint::new(&server.url("")).allow_plain_http().allow_private();
    let otlp = Otlp::new(endpoint.compression(Compression::Gzip));
    let route = Route::<SpanRecord>::from(otlp)
        .spool(SpoolFolder::new(folder).max_bytes(quota))
        .settings(|settings| settings.retry.max = Duration::from_millis(20));
    bellwether::builder("outage").export(route).start().unwrap()
}

fn n_spans() -> u64 {
    drill::size(1, 600) as u64 * RATE / WRITERS * WRITERS
}

/// Offers all spans from some threads, each of which waits now and then until its own are on disk: so none is
/// lost for want of memory.
fn offer(telemetry: &Telemetry) -> Report {
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                for seq in 0..n_spans() / WRITERS {
                    let span = bellwether::span("outage").enter();
                    span.set_attribute("writer", writer);
                    span.set_attribute("seq", seq);
                    span.end();
                    if seq % 2_000 == 1_999 {
                        assert!(telemetry.persist(PATIENCE));
                    }
                }
            });
        }
    });
    assert!(telemetry.persist(PATIENCE));
    let report = telemetry.report();
    assert!(report.totals().add_up(), "{report}");
    assert_eq!((report.totals().offered, report.totals().delivered), (n_spans(), 0), "{report}");
    report
}

/// Waits until all that is on disk has been sent, of which the server keeps each request until it is taken. No
/// flush hurries the attempts meanwhile: what it cuts comes again.
fn drain(telemetry: &Telemetry, server: &Server, arrived: &Arrived) -> Report {
    let n = telemetry.report().totals().spooled;
    while arrived.n.load(SeqCst) < n {
        server.next();
    }
    let report = telemetry.flush(PATIENCE);
    assert_eq!(report.totals().spooled + report.totals().held, 0, "{report}");
    report
}

/// Whether numbers only grow, but for a batch that came again.
fn is_in_order(numbers: &[u32]) -> bool {
    let mut next = 0;
    let mut n_again = 0;
    for &number in numbers {
        match number >= next {
            true => next = number + 1,
            false => n_again += 1,
        }
    }
    n_again <= BATCH
}

fn most_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// One test, for memory is the process's.
#[test]
fn what_a_backend_missed_while_it_was_down_it_gets_when_it_is_back() {
    let (server, arrived) = backend();
    let folder = scratch("outage");
    let telemetry = start(&server, &folder, 8 << 30);
    let before = most_memory();
    let report = offer(&telemetry);
    assert_eq!((report.totals().dropped, report.totals().held), (0, 0), "{report}");
    arrived.is_away.store(false, SeqCst);
    let report = drain(&telemetry, &server, &arrived);
    assert_eq!(report.totals().delivered, n_spans(), "{report}");
    let grown = most_memory() - before; // Before the test looks at its own lists.
    for numbers in &*arrived.writers.lock() {
        assert!(is_in_order(numbers));
        let mut each = numbers.clone();
        each.sort_unstable();
        each.dedup();
        assert_eq!(each.len() as u64, n_spans() / WRITERS);
    }
    assert!(grown < MOST_GROWTH + n_spans() * 16, "{} MiB", grown >> 20);
    telemetry.shutdown(PATIENCE);
    fs::remove_dir_all(&folder).unwrap();
    the_oldest_are_lost_where_the_disk_has_too_little_room();
}

fn the_oldest_are_lost_where_the_disk_has_too_little_room() {
    let (server, arrived) = backend();
    let folder = scratch("outage-full");
    // About a quarter of what the spans take.
    let telemetry = start(&server, &folder, n_spans() * 30);
    let report = offer(&telemetry);
    let lost = report.totals().dropped;
    assert!(lost > 0 && report.totals().spooled > 0, "{report}");
    assert_eq!(lost, report.queues[0].dropped.get(DropReason::SpoolFull), "{report}");
    arrived.is_away.store(false, SeqCst);
    let report = drain(&telemetry, &server, &arrived);
    assert_eq!(report.totals().delivered + report.totals().dropped, n_spans(), "{report}");
    let mut n_arrived = 0;
    for numbers in &*arrived.writers.lock() {
        let mut each = numbers.clone();
        each.sort_unstable();
        each.dedup();
        n_arrived += each.len() as u64;
        // The newest are there without a gap, and before it a batch that was being sent all the while.
        assert_eq!(each.last().copied().map(u64::from), Some(n_spans() / WRITERS - 1));
        let gaps: Vec<usize> = (1..each.len()).filter(|&n| each[n] != each[n - 1] + 1).collect();
        assert!(gaps.len() <= 1 && gaps.iter().all(|&n| n <= BATCH), "{gaps:?} of {}", each.len());
    }
    assert_eq!(n_arrived, report.totals().delivered, "{report}");
    telemetry.shutdown(PATIENCE);
    fs::remove_dir_all(&folder).unwrap();
}
