//! What is in a file of SQLite's after whatever was recorded.

mod support;

use std::time::Duration;

use bellwether::{
    Unit,
    clock::Timestamp,
    context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    export::sql::{PlainTable, Sql},
    label::LabelSet,
    log::{LogRecord, LogSeverity},
    metric::{DataPoint, Registry, Temporality},
    pipeline::{DropReason, Route},
    trace::{SpanRecord, Status},
};
use rusqlite::types::Value;
use support::{PATIENCE, Scratch, checked, count, hostile, number, rows, sent, start, text};

fn point(name: &'static str, value: f64) -> DataPoint {
    let registry = Registry::new();
    registry.gauge(name, "").build().unwrap().set(value);
    registry.snapshot().data_points(Temporality::Cumulative).remove(0)
}

fn log(body: impl Into<String>) -> LogRecord {
    LogRecord::new(LogSeverity::INFO, body.into())
}

fn context(trace: u128, span: u64) -> SpanContext {
    let (trace, span) = (TraceId::from_u128(trace), SpanId::from_u64(span));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, TraceState::EMPTY)
}

#[test]
fn one_line_writes_all_signals_to_a_file() {
    let scratch = Scratch::new();
    let telemetry = bellwether::builder("shop").export(scratch.sql()).start().unwrap();
    Registry::global().counter("orders", "").build().unwrap().add(3);
    bellwether::span("checkout").enter().end();
    bellwether::log::emit(log("paid"));
    let report = telemetry.shutdown(PATIENCE);
    assert_eq!(report.totals().dropped, 0, "{report}");
    let file = scratch.open();
    assert_eq!(
        rows(&file, "SELECT name, service FROM bellwether_spans"),
        [[text("checkout"), text("shop")]]
    );
    assert_eq!(rows(&file, "SELECT body FROM bellwether_logs"), [[text("paid")]]);
    let orders = "SELECT max(value) FROM bellwether_samples JOIN bellwether_series ON id = series WHERE name = 'orders'";
    assert_eq!(rows(&file, orders), [[Value::Real(3.0)]]);
    assert_eq!(count(&file, "bellwether_resources"), 1);
    drop(file);
    // Routes that have ended close the file behind the shutdown, which waits for no one's farewell.
    while scratch.at("telemetry.db-wal").exists() {
        std::thread::yield_now();
    }
}

#[test]
fn hostile_texts_come_back_from_every_column() {
    for (name, hostile) in hostile("columns of SQLite") {
        let scratch = Scratch::new();
        let mut span = SpanRecord::new(hostile.clone()).with_context(context(1, 2));
        span.set_attribute(hostile.clone(), hostile.clone());
        span.set_status(Status::Error(hostile.clone().into()));
        assert_eq!(sent(scratch.sql(), vec![span]).delivered, 1, "{name}");
        let record = log(hostile.clone())
            .with_target(hostile.clone())
            .with_event_name(hostile.clone())
            .with_severity_text(hostile.clone())
            .with_attribute(hostile.clone(), hostile.clone());
        assert_eq!(sent(scratch.sql(), vec![record]).delivered, 1, "{name}");
        let mut labelled = point("level", 1.0);
        let labels_of = LabelSet::new([("key".to_owned(), hostile.clone())]);
        labelled.set_labels(labels_of.clone());
        assert_eq!(sent(scratch.sql(), vec![labelled.clone()]).delivered, 1, "{name}");
        let plain = scratch.sql().plain_table(PlainTable::default());
        assert_eq!(sent(plain, vec![labelled]).delivered, 1, "{name}");

        let file = scratch.open();
        let [span] =
            &rows(&file, "SELECT name, status_message, attributes FROM bellwether_spans")[..]
        else {
            panic!("{name}")
        };
        assert_eq!(span[0], text(&*hostile), "{name}");
        let message = if hostile.is_empty() { Value::Null } else { text(&*hostile) };
        assert_eq!(span[1], message, "{name}");
        assert_eq!(attribute(&span[2], &hostile), Some(hostile.clone()), "{name}");
        let query =
            "SELECT body, target, event_name, severity_text, attributes FROM bellwether_logs";
        let [log] = &rows(&file, query)[..] else { panic!("{name}") };
        assert!(log[..4].iter().all(|value| *value == text(&*hostile)), "{name}");
        assert_eq!(attribute(&log[4], &hostile), Some(hostile.clone()), "{name}");
        let [labels] = &rows(&file, "SELECT labels FROM bellwether_series")[..] else {
            panic!("{name}")
        };
        let label = labels_of.get("key").map(str::to_owned); // It may be cut; an empty one is none.
        assert_eq!(attribute(&labels[0], "key"), label, "{name}");
        let source = match label {
            None => "level".to_owned(),
            Some(text) => {
                let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                format!("level{{key=\"{text}\"}}")
            }
        };
        assert_eq!(rows(&file, "SELECT source FROM monitor_data"), [[text(source)]], "{name}");
    }
}

/// A field of an object of JSON.
fn attribute(json: &Value, key: &str) -> Option<String> {
    let Value::Text(json) = json else { panic!("{json:?}") };
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    json.get(key).map(|value| value.as_str().unwrap().to_owned())
}

#[test]
fn numbers_that_are_none_are_null_and_infinities_stay() {
    let scratch = Scratch::new();
    let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.5, f64::MIN_POSITIVE, f64::MAX];
    let names = ["a", "b", "c", "d", "e", "f"];
    let points: Vec<_> = names.iter().zip(values).map(|(name, value)| point(name, value)).collect();
    assert_eq!(sent(scratch.sql(), points.clone()).delivered, 6);
    let query =
        "SELECT value FROM bellwether_samples JOIN bellwether_series ON id = series ORDER BY name";
    let found: Vec<_> = rows(&scratch.open(), query).into_iter().flatten().collect();
    assert_eq!(found[0], Value::Null);
    let expected: Vec<_> = values[1..].iter().map(|value| Value::Real(*value)).collect();
    assert_eq!(found[1..], expected);
    // A plain table has no place for what is no value: that row alone is refused, and counted.
    let report = sent(scratch.sql().plain_table(PlainTable::default()), points);
    assert_eq!((report.delivered, report.dropped.get(DropReason::Rejected)), (5, 1));
    assert!(report.last_error.unwrap().contains("NOT NULL constraint failed: monitor_data.value"));
}

#[test]
fn what_is_sent_again_is_there_once() {
    let scratch = Scratch::new();
    let points = {
        let registry = Registry::new();
        let orders = registry.counter("orders", "").keys(&["n"]).build().unwrap();
        (0..700).for_each(|n| orders.with_labels(&[("n", &n.to_string())]).add(n));
        registry.histogram("time", "").unit(Unit::Seconds).build().unwrap().record(0.5);
        registry.snapshot().data_points(Temporality::Cumulative)
    };
    let spans: Vec<_> =
        (1..=700).map(|n| SpanRecord::new("checkout").with_context(context(n, n as u64))).collect();
    for _ in 0..2 {
        assert_eq!(sent(scratch.sql(), points.clone()).delivered, 701);
        assert_eq!(sent(scratch.sql(), spans.clone()).delivered, 700);
        let plain = scratch.sql().plain_table(PlainTable::default());
        assert_eq!(sent(plain, points.clone()).delivered, 701);
    }
    let file = scratch.open();
    assert_eq!(count(&file, "bellwether_samples"), 701);
    assert_eq!(count(&file, "bellwether_series"), 701);
    assert_eq!(count(&file, "bellwether_spans"), 700);
    assert_eq!(count(&file, "monitor_data"), 700 + 7);
}

#[test]
fn log_records_that_are_alike_are_rows_of_their_own() {
    let scratch = Scratch::new();
    let at = Timestamp::now();
    let records = || (0..3).map(|_| log("paid").with_time(at)).collect::<Vec<_>>();
    assert_eq!(sent(scratch.sql(), records()).delivered, 3);
    assert_eq!(sent(scratch.sql(), records()).delivered, 3);
    let file = scratch.open();
    assert_eq!(count(&file, "bellwether_logs"), 6);
    assert_eq!(number(&file, "SELECT count(DISTINCT batch) FROM bellwether_logs"), 2);
}

#[test]
fn a_span_that_is_exported_while_it_is_open_has_one_row() {
    let scratch = Scratch::new();
    let telemetry = bellwether::builder("shop")
        .export_open_spans()
        .export(scratch.sql().without_metrics())
        .start()
        .unwrap();
    let row = || rows(&scratch.open(), "SELECT outcome, duration FROM bellwether_spans");
    let span = bellwether::span("long").enter();
    assert!(telemetry.flush(PATIENCE).settled);
    let [first] = &row()[..] else { panic!("{:?}", row()) };
    assert_eq!(first[0], Value::Null);
    span.end();
    assert!(telemetry.flush(PATIENCE).settled);
    let [second] = &row()[..] else { panic!("{:?}", row()) };
    assert_eq!(second[0], text("ok"));
    telemetry.shutdown(PATIENCE);
}

#[test]
fn a_plain_table_is_as_its_user_has_it() {
    let scratch = Scratch::new();
    let file = scratch.open();
    file.execute_batch(
        "CREATE TABLE readings (at INTEGER, what TEXT, value REAL, note TEXT DEFAULT 'old')",
    )
    .unwrap();
    let table = PlainTable::new("readings").columns("at", "what", "value");
    let before = Timestamp::now().unix_nanos() / 1_000_000_000;
    let seconds = scratch.sql().use_tables().plain_table(table.clone().unix_seconds());
    assert_eq!(sent(seconds, vec![point("level", 0.5)]).delivered, 1);
    let [row] = &rows(&file, "SELECT at, what, value, note FROM readings")[..] else { panic!() };
    let Value::Integer(at) = row[0] else { panic!("{row:?}") };
    assert!(u64::try_from(at).unwrap().abs_diff(before) <= 20, "{at}");
    assert_eq!(row[1..], [text("level"), Value::Real(0.5), text("old")]);
    file.execute_batch("DELETE FROM readings").unwrap();
    let millis = scratch.sql().use_tables().plain_table(table.clone().unix_millis());
    assert_eq!(sent(millis, vec![point("level", 0.5)]).delivered, 1);
    assert_eq!(number(&file, "SELECT at / 1000 > 1000000000 FROM readings"), 1);
    file.execute_batch("DELETE FROM readings").unwrap();
    let point = point("level", 0.5);
    let micros = point.taken().timestamp().unix_nanos() / 1_000;
    assert_eq!(sent(scratch.sql().use_tables().plain_table(table), vec![point]).delivered, 1);
    let parts = "SELECT unixepoch(at) || substr(at, -6), length(at) FROM readings";
    assert_eq!(rows(&file, parts), [[text(micros.to_string()), Value::Integer(26)]]);
}

#[test]
fn a_plain_table_takes_metrics_alone() {
    let scratch = Scratch::new();
    let sql = || scratch.sql().plain_table(PlainTable::default());
    let telemetry = bellwether::builder("shop").export(sql()).start().unwrap();
    bellwether::span("checkout").enter().end();
    let report = telemetry.shutdown(PATIENCE);
    assert_eq!(report.queues.len(), 1, "{report}");
    let spans = bellwether::builder("shop").export(Route::<SpanRecord>::from(sql())).start();
    assert!(spans.unwrap_err().to_string().contains("metrics alone"));
}

#[test]
fn rows_that_are_too_old_are_deleted() {
    let scratch = Scratch::new();
    let hour = Duration::from_secs(3600);
    let now = Timestamp::now().unix_nanos();
    let aged = |hours: u64| {
        let nanos = now - hours * 3_600_000_000_000 + 60_000_000_000;
        log(hours.to_string()).with_time(Timestamp::from_unix_nanos(nanos))
    };
    let records = (0..10).map(aged).collect();
    assert_eq!(sent(scratch.sql().keep(5 * hour), records).delivered, 10);
    let kept = rows(&scratch.open(), "SELECT body FROM bellwether_logs ORDER BY body");
    assert_eq!(kept.concat(), ["0", "1", "2", "3", "4", "5"].map(text));
    // More than a step deletes, behind several batches.
    let many = (0..25_000).map(|_| aged(9)).collect::<Vec<_>>();
    assert_eq!(sent(scratch.sql(), many).delivered, 25_000);
    let pipe = start::<LogRecord>(scratch.sql().keep(5 * hour));
    for n_left in [15_006 + 1, 5_006 + 2, 6 + 3, 6 + 4] {
        pipe.push(vec![log("new")]);
        assert!(pipe.flush(PATIENCE));
        assert_eq!(count(&scratch.open(), "bellwether_logs"), n_left);
    }
    checked(pipe.shutdown(PATIENCE));
}

#[test]
fn the_schema_may_be_run_by_hand() {
    let scratch = Scratch::new();
    let file = scratch.open();
    for _ in 0..2 {
        scratch.sql().schema().iter().for_each(|statement| file.execute_batch(statement).unwrap());
    }
    assert_eq!(sent(scratch.sql().use_tables(), vec![log("paid")]).delivered, 1);
    assert_eq!(rows(&file, "SELECT version FROM bellwether_schema"), [[Value::Integer(1)]]);
}

#[test]
fn several_backends_share_a_file_by_their_prefixes() {
    let scratch = Scratch::new();
    for prefix in ["a_", "b \"x\" "] {
        let sql = Sql::sqlite(scratch.file()).table_prefix(prefix);
        assert_eq!(sent(sql, vec![log("paid")]).delivered, 1);
    }
    let file = scratch.open();
    assert_eq!((count(&file, "a_logs"), count(&file, r#""b ""x"" logs""#)), (1, 1));
}
