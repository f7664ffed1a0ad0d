//! Open spans from a user's side: what flushes and shutdowns count, export and report of them.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    time::Duration,
};

use bellwether::{
    Builder, Telemetry, clock,
    context::Outcome,
    export::{File, Memory, Route},
    pipeline::Report,
    span,
    trace::SpanRecord,
};

/// Telemetry is the process's: these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

const PATIENCE: Duration = Duration::from_secs(20);

/// With what it says of spans to its hook.
fn started(builder: Builder) -> (Telemetry, Memory<SpanRecord>, mpsc::Receiver<String>) {
    let spans = Memory::<SpanRecord>::new();
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let hook = move |kind: &str, text: &str| {
        if kind == "spans" {
            let _ = tell.lock().unwrap().send(text.to_owned());
        }
    };
    let telemetry = builder.export(spans.clone()).on_diagnostic(hook).start().unwrap();
    (telemetry, spans, told)
}

/// How many records were offered, if the account adds up.
fn offered(report: &Report) -> u64 {
    let totals = report.totals();
    assert_eq!(totals.offered, totals.delivered + totals.held + totals.dropped);
    totals.offered
}

#[test]
fn open_spans_are_in_the_account_of_each_flush_and_of_the_shutdown() {
    let _turn = turn();
    let (telemetry, spans, told) = started(bellwether::builder("open").export_open_spans());
    let (first, second) = (span("first").start(), span("second").enter());
    let report = telemetry.flush(PATIENCE);
    assert_eq!((report.open_spans, offered(&report), spans.len()), (2, 2, 2));
    assert!(report.to_string().lines().any(|line| line == "2 spans are open"), "{report}");
    drop(first);
    let report = telemetry.flush(PATIENCE);
    assert_eq!((report.open_spans, offered(&report), spans.len()), (1, 4, 4));
    let report = telemetry.shutdown(PATIENCE);
    assert_eq!((report.open_spans, offered(&report), spans.len()), (1, 5, 5));
    drop(second); // After the shutdown: it comes too late.
    let n_ended = spans.records().iter().filter(|span| !span.is_open()).count();
    assert_eq!((spans.len(), n_ended), (5, 1));
    let told: Vec<_> = told.try_iter().collect();
    let text = "1 had not ended at the shutdown, and if they were sampled, they are exported as they stand";
    assert_eq!(told, [text]);
}

#[test]
fn by_default_open_spans_are_counted_and_not_exported() {
    let _turn = turn();
    let (telemetry, spans, told) = started(bellwether::builder("open"));
    let _open = (span("first").start(), span("second").enter());
    let report = telemetry.flush(PATIENCE);
    assert_eq!((report.open_spans, telemetry.report().open_spans, offered(&report)), (2, 2, 0));
    let report = telemetry.shutdown(PATIENCE);
    assert_eq!((report.open_spans, spans.len()), (2, 0));
    assert_eq!(told.try_recv().unwrap(), "2 had not ended at the shutdown, and are not exported");
}

#[test]
fn a_processor_can_tell_open_spans_from_others() {
    let _turn = turn();
    let without_polls = |spans: &mut Vec<SpanRecord>| {
        spans.retain(|span| !span.is_open() || span.name() != "poll");
    };
    let builder = bellwether::builder("open").export_open_spans().span_processor(without_polls);
    let (telemetry, spans, _told) = started(builder);
    let (_poll, _import) = (span("poll").start(), span("import").start());
    telemetry.flush(PATIENCE);
    let names: Vec<_> = spans.records().iter().map(|span| span.name().to_owned()).collect();
    assert_eq!(names, ["import"]);
}

#[test]
fn spans_that_stay_open_are_reported_by_the_tick() {
    let _turn = turn();
    let builder = bellwether::builder("open")
        .report_open_spans(Duration::ZERO)
        .tick(Duration::from_millis(5));
    let (_telemetry, _spans, told) = started(builder);
    (0..3).for_each(|_| std::mem::forget(span("checkout").start()));
    let text = told.recv_timeout(PATIENCE).unwrap();
    assert!(text.contains("100 % are \"checkout\", the oldest for "), "{text}");
}

#[test]
fn spans_that_are_given_up_are_reported_and_exported_by_the_tick() {
    let _turn = turn();
    let builder = bellwether::builder("open")
        .give_up_open_spans(Duration::ZERO)
        .tick(Duration::from_millis(5));
    let (telemetry, spans, told) = started(builder);
    std::mem::forget(span("checkout").start());
    let begin = clock::now();
    while telemetry.report().open_spans > 0 {
        assert!(clock::now().since(begin) < PATIENCE, "it is not given up");
        std::thread::yield_now();
    }
    assert!(told.recv_timeout(PATIENCE).unwrap().contains("100 % are \"checkout\""));
    let report = telemetry.shutdown(PATIENCE);
    assert_eq!((report.open_spans, offered(&report), spans.len()), (0, 1, 1));
    assert!(spans.records()[0].is_open());
}

#[test]
fn the_lines_of_an_open_span_have_the_mark_and_no_outcome() {
    let _turn = turn();
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = path.join(format!("open-spans-{}.jsonl", std::process::id()));
    let file = Route::<SpanRecord>::new(File::open(&path).unwrap());
    let (telemetry, spans, _told) =
        started(bellwether::builder("open").export_open_spans().export(file));
    let import = span("import").enter();
    telemetry.flush(PATIENCE);
    import.end();
    telemetry.shutdown(PATIENCE);
    let lines = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let lines: Vec<_> = lines.lines().collect();
    assert!(lines[0].contains(r#""outcome":null"#), "{lines:?}");
    assert!(lines[0].contains(r#""bellwether.span.open":true"#), "{lines:?}");
    assert!(lines[1].contains(r#""outcome":"ok""#), "{lines:?}");
    assert_eq!(spans.records()[1].outcome(), Outcome::Ok);
}
