//! What each kind of record is.

use std::collections::HashSet;

use super::{reader::Json, *};
use crate::{
    clock::{ManualClock, Timestamp},
    context::{Outcome, SpanContext},
    export::wire::{log, span::sample},
    label::KeyValue,
    log::LogSeverity,
    metric::Unit,
    trace::{Event, Link, Status},
};

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

#[test]
fn each_kind_of_instrument_is_what_the_page_says() {
    let registry = Registry::new();
    registry
        .counter("orders", "")
        .keys(&["http.route"])
        .build()
        .unwrap()
        .with_labels(&[("http.route", "/pay")])
        .add(u64::MAX);
    registry.float_counter("money", "").build().unwrap().add(0.5);
    registry.up_down_counter("in_flight", "").build().unwrap().add(-2);
    registry.gauge("load", "").unit(Unit::Bytes).build().unwrap().set(-1e-7);
    registry.gauge("odd", "").build().unwrap().set(f64::NAN);
    let times = registry.histogram("time", "").unit(Unit::Seconds).build().unwrap();
    [0.5, 0.5, 2.0].into_iter().for_each(|value| times.record(value));
    let payload = metrics(&elastic(), &registry);
    let docs = docs_of(&payload);
    let doc = |name: &str| docs.iter().find(|doc| doc.text("metric.name") == Some(name)).unwrap();
    assert_eq!((docs.len(), payload.len()), (5, 6));
    assert_eq!(doc("orders").whole("metric.value"), Some(u64::MAX));
    assert_eq!(doc("orders").text("labels.http_route"), Some("/pay"));
    assert_eq!(doc("orders").text("metric.kind"), Some("counter"));
    assert_eq!(doc("orders").text("metric.temporality"), Some("cumulative"));
    assert_eq!(doc("money").number("metric.value"), Some(0.5));
    assert_eq!(doc("in_flight").number("metric.value"), Some(-2.0));
    assert_eq!(doc("load").number("metric.value"), Some(-1e-7));
    assert_eq!(
        (doc("load").text("metric.unit"), doc("load").text("metric.kind")),
        (Some("By"), Some("gauge"))
    );
    assert_eq!(doc("load").get("metric.temporality"), None);
    let time = doc("time");
    assert_eq!(time.whole("metric.count"), Some(3));
    let figures = ["sum", "min", "max"].map(|it| time.number(&format!("metric.{it}")).unwrap());
    assert_eq!(figures, [3.0, 0.5, 2.0]);
    assert!(time.number("metric.p50").unwrap() < time.number("metric.p99").unwrap());
    assert_eq!(
        (time.get("metric.value"), time.fields.get("metric.distribution.values")),
        (None, None)
    );
    for doc in &docs {
        assert_eq!(doc.text("event.id"), Some(&*doc.id));
        assert_eq!(doc.text("data_stream.type"), Some("metrics"));
        assert_eq!(doc.text("service.name"), Some("shop"));
    }
}

#[test]
fn a_distribution_has_as_many_counts_as_values_in_order() {
    let registry = Registry::new();
    let times = registry.histogram("time", "").build().unwrap();
    [0.0, 1.0, 1.0, 1e9, f64::MAX].into_iter().for_each(|value| times.record(value));
    registry.histogram("empty", "").build().unwrap();
    let elastic = elastic().histograms(ElasticHistograms::Distribution);
    let docs = docs_of(&metrics(&elastic, &registry));
    let numbers = |field: &str| {
        let values = docs.iter().find_map(|doc| doc.fields.get(field)).unwrap();
        values
            .iter()
            .map(|value| match value {
                Json::Number(number) => number.as_f64().unwrap(),
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>()
    };
    let (values, counts) =
        (numbers("metric.distribution.values"), numbers("metric.distribution.counts"));
    assert_eq!((values.len(), counts.iter().sum::<f64>()), (counts.len(), 5.0));
    assert!(values.is_sorted() && values[0] == 0.0, "{values:?}");
    assert!((values[1] - 1.0).abs() < 0.1 && counts[1] == 2.0, "{values:?} {counts:?}");
}

#[test]
fn a_difference_says_that_it_is_one() {
    let registry = Registry::new();
    registry.counter("hits", "").build().unwrap().inc();
    let points = registry.snapshot().data_points(Temporality::Delta);
    let [doc] = docs_of(&payload(elastic().metrics_encoder(), points)).try_into().unwrap();
    assert_eq!(doc.text("metric.temporality"), Some("delta"));
}

#[test]
fn a_span_is_what_the_page_says() {
    let mut span = sample("checkout");
    let at = span.start();
    let exception = |text: &'static str| {
        vec![
            KeyValue::new("exception.type", "shop::Poor"),
            KeyValue::new("exception.message", text),
        ]
    };
    span.add_event(Event::new("exception", at, exception("first")));
    span.add_event(Event::new("retry", at, vec![KeyValue::new("n", 2)]));
    span.add_link(Link::new(SpanContext::NONE, vec![KeyValue::new("why", "batch")]));
    span.set_attribute("http.request.method", "GET");
    span.set_attribute("http.response.status_code", 402);
    span.set_attribute("server.port", "none of the type");
    let [doc] =
        docs_of(&payload(elastic().spans_encoder(), vec![span.clone()])).try_into().unwrap();
    let texts = [
        ("@timestamp", "2020-01-01T00:00:00.000000000Z"),
        ("event.id", "0000000000000000000000000000000a000000000000000b"),
        ("trace.id", "0000000000000000000000000000000a"),
        ("span.id", "000000000000000b"),
        ("parent.id", "000000000000000c"),
        ("span.name", "checkout"),
        ("span.kind", "server"),
        ("event.kind", "event"),
        ("event.outcome", "failure"),
        ("event.end", "2020-01-01T00:00:00.012500000Z"),
        ("bellwether.span.outcome", "error"),
        ("otel.status_code", "ERROR"),
        ("error.message", "no money"),
        ("error.type", "shop::Poor"),
        ("http.request.method", "GET"),
        ("labels.server_port", "none of the type"),
        ("span.events.labels.exception_message", "first"),
        ("span.links.labels.why", "batch"),
        ("span.links.span.id", "0000000000000000"),
        ("data_stream.type", "traces"),
        ("data_stream.dataset", "bellwether"),
        ("data_stream.namespace", "default"),
    ];
    for (field, text) in texts {
        assert_eq!(doc.text(field), Some(text), "{field}");
    }
    assert_eq!(doc.whole("event.duration"), Some(12_500_000));
    assert_eq!(doc.whole("http.response.status_code"), Some(402));
    assert_eq!(doc.whole("numeric_labels.cart"), Some(7));
    assert_eq!(doc.fields["span.events.name"], [json("\"exception\""), json("\"retry\"")]);
    assert_eq!((&doc.index, &*doc.id), (&None, doc.text("event.id").unwrap()));
}

#[test]
fn an_outcome_is_one_of_three_words() {
    let outcome = |outcome, status: Status| {
        let mut span = sample("x");
        span.set_outcome(outcome);
        span.set_status(status);
        let [doc] = docs_of(&payload(elastic().spans_encoder(), vec![span])).try_into().unwrap();
        doc.text("event.outcome").unwrap().to_owned()
    };
    assert_eq!(outcome(Outcome::Ok, Status::Unset), "success");
    assert_eq!(outcome(Outcome::Ok, Status::Ok), "success");
    assert_eq!(outcome(Outcome::Ok, Status::Error("".into())), "failure");
    assert_eq!(outcome(Outcome::Panic, Status::Unset), "failure");
    assert_eq!(outcome(Outcome::Cancelled, Status::Unset), "unknown");
}

#[test]
fn a_span_that_is_open_has_other_ids_than_when_it_has_ended() {
    let clock = ManualClock::new();
    let start = clock.now();
    let mut ids = HashSet::new();
    for _ in 0..2 {
        clock.advance(Duration::from_secs(1));
        let open = sample("x").with_times(start, clock.now()).left_open();
        let [doc] = docs_of(&payload(elastic().spans_encoder(), vec![open])).try_into().unwrap();
        assert_eq!((doc.get("event.duration"), doc.get("event.end")), (None, None));
        ids.insert(doc.id);
    }
    let [ended, again] =
        docs_of(&payload(elastic().spans_encoder(), vec![sample("x"), sample("x")]))
            .try_into()
            .unwrap();
    assert_eq!(ended.id, again.id);
    ids.insert(ended.id);
    assert_eq!(ids.len(), 3);
}

#[test]
fn a_log_record_is_what_the_page_says() {
    let record = log::sample("the card was refused")
        .with_event_name("refusal")
        .with_attribute("exception.type", "shop::Poor")
        .with_attribute("exception.stacktrace", "at\nall")
        .with_attribute("vip", true)
        .with_attribute("ratio", 2.0)
        .with_attribute("odd", f64::INFINITY);
    let [doc] = docs_of(&payload(elastic().logs_encoder(), vec![record])).try_into().unwrap();
    let texts = [
        ("@timestamp", "2020-01-01T00:00:00.012500007Z"),
        ("message", "the card was refused"),
        ("log.level", "warn"),
        ("log.logger", "shop::pay"),
        ("log.origin.file.name", "src/pay.rs"),
        ("event.action", "refusal"),
        ("trace.id", "0000000000000000000000000000000a"),
        ("span.id", "000000000000000b"),
        ("error.type", "shop::Poor"),
        ("error.stack_trace", "at\nall"),
        ("labels.vip", "true"),
        ("labels.odd", "Infinity"),
        ("data_stream.type", "logs"),
        ("ecs.version", "8.11.0"),
    ];
    for (field, text) in texts {
        assert_eq!(doc.text(field), Some(text), "{field}");
    }
    assert_eq!(
        (doc.whole("event.severity"), doc.whole("log.origin.file.line")),
        (Some(13), Some(42))
    );
    assert_eq!(doc.number("numeric_labels.ratio"), Some(2.0));
    assert!(doc.text("event.created").is_some());
}

#[test]
fn two_records_that_are_alike_have_two_ids_and_each_keeps_its_own() {
    let records = || vec![log::sample("twice"), log::sample("twice")];
    let mut encoder = elastic().logs_encoder();
    let (first, second) =
        (encoder.encode(&Batch::from(records())), encoder.encode(&Batch::from(records())));
    let ids =
        |payload: &Payload| docs_of(payload).into_iter().map(|doc| doc.id).collect::<Vec<_>>();
    let all: HashSet<String> = ids(&first).into_iter().chain(ids(&second)).collect();
    assert_eq!(all.len(), 4);
    assert!(all.iter().all(|id| id.len() == 32));
    // As they are sent again in parts.
    assert_eq!(ids(&first.skip(1)), ids(&first)[1..]);
    assert_eq!(ids(&first.filter(|at| at == 0)), ids(&first)[..1]);
}

#[test]
fn an_index_for_each_day_has_the_day_of_the_record() {
    let at = |seconds: u64| {
        log::sample("x").with_time(Timestamp::from_unix_nanos(seconds * 1_000_000_000))
    };
    let records = vec![at(951_868_799), at(951_868_800), at(0), at(951_868_799)];
    let elastic = elastic().daily("shop");
    let docs = docs_of(&payload(elastic.logs_encoder(), records));
    let indices: Vec<_> = docs.iter().map(|doc| doc.index.as_deref().unwrap()).collect();
    assert_eq!(
        indices,
        [
            "shop-logs-2000.02.29",
            "shop-logs-2000.03.01",
            "shop-logs-1970.01.01",
            "shop-logs-2000.02.29",
        ]
    );
    assert_eq!(docs[0].get("data_stream.type"), None);
}

#[test]
fn a_document_has_what_is_chosen_of_its_resource() {
    let resource = Resource::service("shop")
        .with("service.instance.id", "i-1")
        .with("process.pid", 7)
        .with("service.namespace", "eu")
        .with("team.name", "pay")
        .with("host.name", "here");
    let mut encoder = elastic()
        .resource_labels(["team.name", "absent", "team_name", "team.name"])
        .spans_encoder();
    encoder.start(&Setup::new(resource)).unwrap();
    let [doc] = docs_of(&encoder.encode(&Batch::from(vec![sample("x")]))).try_into().unwrap();
    assert_eq!(doc.text("service.node.name"), Some("i-1"));
    assert_eq!((doc.whole("process.pid"), doc.text("host.name")), (Some(7), Some("here")));
    assert_eq!(
        (doc.text("labels.team_name"), doc.get("labels.service_namespace")),
        (Some("pay"), None)
    );
    assert!(doc.fields.keys().all(|field| !field.starts_with("telemetry")));
}

#[test]
fn no_two_tables_write_the_same_field() {
    let mut fields = HashSet::new();
    let of_resource = fields::OF_RESOURCE.iter().map(|(_, field)| *field);
    for field in fields::SHARED.iter().map(|(field, _)| *field).chain(of_resource) {
        assert!(fields.insert(field), "{field}");
    }
    assert!(fields::SHARED.is_sorted_by_key(|(field, _)| *field));
    assert_eq!(<LogRecord as Document>::TYPE, "logs");
    assert!(log::sample("x").own_id().is_none());
    assert_eq!(log::sample("x").severity(), LogSeverity::WARN);
}

#[test]
fn documents_that_name_their_index_are_of_another_format_on_disk_than_those_that_do_not() {
    fn formats<S: Signal>(one: impl Encoder<S>, other: impl Encoder<S>) {
        assert_ne!(one.format(), other.format());
    }
    let daily = || elastic().daily("shop");
    formats(elastic().spans_encoder(), daily().spans_encoder());
    formats(elastic().logs_encoder(), daily().logs_encoder());
    formats(elastic().metrics_encoder(), daily().metrics_encoder());
}
