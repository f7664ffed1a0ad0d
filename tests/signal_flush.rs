//! A storm of signals whose handler asks for a flush, while threads record: nothing stands still, and all is
//! delivered.
//!
//! It lasts for half a second; with `BELLWETHER_FULL=1`, for 200.
#![cfg(unix)]
#![allow(unsafe_code, reason = "signal handlers are set by libc")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_methods, reason = "the rule is the library's own")]

mod drill;

use std::{
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use bellwether::{
    pipeline::{Batch, Deadline, ExportResult, Exporter, Route},
    trace::SpanRecord,
};

const LONG: Duration = Duration::from_secs(20);

static N_HANDLED: AtomicU64 = AtomicU64::new(0);

extern "C" fn on_signal(_: i32) {
    bellwether::request_flush_from_signal();
    N_HANDLED.fetch_add(1, Relaxed);
}

fn handle() {
    // SAFETY: the handler does two atomic additions.
    unsafe { libc::signal(libc::SIGUSR1, on_signal as *const () as usize) };
}

fn raise() {
    let own = std::process::id() as i32;
    // SAFETY: sends a signal that is handled to this process; any of its threads may get it.
    unsafe { libc::kill(own, libc::SIGUSR1) };
}

/// Says how many spans it got, each time.
struct Counts(mpsc::Sender<usize>);

impl Exporter<SpanRecord> for Counts {
    fn export(&mut self, batch: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        let _ = self.0.send(batch.len());
        Ok(())
    }
}

/// Nothing but a flush hands a batch over before an hour.
fn patient() -> (Route<SpanRecord>, mpsc::Receiver<usize>) {
    let (tell, told) = mpsc::channel();
    let route = Route::new(Counts(tell)).settings(|settings| {
        settings.batch_delay = Duration::from_secs(3_600);
        settings.batch_items = 1 << 18;
    });
    (route, told)
}

#[test]
fn a_flush_that_a_handler_asks_for_comes_with_the_tick_and_a_storm_of_them_does_no_harm() {
    handle();
    raise(); // Nobody is there who flushes.
    let (route, told) = patient();
    let tick = Duration::from_millis(5);
    let telemetry = bellwether::builder("test").export(route).tick(tick).start().unwrap();

    bellwether::span("one").enter().end();
    assert!(told.recv_timeout(100 * tick).is_err(), "a request of before its start is none of its");
    raise();
    assert_eq!(told.recv_timeout(LONG), Ok(1));

    let n_before = N_HANDLED.load(Relaxed);
    let length = drill::size(500, 200_000) as f64 / 1e3;
    let (is_over, begin) = (AtomicBool::new(false), Instant::now());
    let n_spans: usize = thread::scope(|scope| {
        let recorders: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut n = 0;
                    while !is_over.load(Relaxed) {
                        bellwether::span("work").enter().end();
                        n += 1;
                        if n % 64 == 0 {
                            thread::yield_now();
                        }
                    }
                    n
                })
            })
            .collect();
        let mut n_raised = 0.0;
        while begin.elapsed().as_secs_f64() < length {
            // A thousand a second, whatever a sleep takes.
            while n_raised < begin.elapsed().as_secs_f64() * 1_000.0 {
                raise();
                n_raised += 1.0;
            }
            thread::sleep(Duration::from_micros(200));
        }
        is_over.store(true, Relaxed);
        recorders.into_iter().map(|recorder| recorder.join().unwrap()).sum()
    });
    let n_signals = N_HANDLED.load(Relaxed) - n_before;
    let report = telemetry.shutdown(LONG);
    let totals = report.totals();
    assert!(totals.add_up() && report.settled, "{report}");
    assert_eq!((totals.offered, totals.held), (n_spans as u64 + 1, 0), "{report}");
    assert!(told.try_iter().count() > 1, "it flushed meanwhile");
    println!("{n_signals} signals in {length} s, {totals}");
    assert!(n_signals as f64 > 100.0 * length, "{n_signals}");
}
