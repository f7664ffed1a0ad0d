//! Log records, field by field, as OpenTelemetry's own messages read them: from protobuf and from JSON.

use bellwether::{
    clock::Timestamp,
    context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    export::otlp::Otlp,
    log::{LogRecord, LogSeverity},
    pipeline::{Batch, Setup},
    resource::Resource,
};
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::LogRecord as TheirRecord,
};
use prost::Message as _;

/// The records of the requests that these become, in both forms.
fn arrived(records: Vec<LogRecord>) -> [Vec<TheirRecord>; 2] {
    let (batch, otlp) = (Batch::from(records), Otlp::new("https://example.com"));
    let setup = Setup::new(Resource::service("shop"));
    let protobuf = otlp.logs_request(&setup, &batch);
    let json = otlp.json().logs_request(&setup, &batch);
    let requests = [
        ExportLogsServiceRequest::decode(&*protobuf).unwrap(),
        serde_json::from_slice(&json).unwrap(),
    ];
    requests.map(|mut request| {
        let scope = request.resource_logs[0].scope_logs[0].scope.take().unwrap();
        assert_eq!((&*scope.name, &*scope.version), ("bellwether", "0.1.0"));
        std::mem::take(&mut request.resource_logs[0].scope_logs[0].log_records)
    })
}

fn any(value: Value) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: any(value), ..Default::default() }
}

fn text(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

#[test]
fn every_field_of_a_record_arrives() {
    let (trace, span) = (TraceId::from_u128(10), SpanId::from_u64(11));
    let context = SpanContext::new(trace, span, TraceFlags::SAMPLED, TraceState::EMPTY);
    let record = LogRecord::new(LogSeverity::new(14), "refused")
        .with_target("shop::pay")
        .with_context(context)
        .with_time(Timestamp::from_unix_nanos(1_577_836_800_000_000_001))
        .with_event_name("payment.refused")
        .with_severity_text("notice")
        .with_location("src/pay.rs", 7)
        .with_attribute("cart", 7)
        .with_attribute("cart", 8);
    let observed = record.observed().unix_nanos();
    for records in arrived(vec![record]) {
        assert_eq!(
            records,
            [TheirRecord {
                time_unix_nano: 1_577_836_800_000_000_001,
                observed_time_unix_nano: observed,
                severity_number: 14,
                severity_text: "notice".to_owned(),
                body: any(text("refused")),
                attributes: vec![
                    attribute("cart", Value::IntValue(8)),
                    attribute("bellwether.target", text("shop::pay")),
                    attribute("code.file.path", text("src/pay.rs")),
                    attribute("code.line.number", Value::IntValue(7)),
                ],
                dropped_attributes_count: 0,
                flags: 1,
                trace_id: 10_u128.to_be_bytes().to_vec(),
                span_id: 11_u64.to_be_bytes().to_vec(),
                event_name: "payment.refused".to_owned(),
            }]
        );
    }
}

#[test]
fn a_body_may_be_any_value() {
    for (body, value) in [
        (bellwether::label::Value::from(true), Value::BoolValue(true)),
        ((-7).into(), Value::IntValue(-7)),
        (0.5.into(), Value::DoubleValue(0.5)),
        ("".into(), text("")),
    ] {
        for records in arrived(vec![LogRecord::new(LogSeverity::INFO, body.clone())]) {
            assert_eq!(records[0].body, any(value.clone()));
            assert_eq!((&*records[0].severity_text, records[0].severity_number), ("INFO", 9));
            assert_eq!((records[0].trace_id.len(), records[0].span_id.len()), (0, 0));
            assert_eq!((records[0].flags, records[0].attributes.len()), (0, 0));
        }
    }
}

#[test]
fn an_attribute_of_the_users_is_not_written_again() {
    let record = LogRecord::new(LogSeverity::INFO, "x")
        .with_target("ours")
        .with_location("ours.rs", 1)
        .with_attribute("code.file.path", "theirs.rs")
        .with_attribute("bellwether.target", "theirs");
    for records in arrived(vec![record]) {
        assert_eq!(
            records[0].attributes,
            [
                attribute("code.file.path", text("theirs.rs")),
                attribute("bellwether.target", text("theirs")),
                attribute("code.line.number", Value::IntValue(1)),
            ]
        );
    }
}
