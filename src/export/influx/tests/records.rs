//! What each kind of record is.

use super::{reader::Field, *};
use crate::{
    clock::{ManualClock, Timestamp},
    context::{Outcome, SpanContext},
    export::{influx::line::Line, wire::span::sample},
    label::KeyValue,
    log::LogSeverity,
    metric::{Aggregation, HistogramOptions, Unit},
    trace::{Event, Link, Status},
};

#[test]
fn each_kind_of_instrument_is_what_the_page_says() {
    let registry = Registry::new();
    registry.counter("orders", "").build().unwrap().add(3);
    registry.float_counter("money", "").build().unwrap().add(0.5);
    registry.up_down_counter("in_flight", "").build().unwrap().add(-2);
    registry.gauge("load", "").build().unwrap().set(-0.25);
    let times = registry.histogram("time", "").unit(Unit::Seconds).build().unwrap();
    [0.5, 0.5, 2.0].into_iter().for_each(|value| times.record(value));
    let points = points_of(&metrics(&influx().prefix("eu."), &registry));
    let names: Vec<_> = points.iter().map(|point| &*point.name).collect();
    assert_eq!(names, ["eu.in_flight", "eu.load", "eu.money", "eu.orders", "eu.time"]);
    assert!(points.iter().all(|point| point.tag("service.name") == Some("shop")));
    let values: Vec<_> = points[..4].iter().map(|point| point.fields["value"].clone()).collect();
    let wanted = [Field::Int(-2), Field::Float(-0.25), Field::Float(0.5), Field::Int(3)];
    assert_eq!(values, wanted);
    let keys: Vec<_> = points[4].fields.keys().map(String::as_str).collect();
    assert_eq!(keys, ["count", "max", "min", "p50", "p90", "p99", "sum"]);
    let time = &points[4];
    assert_eq!((time.int("count"), time.float("sum"), time.float("max")), (Some(3), 3.0, 2.0));
    assert!((time.float("p50") / 0.5 - 1.0).abs() < 0.0055, "{time:?}");
}

#[test]
fn buckets_by_choice_are_fields_by_their_bounds() {
    let registry = Registry::new();
    let own = registry.histogram("own", "");
    let own = own
        .options(HistogramOptions::new().aggregation(Aggregation::explicit(&[0.25, 10.0]).unwrap()))
        .build()
        .unwrap();
    let usual = registry.histogram("usual", "").unit(Unit::Seconds).build().unwrap();
    for value in [0.25, 0.5, 11.0] {
        own.record(value);
        usual.record(value);
    }
    let influx = influx().histograms(InfluxHistograms::Buckets);
    let [own, usual] = points_of(&metrics(&influx, &registry)).try_into().unwrap();
    let wanted = [("+Inf", 3), ("0.25", 1), ("10", 2), ("count", 3)];
    for (key, n) in wanted {
        assert_eq!(own.int(key), Some(n), "{key}");
    }
    assert_eq!((own.fields.len(), own.float("sum")), (5, 11.75));
    assert_eq!((usual.int("+Inf"), usual.int("count")), (Some(3), Some(3)));
    let mut bounds: Vec<(f64, i64)> =
        usual.fields.keys().filter_map(|key| Some((key.parse().ok()?, usual.int(key)?))).collect();
    bounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert!(bounds.len() > 5 && bounds.is_sorted_by(|a, b| a.1 <= b.1), "{bounds:?}");
}

#[test]
fn what_is_not_finite_or_too_large_has_no_line_and_the_rest_has() {
    let registry = Registry::new();
    for (name, value) in [("a", f64::NAN), ("b", f64::INFINITY), ("d", f64::NEG_INFINITY)] {
        registry.gauge(name, "").build().unwrap().set(value);
    }
    registry.gauge("c", "").build().unwrap().set(f64::MAX);
    registry.counter("e", "").build().unwrap().add(1 << 63);
    registry.counter("f", "").build().unwrap().add((1 << 63) - 1);
    let payload = metrics(&influx(), &registry);
    let are_there = payload.records().map(|record| !record.is_empty()).collect::<Vec<_>>();
    assert_eq!(are_there, [false, false, true, false, false, true]);
    let [large, whole] = points_of(&payload).try_into().unwrap();
    assert_eq!((large.float("value"), whole.int("value")), (f64::MAX, Some(i64::MAX)));
}

#[test]
fn a_figure_that_is_not_finite_is_left_out_alone() {
    let mut bytes = Vec::new();
    let mut line = Line::new(&mut bytes, "", "x");
    line.float("min", f64::INFINITY);
    line.float("max", -0.0);
    line.count("count", u64::MAX);
    line.end(-1);
    assert_eq!(bytes, b"x max=-0 -1\n");
}

#[test]
fn tags_are_those_of_the_resource_unless_a_label_has_their_key() {
    let registry = Registry::new();
    let hits = registry.counter("hits", "").keys(&["service.name", "time"]).build().unwrap();
    hits.with_labels(&[("service.name", "own"), ("time", "noon")]).inc();
    let [hit] = points_of(&metrics(&influx(), &registry)).try_into().unwrap();
    assert_eq!((hit.tag("service.name"), hit.tag("time_")), (Some("own"), Some("noon")));
    let other = influx().resource_tags([("service.name", "app"), ("none", "none")]);
    let [hit] = points_of(&metrics(&other, &registry)).try_into().unwrap();
    assert_eq!((hit.tag("app"), hit.tags.len()), (Some("shop"), 3));
}

#[test]
fn the_time_is_that_of_the_reading_in_the_precision_that_is_asked_for() {
    let registry = Registry::new();
    registry.counter("hits", "").build().unwrap().inc();
    let points = registry.snapshot().data_points(Temporality::Cumulative);
    let nanos = i64::try_from(points[0].taken().timestamp().unix_nanos()).unwrap();
    for (precision, unit) in [
        (InfluxPrecision::Nanoseconds, 1),
        (InfluxPrecision::Microseconds, 1_000),
        (InfluxPrecision::Milliseconds, 1_000_000),
        (InfluxPrecision::Seconds, 1_000_000_000),
    ] {
        let encoder = influx().precision(precision).metrics_encoder();
        let [hit] = points_of(&payload(encoder, points.clone())).try_into().unwrap();
        assert_eq!(hit.time, Some(nanos / unit), "{precision:?}");
    }
}

fn spans(influx: &Influx, spans: Vec<SpanRecord>) -> Vec<Point> {
    points_of(&payload(influx.spans_encoder(), spans))
}

#[test]
fn a_span_is_a_point_at_its_start() {
    let mut span = sample("check out");
    span.set_attribute("route", "/a b");
    span.set_attribute("sizes", [36, 41]);
    let at = span.end();
    span.add_event(Event::new("retry \"2\"", at, vec![KeyValue::new("n", 2)]));
    span.add_link(Link::new(SpanContext::NONE, Vec::new()));
    let influx = influx().attribute_tags([("route", "http.route"), ("cart", "cart")]);
    let [point] = spans(&influx, vec![span]).try_into().unwrap();
    assert_eq!((&*point.name, point.time), ("spans", Some(1_577_836_800_000_000_000)));
    let tags: Vec<_> = point.tags.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(
        tags,
        [
            ("cart", "7"),
            ("http.route", "/a b"),
            ("otel.status_code", "ERROR"),
            ("outcome", "error"),
            ("service.name", "shop"),
            ("span.kind", "server"),
            ("span.name", "check out"),
        ]
    );
    assert_eq!(point.text("trace_id"), Some("0000000000000000000000000000000a"));
    assert_eq!(point.text("span_id"), Some("000000000000000b"));
    assert_eq!(point.text("parent_span_id"), Some("000000000000000c"));
    assert_eq!(point.text("otel.status_description"), Some("no money"));
    assert_eq!(point.int("duration_nano"), Some(12_500_000));
    let json = |key: &str| -> serde_json::Value {
        serde_json::from_str(point.text(key).unwrap()).unwrap()
    };
    assert_eq!(
        json("attributes"),
        serde_json::json!({"cart": 7, "route": "/a b", "sizes": [36, 41]})
    );
    assert_eq!(json("events")[0]["name"], "retry \"2\"");
    assert_eq!(json("events")[0]["attributes"]["n"], 2);
    assert_eq!(json("links")[0]["span_id"], "0000000000000000");
}

#[test]
fn what_a_span_does_not_have_is_not_there() {
    let mut span = SpanRecord::new("").left_open();
    span.set_outcome(Outcome::Cancelled);
    span.set_status(Status::Unset);
    let [point] = spans(&influx(), vec![span]).try_into().unwrap();
    let keys: Vec<_> = point.tags.keys().chain(point.fields.keys()).collect();
    assert_eq!(keys, ["service.name", "span.kind", "span_id", "trace_id"]);
}

#[test]
fn spans_and_records_of_one_time_are_kept_apart_in_a_batch() {
    let clock = ManualClock::new();
    let start = clock.now();
    let same = || SpanRecord::new("same").with_times(start, start);
    let read = spans(&influx(), vec![same(), same(), same()]);
    let first = read[0].time.unwrap();
    let times: Vec<_> = read.iter().map(|point| point.time.unwrap() - first).collect();
    assert_eq!(times, [0, 1, 2]);
    let same = || {
        let record = LogRecord::new(LogSeverity::INFO, "same");
        record.with_time(Timestamp::from_unix_nanos(7))
    };
    let read = points_of(&payload(influx().logs_encoder(), vec![same(), same()]));
    assert_eq!([read[0].time, read[1].time], [Some(7), Some(8)]);
}

#[test]
fn a_log_record_is_a_point() {
    let context = sample("x").context().clone();
    let record = LogRecord::new(LogSeverity::WARN, "refused:\n\"no\" \\ money\\")
        .with_target("shop::pay")
        .with_event_name("card refused")
        .with_attribute("cart", 7)
        .with_context(context)
        .with_location("src/pay.rs", 12)
        .with_time(Timestamp::from_unix_nanos(1_577_836_800_000_000_001));
    let influx = influx().attribute_tags([("cart", "cart")]);
    let [point] = points_of(&payload(influx.logs_encoder(), vec![record])).try_into().unwrap();
    assert_eq!((&*point.name, point.time), ("logs", Some(1_577_836_800_000_000_001)));
    for (key, value) in [
        ("severity_text", "WARN"),
        ("target", "shop::pay"),
        ("event.name", "card refused"),
        ("cart", "7"),
        ("service.name", "shop"),
    ] {
        assert_eq!(point.tag(key), Some(value), "{key}");
    }
    assert_eq!(point.text("body"), Some("refused:\n\"no\" \\ money\\"));
    assert_eq!(point.text("trace_id"), Some("0000000000000000000000000000000a"));
    assert_eq!(point.text("attributes"), Some(r#"{"cart":7}"#));
    assert_eq!((point.int("severity_number"), point.int("code.line.number")), (Some(13), Some(12)));
    assert!(point.int("observed_timestamp").unwrap() > 1_577_836_800_000_000_001);
    assert_eq!((point.tags.len(), point.fields.len()), (5, 8));
}
