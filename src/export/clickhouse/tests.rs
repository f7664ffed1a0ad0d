use std::time::Duration;

use serde_json::{Value as JsonValue, json};

use super::*;
use crate::{
    context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    export::wire::{
        hostile,
        receiver::{Receiver, answer},
        span::sample,
    },
    label::{KeyValue, LabelSet},
    log::LogSeverity,
    metric::{Registry, Temporality, Unit},
    pipeline::{Batch, DropReason, Pipe, QueueReport, Retry, Setup},
    resource::Resource,
    trace::{Event, Link, SpanKind},
    transport::http_client::{HttpAnswer, tests::matrix},
};

const LONG: Duration = Duration::from_secs(20);

fn setup() -> Setup {
    Setup::new(Resource::service("shop").with("host.name", "h \"1\""))
}

/// The rows of these records.
fn rows<S: Row>(records: Vec<S>) -> Vec<JsonValue> {
    let mut encoder = Rows::default();
    Encoder::<S>::start(&mut encoder, &setup()).unwrap();
    let payload = encoder.encode(&Batch::from(records));
    let read = |row: &[u8]| {
        let row = row.strip_suffix(b"\n").unwrap();
        assert!(!row.contains(&b'\n'));
        serde_json::from_slice(row).unwrap()
    };
    payload.records().map(read).collect()
}

fn one<S: Row>(record: S) -> JsonValue {
    let [row] = rows(vec![record]).try_into().unwrap();
    row
}

fn without_resource(mut row: JsonValue) -> JsonValue {
    let columns = row.as_object_mut().unwrap();
    assert_eq!(columns.remove("ServiceName"), Some(json!("shop")));
    assert_eq!(columns.remove("ResourceAttributes").unwrap()["host.name"], "h \"1\"");
    row
}

#[test]
fn a_span_is_a_row_of_the_collectors_table() {
    let state = TraceState::parse("a=1,b=2").unwrap();
    let to =
        SpanContext::new(TraceId::from_u128(7), SpanId::from_u64(8), TraceFlags::SAMPLED, state);
    let mut span = sample("checkout").with_kind(SpanKind::Client);
    span.set_attribute("n", 1);
    span.set_attribute("n", 2);
    let at = span.end();
    span.add_event(Event::new("retry", at, vec![KeyValue::new("sizes", [36, 41])]));
    span.add_link(Link::new(to, vec![KeyValue::new("why", "batch")]));
    assert_eq!(
        without_resource(one(span)),
        json!({
            "Timestamp": "1577836800.000000000",
            "TraceId": "0000000000000000000000000000000a",
            "SpanId": "000000000000000b",
            "ParentSpanId": "000000000000000c",
            "TraceState": "",
            "SpanName": "checkout",
            "SpanKind": "Client",
            "SpanAttributes": {"cart": "7", "n": "2"},
            "Duration": 12_500_000,
            "StatusCode": "Error",
            "StatusMessage": "no money",
            "Events.Timestamp": ["1577836800.012500000"],
            "Events.Name": ["retry"],
            "Events.Attributes": [{"sizes": "[36,41]"}],
            "Links.TraceId": ["00000000000000000000000000000007"],
            "Links.SpanId": ["0000000000000008"],
            "Links.TraceState": ["a=1,b=2"],
            "Links.Attributes": [{"why": "batch"}],
        })
    );
}

#[test]
fn a_log_record_is_a_row_of_the_collectors_table() {
    let id = SpanContext::new(
        TraceId::from_u128(10),
        SpanId::from_u64(11),
        TraceFlags::SAMPLED,
        TraceState::EMPTY,
    );
    let log = LogRecord::new(LogSeverity::WARN, "the card\nwas \"refused\"")
        .with_target("shop::pay")
        .with_context(id)
        .with_event_name("refused")
        .with_location("src/pay.rs", 7)
        .with_attribute("cart", 7);
    let mut row = without_resource(one(log));
    let time = row.as_object_mut().unwrap().remove("Timestamp").unwrap();
    let (seconds, nanos) = time.as_str().unwrap().split_once('.').unwrap();
    assert!(seconds.parse::<u64>().unwrap() > 1_500_000_000 && nanos.len() == 9, "{time}");
    assert_eq!(
        row,
        json!({
            "TraceId": "0000000000000000000000000000000a",
            "SpanId": "000000000000000b",
            "TraceFlags": 1,
            "SeverityText": "WARN",
            "SeverityNumber": 13,
            "Body": "the card\nwas \"refused\"",
            "ScopeName": "shop::pay",
            "EventName": "refused",
            "LogAttributes": {"cart": "7", "code.file.path": "src/pay.rs", "code.line.number": "7"},
        })
    );
}

#[test]
fn a_data_point_is_a_row_of_samples() {
    let registry = Registry::new();
    let orders = registry.counter("orders", "").keys(&["route"]).build().unwrap();
    orders.with_labels(&[("route", "/a")]).add(u64::MAX);
    registry.gauge("level", "").build().unwrap().set(f64::NAN);
    let time = registry.histogram("time", "").unit(Unit::Seconds).build().unwrap();
    [0.0, 0.0, 2.0].iter().for_each(|value| time.record(*value));
    let points = registry.snapshot().data_points(Temporality::Cumulative);
    let rows: Vec<_> = rows(points).into_iter().map(without_resource).collect();
    let [level, orders, time] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((&level["Value"], &level["MetricKind"]), (&json!("nan"), &json!("gauge")));
    assert_eq!(orders["Value"], json!(u64::MAX));
    assert_eq!(orders["Attributes"], json!({"route": "/a"}));
    assert_eq!(orders["Temporality"], "cumulative");
    assert_eq!((&time["Value"], &time["MetricUnit"]), (&json!(3), &json!("s")));
    assert_eq!((time["Sum"].as_f64(), time["Max"].as_f64()), (Some(2.0), Some(2.0)));
    assert_eq!((&time["Counts"], time["Bounds"][0].as_f64()), (&json!([2, 1]), Some(0.0)));
    assert_eq!(time["P50"].as_f64(), Some(0.0));
}

#[test]
fn hostile_texts_arrive_as_they_are_from_every_place_of_a_span() {
    for (name, text) in hostile::strings("spans for ClickHouse") {
        let attributes = vec![KeyValue::new(text.clone(), text.clone())];
        let mut span = sample(&text);
        *span.attributes_mut() = attributes.clone();
        span.set_status(crate::trace::Status::Error(text.clone().into()));
        let at = span.end();
        span.add_event(Event::new(text.clone(), at, attributes.clone()));
        span.add_link(Link::new(SpanContext::NONE, attributes));
        let row = one(span);
        for found in [&row["SpanName"], &row["StatusMessage"], &row["Events.Name"][0]] {
            assert_eq!(found, &text, "{name}");
        }
        let maps = ["SpanAttributes", "Events.Attributes", "Links.Attributes"];
        for (place, map) in maps.iter().map(|map| &row[map]).enumerate() {
            let map = if place > 0 { &map[0] } else { map };
            assert_eq!(map[&text], text, "{name}: {}", maps[place]);
        }
    }
}

#[test]
fn hostile_texts_arrive_as_they_are_from_every_place_of_a_log_record_and_of_a_sample() {
    for (name, text) in hostile::strings("log records and samples for ClickHouse") {
        let log = LogRecord::new(LogSeverity::INFO, text.clone())
            .with_target(text.clone())
            .with_event_name(text.clone())
            .with_severity_text(text.clone())
            .with_location(text.clone(), 1)
            .with_attribute(text.clone(), text.clone());
        let row = one(log);
        let map = &row["LogAttributes"];
        let columns = ["Body", "ScopeName", "EventName", "SeverityText"].map(|column| &row[column]);
        for found in columns.into_iter().chain([&map[&text]]) {
            assert_eq!(found, &text, "{name}");
        }
        assert_eq!(map["code.file.path"].as_str().unwrap_or_default(), text, "{name}");
        let registry = Registry::new();
        let level = registry.gauge("level", "").keys(&["k"]).build().unwrap();
        level.with_labels(&[("k", &text)]).set(1.0);
        let snapshot = registry.snapshot();
        let kept = snapshot.family("level").unwrap().series()[0].labels().get("k").unwrap_or("");
        let mut points = snapshot.data_points(Temporality::Cumulative);
        points[0].set_labels(LabelSet::new([(text.clone(), kept.to_owned())]));
        let mut encoder = Rows::default();
        let resource = Resource::service(&text).with(text.clone(), text.clone());
        Encoder::<DataPoint>::start(&mut encoder, &Setup::new(resource)).unwrap();
        let payload = encoder.encode(&Batch::from(points));
        let row: JsonValue = serde_json::from_slice(payload.bytes()).unwrap();
        assert_eq!(row["Attributes"][&text].as_str().unwrap_or_default(), kept, "{name}");
        if !text.is_empty() {
            assert_eq!(row["ResourceAttributes"][&text], text, "{name}"); // Without a key there is none.
        }
        let service = row["ServiceName"].as_str().unwrap();
        assert!(service == text || text.is_empty(), "{name}: {service:?}");
    }
}

fn quick(clickhouse: ClickHouse) -> Route<SpanRecord> {
    Route::from(clickhouse).settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        settings.retry = Retry { initial: Duration::from_millis(1), ..Retry::default() };
    })
}

fn plain(server: &Receiver) -> ClickHouse {
    ClickHouse::new(server.endpoint("").compression(Compression::None))
}

/// What becomes of three spans.
fn sent(clickhouse: ClickHouse) -> QueueReport {
    let pipe = Pipe::start(quick(clickhouse), &setup()).unwrap();
    pipe.push((0..3).map(|n| SpanRecord::new(format!("span {n}"))).collect::<Vec<_>>());
    let report = pipe.shutdown(LONG);
    let settled = report.delivered + report.held + report.dropped.total();
    assert_eq!((report.offered, settled), (3, 3), "{report}");
    report
}

#[test]
fn rows_are_inserted_with_a_token_that_is_theirs() {
    let server = Receiver::answering([answer(503, "", ""), answer(200, "", "")]);
    let clickhouse =
        plain(&server).user("ann", Secret::new("pass")).database("te`le").table_prefix("b w_");
    assert!(!format!("{clickhouse:?}").contains("pass"));
    assert_eq!(sent(clickhouse.async_inserts()).delivered, 3);
    let [first, again] = [(); 2].map(|()| server.request());
    let line = "POST /?query=INSERT%20INTO%20%60te%5C%60le%60.%60b%20w_traces%60%20FORMAT%20JSONEachRow\
                &async_insert=1&wait_for_async_insert=1&async_insert_deduplicate=1\
                &input_format_skip_unknown_fields=1&deduplicate_blocks_in_dependent_materialized_views=1\
                &insert_deduplication_token=";
    assert!(first.line.starts_with(line), "{}", first.line);
    assert_eq!((&first.line, &first.body), (&again.line, &again.body));
    assert_eq!(first.header("x-clickhouse-user"), Some("ann"));
    assert_eq!(first.header("x-clickhouse-key"), Some("pass"));
    assert_eq!(first.body.iter().filter(|byte| **byte == b'\n').count(), 3);
    sent(plain(&server));
    assert_ne!(first.line.rsplit('=').next(), server.request().line.rsplit('=').next());
}

#[test]
fn tables_are_made_once_before_the_first_insert() {
    let server = Receiver::of_status(200);
    let clickhouse = plain(&server).create_tables().keep(Duration::from_secs(60));
    let statements = clickhouse.schema();
    assert_eq!(statements.len(), 5);
    assert!(
        statements[..4].iter().all(|text| text.contains("INTERVAL 60 SECOND")),
        "{statements:?}"
    );
    let pipe = Pipe::start(quick(clickhouse), &setup()).unwrap();
    for _ in 0..2 {
        pipe.push(vec![SpanRecord::new("a")]);
        assert!(pipe.flush(LONG));
    }
    drop(pipe);
    let requests = server.rest();
    assert_eq!(requests.len(), 7);
    let bodies = requests.iter().map(|request| String::from_utf8(request.body.clone()).unwrap());
    assert!(bodies.take(5).eq(statements));
    assert!(requests[5..].iter().all(|request| request.line.contains("INSERT")));
}

#[test]
fn a_table_that_cannot_be_made_may_be_there() {
    let refused = answer(403, "x-clickhouse-exception-code: 497\r\n", "Code: 497. not allowed");
    let mut answers = vec![answer(503, "", "")];
    answers.extend([(); 5].map(|()| refused.clone()));
    answers.push(answer(200, "", ""));
    let server = Receiver::answering(answers);
    assert_eq!(sent(plain(&server).create_tables()).delivered, 3);
    assert_eq!(server.rest().len(), 7);
}

#[test]
fn an_exception_says_whether_it_may_pass_whatever_the_status() {
    for (status, head, body, passes) in [
        (
            500,
            "x-clickhouse-exception-code: 252\r\n",
            "Code: 252. DB::Exception: Too many parts",
            true,
        ),
        (500, "", "Code: 241. DB::Exception: Memory limit exceeded", true),
        (500, "", "bad gateway of a proxy", true),
        (500, "", "Code: 60. DB::Exception: Table does not exist", false),
        (404, "x-clickhouse-exception-code: 60\r\n", "Code: 60. DB::Exception: no table", false),
        (
            400,
            "x-clickhouse-exception-code: 27\r\n",
            "Code: 27. DB::Exception: Cannot parse",
            false,
        ),
        (403, "x-clickhouse-exception-code: 516\r\n", "Code: 516. Authentication failed", false),
        (200, "x-clickhouse-exception-code: 242\r\n", "Code: 242. read-only", true),
        (200, "x-clickhouse-exception-code: 27\r\n", "Code: 27. Cannot parse", false),
        (200, "", "Code: 159. DB::Exception: Timeout exceeded", true),
        (200, "", "\r\n__exception__\r\nCode: 27. DB::Exception: Cannot parse é", false),
        (500, "", "Code: 60. DB::Exception: no table ééééééééééééééééééééééééééééééé", false),
    ] {
        let server = Receiver::answering([answer(status, head, body), answer(200, "", "")]);
        let report = sent(plain(&server));
        let n_refused = if passes { 0 } else { 3 };
        assert_eq!(report.dropped.get(DropReason::Rejected), n_refused, "{status} {body}");
        let error = report.last_error.unwrap();
        assert!(
            error.contains(body) && error.contains("ClickHouse at http://127.0.0.1"),
            "{error}"
        );
    }
}

#[test]
fn each_status_is_a_delivery_a_retry_a_cut_or_a_refusal() {
    matrix::check(
        |status| status == 429 || status >= 500,
        |answer: &HttpAnswer| answer::judge(answer, "ClickHouse"),
    );
}
