//! An allocator that logs, also while a record is taken in or handed over: nothing waits for itself, and
//! what cannot be kept is counted.
#![expect(unsafe_code, reason = "an allocator is unsafe to write")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bellwether::{
    error,
    export::Memory,
    info,
    log::{self, LogOptions, LogRecord, LogSeverity},
    warn,
};

thread_local! {
    /// Whether each allocation logs.
    static LOGS: Cell<bool> = const { Cell::new(false) };
}

/// Whether each allocation of any thread logs.
static EVERYWHERE: AtomicBool = AtomicBool::new(false);

thread_local! {
    static IS_LOGGING: Cell<bool> = const { Cell::new(false) };
}

/// Telemetry is the process's: these tests take turns.
static TURN: Mutex<()> = Mutex::new(());

struct Logging;

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Logging {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if EVERYWHERE.load(Ordering::Relaxed) && !IS_LOGGING.replace(true) {
            (0..10).for_each(|_| error!("allocated anywhere", bytes = layout.size()));
            IS_LOGGING.set(false);
        }
        if LOGS.replace(false) {
            info!("allocated", bytes = layout.size());
            warn!("allocated {}", layout.size());
            LOGS.set(true);
        }
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc`, which is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Logging = Logging;

#[test]
fn an_allocator_may_log_while_records_are_taken_in_limited_filtered_and_handed_over() {
    let _turn = TURN.lock();
    let logs = Memory::<LogRecord>::new();
    let options = LogOptions::new().per_call_site(1_000).fold_duplicates();
    let builder = bellwether::builder("shop").logs(options).export(logs.clone());
    let telemetry = builder.start().expect("nothing else runs");
    LOGS.set(true);
    for n in 0..5_000 {
        error!("record {n}", text = "x".repeat(n % 100));
        if n % 1_000 == 0 {
            let filter = if n % 2_000 == 0 { "info,x=debug" } else { "info" };
            telemetry.set_log_filter(filter.parse().expect("a filter"));
            LOGS.set(false);
            telemetry.flush(Duration::from_secs(20));
            LOGS.set(true);
        }
    }
    LOGS.set(false);
    telemetry.flush(Duration::from_secs(20));
    let value = |name| telemetry.snapshot().value(name, &[]).map_or(0.0, |value| value.as_f64());
    assert!(value("telemetry.logs.reentrant") > 0.0);
    let records = logs.take();
    let n = |text: &str| {
        let of_text = records.iter().filter(|record| record.body().to_string().starts_with(text));
        of_text.map(|record| 1 + u64::from(record.repeated())).sum::<u64>()
    };
    let of_site =
        |text| records.iter().filter(move |record| record.body().to_string().contains(text));
    let suppressed: u64 = of_site("suppressed").map(LogRecord::suppressed).sum();
    assert!(n("record") + suppressed >= 5_000 && n("allocated") > 0);
}

#[test]
fn an_allocator_may_log_while_the_figures_of_logs_are_read_and_a_scope_keeps_a_record() {
    let _turn = TURN.lock();
    let logs = Memory::<LogRecord>::new();
    let builder = bellwether::builder("shop").export(logs.clone());
    let telemetry = builder.start().expect("nothing else runs");
    for n in 0..200 {
        // So many series that a batch gets full, and is handed over, while they are read.
        log::emit(LogRecord::new(LogSeverity::INFO, "x").with_target(format!("target {n}")));
    }
    telemetry.flush(Duration::from_secs(20));
    EVERYWHERE.store(true, Ordering::Relaxed);
    let snapshot = telemetry.snapshot();
    EVERYWHERE.store(false, Ordering::Relaxed);
    assert!(snapshot.value("log.records", &[("level", "info"), ("target", "target 1")]).is_some());
    telemetry.shutdown(Duration::from_secs(20));
    let scope = bellwether::testing::scope();
    LOGS.set(true);
    (0..100).for_each(|n| info!("record {n}"));
    let records = scope.logs();
    LOGS.set(false);
    let is_own = |record: &&LogRecord| record.body().to_string().starts_with("record");
    assert_eq!(records.iter().filter(is_own).count(), 100);
}
