//! However a payload is cut, its parts are requests of their records.

use proptest::prelude::*;

use super::super::{
    encoder::OtlpEncoder,
    http::{MOST_REQUEST, checked_body},
    metric::Histograms,
    request,
    signal::{Encoding, OtlpSignal},
};
use crate::{
    export::wire::protobuf::{Read, fields},
    log::{LogRecord, LogSeverity},
    metric::{DataPoint, Registry, Temporality},
    pipeline::{Batch, Encoder as _, Payload, Setup},
    resource::Resource,
    trace::SpanRecord,
};

fn payload<S: OtlpSignal>(encoding: Encoding, records: Vec<S>) -> Payload {
    let mut encoder = OtlpEncoder::<S>::new(encoding, Histograms::Exponential(160));
    encoder.start(&Setup::new(Resource::service("shop"))).unwrap();
    let payload = encoder.encode(&Batch::from(records));
    assert!(!encoder.format().is_empty());
    payload
}

fn body<S: OtlpSignal>(encoding: Encoding, payload: &Payload) -> Vec<u8> {
    request::body(payload, S::NAMES, encoding).unwrap()
}

/// The messages of `field` in `message`, which has nothing unreadable.
fn messages(message: &[u8], field: u64) -> Vec<&[u8]> {
    let all: Vec<_> = fields(message).collect();
    all.into_iter()
        .filter_map(|read| match read {
            (number, Read::Bytes(bytes)) if number == field => Some(bytes),
            _ => None,
        })
        .collect()
}

/// The messages of the one scope of the one resource in a request, and the name of the service.
fn of_scope(body: &[u8]) -> Vec<&[u8]> {
    let [resource] = messages(body, 1)[..] else { panic!("not one resource") };
    assert!(String::from_utf8_lossy(messages(resource, 1)[0]).contains("shop"));
    let [scope] = messages(resource, 2)[..] else { panic!("not one scope") };
    assert!(String::from_utf8_lossy(messages(scope, 1)[0]).contains("bellwether"));
    messages(scope, 2)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The names of the spans of a request.
fn names(encoding: Encoding, body: &[u8]) -> Vec<String> {
    if encoding == Encoding::Protobuf {
        return of_scope(body).iter().map(|span| text(messages(span, 5)[0])).collect();
    }
    let body: serde_json::Value = serde_json::from_slice(body).unwrap();
    let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().iter();
    spans.map(|span| span["name"].as_str().unwrap().to_owned()).collect()
}

/// The name of each metric of a request, and how many points it has.
fn metrics(encoding: Encoding, body: &[u8]) -> Vec<(String, usize)> {
    if encoding == Encoding::Protobuf {
        let points = |metric: &[u8]| {
            let data = [5, 7, 9, 10, 11].map(|field| messages(metric, field));
            data.concat().iter().map(|data| messages(data, 1).len()).sum()
        };
        let metrics = of_scope(body);
        return metrics
            .iter()
            .map(|metric| (text(messages(metric, 1)[0]), points(metric)))
            .collect();
    }
    let body: serde_json::Value = serde_json::from_slice(body).unwrap();
    let metrics = body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
    let points = |metric: &serde_json::Value| {
        let names = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"];
        let data = names.iter().filter_map(|name| metric[name]["dataPoints"].as_array());
        data.map(Vec::len).sum()
    };
    let name = |metric: &serde_json::Value| metric["name"].as_str().unwrap().to_owned();
    metrics.iter().map(|metric| (name(metric), points(metric))).collect()
}

fn encodings() -> impl Strategy<Value = Encoding> {
    prop_oneof![Just(Encoding::Protobuf), Just(Encoding::Json)]
}

/// Points of several kinds, some of them neighbours of one metric.
fn points(n_series: usize) -> Vec<DataPoint> {
    let registry = Registry::new();
    let sent = registry.counter("a.sent", "Sent").any_keys().build().unwrap();
    let level = registry.gauge("b.level", "").any_keys().build().unwrap();
    let times = registry.histogram("c.times", "").any_keys().build().unwrap();
    for n in 0..n_series {
        let name = n.to_string();
        sent.bind_any(&[("n", &name)]).add(n as u64);
        level.bind_any(&[("n", &name)]).set(n as f64);
        times.bind_any(&[("n", &name)]).record(n as f64);
    }
    registry.snapshot().data_points(Temporality::Cumulative)
}

/// How many points each metric has, of neighbours.
fn grouped(points: &[DataPoint]) -> Vec<(String, usize)> {
    let groups = points.chunk_by(|a, b| a.name() == b.name());
    groups.map(|group| (group[0].name().to_owned(), group.len())).collect()
}

proptest! {
    #[test]
    fn every_part_of_a_payload_of_spans_is_a_request_of_them(
        expected in prop::collection::vec(".{0,200}", 1..9), skip in 0usize..9, first in 1usize..9,
        encoding in encodings(),
    ) {
        let spans = expected.iter().map(|name| SpanRecord::new(name.clone())).collect();
        let whole = payload::<SpanRecord>(encoding, spans);
        prop_assert_eq!(whole.len(), expected.len());
        let part = whole.skip(skip).first(first);
        if !part.is_empty() {
            let read = names(encoding, &body::<SpanRecord>(encoding, &part));
            prop_assert_eq!(read, expected.iter().skip(skip).take(first).cloned().collect::<Vec<_>>());
        }
        let odd = whole.filter(|place| place % 2 == 1);
        if !odd.is_empty() {
            let read = names(encoding, &body::<SpanRecord>(encoding, &odd));
            prop_assert_eq!(read, expected.iter().skip(1).step_by(2).cloned().collect::<Vec<_>>());
        }
    }

    #[test]
    fn every_part_of_a_payload_of_metrics_is_a_request_of_them(
        n_series in 1usize..5, skip in 0usize..15, first in 1usize..15, encoding in encodings(),
    ) {
        let points = points(n_series);
        let whole = payload(encoding, points.clone());
        prop_assert_eq!(whole.len(), points.len());
        let part = whole.skip(skip).first(first);
        if !part.is_empty() {
            let read = metrics(encoding, &body::<DataPoint>(encoding, &part));
            let end = (skip + first).min(points.len());
            prop_assert_eq!(read, grouped(&points[skip..end]));
        }
    }

    #[test]
    fn a_payload_of_anything_is_a_request_or_none(
        head in prop::collection::vec(any::<u8>(), 0..9),
        records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..4),
        encoding in encodings(),
    ) {
        let mut payload = Payload::with_head(head);
        records.iter().for_each(|record| payload.record(|out| out.extend_from_slice(record)));
        let _ = request::body(&payload, SpanRecord::NAMES, encoding);
        let _ = request::body(&payload, DataPoint::NAMES, encoding);
        let _ = request::body(&payload, LogRecord::NAMES, encoding);
    }
}

#[test]
fn a_summary_is_one_record_of_several_points() {
    let registry = Registry::new();
    registry.summary("waits", "").build().unwrap().record(1.0);
    let points = registry.snapshot().data_points(Temporality::Cumulative);
    let windows = points[0].value().as_f64() as usize; // One value.
    assert_eq!(windows, 1);
    for encoding in [Encoding::Protobuf, Encoding::Json] {
        let whole = payload(encoding, points.clone());
        assert_eq!(whole.len(), 1);
        let read = metrics(encoding, &body::<DataPoint>(encoding, &whole));
        assert!(read.len() == 1 && read[0].1 > 1, "{read:?}");
    }
}

#[test]
fn what_is_larger_than_receivers_must_take_is_cut_before_it_is_sent() {
    let record = |n| LogRecord::new(LogSeverity::INFO, "x".repeat(n));
    let fits = payload(Encoding::Protobuf, vec![record(MOST_REQUEST / 2 - 200); 2]);
    let sent = checked_body(&fits, LogRecord::NAMES, Encoding::Protobuf).unwrap();
    assert!(sent.len() <= MOST_REQUEST && of_scope(&sent).len() == 2);
    let large = payload(Encoding::Protobuf, vec![record(MOST_REQUEST / 2); 2]);
    let error = checked_body(&large, LogRecord::NAMES, Encoding::Protobuf).unwrap_err();
    assert!(format!("{error:?}").contains("Cut"), "{error:?}");
    assert!(checked_body(&large.first(1), LogRecord::NAMES, Encoding::Protobuf).is_ok());
}

#[test]
fn a_payload_of_another_form_is_refused() {
    let json = payload(Encoding::Json, vec![SpanRecord::new("x")]);
    let error = checked_body(&json, SpanRecord::NAMES, Encoding::Protobuf).unwrap_err();
    assert_eq!(error.to_string(), "the payload is not of this form");
    assert!(!error.is_retry());
}
