//! What the client asks, and what it makes of answers.

use serde_json::{Value as Json, json};

use super::*;
use crate::{
    clock::Timestamp,
    context::{SpanId, TraceId},
    export::wire::receiver::{Receiver, answer},
    log::LogSeverity,
};

fn found(sources: &[Json]) -> String {
    let hit = |(at, source): (usize, &Json)| json!({"_index": "i", "_id": at.to_string(), "_source": source, "sort": [at, "x"]});
    let hits: Vec<_> = sources.iter().enumerate().map(hit).collect();
    answer(200, "", &json!({"timed_out": false, "hits": {"hits": hits}}).to_string())
}

fn client(server: &Receiver) -> ElasticClient {
    Elasticsearch::new(server.endpoint("")).dataset("shop").client()
}

fn body(server: &Receiver) -> Json {
    serde_json::from_slice(&server.request().body).unwrap()
}

#[test]
fn a_query_is_asked_for_with_all_that_has_to_hold() {
    let server = Receiver::answering([found(&[])]);
    let time = Timestamp::from_unix_nanos(1_577_836_800_000_000_001);
    let query = ElasticQuery::new()
        .from(time)
        .until(time)
        .trace(TraceId::from_u128(10))
        .span(SpanId::from_u64(11))
        .service("shop")
        .at_least(LogSeverity::WARN)
        .field("span.kind", "server")
        .label("http.route", "/pay")
        .label("vip", true)
        .label("cart", 7)
        .label("odd", f64::NAN)
        .text("card \"refused\"")
        .limit(20);
    let page = client(&server).logs(&query).unwrap();
    assert!(page.hits.is_empty() && page.next.is_none());
    let request = server.request();
    let path =
        "/logs-shop-default/_search?ignore_unavailable=true&allow_partial_search_results=false";
    assert_eq!(request.line, format!("POST {path} HTTP/1.1"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    let body: Json = serde_json::from_slice(&request.body).unwrap();
    let filters = json!([
        {"range": {"@timestamp": {"gte": "2020-01-01T00:00:00.000000001Z"}}},
        {"range": {"@timestamp": {"lt": "2020-01-01T00:00:00.000000001Z"}}},
        {"term": {"trace.id": "0000000000000000000000000000000a"}},
        {"term": {"span.id": "000000000000000b"}},
        {"term": {"service.name": "shop"}},
        {"range": {"event.severity": {"gte": 13}}},
        {"term": {"span.kind": "server"}},
        {"term": {"labels.http_route": "/pay"}},
        {"term": {"labels.vip": "true"}},
        {"bool": {
            "should": [{"term": {"numeric_labels.cart": 7}}, {"term": {"labels.cart": "7"}}],
            "minimum_should_match": 1,
        }},
        {"term": {"labels.odd": "NaN"}},
    ]);
    assert_eq!(body["query"]["bool"]["filter"], filters);
    let wanted = &body["query"]["bool"]["must"][0]["multi_match"];
    assert_eq!(
        (&wanted["query"], &wanted["operator"]),
        (&json!("card \"refused\""), &json!("and"))
    );
    assert_eq!((&body["size"], body.get("search_after")), (&json!(20), None));
    assert_eq!(body["sort"][0]["@timestamp"]["order"], "asc");
    assert_eq!(body["sort"][1]["event.id"]["order"], "asc");
}

#[test]
fn each_signal_has_its_stream_or_all_days_of_its_indices() {
    let server = Receiver::answering([found(&[])]);
    let mut client = client(&server);
    let mut daily = Elasticsearch::new(server.endpoint("/below")).daily("shop").client();
    let query = ElasticQuery::new().newest_first();
    client.spans(&query).unwrap();
    client.metrics(&query).unwrap();
    daily.spans(&query).unwrap();
    let lines: Vec<_> = server.rest().into_iter().map(|request| request.line).collect();
    assert!(lines[0].starts_with("POST /traces-shop-default/_search?"), "{}", lines[0]);
    assert!(lines[1].starts_with("POST /metrics-shop-default/_search?"), "{}", lines[1]);
    assert!(lines[2].starts_with("POST /below/shop-traces-*/_search?"), "{}", lines[2]);
}

#[test]
fn pages_follow_each_other_by_what_the_last_hit_was_sorted_by() {
    let server = Receiver::answering([found(&[json!({}), json!({})]), found(&[json!({})])]);
    let mut client = client(&server);
    let first = client.spans(&ElasticQuery::new().service("a").newest_first().limit(2)).unwrap();
    let asked = body(&server);
    let next = first.next.expect("the page was full");
    let second = client.spans(&next).unwrap();
    assert!((first.hits.len(), second.hits.len()) == (2, 1) && second.next.is_none());
    let mut wanted = asked.clone();
    wanted["search_after"] = json!([1, "x"]);
    assert_eq!(body(&server), wanted);
    assert_eq!(asked["sort"][0]["@timestamp"]["order"], "desc");
}

#[test]
fn limits_are_within_what_an_index_takes() {
    let server = Receiver::answering([found(&[])]);
    for (limit, size) in [(0, 1), (7, 7), (10_001, 10_000), (usize::MAX, 10_000)] {
        client(&server).logs(&ElasticQuery::default().limit(limit)).unwrap();
        assert_eq!(body(&server)["size"], size);
    }
}

#[test]
fn a_hit_is_read_whether_its_fields_are_objects_or_have_dots() {
    let id = "0000000000000000000000000000000a";
    let server = Receiver::answering([found(&[
        json!({
            "@timestamp": "2020-01-01T00:00:00.012500007Z", "message": "hi", "trace.id": id,
            "span.id": "000000000000000b", "parent.id": "000000000000000c",
            "event.duration": 12_500_000, "event.severity": 13,
            "labels": {"http_route": "/pay"}, "numeric_labels": {"cart": 7}, "labels.team": "pay",
        }),
        json!({
            "@timestamp": 1_577_836_800_012u64, "trace": {"id": id}, "event": {"duration": -1},
            "metric": {"value": 0.5}, "a": {"b.c": {"d": "deep"}}, "labels": 7,
        }),
        json!({"@timestamp": "yesterday", "trace": {"id": "odd"}, "message": ["a"]}),
    ])]);
    let page = client(&server).spans(&ElasticQuery::new()).unwrap();
    let [dotted, nested, odd] = &page.hits[..] else { panic!("three") };
    assert_eq!(dotted.time().unwrap().unix_nanos(), 1_577_836_800_012_500_007);
    assert_eq!(nested.time().unwrap().unix_nanos(), 1_577_836_800_012_000_000);
    assert_eq!((odd.time(), odd.trace_id(), odd.text("message")), (None, None, None));
    for hit in [dotted, nested] {
        assert_eq!(hit.trace_id(), Some(TraceId::from_u128(10)));
    }
    assert_eq!(dotted.span_id(), Some(SpanId::from_u64(11)));
    assert_eq!(dotted.parent_span_id(), Some(SpanId::from_u64(12)));
    assert_eq!(dotted.duration(), Some(Duration::from_micros(12_500)));
    assert_eq!((nested.duration(), nested.number("metric.value")), (None, Some(0.5)));
    assert_eq!((dotted.text("message"), dotted.whole("event.severity")), (Some("hi"), Some(13)));
    assert_eq!(dotted.label("http.route").as_deref(), Some("/pay"));
    assert_eq!(dotted.label("cart").as_deref(), Some("7"));
    assert_eq!((dotted.label("team").as_deref(), dotted.label("none")), (Some("pay"), None));
    assert_eq!((nested.text("a.b.c.d"), nested.text("a.b")), (Some("deep"), None));
    assert_eq!((dotted.index(), nested.id()), ("i", "1"));
    assert_eq!(odd.json(), r#"{"@timestamp":"yesterday","message":["a"],"trace":{"id":"odd"}}"#);
}

#[test]
fn dates_that_are_none_are_not_read() {
    let server = Receiver::answering([answer(500, "", "")]);
    let good = [
        ("2020-01-01T00:00:00Z", 1_577_836_800_000_000_000),
        ("2020-01-01T00:00:00.5Z", 1_577_836_800_500_000_000),
        ("1970-01-01T00:00:00.000000001Z", 1),
    ];
    let bad = [
        "",
        "Z",
        "2020-01-01",
        "2020-01-01T00:00:00",
        "2020-01-01T00:00:00+00:00",
        "2020-13-01T00:00:00Z",
        "2020-01-01T24:00:00Z",
        "2020-01-01T00:00:00.Z",
        "2020-01-01T00:00:00.0000000001Z",
        "2020-01-01T00:00:00.+1Z",
        "+020-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "2020-00-01T00:00:00Z",
        "2020-01-01 00:00:00Z",
        "ééééééééééééééééééZ",
        "9999-12-31T23:59:59Zé",
    ];
    let texts = good.iter().map(|(text, _)| *text).chain(bad);
    let sources: Vec<_> = texts.map(|text| json!({"@timestamp": text})).collect();
    server.answer([Some(found(&sources).into_bytes())]);
    let page = client(&server).logs(&ElasticQuery::new()).unwrap();
    let times: Vec<_> = page.hits.iter().map(|hit| hit.time().map(Timestamp::unix_nanos)).collect();
    let wanted = good.iter().map(|(_, nanos)| Some(*nanos)).chain(bad.map(|_| None));
    assert!(times.iter().copied().eq(wanted), "{times:?}");
}

#[test]
fn an_error_says_who_was_asked_and_what_was_said() {
    let said = json!({"error": {"type": "parsing_exception", "reason": "unknown field [x]"}, "status": 400});
    let server = Receiver::answering([answer(400, "", &said.to_string())]);
    let error = client(&server).logs(&ElasticQuery::new()).unwrap_err();
    assert_eq!((error.status(), error.kind()), (Some(400), Some("parsing_exception")));
    let text = error.to_string();
    assert!(text.starts_with("Elasticsearch at http://127.0.0.1:"), "{text}");
    assert!(text.ends_with(" answered 400: parsing_exception: unknown field [x]"), "{text}");
    let plain = Receiver::answering([answer(502, "", &"é".repeat(10_000))]);
    let error = client(&plain).logs(&ElasticQuery::new()).unwrap_err();
    assert_eq!((error.status(), error.kind()), (Some(502), None));
    assert!(error.to_string().chars().count() < 600);
}

#[test]
fn answers_that_make_no_sense_are_errors() {
    let of = |hits: &str| format!(r#"{{"timed_out":false,"hits":{{"hits":{hits}}}}}"#);
    let bodies = [
        String::new(),
        "<html>".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        r#"{"hits":[]}"#.to_owned(),
        of("{}"),
        of("[{}]"),
        of(r#"[{"_index":"i","_id":"1"}]"#),
        of(r#"[{"_index":"i","_id":"1","_source":[]}]"#),
        of(r#"[{"_index":"i","_id":1,"_source":{}}]"#),
        of("[]").replace("false", "true"),
        "[".repeat(100_000),
    ];
    for body in bodies {
        let server = Receiver::answering([answer(200, "", &body)]);
        let error = client(&server).spans(&ElasticQuery::new()).unwrap_err();
        assert!(error.to_string().starts_with("Elasticsearch at "), "{body:.100}: {error}");
    }
}

#[test]
fn a_server_that_hangs_closes_or_talks_without_end_is_an_error_in_time() {
    let server = Receiver::answering([String::new()]);
    let endpoint = || server.endpoint("").timeout(Duration::from_millis(200));
    let ask = || Elasticsearch::new(endpoint()).client().logs(&ElasticQuery::new()).unwrap_err();
    assert_eq!(ask().status(), None);
    server.answer([None]);
    assert!(ask().to_string().contains("timed out"));
    let endless = format!("HTTP/1.1 200 X\r\n\r\n{}connection: close", "x".repeat(5 << 20));
    server.answer([Some(endless.into_bytes())]);
    let error = Elasticsearch::new(server.endpoint("")).client().logs(&ElasticQuery::new());
    assert!(error.unwrap_err().to_string().contains("more than"), "its size is bounded");
    let forbidden = Elasticsearch::new("http://127.0.0.1:1").client().logs(&ElasticQuery::new());
    assert_eq!(forbidden.unwrap_err().status(), None);
}

#[test]
fn a_thread_that_runs_tasks_may_ask_too() {
    let server = Receiver::answering([found(&[json!({})])]);
    let mut client = client(&server);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let page = runtime.block_on(async { client.logs(&ElasticQuery::new()) }).unwrap();
    assert_eq!(page.hits.len(), 1);
}

#[test]
fn names_that_are_none_are_errors_before_anything_is_asked() {
    let server = Receiver::answering([found(&[])]);
    let mut client = Elasticsearch::new(server.endpoint("")).dataset("a/../b").client();
    assert!(client.logs(&ElasticQuery::new()).is_err());
    let forever = ElasticLifecycle::forever();
    assert!(client.install(&forever).is_err());
    assert!(server.rest().is_empty());
}
