//! Log records of OpenTelemetry's API go the way of ours.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rule is the library's own"
)]

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use bellwether::{
    Telemetry,
    clock::Timestamp,
    export::Memory,
    integration::opentelemetry::{logger_provider, tracer_provider},
    label::{KeyValue as OurKeyValue, Value},
    log::{LogOptions, LogRecord as OurRecord, LogSeverity as OurSeverity},
};
use opentelemetry::{
    Context, InstrumentationScope, Key, SpanId, TraceFlags, TraceId,
    logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity},
    trace::{Tracer as _, TracerProvider as _, mark_span_as_active},
};

/// A process has one telemetry.
fn telemetry(filter: &str) -> (MutexGuard<'static, ()>, Memory<OurRecord>, Telemetry) {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let logs = Memory::<OurRecord>::new();
    let options = LogOptions::new().filter(filter.parse().unwrap());
    let telemetry = bellwether::builder("logger").logs(options).export(logs.clone()).start();
    (alone, logs, telemetry.unwrap())
}

fn flushed(logs: &Memory<OurRecord>, telemetry: &Telemetry) -> Vec<OurRecord> {
    telemetry.flush(Duration::from_secs(20));
    logs.records()
}

#[test]
fn every_field_is_in_the_record() {
    let (_alone, logs, telemetry) = telemetry("trace");
    let scope = InstrumentationScope::builder("library").with_version("7").build();
    let logger = logger_provider().logger_with_scope(scope);
    let (time, observed) = (Duration::from_secs(1_000), Duration::from_secs(2_000));
    let mut record = logger.create_log_record();
    record.set_event_name("order.paid");
    record.set_target("shop::pay");
    record.set_timestamp(SystemTime::UNIX_EPOCH + time);
    record.set_observed_timestamp(SystemTime::UNIX_EPOCH + observed);
    record.set_severity_number(Severity::Warn3);
    record.set_severity_text("WARNING");
    record.set_body("paid".into());
    record.add_attribute("cart", 7);
    record.add_attributes([("user", "ann"), ("tier", "gold")]);
    record.set_trace_context(TraceId::from(0xabc), SpanId::from(0xdef), Some(TraceFlags::SAMPLED));
    logger.emit(record);

    let records = flushed(&logs, &telemetry);
    let [record] = &*records else { panic!("{records:?}") };
    assert_eq!(record.event_name(), Some("order.paid"));
    assert_eq!(record.target(), "shop::pay");
    assert_eq!(record.time(), Timestamp::from(SystemTime::UNIX_EPOCH + time));
    assert_eq!(record.observed(), Timestamp::from(SystemTime::UNIX_EPOCH + observed));
    assert_eq!(record.severity().number(), 15);
    assert_eq!(record.severity_text(), "WARNING");
    assert_eq!(record.body(), &Value::from("paid"));
    let expected = [
        OurKeyValue::new("otel.scope.name", "library"),
        OurKeyValue::new("otel.scope.version", "7"),
        OurKeyValue::new("cart", 7),
        OurKeyValue::new("user", "ann"),
        OurKeyValue::new("tier", "gold"),
    ];
    assert_eq!(record.attributes(), expected);
    assert_eq!(record.trace_id().unwrap().to_u128(), 0xabc);
    assert_eq!(record.span_id().unwrap().to_u64(), 0xdef);
    assert!(record.flags().is_sampled());
}

#[test]
fn what_is_not_said_has_a_default() {
    let (_alone, logs, telemetry) = telemetry("trace");
    let logger = logger_provider().logger("library");
    logger.emit(logger.create_log_record());
    let mut observed = logger.create_log_record();
    observed.set_observed_timestamp(SystemTime::UNIX_EPOCH + Duration::from_secs(9));
    observed.set_severity_text("error");
    logger.emit(observed);
    let records = flushed(&logs, &telemetry);
    let of = |severity| records.iter().find(|record| record.severity() == severity).unwrap();
    let record = of(OurSeverity::INFO);
    assert_eq!((record.target(), record.body()), ("library", &Value::from("")));
    assert_eq!((record.trace_id(), record.event_name()), (None, None));
    assert_eq!(record.time(), record.observed());
    let record = of(OurSeverity::ERROR);
    assert_eq!(record.time(), Timestamp::from_unix_nanos(9_000_000_000));
    assert_eq!(record.severity_text(), "error");
}

#[test]
fn all_severities_have_their_number_and_name() {
    let (_alone, logs, telemetry) = telemetry("trace");
    let logger = logger_provider().logger("library");
    let all =
        [Severity::Trace, Severity::Debug4, Severity::Info, Severity::Error2, Severity::Fatal4];
    for severity in all {
        let mut record = logger.create_log_record();
        record.set_severity_number(severity);
        record.set_severity_text(severity.name());
        logger.emit(record);
    }
    let records = flushed(&logs, &telemetry);
    for severity in all {
        let record = records.iter().find(|record| record.severity().number() == severity as u8);
        assert_eq!(record.unwrap().severity_text(), severity.name());
    }
}

#[test]
fn bodies_of_every_kind_are_values_or_json() {
    let (_alone, logs, telemetry) = telemetry("trace");
    let logger = logger_provider().logger("library");
    let map = HashMap::from([(Key::from("b"), AnyValue::from(1)), (Key::from("a"), "x".into())]);
    let list = AnyValue::ListAny(Box::new(vec![AnyValue::from(1), AnyValue::from("x")]));
    let bodies: [(AnyValue, Value); 9] = [
        ("text".into(), "text".into()),
        (7.into(), 7.into()),
        (0.5.into(), 0.5.into()),
        (true.into(), true.into()),
        (f64::NAN.into(), f64::NAN.into()),
        (AnyValue::from(&b"foo"[..]), "Zm9v".into()),
        (AnyValue::Map(Box::new(map)), r#"{"a":"x","b":1}"#.into()),
        (list, r#"[1,"x"]"#.into()),
        (AnyValue::ListAny(Box::default()), "[]".into()),
    ];
    for (n, (body, _)) in bodies.iter().enumerate() {
        let mut record = logger.create_log_record();
        record.set_body(body.clone());
        record.add_attribute("n", n as i64);
        record.add_attribute("same", body.clone());
        logger.emit(record);
    }
    let records = flushed(&logs, &telemetry);
    for (n, (_, expected)) in bodies.iter().enumerate() {
        let is_it =
            |record: &&OurRecord| record.attributes().contains(&OurKeyValue::new("n", n as i64));
        let record = records.iter().find(is_it).unwrap();
        assert_eq!(format!("{:?}", record.body()), format!("{expected:?}"));
        let same = record.attributes().iter().find(|attribute| attribute.key == "same").unwrap();
        assert_eq!(format!("{:?}", same.value), format!("{expected:?}"));
    }
}

#[test]
fn a_record_is_of_the_span_that_is_current_be_it_theirs_or_ours() {
    let (_alone, logs, telemetry) = telemetry("trace");
    let logger = logger_provider().logger("library");
    let theirs = mark_span_as_active(tracer_provider().tracer("").start("theirs"));
    let ids = [bellwether::current().span_id(), {
        logger.emit(logger.create_log_record());
        bellwether::info!("ours, in theirs");
        let ours = bellwether::span("ours").enter();
        logger.emit(logger.create_log_record());
        ours.context().span_id()
    }];
    drop(theirs);
    let records = flushed(&logs, &telemetry);
    let seen: Vec<_> = records.iter().map(|record| record.span_id().unwrap()).collect();
    assert_eq!(seen, [ids[0], ids[0], ids[1]]);
}

#[test]
fn the_filter_in_force_says_what_is_enabled_and_kept() {
    let (_alone, logs, telemetry) = telemetry("warn,shop=debug,library=off");
    let logger = logger_provider().logger("library");
    let enabled = |severity, target| logger.event_enabled(severity, target, None);
    assert!(enabled(Severity::Warn, "other") && !enabled(Severity::Info4, "other"));
    assert!(enabled(Severity::Debug, "shop::pay") && !enabled(Severity::Trace4, "shop::pay"));
    assert!(!enabled(Severity::Fatal, ""), "its own target is the name of the scope");
    for target in ["other", "shop", "library", ""] {
        let mut record = logger.create_log_record();
        record.set_severity_number(Severity::Info);
        record.set_target(target);
        logger.emit(record);
    }
    let seen = flushed(&logs, &telemetry);
    let targets: Vec<_> = seen.iter().map(OurRecord::target).collect();
    assert_eq!(targets, ["shop"]);
    telemetry.set_log_filter("info".parse().unwrap());
    assert!(enabled(Severity::Info, "other") && !enabled(Severity::Debug, "shop"));
}

#[test]
fn suppressed_contexts_and_muted_threads_log_nothing() {
    let (_alone, logs, telemetry) = telemetry("trace");
    let logger = logger_provider().logger("library");
    {
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        logger.emit(logger.create_log_record());
        bellwether::info!("neither do ours");
    }
    {
        let _muted = bellwether::trace::mute();
        logger.emit(logger.create_log_record());
    }
    assert!(flushed(&logs, &telemetry).is_empty());
    logger.emit(logger.create_log_record());
    assert_eq!(flushed(&logs, &telemetry).len(), 1);
}

#[test]
fn huge_records_are_cut_and_what_is_cut_is_counted() {
    let (_alone, logs, telemetry) = telemetry("trace");
    let logger = logger_provider().logger("library");
    let mut record = logger.create_log_record();
    record.set_body("x".repeat(10 << 20).into());
    record.set_target("t".repeat(10 << 20));
    for n in 0..100_000_i64 {
        record.add_attribute("n", n);
    }
    record.add_attribute("k".repeat(1 << 20), 1);
    logger.emit(record);
    // Their own `drop` of it recurses, so this is no deeper than the stack of a test thread allows.
    let mut deep = AnyValue::from(1);
    for _ in 0..500 {
        deep = AnyValue::ListAny(Box::new(vec![deep]));
    }
    let mut record = logger.create_log_record();
    record.set_body(deep);
    logger.emit(record);
    let records = flushed(&logs, &telemetry);
    assert_eq!(records.len(), 2);
    let huge = records.iter().find(|record| !record.attributes().is_empty()).unwrap();
    let huge = if huge.dropped_attributes() > 0 { huge } else { &records[1] };
    assert_eq!(huge.attributes().len(), 128);
    // All but 128, and one is the name of the scope.
    assert_eq!(huge.dropped_attributes(), 100_001 + 1 - 128);
    assert!(huge.truncated_texts() >= 1 && huge.body().to_string().len() < 1 << 20);
    let deep = records.iter().find(|record| record.body().to_string().starts_with("[[")).unwrap();
    assert!(deep.body().to_string().contains("null"));
}

#[test]
fn a_scope_whose_name_is_made_of_data_is_cut_and_counted() {
    let (_alone, logs, telemetry) = telemetry("trace");
    let logger = logger_provider().logger("s".repeat(10 << 20));
    logger.emit(logger.create_log_record());
    assert!(logger.event_enabled(Severity::Info, &"t".repeat(10 << 20), None));
    let records = flushed(&logs, &telemetry);
    assert_eq!(records[0].target().len(), 1024);
    assert!(records[0].truncated_texts() >= 1, "{}", records[0].truncated_texts());
}
