//! Routes of spans and metrics, as a user sets them up.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    time::Duration,
};

use bellwether::{
    Counter, ErrorKind, Gauge, Telemetry,
    alert::{Condition, Need, Notification, Rule, SampleWindow, series},
    export::{Batch, Deadline, ExportError, ExportResult, Exporter, File, Memory, Route},
    label::LabelSet,
    metric::{DataPoint, Observations, Registry, Temporality},
    pipeline::{DropReason, Signal},
    trace::SpanRecord,
};

static ORDERS: Counter = Counter::new("routes.orders", "Orders accepted");

const LONG: Duration = Duration::from_secs(20);

/// One telemetry at a time.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn orders(points: &[DataPoint]) -> Vec<f64> {
    let orders = points.iter().filter(|point| point.name() == "routes.orders");
    orders.map(|point| point.value().as_f64()).collect()
}

#[test]
fn metrics_are_pushed_at_the_interval_at_a_flush_and_at_shutdown_in_their_temporality() {
    let _turn = turn();
    let (totals, changes) = (Memory::<DataPoint>::new(), Memory::<DataPoint>::new());
    ORDERS.add(1);
    let before = f64::from(u32::try_from(ORDERS.value()).unwrap());
    let telemetry = bellwether::builder("shop")
        .export(Route::new(totals.clone()).interval(LONG * 100))
        .export(Route::new(changes.clone()).interval(LONG * 100).temporality(Temporality::Delta))
        .start()
        .unwrap();
    assert!(telemetry.flush(LONG).settled);
    ORDERS.add(5);
    assert!(telemetry.flush(LONG).settled);
    ORDERS.add(7);
    let report = telemetry.shutdown(LONG);
    assert_eq!(orders(&totals.take()), [before, before + 5.0, before + 12.0]);
    let changes = changes.take();
    // The first difference goes on from an earlier telemetry of this process.
    assert_eq!(orders(&changes)[1..], [5.0, 7.0]);
    assert!(changes.iter().all(|point| point.temporality() == Temporality::Delta));
    assert!(report.totals().add_up());

    let often = Memory::<DataPoint>::new();
    let route = Route::new(often.clone()).interval(Duration::from_millis(10));
    let telemetry =
        bellwether::builder("shop").export(route.settings(|s| s.batch_delay = Duration::ZERO));
    let _telemetry = telemetry.start().unwrap();
    while orders(&often.records()).len() < 3 {
        std::thread::yield_now();
    }
}

#[test]
fn two_routes_of_one_name_are_told_apart_in_reports_and_series() {
    let _turn = turn();
    let telemetry = bellwether::builder("shop")
        .export(Memory::<SpanRecord>::new())
        .export(Memory::<SpanRecord>::new())
        .export(Memory::<DataPoint>::new())
        .start()
        .unwrap();
    bellwether::span("checkout").enter().end();
    let report = telemetry.flush(LONG);
    let names: Vec<_> = report.queues.iter().map(|q| (q.name.as_str(), q.signal)).collect();
    assert_eq!(names, [("memory", "spans"), ("memory-2", "spans"), ("memory", "metrics")]);
    let snapshot = telemetry.snapshot();
    for (exporter, signal) in names {
        let labels = [("exporter", exporter), ("signal", signal)];
        let offered = snapshot.value("telemetry.queue.offered", &labels).unwrap().as_f64();
        assert!(offered >= 1.0, "{labels:?}");
    }
    assert!(snapshot.family("telemetry.queue.spooled").is_none());
}

#[test]
fn processors_stand_before_all_routes_or_on_one_of_them_and_what_they_remove_is_counted() {
    let _turn = turn();
    let (all, some) = (Memory::<SpanRecord>::new(), Memory::<SpanRecord>::new());
    let without = |name: &'static str| {
        move |spans: &mut Vec<SpanRecord>| spans.retain(|span| span.name() != name)
    };
    let telemetry = bellwether::builder("shop")
        .span_processor(without("health"))
        .span_processor(|spans: &mut Vec<SpanRecord>| {
            spans.iter_mut().for_each(|span| span.set_attribute("card", "***"));
        })
        .export(all.clone())
        .export(Route::new(some.clone()).process(without("catalog")))
        .start()
        .unwrap();
    for name in ["health", "catalog", "checkout"] {
        let span = bellwether::span(name).enter();
        bellwether::trace::set_attribute("card", "1234");
        span.end();
    }
    let report = telemetry.flush(LONG);
    let names = |memory: &Memory<SpanRecord>| {
        memory.records().iter().map(|span| span.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names(&all), names(&some)),
        (vec!["catalog".into(), "checkout".into()], vec!["checkout".into()])
    );
    assert!(
        all.records()
            .iter()
            .all(|span| span.attributes().last().unwrap().value.to_string() == "***")
    );
    assert_eq!(report.queues[1].dropped.get(DropReason::Filtered), 1);
    let labels = [("reason", "filtered"), ("signal", "spans")];
    let removed =
        telemetry.snapshot().value("telemetry.processor.dropped", &labels).unwrap().as_f64();
    assert!((removed - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_processor_that_panics_lets_nothing_pass_and_is_counted() {
    let _turn = turn();
    let spans = Memory::<SpanRecord>::new();
    let telemetry = bellwether::builder("shop")
        .span_processor(|_: &mut Vec<SpanRecord>| panic!("cannot redact"))
        .on_diagnostic(|_, _| ())
        .export(spans.clone())
        .start()
        .unwrap();
    bellwether::span("secret").enter().end();
    assert_eq!(telemetry.flush(LONG).totals().offered, 0);
    assert!(spans.is_empty());
    let labels = [("reason", "panic"), ("signal", "spans")];
    let lost = telemetry.snapshot().value("telemetry.processor.dropped", &labels).unwrap().as_f64();
    assert!((lost - 1.0).abs() < f64::EPSILON);
}

#[test]
fn metric_processors_change_data_points() {
    let _turn = turn();
    ORDERS.add(1);
    let points = Memory::<DataPoint>::new();
    let telemetry = bellwether::builder("shop")
        .metric_processor(|points: &mut Vec<DataPoint>| {
            points.retain(|point| !point.name().starts_with("telemetry."));
            let zone = |point: &DataPoint| point.labels().with([("zone", "b")]);
            points.iter_mut().for_each(|point| point.set_labels(zone(point)));
        })
        .export(points.clone())
        .start()
        .unwrap();
    telemetry.shutdown(LONG);
    let points = points.take();
    assert!(!points.is_empty());
    assert!(points.iter().all(|point| point.labels().get("zone") == Some("b")));
}

/// A file of this test's own, removed at its end.
struct Path(std::path::PathBuf);

impl Drop for Path {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_file_takes_all_signals_as_whole_lines_that_name_signal_and_service() {
    let _turn = turn();
    let name = format!("bellwether-routes-{}.jsonl", std::process::id());
    let path = Path(std::env::temp_dir().join(name));
    let telemetry = bellwether::builder("shop").export(File::open(&path.0).unwrap());
    let telemetry = telemetry.start().unwrap();
    shop(&telemetry);
    let report = telemetry.shutdown(LONG);
    let text = std::fs::read_to_string(&path.0).unwrap();
    let mut counts: HashMap<String, u64> = HashMap::new();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["service.name"], "shop");
        *counts.entry(line["signal"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    for queue in &report.queues {
        assert_eq!(counts[queue.signal], queue.delivered, "{queue}");
    }
    assert_eq!((counts["spans"], counts["logs"]), (200, 20));
}

/// Spans, log records and readings at the same time.
fn shop(telemetry: &Telemetry) {
    for _ in 0..20 {
        (0..10).for_each(|_| bellwether::span("checkout").enter().end());
        bellwether::info!("paid");
        assert!(telemetry.flush(LONG).settled);
    }
}

#[test]
fn telemetry_says_who_is_speaking() {
    let _turn = turn();
    let builder = bellwether::builder("shop").resource("deployment.environment.name", "test");
    let telemetry = builder.start().unwrap();
    let resource = telemetry.resource();
    assert_eq!(resource.get("service.name").unwrap().to_string(), "shop");
    assert_eq!(resource.get("deployment.environment.name").unwrap().to_string(), "test");
    assert!(resource.get("service.namespace").is_none());
}

#[test]
fn differences_go_on_where_the_last_telemetry_ended() {
    let _turn = turn();
    let changes = Memory::<DataPoint>::new();
    let start = || {
        let route = Route::new(changes.clone()).temporality(Temporality::Delta);
        bellwether::builder("shop").export(route.interval(LONG * 100)).start().unwrap()
    };
    drop(start());
    drop(changes.take());
    ORDERS.add(3);
    start().shutdown(LONG);
    ORDERS.add(4);
    start().shutdown(LONG);
    assert_eq!(orders(&changes.take()), [3.0, 4.0]);
}

#[test]
fn a_reading_is_of_the_process_and_not_of_a_tests_scope() {
    let _turn = turn();
    let changes = Memory::<DataPoint>::new();
    let route = Route::new(changes.clone()).temporality(Temporality::Delta).interval(LONG * 100);
    let telemetry = bellwether::builder("shop").export(route).start().unwrap();
    ORDERS.add(1);
    assert!(telemetry.flush(LONG).settled);
    drop(changes.take());
    ORDERS.add(10);
    {
        let _scope = bellwether::testing::scope();
        ORDERS.add(3);
        assert!(telemetry.flush(LONG).settled);
    }
    assert_eq!(orders(&changes.take()), [10.0]);
}

/// Flushes the telemetry from within.
struct Flushes(Arc<OnceLock<Arc<Telemetry>>>, mpsc::Sender<usize>);

impl Exporter<DataPoint> for Flushes {
    fn export(&mut self, batch: &Batch<DataPoint>, _: &Deadline) -> ExportResult<DataPoint> {
        if let Some(telemetry) = self.0.get() {
            telemetry.flush(LONG);
        }
        self.1.send(batch.len()).map_err(ExportError::reject)
    }
}

#[test]
fn an_exporter_of_metrics_that_flushes_makes_no_more_for_itself() {
    let _turn = turn();
    let itself = Arc::new(OnceLock::new());
    let (tell, told) = mpsc::channel();
    let route = Route::new(Flushes(itself.clone(), tell)).interval(LONG * 100);
    let telemetry = Arc::new(bellwether::builder("shop").export(route).start().unwrap());
    let _ = itself.set(telemetry.clone());
    assert!(telemetry.flush(LONG).settled);
    assert_eq!(told.try_iter().count(), 1);
    telemetry.shutdown(LONG);
}

#[test]
fn a_processor_that_flushes_or_shuts_down_gets_an_answer_at_once_and_makes_no_spans() {
    let _turn = turn();
    let itself: Arc<OnceLock<Arc<Telemetry>>> = Arc::new(OnceLock::new());
    let spans = Memory::<SpanRecord>::new();
    let within = itself.clone();
    let builder = bellwether::builder("shop")
        .metric_processor(move |_: &mut Vec<DataPoint>| {
            bellwether::span("within").enter().end();
            if let Some(telemetry) = within.get() {
                assert!(!telemetry.flush(Duration::MAX).settled || telemetry.report().settled);
            }
        })
        .export(Route::new(Memory::<DataPoint>::new()).interval(LONG * 100))
        .export(spans.clone());
    let telemetry = Arc::new(builder.start().unwrap());
    let _ = itself.set(telemetry.clone());
    bellwether::span("outside").enter().end();
    assert!(telemetry.flush(LONG).settled);
    assert!(telemetry.shutdown(LONG).totals().add_up());
    let names: Vec<_> = spans.records().iter().map(|span| span.name().to_owned()).collect();
    assert_eq!(names, ["outside"]);
}

#[test]
fn a_callback_that_hangs_costs_a_flush_of_spans_nothing() {
    let _turn = turn();
    static HANGS: AtomicBool = AtomicBool::new(false);
    let (let_go, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let hangs = move |_: &mut Observations| {
        if HANGS.load(Relaxed) {
            let _ = held.lock().map(|held| held.recv());
        }
    };
    let registry = Registry::global();
    let observer = registry.gauge("routes.hangs", "").observe(hangs).unwrap();
    let spans = Memory::<SpanRecord>::new();
    let telemetry = bellwether::builder("shop")
        .callback_patience(LONG * 100)
        .export(spans.clone())
        .export(Route::new(Memory::<DataPoint>::new()).interval(LONG * 100))
        .on_diagnostic(|_, _| ());
    let telemetry = telemetry.tick(LONG * 100).start().unwrap();
    HANGS.store(true, Relaxed);
    bellwether::span("checkout").enter().end();
    let report = telemetry.flush(Duration::from_millis(400));
    assert_eq!((report.queues[0].delivered, spans.len()), (1, 1), "{report}");
    drop((let_go, observer));
    telemetry.shutdown(LONG);
}

/// A kind of record that no telemetry sends.
struct Beat;

impl Signal for Beat {
    const NAME: &'static str = "beats";
    type RouteOptions = ();

    fn weight(&self) -> usize {
        1
    }
}

struct Nowhere;

impl<S: Signal> Exporter<S> for Nowhere {
    fn export(&mut self, _: &Batch<S>, _: &Deadline) -> ExportResult<S> {
        Ok(())
    }
}

#[test]
fn a_route_of_a_signal_that_telemetry_does_not_send_is_an_error_that_names_it() {
    let _turn = turn();
    let route = Route::<Beat>::new(Nowhere).named("heart");
    let error = bellwether::builder("shop").export(route).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    let text = r#"the route "heart" is of the signal "beats", which telemetry does not send"#;
    assert_eq!(error.to_string(), text);
    bellwether::builder("shop").start().unwrap().shutdown(LONG);
}

#[test]
fn a_backend_takes_notifications_as_a_notifier_does() {
    let _turn = turn();
    static HIGH: Gauge = Gauge::new("routes.high", "A level");
    let (exported, notified) = (Memory::<Notification>::new(), Memory::<Notification>::new());
    let telemetry = bellwether::builder("shop")
        .export(exported.clone())
        .notify(notified.clone())
        .alert_rule(Rule::new("High", series("routes.high").last().above(0.0)))
        .external_url("https://prometheus.example/")
        .tick(Duration::from_millis(5))
        .start()
        .unwrap();
    HIGH.set(1.0);
    while exported.is_empty() || notified.is_empty() {
        telemetry.flush(LONG);
    }
    let url =
        "https://prometheus.example/graph?g0.expr=ALERTS%7Balertname%3D%22High%22%7D&g0.tab=1";
    assert_eq!(exported.records()[0].due()[0].generator_url(), url);
    let names: Vec<_> = telemetry.shutdown(LONG).queues.iter().map(ToString::to_string).collect();
    assert!(names[0].starts_with("memory notifications offered=1 delivered=1"), "{names:?}");
    assert!(names[1].starts_with("memory-2 notifications offered=1 delivered=1"), "{names:?}");
}

#[test]
fn a_flush_after_shutdown_reads_no_metrics_that_nobody_takes() {
    let _turn = turn();
    let points = Memory::<DataPoint>::new();
    let telemetry = bellwether::builder("shop").export(points.clone()).start().unwrap();
    ORDERS.inc();
    let ended = telemetry.shutdown(LONG).totals();
    assert!(ended.offered > 0 && ended.dropped == 0, "{ended}");
    assert_eq!(telemetry.flush(LONG).totals(), ended);
    assert_eq!(telemetry.shutdown(LONG).totals(), ended);
}

/// Says that it has begun an export, and returns when the other end of its channel is dropped.
struct Stuck(mpsc::SyncSender<()>, mpsc::Receiver<()>);

impl Exporter<DataPoint> for Stuck {
    fn export(&mut self, _: &Batch<DataPoint>, _: &Deadline) -> ExportResult<DataPoint> {
        self.0.send(()).ok();
        self.1.recv().ok();
        Ok(())
    }
}

/// Counts ticks by messages, and never holds.
struct Ticks(mpsc::Sender<()>);

impl Condition for Ticks {
    fn evaluate(&self, _: &SampleWindow, _: bellwether::clock::Ticks) -> Vec<(LabelSet, f64)> {
        self.0.send(()).ok();
        Vec::new()
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }
}

#[test]
fn a_route_that_hangs_does_not_delay_the_tick() {
    let _turn = turn();
    let ((began, begun), (go_on, told), (tick, ticks)) =
        (mpsc::sync_channel(1), mpsc::channel(), mpsc::channel());
    let route = Route::new(Stuck(began, told)).interval(Duration::from_millis(10));
    let telemetry = bellwether::builder("shop")
        .tick(Duration::from_millis(10))
        .export(route.settings(|settings| settings.batch_delay = Duration::ZERO))
        .alert_rule(Rule::new("Ticks", Ticks(tick)))
        .start()
        .unwrap();
    begun.recv_timeout(LONG).unwrap();
    ticks.try_iter().for_each(drop);
    for _ in 0..20 {
        ticks.recv_timeout(LONG).expect("a tick while the route hangs");
    }
    drop((go_on, begun));
    assert!(telemetry.shutdown(LONG).totals().add_up());
}
