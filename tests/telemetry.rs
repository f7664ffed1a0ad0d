//! The facade: what starts, what refuses to, what a flush and a window say.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    sync::{Arc, Mutex, MutexGuard, mpsc},
    time::Duration,
};

use bellwether::{
    Counter, ErrorKind, Gauge, Telemetry,
    alert::{self, AlertState, Rule, notify, series},
    export::Memory,
    metric::{Registry, View, Views},
    pipeline::{Batch, Deadline, ExportError, ExportResult, Exporter, Retry, Route},
    trace::{SpanLimits, SpanRecord},
};

/// Telemetry is one for the process: these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

const SECONDS: Duration = Duration::from_secs(10);

fn span() {
    drop(bellwether::span("work").enter());
}

#[test]
fn a_second_start_is_an_error_until_the_first_has_shut_down() {
    let _turn = turn();
    let first = bellwether::builder("first").start().unwrap();
    let error = bellwether::builder("second").start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    first.shutdown(SECONDS);
    let _second = bellwether::builder("second").start().unwrap();
}

#[test]
fn one_span_to_two_exporters_is_offered_twice() {
    let _turn = turn();
    let (one, two) = (Memory::<SpanRecord>::new(), Memory::<SpanRecord>::new());
    let telemetry =
        bellwether::builder("test").export(one.clone()).export(two.clone()).start().unwrap();
    (0..1_000).for_each(|_| span());
    let report = telemetry.flush(SECONDS);
    assert!(report.settled);
    assert_eq!((report.totals().offered, report.totals().delivered), (2_000, 2_000));
    assert_eq!((one.records().len(), two.records().len()), (1_000, 1_000));
}

#[test]
fn spans_before_the_start_and_after_the_shutdown_are_not_offered() {
    let _turn = turn();
    span();
    let telemetry =
        bellwether::builder("test").export(Memory::<SpanRecord>::new()).start().unwrap();
    span();
    assert_eq!(telemetry.shutdown(SECONDS).totals().offered, 1);
    span();
    assert_eq!(telemetry.shutdown(SECONDS).totals().offered, 1, "the second says the same");
}

#[test]
fn what_is_beyond_the_limits_of_spans_is_in_a_series_by_what_it_is() {
    let _turn = turn();
    let limits = SpanLimits {
        attributes: 1,
        events: 1,
        links: 0,
        array_items: 2,
        value_chars: 3,
        ..SpanLimits::DEFAULT
    };
    let telemetry = bellwether::builder("test").span_limits(limits).start().unwrap();
    let truncated = || {
        let snapshot = telemetry.snapshot();
        ["attributes", "events", "links", "texts", "array_items"].map(|what| {
            snapshot.value("telemetry.spans.truncated", &[("what", what)]).unwrap().as_f64()
        })
    };
    assert_eq!(truncated(), [0.0; 5]);
    let span = bellwether::span("a").enter();
    span.set_attribute("texts", ["long", "no", "no"]);
    span.set_attribute("second", 1);
    (0..3).for_each(|_| span.add_event("e", []));
    (0..4).for_each(|_| span.add_link(span.context(), []));
    assert_eq!(truncated(), [0.0; 5], "it has not ended");
    span.end();
    assert_eq!(truncated(), [1.0, 2.0, 4.0, 1.0, 1.0]);
}

#[test]
fn a_flush_sees_the_spans_of_threads_that_still_run() {
    let _turn = turn();
    let memory = Memory::<SpanRecord>::new();
    let telemetry = bellwether::builder("test").export(memory.clone()).start().unwrap();
    let (recorded, wait) = (mpsc::channel(), mpsc::channel::<()>());
    let thread = std::thread::spawn(move || {
        span();
        recorded.0.send(()).unwrap();
        let _ = wait.1.recv();
    });
    recorded.1.recv().unwrap();
    telemetry.flush(SECONDS);
    assert_eq!(memory.records().len(), 1);
    drop(wait.0);
    thread.join().unwrap();
}

/// Hangs until it is let go.
struct Hanging(mpsc::Receiver<()>);

impl Exporter<SpanRecord> for Hanging {
    fn export(&mut self, _batch: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        let _ = self.0.recv();
        Ok(())
    }
}

#[test]
fn a_hung_exporter_is_held_at_a_flush_and_dropped_at_the_shutdown_and_stops_no_other() {
    let _turn = turn();
    let (_let_go, hanging) = mpsc::channel();
    let memory = Memory::<SpanRecord>::new();
    let telemetry = bellwether::builder("test")
        .export(Route::new(Hanging(hanging)))
        .export(memory.clone())
        .start();
    let telemetry = telemetry.unwrap();
    (0..10).for_each(|_| span());
    let report = telemetry.flush(Duration::from_millis(100));
    let totals = report.totals();
    assert_eq!(
        (report.settled, totals.offered, totals.delivered, totals.held),
        (false, 20, 10, 10)
    );
    let report = telemetry.shutdown(Duration::from_millis(100));
    let totals = report.totals();
    assert_eq!((totals.delivered, totals.held, totals.dropped), (10, 0, 10));
    assert_eq!(
        report.to_string().lines().last(),
        Some("offered=20 delivered=10 held=0 dropped=10")
    );
}

#[test]
fn an_exporter_that_fails_is_told_at_once_and_once_for_each_batch() {
    struct Fails(u32);
    impl Exporter<SpanRecord> for Fails {
        fn export(&mut self, _: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
            self.0 += 1;
            // The second batch is taken at the first attempt.
            if self.0 <= 3 { Err(ExportError::retry("disk full")) } else { Ok(()) }
        }
        fn name(&self) -> &str {
            "fails"
        }
    }
    let _turn = turn();
    let (told, heard) = mpsc::channel();
    let telemetry = bellwether::builder("test")
        .export(Route::new(Fails(0)))
        .on_diagnostic(move |kind, text| {
            if kind == "export failed" {
                drop(told.send(text.to_owned()));
            }
        })
        .start()
        .unwrap();
    for _ in 0..2 {
        span();
        assert_eq!(telemetry.flush(SECONDS).totals().held, 0);
    }
    telemetry.shutdown(SECONDS);
    drop(telemetry);
    let told: Vec<String> = heard.try_iter().collect();
    assert_eq!(told, ["exporter \"fails\" of spans: 1 records will be tried again: disk full"]);
}

/// What diagnostics say of a route to an exporter that has these answers, one span for each of the batches.
fn said(retry: Retry, answers: Vec<ExportResult<SpanRecord>>, n_batches: u32) -> Vec<String> {
    struct Says(std::vec::IntoIter<ExportResult<SpanRecord>>);
    impl Exporter<SpanRecord> for Says {
        fn export(&mut self, _: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
            self.0.next().unwrap_or(Ok(()))
        }
        fn name(&self) -> &str {
            "says"
        }
    }
    let (told, heard) = mpsc::channel();
    let route = Route::new(Says(answers.into_iter()));
    let telemetry = bellwether::builder("test")
        .export(route.settings(|settings| settings.retry = retry))
        .on_diagnostic(move |kind, text| {
            if let Some(text) = text.strip_prefix("exporter \"says\" of spans: ") {
                drop(told.send(format!("{kind}: {text}")));
            }
        })
        .start()
        .unwrap();
    for _ in 0..n_batches {
        span();
        assert_eq!(telemetry.flush(SECONDS).totals().held, 0);
    }
    telemetry.shutdown(SECONDS);
    drop(telemetry);
    heard.try_iter().collect()
}

/// Retries without a pause, for so long.
fn retry_for(max_elapsed: Duration) -> Retry {
    let mut retry = Retry::default();
    (retry.initial, retry.max, retry.max_elapsed) = (Duration::ZERO, Duration::ZERO, max_elapsed);
    retry
}

#[test]
fn what_is_dropped_is_said_with_its_number_and_why() {
    let _turn = turn();
    let nothing = || Batch::from(Vec::new());
    let answers = vec![
        Err(ExportError::reject("400")),
        Err(ExportError::retry("503")),
        Err(ExportError::partial(1, "odd")),
        // Of these nothing is lost.
        Err(ExportError::reject("said late").unsent(nothing())),
        Err(ExportError::retry("said late").unsent(nothing())),
        Err(ExportError::partial(0, "fine")),
    ];
    assert_eq!(
        said(retry_for(Duration::ZERO), answers, 6),
        [
            "records rejected: 1 records dropped: 400",
            "retries exhausted: 1 records dropped: 503",
            "records rejected: 1 records: odd",
        ]
    );
}

#[test]
fn a_retry_of_nothing_is_not_said() {
    let _turn = turn();
    let answers = vec![Err(ExportError::retry("said late").unsent(Batch::from(Vec::new())))];
    assert_eq!(said(retry_for(SECONDS), answers, 1), [""; 0]);
}

#[test]
fn disabled_telemetry_runs_nothing_and_metrics_still_record() {
    let _turn = turn();
    static EVENTS: Counter = Counter::new("test.disabled.events", "");
    let memory = Memory::<SpanRecord>::new();
    let builder = bellwether::builder("test").export(memory.clone()).prometheus("127.0.0.1:0");
    let telemetry = builder.disabled().start().unwrap();
    EVENTS.inc();
    span();
    assert_eq!(telemetry.flush(SECONDS).totals().offered, 0);
    assert!(telemetry.local_addrs().is_empty());
    assert_eq!(telemetry.snapshot().value("test.disabled.events", &[]).unwrap().as_f64(), 1.0);
}

#[test]
fn a_port_in_use_is_an_error_that_names_it_and_leaves_nothing_running() {
    let _turn = turn();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = bellwether::builder("test").prometheus(&address).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains(&address), "{error}");
    let _free = bellwether::builder("test").start().unwrap();
}

/// Starts with a tick of a few milliseconds, so that a test need not wait for seconds.
fn ticking(rule: Rule) -> (Telemetry, mpsc::Receiver<AlertState>, Arc<Mutex<Vec<u8>>>) {
    let (send, transitions) = mpsc::channel();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let telemetry = bellwether::builder("test")
        .alert_rule(rule)
        .tick(Duration::from_millis(5))
        .on_transition(move |transition| send.send(transition.to).unwrap())
        .notify(notify::Writer::new(Lines(lines.clone())))
        .start()
        .unwrap();
    (telemetry, transitions, lines)
}

struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_alert_goes_from_a_gauge_to_a_callback_and_a_notifier() {
    let _turn = turn();
    static LEVEL: Gauge = Gauge::new("test.alert.level", "");
    let rule = Rule::new("TooHigh", series("test.alert.level").last().above(10.0))
        .for_duration(Duration::from_millis(20));
    let (telemetry, transitions, lines) = ticking(rule);
    LEVEL.set(11.0);
    assert_eq!(transitions.recv_timeout(SECONDS), Ok(AlertState::Pending));
    assert_eq!(transitions.recv_timeout(SECONDS), Ok(AlertState::Firing));
    assert_eq!(telemetry.alerts()[0].state(), AlertState::Firing);
    LEVEL.set(1.0);
    assert_eq!(transitions.recv_timeout(SECONDS), Ok(AlertState::Resolved));
    let report = telemetry.shutdown(SECONDS);
    let text = String::from_utf8(lines.lock().unwrap().clone()).unwrap();
    let words: Vec<_> = text.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(words, ["FIRING", "RESOLVED"], "{text}");
    assert_eq!(report.totals().delivered, 2);
}

#[test]
fn a_window_tells_what_happened_within_it() {
    let _turn = turn();
    static EVENTS: Counter = Counter::new("test.window.events", "");
    EVENTS.add(5);
    let telemetry = bellwether::builder("test").start().unwrap();
    EVENTS.add(3);
    let window = telemetry.window(Duration::from_secs(60));
    assert_eq!(window.increase("test.window.events", &[]), Some(3.0));
}

#[test]
fn without_a_history_a_window_spans_no_time_and_rules_that_look_back_are_refused_by_name() {
    let _turn = turn();
    let rule = |name: &'static str, expr: alert::Expr| Rule::new(name, expr.above(1e9));
    let start = |rule| bellwether::builder("test").without_history().alert_rule(rule).start();
    let refused = start(rule("Busy", series("test.events").rate(SECONDS))).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidOption);
    assert!(refused.to_string().contains("\"Busy\""), "{refused}");
    let telemetry = start(rule("Full", series("test.events").last())).unwrap();
    assert_eq!(telemetry.window(SECONDS).duration(), Duration::ZERO);
}

#[test]
fn without_a_history_rules_of_present_values_fire() {
    let _turn = turn();
    static LEVEL: Gauge = Gauge::new("test.present.level", "");
    LEVEL.set(7.0);
    let (fires, fired) = mpsc::channel();
    let telemetry = bellwether::builder("test")
        .without_history()
        .alert_rule(Rule::new("High", series("test.present.level").last().above(5.0)))
        .on_transition(move |change| _ = fires.send(change.alert.value()))
        .tick(Duration::from_millis(5))
        .start()
        .unwrap();
    assert_eq!(fired.recv_timeout(SECONDS), Ok(7.0));
    assert_eq!(telemetry.window(SECONDS).duration(), Duration::ZERO);
}

#[test]
fn the_page_tells_what_became_of_the_spans() {
    let _turn = turn();
    let telemetry =
        bellwether::builder("test").export(Memory::<SpanRecord>::new()).start().unwrap();
    (0..7).for_each(|_| span());
    telemetry.flush(SECONDS);
    let labels = [("exporter", "memory"), ("signal", "spans")];
    for (name, value) in [("offered", 7.0), ("delivered", 7.0), ("held", 0.0)] {
        let name = format!("telemetry.queue.{name}");
        let snapshot = telemetry.snapshot();
        let found =
            snapshot.value(&name, &labels).unwrap_or_else(|| panic!("{name} in {snapshot:?}"));
        assert_eq!(found.as_f64(), value, "{name}");
    }
}

#[test]
fn each_attempt_of_an_exporter_is_a_metric_with_its_outcome() {
    let _turn = turn();
    struct Moody(u32);
    impl Exporter<SpanRecord> for Moody {
        fn export(&mut self, _: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
            self.0 += 1;
            match self.0 {
                1 => Err(ExportError::retry("busy")),
                2 => Ok(()),
                _ => panic!("out of order"),
            }
        }
        fn name(&self) -> &str {
            "moody"
        }
    }
    let telemetry = bellwether::builder("test").export(Route::new(Moody(0))).start().unwrap();
    (0..3).for_each(|_| span());
    telemetry.flush(SECONDS);
    span();
    telemetry.flush(SECONDS);
    let snapshot = telemetry.snapshot();
    let labels = [("exporter", "moody"), ("signal", "spans")];
    let attempts = |outcome| {
        let labels = [labels[0], ("outcome", outcome), labels[1]];
        let value = snapshot.value("telemetry.exporter.duration", &labels);
        value.map_or(0, |value| value.as_histogram().unwrap().count())
    };
    assert_eq!((attempts("retry"), attempts("ok"), attempts("rejected")), (1, 1, 0));
    let batch = snapshot.value("telemetry.exporter.batch", &labels).unwrap();
    assert_eq!(batch.as_histogram().unwrap().sum(), 6.0);
    let value = |name| snapshot.value(name, &labels).unwrap().as_f64();
    assert_eq!(value("telemetry.exporter.panics"), 1.0);
    assert_eq!(value("telemetry.exporter.failures"), 0.0);
    assert_eq!(value("telemetry.exporter.sent"), 0.0);
    let today = value("telemetry.exporter.last_delivery") / 86_400.0;
    assert!((20_000.0..50_000.0).contains(&today), "{today} days since 1970");
}

#[test]
fn a_conflict_is_an_error_of_a_start_that_denies_it_with_both_places() {
    let _turn = turn();
    // In a child: the conflict stays for as long as the process.
    if std::env::var_os("BELLWETHER_TEST_CONFLICT").is_none() {
        let name = "a_conflict_is_an_error_of_a_start_that_denies_it_with_both_places";
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", name]).env("BELLWETHER_TEST_CONFLICT", "1");
        let output = child.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        return;
    }
    static REQUESTS: Counter = Counter::new("test.requests", "");
    static REQUESTS_TOTAL: Gauge = Gauge::new("test.requests.total", "");
    REQUESTS.inc();
    REQUESTS_TOTAL.set(1.0);
    let error = bellwether::builder("test").deny_conflicts().start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(error.to_string().matches("tests/telemetry.rs:").count(), 2, "{error}");
}

/// Telemetry that its own exporter or callback can reach.
type Reached = Arc<std::sync::OnceLock<Arc<Telemetry>>>;

#[test]
fn a_callback_that_hangs_costs_no_span() {
    let _turn = turn();
    static LEVEL: Gauge = Gauge::new("test.hang.level", "");
    let (entered, hangs) = mpsc::channel();
    let (let_go, wait) = mpsc::channel::<()>();
    let memory = Memory::<SpanRecord>::new();
    let telemetry = bellwether::builder("test")
        .export(memory.clone())
        .alert_rule(Rule::new("TooHigh", series("test.hang.level").last().above(0.0)))
        .tick(Duration::from_millis(5))
        .on_transition(move |_| {
            entered.send(()).unwrap();
            let _ = wait.recv();
        })
        .start()
        .unwrap();
    LEVEL.set(1.0);
    hangs.recv_timeout(SECONDS).unwrap();
    (0..10).for_each(|_| span());
    let report = telemetry.shutdown(Duration::from_millis(400));
    assert_eq!((report.totals().delivered, report.totals().held), (10, 0));
    assert_eq!(memory.records().len(), 10);
    drop(let_go);
}

/// Does with its telemetry what an exporter should not, then delivers.
struct Reentrant {
    telemetry: Reached,
    act: fn(&Telemetry),
}

impl Exporter<SpanRecord> for Reentrant {
    fn export(&mut self, _batch: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
        if let Some(telemetry) = self.telemetry.get() {
            (self.act)(telemetry);
        }
        Ok(())
    }
}

#[test]
fn an_exporter_may_flush_read_and_shut_down_its_own_telemetry() {
    let _turn = turn();
    let acts: [fn(&Telemetry); 3] = [
        |telemetry| assert!(!telemetry.flush(SECONDS).settled),
        |telemetry| drop((telemetry.local_addrs(), telemetry.snapshot(), telemetry.alerts())),
        |telemetry| drop(telemetry.shutdown(SECONDS)),
    ];
    for act in acts {
        let reached = Reached::default();
        let exporter = Reentrant { telemetry: reached.clone(), act };
        let telemetry =
            Arc::new(bellwether::builder("test").export(Route::new(exporter)).start().unwrap());
        let _ = reached.set(telemetry.clone());
        (0..600).for_each(|_| span());
        let totals = telemetry.shutdown(SECONDS).totals();
        // Spans that ended after an exporter had begun the end are dropped, and counted.
        assert_eq!((totals.offered, totals.held), (600, 0), "{totals:?}");
        assert!(totals.delivered >= 512, "{totals:?}");
    }
}

#[test]
fn a_name_of_the_crates_own_that_the_user_has_taken_stays_the_users() {
    let _turn = turn();
    static MINE: Counter = Counter::new("telemetry.queue.dropped", "");
    MINE.add(3);
    for _ in 0..2 {
        let telemetry =
            bellwether::builder("test").export(Memory::<SpanRecord>::new()).start().unwrap();
        let snapshot = telemetry.snapshot();
        assert_eq!(snapshot.value("telemetry.queue.dropped", &[]).unwrap().as_f64(), 3.0);
    }
}

#[test]
fn what_is_read_while_telemetry_runs_is_what_its_views_show() {
    let _turn = turn();
    static VIEWED: Counter = Counter::new("telemetry.test.viewed", "");
    VIEWED.add(3);
    let error = bellwether::builder("test").view(View::new("a").rename("9")).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    let view = View::new("telemetry.test.viewed").rename("telemetry.test.shown");
    let telemetry = bellwether::builder("test").view(view).start().unwrap();
    let snapshot = telemetry.snapshot();
    Registry::global().set_views(Views::default());
    assert_eq!(snapshot.value("telemetry.test.shown", &[]).unwrap().as_f64(), 3.0);
    assert!(snapshot.family("telemetry.test.viewed").is_none());
}
