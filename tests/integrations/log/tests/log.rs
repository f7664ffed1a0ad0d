//! What the crate `log` records arrives as it was said, filtered as bellwether says.
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    cell::Cell,
    fmt,
    sync::{Mutex, MutexGuard, Once, PoisonError},
    time::Duration,
};

use bellwether::{
    Telemetry,
    export::Memory,
    label::Value,
    log::{LogOptions, LogRecord, LogSeverity},
    span,
};
use log::{LevelFilter, debug, error, info, trace, warn};

/// Telemetry and logger are the process's: these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    static INSTALL: Once = Once::new();
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    INSTALL.call_once(|| bellwether::integration::log::install().expect("the first logger"));
    turn
}

const PATIENCE: Duration = Duration::from_secs(20);

fn start(options: LogOptions) -> (Telemetry, Memory<LogRecord>) {
    let logs = Memory::new();
    let builder = bellwether::builder("shop").logs(options).export(logs.clone());
    (builder.start().expect("nothing else runs"), logs)
}

fn options(filter: &str) -> LogOptions {
    LogOptions::new().filter(filter.parse().expect("a filter"))
}

fn taken(telemetry: &Telemetry, logs: &Memory<LogRecord>) -> Vec<LogRecord> {
    assert!(telemetry.flush(PATIENCE).settled);
    logs.take()
}

#[test]
fn a_record_has_its_level_target_place_message_values_and_span() {
    let _turn = turn();
    let (telemetry, logs) = start(options("trace"));
    let checkout = span("checkout").enter();
    let ids = checkout.context();
    let error = "x".parse::<u8>().expect_err("no number");
    warn!(
        target: "shop::pay",
        cart = 7, price = 2.5, paid = true, user = "ann", huge = u64::MAX, error:% = error, list:? = [1];
        "{} of {}", 1, "two"
    );
    let line = line!() - 1;
    checkout.end();
    trace!("a literal that is longer than what a record has room for");
    let records = taken(&telemetry, &logs);
    let [warned, traced] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((warned.severity(), warned.target()), (LogSeverity::WARN, "shop::pay"));
    let (file, at) = warned.location().expect("known");
    assert!(file.ends_with("log.rs") && (line - 5..=line).contains(&at), "{file}:{at}");
    assert_eq!(warned.body(), &Value::from("1 of two"));
    assert_eq!((warned.trace_id(), warned.span_id()), (Some(ids.trace_id()), Some(ids.span_id())));
    let read: Vec<_> =
        warned.attributes().iter().map(|of| (of.key.as_ref(), of.value.clone())).collect();
    assert_eq!(
        read,
        [
            ("cart", Value::from(7)),
            ("price", Value::from(2.5)),
            ("paid", Value::from(true)),
            ("user", Value::from("ann")),
            ("huge", Value::from(u64::MAX)),
            ("error", Value::from("invalid digit found in string")),
            ("list", Value::from("[1]")),
        ]
    );
    assert_eq!((traced.severity(), traced.trace_id()), (LogSeverity::TRACE, None));
}

#[test]
fn the_highest_level_of_log_follows_the_filter_and_targets_are_filtered() {
    let _turn = turn();
    assert_eq!(log::max_level(), LevelFilter::Off);
    let (telemetry, logs) = start(options("warn,shop=info,noisy=off"));
    assert_eq!(log::max_level(), LevelFilter::Info);
    let n_evaluated = Cell::new(0);
    let evaluate = || n_evaluated.replace(n_evaluated.get() + 1);
    for _ in 0..2 {
        info!(target: "shop::pay", "kept");
        info!(target: "other", "dropped");
        error!(target: "noisy", "dropped");
        debug!(target: "shop", "not evaluated {}", evaluate());
    }
    let bodies: Vec<_> =
        taken(&telemetry, &logs).iter().map(|record| record.body().to_string()).collect();
    assert_eq!((bodies, n_evaluated.get()), (vec!["kept".to_owned(); 2], 0));
    let enabled = |target, level| {
        log::logger().enabled(&log::Metadata::builder().target(target).level(level).build())
    };
    assert!(enabled("shop", log::Level::Info) && !enabled("other", log::Level::Info));
    for (filter, level) in [
        ("off", LevelFilter::Off),
        ("error", LevelFilter::Error),
        ("warn", LevelFilter::Warn),
        ("debug", LevelFilter::Debug),
        ("info,a=trace", LevelFilter::Trace),
    ] {
        telemetry.set_log_filter(filter.parse().expect("a filter"));
        assert_eq!(log::max_level(), level);
    }
    telemetry.shutdown(PATIENCE);
    assert_eq!(log::max_level(), LevelFilter::Off);
}

#[test]
fn each_place_in_the_source_has_a_limit_of_its_own() {
    let _turn = turn();
    let (telemetry, logs) = start(options("info").per_call_site(10));
    (0..100).for_each(|n| info!("loop {n}"));
    (0..5).for_each(|n| info!("other {n}"));
    let records = taken(&telemetry, &logs);
    let n = |text: &str| {
        records.iter().filter(|of| of.body().to_string().starts_with(text)).count() as u64
    };
    let suppressed: u64 = records.iter().map(LogRecord::suppressed).sum();
    assert_eq!((n("loop") + suppressed, n("other")), (100, 5));
    assert!(suppressed >= 70, "{suppressed}"); // Two seconds may have been touched.
}

#[test]
fn floods_of_values_panics_and_records_within_records_do_no_harm() {
    struct Flood;
    impl log::kv::Source for Flood {
        fn visit<'kvs>(
            &'kvs self,
            visitor: &mut dyn log::kv::VisitSource<'kvs>,
        ) -> Result<(), log::kv::Error> {
            for n in 0..100_000u64 {
                visitor.visit_pair(log::kv::Key::from_str("k"), log::kv::Value::from(n))?;
            }
            Ok(())
        }
    }
    struct Logging;
    impl fmt::Display for Logging {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            info!("inner");
            f.write_str("outer")
        }
    }
    struct Panicking;
    impl fmt::Display for Panicking {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("in a display")
        }
    }
    let _turn = turn();
    let (telemetry, logs) = start(options("info"));
    let flooded = log::Record::builder()
        .level(log::Level::Info)
        .args(format_args!("flooded"))
        .key_values(&Flood)
        .build();
    log::logger().log(&flooded);
    info!("{Logging}");
    info!(before = 1, odd:% = Panicking, after = 2; "{Panicking} and more");
    let long = "x".repeat(10_000_000);
    info!("{long}");
    let records = taken(&telemetry, &logs);
    let flooded = &records[0];
    assert_eq!(flooded.attributes().len() as u32 + flooded.dropped_attributes(), 100_000);
    assert_eq!(flooded.attributes().len(), 128);
    let bodies: Vec<_> = records.iter().map(|record| record.body().to_string()).collect();
    assert!(bodies.contains(&"inner".to_owned()) && bodies.contains(&"outer".to_owned()));
    let panicked = records.iter().find(|record| record.body().to_string().contains("panicked"));
    let keys = panicked.expect("kept").attributes().iter().map(|of| of.key.to_string());
    assert_eq!(keys.collect::<Vec<_>>(), ["before", "odd", "after"]);
    assert_eq!(bodies.last().map(String::len), Some(64 << 10));
}

#[test]
fn what_logs_itself_without_end_ends_and_is_counted() {
    struct Endless;
    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            info!("{Endless}");
            f.write_str("shown")
        }
    }
    let _turn = turn();
    let (telemetry, logs) = start(options("info"));
    info!("{Endless}");
    assert_eq!(taken(&telemetry, &logs).len(), 16);
    let snapshot = telemetry.snapshot();
    let reentrant = snapshot.value("telemetry.logs.reentrant", &[]).expect("counted");
    assert!(reentrant.as_f64() >= 1.0);
}

#[test]
fn a_target_that_is_made_of_data_is_cut_and_counted() {
    let _turn = turn();
    let (telemetry, logs) = start(options("info"));
    let target = "t".repeat(1 << 20);
    info!(target: &target, "long");
    let records = taken(&telemetry, &logs);
    assert_eq!((records[0].target().len(), records[0].truncated_texts()), (1024, 1));
}
