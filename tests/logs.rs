//! Logs from a user's side: what the macros record, what filters and limits leave out, and where it goes.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    cell::Cell,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bellwether::{
    Builder, Telemetry,
    context::TraceId,
    debug, error,
    export::Memory,
    info,
    label::Value,
    log::{self, LogFilter, LogLimits, LogOptions, LogRecord, LogSeverity},
    span, trace, warn,
};

/// Telemetry is the process's: these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

const PATIENCE: Duration = Duration::from_secs(20);

fn options(filter: &str) -> LogOptions {
    LogOptions::new().filter(filter.parse().unwrap())
}

fn start(options: LogOptions) -> (Telemetry, Memory<LogRecord>) {
    start_with(bellwether::builder("shop"), options)
}

fn start_with(builder: Builder, options: LogOptions) -> (Telemetry, Memory<LogRecord>) {
    let logs = Memory::new();
    (builder.logs(options).export(logs.clone()).start().unwrap(), logs)
}

/// The bodies of what has come since the last look, after a flush.
fn bodies(telemetry: &Telemetry, logs: &Memory<LogRecord>) -> Vec<String> {
    assert!(telemetry.flush(PATIENCE).settled);
    logs.take().iter().map(|record| record.body().to_string()).collect()
}

fn value(telemetry: &Telemetry, name: &str, labels: &[(&str, &str)]) -> f64 {
    telemetry.snapshot().value(name, labels).map_or(0.0, |value| value.as_f64())
}

#[test]
fn a_record_has_its_message_attributes_level_target_place_and_span() {
    let _turn = turn();
    let (telemetry, logs) = start(options("trace"));
    let (cart, name) = (7, String::from("ann"));
    let checkout = span("checkout").enter();
    let context = checkout.context();
    info!("cart {cart} of {} is {:>5}", name, "paid", items = 3, user.name = &name, "x-y" = true,);
    let line = line!() - 1;
    checkout.end();
    warn!(target: "audit", "odd", shown = %format_args!("<{name}>"), debugged = ?Some(1));
    telemetry.shutdown(PATIENCE);
    let [paid, odd] = logs.take().try_into().unwrap();
    assert_eq!(paid.body(), &Value::from("cart 7 of ann is  paid"));
    let attributes: Vec<_> = paid.attributes().iter().map(|of| (&*of.key, &of.value)).collect();
    let (items, user, yes) = (Value::from(3), Value::from("ann"), Value::from(true));
    assert_eq!(attributes, [("items", &items), ("user.name", &user), ("x-y", &yes)]);
    assert_eq!((paid.severity(), paid.target()), (LogSeverity::INFO, "logs"));
    assert_eq!(paid.location(), Some((file!(), line)));
    assert_eq!(paid.trace_id(), Some(context.trace_id()));
    assert_eq!(paid.span_id(), Some(context.span_id()));
    assert!(paid.flags().is_sampled() && paid.time() == paid.observed());
    assert_eq!((odd.severity(), odd.target(), odd.trace_id()), (LogSeverity::WARN, "audit", None));
    let shown: Vec<_> = odd.attributes().iter().map(|of| of.value.to_string()).collect();
    assert_eq!(shown, ["<ann>", "Some(1)"]);
}

#[test]
fn what_is_filtered_out_evaluates_nothing_and_another_filter_holds_at_once() {
    let _turn = turn();
    let (telemetry, logs) = start(options("info,logs::quiet=off"));
    let n_evaluated = Cell::new(0);
    let evaluate = || n_evaluated.replace(n_evaluated.get() + 1);
    let log = || {
        error!("e{}", evaluate());
        debug!("d{}", evaluate());
        trace!("t", n = evaluate());
        warn!(target: "logs::quiet", "q{}", evaluate());
    };
    log();
    assert_eq!((bodies(&telemetry, &logs), n_evaluated.take()), (vec!["e0".to_owned()], 1));
    telemetry.set_log_filter("debug,logs=error,logs::quiet=warn".parse().unwrap());
    log();
    assert_eq!(bodies(&telemetry, &logs), ["e0", "q1"]);
    telemetry.set_log_filter(LogFilter::off());
    log();
    assert!(bodies(&telemetry, &logs).is_empty());
    telemetry.set_log_filter(LogFilter::at_least(LogSeverity::TRACE));
    n_evaluated.set(0);
    log();
    assert_eq!(bodies(&telemetry, &logs), ["e0", "d1", "t", "q3"]);
    telemetry.shutdown(PATIENCE);
    n_evaluated.set(0);
    log();
    assert_eq!((n_evaluated.get(), logs.len()), (0, 0));
}

#[test]
fn without_a_route_and_without_options_nothing_is_evaluated() {
    let _turn = turn();
    let telemetry = bellwether::builder("shop").start().unwrap();
    error!("{}", unreachable_text());
    let telemetry_disabled = {
        telemetry.shutdown(PATIENCE);
        bellwether::builder("shop").logs(options("trace")).disabled().start().unwrap()
    };
    error!("{}", unreachable_text());
    telemetry_disabled.shutdown(PATIENCE);
}

fn unreachable_text() -> String {
    panic!("evaluated")
}

#[test]
fn a_call_site_in_a_loop_is_limited_and_says_how_many_were_suppressed() {
    let _turn = turn();
    let (telemetry, logs) = start(options("info").per_call_site(5));
    let suppressed_before = value(&telemetry, "telemetry.logs.suppressed", &[]);
    let begin = bellwether::clock::now();
    const N: u64 = 1_000_000;
    for n in 0..N {
        error!("loop {n}");
        if n < 3 {
            error!("another site {n}");
        }
    }
    let seconds = bellwether::clock::now().since(begin).as_secs() + 2;
    assert!(telemetry.flush(PATIENCE).settled);
    let records = logs.take();
    let of = |text: &str| {
        records.iter().filter(|of| of.body().to_string().starts_with(text)).count() as u64
    };
    let suppressed: u64 = records.iter().map(LogRecord::suppressed).sum();
    assert!((5..=5 * seconds).contains(&of("loop")), "{}", of("loop"));
    assert_eq!((of("loop") + suppressed, of("another site")), (N, 3));
    let summary = records.iter().find(|record| record.suppressed() > 0).unwrap();
    assert_eq!((summary.severity(), summary.target()), (LogSeverity::ERROR, "logs"));
    let counted = value(&telemetry, "telemetry.logs.suppressed", &[]) - suppressed_before;
    assert_eq!(counted, suppressed as f64);
    // Figures count what happened, and not what was kept.
    let labels = [("level", "error"), ("target", "logs")];
    assert_eq!(value(&telemetry, "log.records", &labels), (N + 3) as f64);
    assert_eq!(value(&telemetry, "log.error.sites", &[]), 2.0);
}

#[test]
#[cfg(target_os = "linux")]
fn on_a_full_disk_records_are_held_and_counted_and_the_program_goes_on() {
    use bellwether::export::{File, Route};
    let _turn = turn();
    let full = Route::<LogRecord>::new(File::open("/dev/full").unwrap()).named("full");
    let builder = bellwether::builder("shop").export(full);
    let (telemetry, logs) = start_with(builder, options("info"));
    (0..100).for_each(|n| info!("n {n}"));
    assert!(!telemetry.flush(Duration::from_millis(50)).settled);
    let report = telemetry.report();
    let queue = report.queue("logs", "full").unwrap();
    assert_eq!((queue.offered, queue.held, queue.delivered), (100, 100, 0));
    assert_eq!(logs.len(), 100, "another route is held back by none");
    let report = telemetry.shutdown(Duration::from_millis(50));
    let queue = report.queue("logs", "full").unwrap();
    assert_eq!((queue.held, queue.dropped.total()), (0, 100));
}

#[test]
fn equal_records_are_folded_into_one() {
    let _turn = turn();
    let (telemetry, logs) = start(options("info").fold_duplicates());
    for n in 0..200 {
        warn!("the disk is slow", disk = n % 2);
    }
    info!("done");
    assert!(telemetry.flush(PATIENCE).settled);
    let records = logs.take();
    let n_all: u32 = records.iter().map(|record| 1 + record.repeated()).sum();
    assert_eq!(n_all, 201);
    assert!(records.len() < 50, "{}", records.len()); // A second may have passed in between.
}

#[test]
fn bodies_of_ten_megabytes_and_floods_of_attributes_are_cut_and_counted() {
    let _turn = turn();
    let limits =
        LogLimits { attributes: 3, body_bytes: 1000, value_chars: 10, ..LogLimits::DEFAULT };
    let (telemetry, logs) = start(options("info").limits(limits));
    let long = "ä".repeat(5_000_000);
    info!("{long}");
    log::emit(LogRecord::new(LogSeverity::INFO, long.clone()));
    let many = (0..100_000).fold(LogRecord::new(LogSeverity::INFO, "many"), |record, n| {
        record.with_attribute(format!("k{n}"), n)
    });
    log::emit(many);
    info!("attribute", long = &long);
    assert!(telemetry.flush(PATIENCE).settled);
    let records = logs.take();
    for record in &records[..2] {
        let Value::String(text) = record.body() else { panic!("no text") };
        assert!(text.len() <= 1000 && text.chars().all(|c| c == 'ä') && text.len() > 990);
        assert_eq!(record.truncated_texts(), 1);
    }
    assert_eq!((records[2].attributes().len(), records[2].dropped_attributes()), (3, 99_997));
    assert_eq!(records[3].attributes()[0].value, Value::from("ä".repeat(10)));
    assert_eq!(value(&telemetry, "telemetry.logs.truncated", &[]), 99_997.0 + 3.0);
}

#[test]
fn records_of_many_threads_come_whole_and_sorted_by_time() {
    let _turn = turn();
    const THREADS: usize = 8;
    const EACH: usize = 5_000;
    let (telemetry, logs) = start(options("info"));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || (0..EACH).for_each(|n| info!("x", thread = thread, n = n)));
        }
    });
    let report = telemetry.shutdown(PATIENCE);
    let queue = report.queues.iter().find(|queue| queue.signal == "logs").unwrap();
    let records = logs.take();
    let lost = (THREADS * EACH) as u64 - queue.offered;
    assert_eq!(queue.offered, queue.delivered + queue.dropped.total());
    assert_eq!(records.len() as u64 + queue.dropped.total() + lost, (THREADS * EACH) as u64);
    let mut next = [0i64; THREADS];
    for record in &records {
        let [thread, n] = [0, 1].map(|place| match record.attributes()[place].value {
            Value::I64(n) => n,
            _ => panic!("no number"),
        });
        assert!(n >= next[thread as usize], "in the order of its thread");
        next[thread as usize] = n + 1;
    }
}

#[test]
fn an_alert_fires_at_an_error_that_was_never_seen_before_and_not_at_known_ones() {
    use bellwether::alert::{Rule, series};
    let _turn = turn();
    let rule = Rule::new(
        "NewError",
        series("log.error.sites").increase(Duration::from_secs(60)).above(0.0),
    );
    let builder = bellwether::builder("shop").alert_rule(rule).tick(Duration::from_millis(5));
    let (telemetry, _logs) = start_with(builder, options("info"));
    let known = |n: u32| (0..n).for_each(|_| error!("known"));
    known(1);
    while telemetry.alerts().is_empty() {
        std::thread::yield_now();
    }
    known(100);
    assert!(telemetry.flush(PATIENCE).settled);
    assert_eq!(value(&telemetry, "log.error.sites", &[]), 1.0);
    error!("unknown");
    assert!(telemetry.flush(PATIENCE).settled);
    assert_eq!(value(&telemetry, "log.error.sites", &[]), 2.0);
    let snapshot = telemetry.snapshot();
    let site = format!("{}:{}", file!(), line!() - 4);
    let labels = [("site", &*site), ("target", "logs")];
    assert_eq!(snapshot.value("log.errors", &labels).map(|value| value.as_f64()), Some(1.0));
}

#[test]
fn what_processors_log_is_dropped_and_what_they_change_and_remove_counts() {
    let _turn = turn();
    let builder = bellwether::builder("shop").log_processor(|records: &mut Vec<LogRecord>| {
        error!("from a processor");
        records.retain(|record| record.body() != &Value::from("secret"));
        records.iter_mut().for_each(|record| record.set_attribute("seen", true));
    });
    let (telemetry, logs) = start_with(builder, options("info"));
    info!("secret");
    info!("open");
    assert!(telemetry.flush(PATIENCE).settled);
    let [record] = logs.take().try_into().unwrap();
    assert_eq!((record.body(), &record.attributes()[0].value), (&"open".into(), &true.into()));
    let labels = [("reason", "filtered"), ("signal", "logs")];
    assert_eq!(value(&telemetry, "telemetry.processor.dropped", &labels), 1.0);
}

#[test]
fn a_display_that_logs_and_one_that_panics_do_no_harm() {
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
    info!("{Logging}");
    info!("{Panicking}");
    info!("after");
    let panicked = "(panicked while it was shown)";
    assert_eq!(bodies(&telemetry, &logs), ["outer", "inner", panicked, "after"]);
}

#[test]
fn records_by_hand_go_by_the_filter_and_may_name_their_span_and_time() {
    let _turn = turn();
    let (telemetry, logs) = start(options("info,noisy=off"));
    log::emit(LogRecord::new(LogSeverity::DEBUG, "too fine"));
    log::emit(LogRecord::new(LogSeverity::FATAL, "of a target that is off").with_target("noisy"));
    let context = span("elsewhere").enter().context();
    let time = bellwether::clock::Timestamp::from_unix_nanos(1_000);
    let kept = LogRecord::new(LogSeverity::FATAL, "kept").with_time(time);
    log::emit(kept.with_context(context.clone()));
    assert!(telemetry.flush(PATIENCE).settled);
    let [record] = logs.take().try_into().unwrap();
    assert_eq!((record.time(), record.trace_id()), (time, Some(context.trace_id())));
    assert!(record.observed() > record.time());
    assert_ne!(record.trace_id(), Some(TraceId::INVALID));
}

#[test]
fn a_scope_keeps_what_its_thread_logs_and_telemetry_what_others_do() {
    let _turn = turn();
    let log = |n: u32| debug!("n {n}");
    let (telemetry, logs) = start(options("info"));
    log(0);
    let scope = bellwether::testing::scope();
    log(1);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            log(2);
            info!("of another thread");
        });
    });
    let inner = bellwether::testing::scope();
    log(3);
    let of = |scope: &bellwether::testing::Scope| {
        scope.logs().iter().map(|record| record.body().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(of(&inner), ["n 3"]);
    drop(inner);
    log(4);
    assert_eq!(of(&scope), ["n 1", "n 4"]);
    drop(scope);
    log(5);
    assert_eq!(bodies(&telemetry, &logs), ["of another thread"]);
    telemetry.shutdown(PATIENCE);
    let scope = bellwether::testing::scope();
    log(6);
    assert_eq!(of(&scope), ["n 6"]);
}

/// A record that is being made now, as by a thread that is slow.
fn unfinished() -> Option<LogRecord> {
    static SITE: log::CallSite = log::CallSite::new(LogSeverity::INFO, "late", "late.rs", 1);
    log::begin(&SITE)
}

#[test]
fn a_record_that_is_finished_after_the_shutdown_is_counted_and_not_the_next_ones() {
    let _turn = turn();
    let (telemetry, logs) = start(options("info"));
    let late = unfinished().unwrap();
    telemetry.shutdown(PATIENCE);
    let (next, next_logs) = start(options("info"));
    let lost = value(&next, "telemetry.logs.lost", &[]);
    next.shutdown(PATIENCE);
    log::take(late);
    let (next, next_logs) = (start(options("info")).0, [next_logs, logs]);
    assert_eq!(value(&next, "telemetry.logs.lost", &[]), lost + 1.0);
    next.shutdown(PATIENCE);
    assert_eq!(next_logs.map(|logs| logs.len()), [0, 0]);
}

#[test]
fn a_scope_keeps_what_the_limit_of_call_sites_would_suppress() {
    let _turn = turn();
    let (telemetry, _logs) = start(options("info").per_call_site(1));
    let suppressed = value(&telemetry, "telemetry.logs.suppressed", &[]);
    let scope = bellwether::testing::scope();
    (0..5).for_each(|n| info!("n {n}"));
    assert_eq!(scope.logs().len(), 5);
    drop(scope);
    assert!(telemetry.flush(PATIENCE).settled);
    assert_eq!(value(&telemetry, "telemetry.logs.suppressed", &[]), suppressed);
}

#[test]
fn keys_targets_and_bodies_that_are_arrays_are_cut_and_counted_too() {
    let _turn = turn();
    let limits = LogLimits { array_items: 3, value_chars: 10, ..LogLimits::DEFAULT };
    let (telemetry, logs) = start(options("info").limits(limits));
    let long = || "\u{e4}".repeat(5_000_000);
    log::emit(LogRecord::new(LogSeverity::INFO, vec![1_i64; 10_000_000]));
    log::emit(LogRecord::new(LogSeverity::INFO, "key").with_attribute(long(), 1));
    let named = LogRecord::new(LogSeverity::INFO, "names").with_target(long());
    log::emit(named.with_event_name(long()).with_severity_text(long()).with_location(long(), 1));
    assert!(telemetry.flush(PATIENCE).settled);
    let [array, key, names] = logs.take().try_into().unwrap();
    assert_eq!(array.body(), &Value::from(vec![1_i64; 3]));
    assert!(key.attributes()[0].key.len() < 10_000);
    let (file, _) = names.location().unwrap();
    for text in [names.target(), names.event_name().unwrap(), names.severity_text(), file] {
        assert!((1_000..10_000).contains(&text.len()), "{}", text.len());
    }
    let truncated = [array, key, names].map(|record| record.truncated_texts());
    assert_eq!(truncated, [1, 1, 4]);
}
