//! Telemetry that is started and ended many times, flushed from everywhere, and given exporters that panic and
//! hang: it returns on time, leaves nothing behind, and accounts for every record.
//!
//! With `BELLWETHER_FULL=1`, each is repeated a hundred times as often.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]
#![allow(clippy::disallowed_methods, reason = "the rule is the library's own")]

mod drill;

use std::{
    cell::RefCell,
    panic,
    sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use bellwether::{
    Builder, Telemetry,
    export::Memory,
    pipeline::{Batch, Deadline, DropReason, ExportResult, Exporter, Report, Route},
    trace::SpanRecord,
};
use futures_util::FutureExt as _;

/// Telemetry is one for the process: these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

const LONG: Duration = Duration::from_secs(20);

fn times(n: usize) -> usize {
    n * drill::size(1, 100)
}

fn spans(n: usize) {
    (0..n).for_each(|_| drop(bellwether::span("work").enter()));
}

/// Panics at one of its calls, and when it is dropped.
struct PanicsAt(usize, usize);

impl Exporter<SpanRecord> for PanicsAt {
    fn export(&mut self, _: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        self.1 += 1;
        assert_ne!(self.0, self.1, "at this one");
        Ok(())
    }
}

impl Drop for PanicsAt {
    fn drop(&mut self) {
        panic!("in its drop");
    }
}

#[test]
fn an_exporter_that_panics_at_any_call_costs_that_batch_and_nothing_else() {
    let _turn = turn();
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    for call in 1..=100 {
        let route = Route::new(PanicsAt(call, 0)).settings(|settings| settings.batch_items = 1);
        let quiet = bellwether::builder("test").on_diagnostic(|_, _| ());
        let telemetry = quiet.export(route).start().unwrap();
        spans(100);
        assert!(telemetry.flush(LONG).settled);
        let report = telemetry.shutdown(LONG);
        let totals = report.totals();
        assert!(totals.add_up() && report.settled, "{report}");
        assert_eq!((totals.offered, totals.delivered), (100, 99), "call {call}: {report}");
        assert_eq!(report.queues[0].dropped.get(DropReason::Panic), 1);
    }
    panic::set_hook(hook);
}

#[test]
fn a_drop_without_a_shutdown_delivers_all_each_time() {
    let _turn = turn();
    for _ in 0..times(100) {
        let memory = Memory::<SpanRecord>::new();
        let telemetry = bellwether::builder("test").export(memory.clone()).start().unwrap();
        spans(600);
        drop(telemetry);
        assert_eq!(memory.len(), 600);
    }
}

/// Heeds no deadline.
struct Hung;

impl Exporter<SpanRecord> for Hung {
    fn export(&mut self, _: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        loop {
            thread::park();
        }
    }
}

/// How much longer than `limit` the call took.
fn late(limit: Duration, call: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    call();
    begin.elapsed().checked_sub(limit).expect("no earlier than its limit")
}

#[test]
fn whoever_waits_for_an_exporter_that_hangs_returns_on_time() {
    let _turn = turn();
    let limit = Duration::from_millis(200);
    let start = || {
        let builder = bellwether::builder("test").on_diagnostic(|_, _| ());
        let telemetry = builder.export(Route::new(Hung)).start().unwrap();
        spans(10);
        telemetry
    };
    let telemetry = start();
    let leaked = || telemetry.snapshot().value("telemetry.worker.leaked", &[]).unwrap().as_f64();
    assert_eq!(leaked(), 0.0);
    let flush = late(limit, || assert!(!telemetry.flush(limit).settled));
    let persist = late(limit, || assert!(!telemetry.persist(limit)));
    let shutdown = late(limit, || {
        let totals = telemetry.shutdown(limit).totals();
        assert_eq!((totals.offered, totals.dropped, totals.held), (10, 10, 0));
    });
    drop(telemetry);
    let telemetry = start();
    let leaked = telemetry.snapshot().value("telemetry.worker.leaked", &[]).unwrap().as_f64();
    assert_eq!(leaked, 1.0);
    let dropped = late(Duration::from_secs(2), || drop(telemetry));
    println!(
        "late by: flush {flush:?}, persist {persist:?}, shutdown {shutdown:?}, drop {dropped:?}"
    );
    // Ten times what a machine that does nothing else needs.
    for late in [flush, persist, shutdown, dropped] {
        assert!(late < Duration::from_millis(500), "{late:?}");
    }
}

/// Runs `work` on a thread, which must end within twenty seconds.
fn watched<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || done.send(work()).unwrap());
    is_done.recv_timeout(LONG).expect("it returns")
}

type Call = fn(&Telemetry) -> Report;

fn in_tokio_of_one_thread(telemetry: Arc<Telemetry>, call: Call) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async move { call(&telemetry) })
}

fn in_a_task_of_the_only_worker(telemetry: Arc<Telemetry>, call: Call) -> Report {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    runtime.block_on(runtime.spawn(async move { call(&telemetry) })).unwrap()
}

fn in_a_task_of_smol(telemetry: Arc<Telemetry>, call: Call) -> Report {
    let executor = async_executor::Executor::new();
    let task = executor.spawn(async move { call(&telemetry) });
    while executor.try_tick() {}
    task.now_or_never().unwrap()
}

fn in_spawn_blocking(telemetry: Arc<Telemetry>, call: Call) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(runtime.spawn_blocking(move || call(&telemetry))).unwrap()
}

fn in_a_panic_hook(telemetry: Arc<Telemetry>, call: Call) -> Report {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |_| tell.lock().unwrap().send(call(&telemetry)).unwrap()));
    let _ = panic::catch_unwind(|| panic!("of the application"));
    panic::set_hook(hook);
    told.recv().unwrap()
}

/// Calls when its thread ends.
struct AtEnd(Arc<Telemetry>, Call, mpsc::Sender<Report>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        let _ = self.2.send((self.1)(&self.0));
    }
}

thread_local! {
    static AT_END: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
}

fn in_the_destructor_of_a_thread_local(telemetry: Arc<Telemetry>, call: Call) -> Report {
    let (tell, told) = mpsc::channel();
    let thread = thread::spawn(move || {
        AT_END.with_borrow_mut(|place| *place = Some(AtEnd(telemetry, call, tell)));
        spans(1); // The thread has state of its own to be destroyed before or after.
    });
    thread.join().unwrap();
    told.recv().unwrap()
}

fn twice(telemetry: Arc<Telemetry>, call: Call) -> Report {
    call(&telemetry);
    call(&telemetry)
}

/// A place to call from.
type From = (&'static str, fn(Arc<Telemetry>, Call) -> Report);

const FROM: [From; 7] = [
    ("a current-thread runtime", in_tokio_of_one_thread),
    ("the only worker of a runtime", in_a_task_of_the_only_worker),
    ("a task of smol", in_a_task_of_smol),
    ("spawn_blocking", in_spawn_blocking),
    ("a panic hook", in_a_panic_hook),
    ("a thread-local's destructor", in_the_destructor_of_a_thread_local),
    ("the same place twice", twice),
];

#[test]
fn a_flush_and_a_shutdown_from_anywhere_return_with_everything_delivered() {
    let _turn = turn();
    let calls: [(&str, Call); 2] = [
        ("flush", |telemetry| telemetry.flush(LONG)),
        ("shutdown", |telemetry| telemetry.shutdown(LONG)),
    ];
    for _ in 0..times(5) {
        for ((from, run), (name, call)) in
            FROM.into_iter().flat_map(|from| calls.map(|call| (from, call)))
        {
            let memory = Memory::<SpanRecord>::new();
            let telemetry = bellwether::builder("test").export(memory.clone()).start().unwrap();
            spans(700);
            let shared = Arc::new(telemetry);
            let other = shared.clone();
            let report = watched(move || run(other, call));
            assert!(report.settled, "{name} from {from}: {report}");
            let totals = watched(move || shared.shutdown(LONG)).totals();
            assert!(totals.add_up() && totals.delivered >= 700, "{name} from {from}: {totals}");
            assert_eq!(memory.len() as u64, totals.delivered, "{name} from {from}");
        }
    }
}

#[test]
fn a_hundred_threads_may_flush_and_shut_down_at_once() {
    let _turn = turn();
    for _ in 0..times(5) {
        let memory = Memory::<SpanRecord>::new();
        let telemetry = bellwether::builder("test").export(memory.clone()).start().unwrap();
        let (telemetry, gate) = (Arc::new(telemetry), Arc::new(Barrier::new(100)));
        let threads: Vec<_> = (0..100)
            .map(|number| {
                let (telemetry, gate) = (telemetry.clone(), gate.clone());
                thread::spawn(move || {
                    spans(10);
                    gate.wait();
                    match number % 2 {
                        0 => telemetry.flush(LONG),
                        _ => telemetry.shutdown(LONG),
                    }
                })
            })
            .collect();
        let reports =
            watched(|| threads.into_iter().map(|t| t.join().unwrap()).collect::<Vec<_>>());
        assert!(reports.iter().all(|report| report.totals().add_up()));
        let totals = telemetry.shutdown(LONG).totals();
        assert_eq!((totals.offered, totals.delivered, memory.len()), (1_000, 1_000, 1_000));
    }
}

/// With whatever has threads, files or sockets.
fn full_builder() -> Builder {
    let builder = bellwether::builder("test").tick(Duration::from_millis(5));
    let builder = builder
        .export(Memory::<SpanRecord>::new())
        .export(Memory::<bellwether::log::LogRecord>::new());
    #[cfg(feature = "prometheus-listener")]
    let builder = builder.prometheus("127.0.0.1:0");
    #[cfg(all(feature = "signals", unix))]
    let builder = builder.shutdown_on_signals(LONG);
    builder
}

/// How many threads and open files the process has, and its resident memory in KiB.
fn usage() -> [usize; 3] {
    let count = |path: &str| std::fs::read_dir(path).map_or(0, Iterator::count);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident = resident.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
    [count("/proc/self/task"), count("/proc/self/fd"), resident.unwrap_or(0)]
}

#[test]
fn telemetry_that_starts_and_ends_often_leaves_nothing_behind() {
    let _turn = turn();
    let cycle = || {
        let telemetry = full_builder().start().unwrap();
        spans(10);
        bellwether::info!("once more");
        let report = telemetry.shutdown(LONG);
        assert_eq!(report.totals().delivered, 11, "{report}");
    };
    (0..20).for_each(|_| cycle());
    let before = usage();
    let n = times(100);
    (0..n).for_each(|_| cycle());
    let begin = Instant::now();
    // A thread that was left to itself may take a moment.
    while usage()[0] > before[0] && begin.elapsed() < LONG {
        thread::yield_now();
    }
    let after = usage();
    println!("threads, files, KiB before and after {n} times: {before:?} {after:?}");
    assert!(after[0] <= before[0] && after[1] <= before[1], "{before:?} {after:?}");
    assert!(after[2] < before[2] + 4 * 1_024, "{before:?} {after:?}");
}
