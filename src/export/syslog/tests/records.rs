//! What each part of a record is.

use super::*;
use crate::{
    clock::Timestamp,
    context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    error::ErrorKind,
    label::Value,
};

/// A record without a span, at a known time.
fn record(body: &str) -> LogRecord {
    let none = SpanContext::new(
        TraceId::INVALID,
        SpanId::INVALID,
        TraceFlags::default(),
        TraceState::EMPTY,
    );
    let time = Timestamp::from_unix_nanos(1_795_857_302_123_456_789);
    LogRecord::new(LogSeverity::WARN, body).with_context(none).with_time(time)
}

/// The same, as if it had been seen when it happened.
fn at_once(body: &str) -> LogRecord {
    LogRecord::new(LogSeverity::WARN, body)
}

#[test]
fn each_field_of_a_message_is_what_the_page_says() {
    let syslog = syslog().facility(SyslogFacility::Local3);
    let record = record("refused").with_target("shop::pay").with_attribute("cart", 7);
    let payload = encoded(&syslog, vec![record]);
    let text = str::from_utf8(payload.bytes()).unwrap();
    let (head, tail) = text.split_once(" observed=").unwrap();
    let process = std::process::id();
    let wanted = format!(
        "<156>1 2026-11-28T09:15:02.123456Z eu-1.example.com shop {process} shop::pay \
         [bellwether@32473 cart=\"7\""
    );
    assert_eq!(head, wanted);
    assert!(tail.ends_with("\"] refused"), "{tail}");
}

#[test]
fn a_message_with_nothing_to_say_is_short() {
    let message = message(&syslog(), at_once(""));
    assert_eq!((&*message.id, &*message.element, &*message.text), ("-", "", ""));
    let payload = encoded(&syslog().bom(), vec![at_once("")]);
    assert!(payload.bytes().ends_with(b" - -"), "{payload:?}");
}

#[test]
fn all_that_a_record_has_is_a_parameter() {
    let context = SpanContext::new(
        TraceId::from_u128(10),
        SpanId::from_u64(11),
        TraceFlags::SAMPLED,
        TraceState::EMPTY,
    );
    let record = LogRecord::new(LogSeverity::new(10), "paid")
        .with_context(context)
        .with_event_name("order.paid")
        .with_target("shop::pay")
        .with_severity_text("note")
        .with_location("src/pay.rs", 42)
        .with_attribute("n", -7)
        .with_attribute("n", i64::MIN)
        .with_attribute("x", 0.5)
        .with_attribute("nan", f64::NAN)
        .with_attribute("ok", true)
        .with_attribute("all", ["a\"", "]b"])
        .with_attribute("trace_id", "mine")
        .with_attribute("trace id", "mine too");
    let message = message(&syslog().sd_id("shop@12345.6"), record);
    assert_eq!((&*message.id, &*message.element), ("order.paid", "shop@12345.6"));
    let wanted = [
        ("trace_id", "0000000000000000000000000000000a"),
        ("span_id", "000000000000000b"),
        ("n", "-9223372036854775808"),
        ("x", "0.5"),
        ("nan", "NaN"),
        ("ok", "true"),
        ("all", r#"["a\"","]b"]"#),
        ("trace_id_", "mine"),
        ("trace_id_", "mine too"),
        ("target", "shop::pay"),
        ("severity_text", "note"),
        ("code.file.path", "src/pay.rs"),
        ("code.line.number", "42"),
    ];
    let params: Vec<_> = message.params.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(params, wanted);
}

#[test]
fn every_severity_is_one_of_syslogs_and_loses_nothing() {
    for number in 1..=24 {
        let severity = LogSeverity::new(number);
        let message = message(&syslog(), LogRecord::new(severity, "x"));
        let by_code = ["", "", "", "ERROR", "WARN", "", "INFO", "DEBUG"];
        let said = message.param("severity_text");
        let said = said.unwrap_or(by_code[usize::from(message.severity)]);
        assert_eq!((message.facility, said), (1, severity.as_str()), "{number}");
    }
}

#[test]
fn a_target_that_the_header_cannot_hold_is_a_parameter() {
    for (target, id) in [
        ("shop::pay", "shop::pay"),
        ("", "-"),
        ("pay now", "pay_now"),
        (&"m".repeat(32), &*"m".repeat(32)),
        (&"m".repeat(33), &*"m".repeat(32)),
    ] {
        let message = message(&syslog(), at_once("x").with_target(target.to_owned()));
        assert_eq!(message.id, id);
        let is_whole = id == target || target.is_empty();
        assert_eq!(message.param("target"), (!is_whole).then_some(target), "{target}");
    }
}

#[test]
fn who_speaks_is_of_the_resource_unless_it_is_set() {
    let resource = Resource::service("shop")
        .with("host.name", "eu 1")
        .with("service.instance.id", "i-1")
        .with("deployment.environment.name", "prod");
    let read_with = |syslog: Syslog, record: LogRecord| {
        let mut encoder = syslog.logs_encoder();
        encoder.start(&Setup::new(resource.clone())).unwrap();
        read(encoder.encode(&Batch::from(vec![record])).bytes())
    };
    let plain = || Syslog::udp("127.0.0.1:514");
    let message = read_with(plain(), at_once("x"));
    assert_eq!((&*message.host, &*message.app), ("eu_1", "shop"));
    assert_eq!(message.process, std::process::id().to_string());
    assert_eq!(message.param("service.instance.id"), Some("i-1"));
    assert_eq!(message.param("deployment.environment.name"), Some("prod"));
    let own = at_once("x").with_attribute("deployment.environment.name", "test");
    let set = plain().host_name("h").app_name("a".repeat(49));
    let message = read_with(set, own);
    assert_eq!((&*message.host, message.app.len()), ("h", 48));
    assert_eq!(message.param("deployment.environment.name"), Some("test"));
    let renamed = plain().resource_params([("host.name", "node")]);
    let message = read_with(renamed, at_once("x"));
    assert_eq!(message.params, [("node".to_owned(), "eu 1".to_owned())]);
    let mut encoder = plain().logs_encoder();
    encoder.start(&Setup::default()).unwrap();
    let message = read(encoder.encode(&Batch::from(vec![at_once("x")])).bytes());
    assert_eq!(message.app, "-");
    assert_ne!(message.host, "eu_1");
}

#[test]
fn a_mark_of_utf_8_is_there_by_choice() {
    assert_eq!(message(&syslog(), at_once("é")).text, "é");
    assert_eq!(message(&syslog().bom(), at_once("é")).text, "\u{feff}é");
}

#[test]
fn a_body_that_is_no_text_is_printed() {
    let body = |body: Value| message(&syslog(), LogRecord::new(LogSeverity::INFO, body)).text;
    assert_eq!([body(7.into()), body(true.into())], ["7", "true"]);
    assert_eq!(body(["a", "b"].into()), r#"["a","b"]"#);
}

#[test]
fn only_an_id_that_anybody_may_choose_is_taken() {
    for id in ["shop@12345", "a@1.2.3", "!~@0"] {
        assert!(syslog().sd_id(id).logs_encoder().start(&setup()).is_ok(), "{id}");
    }
    let long = format!("{}@32473", "x".repeat(27));
    for id in ["", "shop", "origin", "@1", "a@", "a@x", "a@1.", "a b@1", "a]@1", "é@1", &long] {
        let error = syslog().sd_id(id.to_owned()).logs_encoder().start(&setup()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption, "{id}");
    }
}
