use std::time::Duration;

use serde_json::{Value as JsonValue, json};

use super::*;
use crate::{
    clock::ManualClock,
    context::{Outcome, SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    export::wire::{
        receiver::{Receiver, answer},
        span::sample,
    },
    label::{KeyValue, Value},
    pipeline::{Batch, DropReason, Encoder as _, Pipe, QueueReport, Retry},
    resource::Resource,
    trace::{Event, Link, SpanKind, Status},
    transport::http_client::tests::matrix,
};

const LONG: Duration = Duration::from_secs(20);

/// What is posted for these spans of a service.
fn posted(resource: Resource, spans: Vec<SpanRecord>) -> Vec<JsonValue> {
    let mut encoder = Spans::new(RESOURCE_TAGS.map(Cow::Borrowed).to_vec());
    encoder.start(&Setup::new(resource)).unwrap();
    let list = list(&encoder.encode(&Batch::from(spans)));
    serde_json::from_slice(&list).unwrap()
}

fn one(span: SpanRecord) -> JsonValue {
    let [span] = posted(Resource::service("shop"), vec![span]).try_into().unwrap();
    span
}

#[test]
fn a_span_is_an_object_of_zipkins_second_format() {
    let mut span = sample("checkout").with_kind(SpanKind::Client);
    span.set_attribute("peer.service", "bank");
    span.set_attribute("sizes", [36, 41]);
    span.set_attribute("rate", f64::NAN);
    let at = span.end();
    span.add_event(Event::new("retry", at, Vec::new()));
    span.add_event(Event::new("paid \"late\"", at, vec![KeyValue::new("n", 2)]));
    assert_eq!(
        one(span),
        json!({
            "localEndpoint": {"serviceName": "shop"},
            "traceId": "0000000000000000000000000000000a",
            "id": "000000000000000b",
            "parentId": "000000000000000c",
            "name": "checkout",
            "kind": "CLIENT",
            "timestamp": 1_577_836_800_000_000_u64,
            "duration": 12_500,
            "remoteEndpoint": {"serviceName": "bank"},
            "annotations": [
                {"timestamp": 1_577_836_800_012_500_u64, "value": "retry"},
                {"timestamp": 1_577_836_800_012_500_u64, "value": r#""paid \"late\"":{"n":2}"#},
            ],
            "tags": {
                "cart": "7", "peer.service": "bank", "sizes": "[36,41]", "rate": "NaN",
                "otel.status_code": "ERROR", "error": "no money", "outcome": "error",
            },
        })
    );
}

#[test]
fn what_a_span_does_not_have_is_not_there() {
    let clock = ManualClock::new();
    let start = clock.now();
    clock.advance(Duration::from_nanos(999));
    let id = SpanContext::new(
        TraceId::from_u128(u128::MAX),
        SpanId::from_u64(1),
        TraceFlags::SAMPLED,
        TraceState::EMPTY,
    );
    let span = SpanRecord::new("").with_context(id).with_times(start, clock.now());
    assert_eq!(
        one(span),
        json!({
            "localEndpoint": {"serviceName": "shop"},
            "traceId": "ffffffffffffffffffffffffffffffff",
            "id": "0000000000000001",
            "timestamp": 1_577_836_800_000_000_u64,
            "duration": 1,
        })
    );
}

#[test]
fn only_an_error_has_the_tag_of_one() {
    let tags = |status: Status, error: Value| {
        let mut span = SpanRecord::new("x");
        span.set_attribute("error", error);
        span.set_status(status);
        one(span)["tags"].clone()
    };
    assert_eq!(tags(Status::Unset, false.into()), json!({}));
    assert_eq!(tags(Status::Ok, "false".into()), json!({"otel.status_code": "OK"}));
    assert_eq!(tags(Status::Unset, "404".into()), json!({"error": "404"}));
    let error = Status::Error("".into());
    let shown = json!({"otel.status_code": "ERROR", "error": ""});
    assert_eq!(tags(error.clone(), false.into()), shown);
    assert_eq!(tags(error, "mine".into()), shown, "no key twice");
}

#[test]
fn each_way_out_but_the_good_one_is_a_tag() {
    for outcome in [Outcome::Ok, Outcome::Error, Outcome::Panic, Outcome::Cancelled] {
        let mut span = SpanRecord::new("x");
        span.set_outcome(outcome);
        let shown = (outcome != Outcome::Ok).then(|| json!(outcome.as_str()));
        assert_eq!(one(span)["tags"].get("outcome"), shown.as_ref());
    }
}

#[test]
fn an_open_span_has_no_duration() {
    let mut span = sample("x").left_open();
    span.set_outcome(Outcome::Cancelled);
    let open = one(span);
    assert_eq!((open.get("duration"), open["tags"].get("outcome")), (None, None));
    assert!(open["timestamp"].is_u64());
}

#[test]
fn events_that_are_alike_are_one_because_zipkin_takes_a_set() {
    let mut span = sample("x");
    let at = span.end();
    for n in [1, 1, 2] {
        span.add_event(Event::new("tick", at, vec![KeyValue::new("n", n)]));
    }
    let read = one(span);
    let texts = read["annotations"].as_array().unwrap().iter().map(|one| &one["value"]);
    assert_eq!(texts.collect::<Vec<_>>(), [r#""tick":{"n":1}"#, r#""tick":{"n":2}"#]);
}

#[test]
fn links_are_tags_as_the_collector_reads_them() {
    let mut span = SpanRecord::new("x");
    let state = TraceState::parse("a=1,b=2").unwrap();
    let to =
        SpanContext::new(TraceId::from_u128(10), SpanId::from_u64(11), TraceFlags::SAMPLED, state);
    span.add_link(Link::new(to, vec![KeyValue::new("why", "batch")]));
    span.add_link(Link::new(SpanContext::NONE, Vec::new()));
    let tags = one(span)["tags"].clone();
    assert_eq!(
        tags["otlp.link.0"],
        "0000000000000000000000000000000a|000000000000000b|a=1,b=2|{\"why\":\"batch\"}|0"
    );
    assert_eq!(tags["otlp.link.1"], "00000000000000000000000000000000|0000000000000000||{}|0");
}

#[test]
fn what_limits_cut_is_said_in_tags() {
    let scope = crate::testing::scope();
    {
        let cut = crate::span("cut").enter();
        for n in 0..130 {
            cut.set_attribute(format!("key{n}"), n);
            cut.add_event("tick", []);
            cut.add_link(SpanContext::NONE, []);
        }
    }
    let tags = one(scope.span("cut"))["tags"].clone();
    for what in ["attributes", "events", "links"] {
        assert_eq!(tags[format!("otel.dropped_{what}_count")], "2", "{what}");
    }
}

#[test]
fn every_span_says_its_service_and_some_attributes_of_the_resource() {
    let resource = Resource::service("sh\"op")
        .with("service.namespace", "eu")
        .with("service.version", "1.2")
        .with("host.name", "h1");
    let mut own = SpanRecord::new("own");
    own.set_attribute("service.version", 3);
    let spans = posted(resource, vec![SpanRecord::new("a"), own]);
    let names = spans.iter().map(|span| &span["localEndpoint"]["serviceName"]);
    assert_eq!(names.collect::<Vec<_>>(), ["sh\"op", "sh\"op"]);
    assert_eq!(spans[0]["tags"], json!({"service.namespace": "eu", "service.version": "1.2"}));
    assert_eq!(spans[1]["tags"], json!({"service.namespace": "eu", "service.version": "3"}));
    let nameless = posted(Resource::default(), vec![SpanRecord::new("a")]);
    assert_eq!(nameless[0]["localEndpoint"], json!({"serviceName": "unknown_service"}));
}

#[test]
fn a_part_of_a_payload_is_a_list_of_the_same_service() {
    let mut encoder = Spans::new(Vec::new());
    encoder.start(&Setup::new(Resource::service("shop"))).unwrap();
    let spans: Vec<_> = ["a", "b", "c"].map(SpanRecord::new).into();
    let whole = encoder.encode(&Batch::from(spans));
    let names = |payload: &Payload| -> Vec<String> {
        let read: Vec<JsonValue> = serde_json::from_slice(&list(payload)).unwrap();
        assert!(read.iter().all(|span| span["localEndpoint"]["serviceName"] == "shop"));
        read.iter().map(|span| span["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&whole), ["a", "b", "c"]);
    assert_eq!(
        (names(&whole.first(1)), names(&whole.skip(1))),
        (vec!["a".into()], vec!["b".into(), "c".into()])
    );
    assert_eq!(names(&whole.skip(3)), Vec::<String>::new());
}

/// What becomes of `n` spans at a server that answers so, and the requests that it got.
fn sent(server: &Receiver, path: &str, n: usize) -> QueueReport {
    let route = Route::from(Zipkin::new(server.endpoint(path)));
    let route = route.settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        settings.retry = Retry { initial: Duration::from_millis(1), ..Retry::default() };
    });
    let pipe = Pipe::start(route, &Setup::new(Resource::service("shop"))).unwrap();
    pipe.push((0..n).map(|n| SpanRecord::new(format!("span {n}"))).collect::<Vec<_>>());
    pipe.shutdown(LONG)
}

#[test]
fn spans_are_posted_as_json_to_the_path_of_zipkin() {
    for (path, line) in [
        ("", "POST /api/v2/spans HTTP/1.1"),
        ("/", "POST /api/v2/spans HTTP/1.1"),
        ("/below/", "POST /below/api/v2/spans HTTP/1.1"),
        ("/api/v2/spans", "POST /api/v2/spans HTTP/1.1"),
        ("/api/v2/spans/", "POST /api/v2/spans/ HTTP/1.1"),
    ] {
        let server = Receiver::of_status(202);
        assert_eq!(sent(&server, path, 2).delivered, 2);
        let request = server.request();
        assert_eq!(request.line, line);
        assert_eq!(request.header("content-type"), Some("application/json"));
        let read: Vec<JsonValue> = serde_json::from_slice(&request.body).unwrap();
        assert_eq!((read.len(), &read[1]["name"]), (2, &json!("span 1")));
    }
}

#[test]
fn what_may_pass_is_tried_again_and_nothing_else() {
    for status in [429, 502, 503, 504] {
        let server =
            Receiver::answering([answer(status, "retry-after: 0\r\n", ""), answer(202, "", "")]);
        assert_eq!(sent(&server, "", 3).delivered, 3, "{status}");
        let bodies: Vec<_> = server.rest().into_iter().map(|request| request.body).collect();
        assert_eq!((bodies.len(), &bodies[0]), (2, &bodies[1]));
    }
    let server = Receiver::answering([String::new(), answer(202, "", "")]);
    assert_eq!(sent(&server, "", 3).delivered, 3, "a connection that is closed");
    for status in [301, 400, 401, 404, 500, 501] {
        let server = Receiver::of_status(status);
        let report = sent(&server, "", 3);
        assert_eq!(report.dropped.get(DropReason::Rejected), 3, "{status}");
        assert_eq!(server.rest().len(), 1, "{status}");
        let place = format!("Zipkin at {} answered {status}", server.endpoint(""));
        let error = report.last_error.unwrap();
        assert!(error.starts_with(&place), "{error}");
    }
}

#[test]
fn each_status_is_a_delivery_a_retry_a_cut_or_a_refusal_whatever_the_server_asks_for() {
    let is_listed = |status| [429, 502, 503, 504].contains(&status);
    matrix::check(is_listed, |answer| answer.settle("Zipkin", may_pass));
}

#[test]
fn what_is_too_large_is_cut() {
    let server = Receiver::of_status(413);
    let mut post = Post { client: HttpClient::new(server.endpoint("")) };
    let mut payload = Payload::with_head(*b"{}");
    payload.record(|bytes| bytes.extend_from_slice(b"{}"));
    let error = post.send(&payload, &Deadline::after(LONG)).unwrap_err();
    assert!(format!("{error:?}").contains("Cut"), "{error:?}");
}

#[test]
fn the_environment_says_where_and_how_long() {
    let from = |variables: &[(&str, &str)]| {
        Zipkin::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
        .endpoint
    };
    let default = from(&[]);
    assert_eq!(default.to_string(), "http://localhost:9411");
    assert_eq!(default.time_limit(), Duration::from_secs(10));
    default.check().unwrap();
    let set = from(&[
        ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", " http://10.0.0.1:80/api/v2/spans "),
        ("OTEL_EXPORTER_ZIPKIN_TIMEOUT", "2500"),
    ]);
    assert_eq!(set.to_string(), "http://10.0.0.1");
    assert_eq!(set.time_limit(), Duration::from_millis(2_500));
    set.check().unwrap();
    for wrong in ["", " ", "0", "-1", "soon"] {
        let set = from(&[
            ("OTEL_EXPORTER_ZIPKIN_TIMEOUT", wrong),
            ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", wrong.trim_matches(|_| true)),
        ]);
        assert_eq!(set.time_limit(), Duration::from_secs(10), "{wrong:?}");
    }
}
