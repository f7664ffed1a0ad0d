//! Protobuf pages read back by `prost`, from messages written down from `metrics.proto`.

use prost::Message;

use super::{exemplars_tests::with_label, kinds::with_exemplars, *};
use crate::{
    export::prometheus::{Page as Kept, PageOptions},
    metric::SummarySnapshot,
};

#[derive(Clone, PartialEq, Message)]
struct MetricFamily {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    help: Option<String>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
    #[prost(string, optional, tag = "5")]
    unit: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Gauge>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Counter>,
    #[prost(message, optional, tag = "4")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Gauge {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct Counter {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
    #[prost(message, optional, tag = "2")]
    exemplar: Option<Exemplar>,
    #[prost(message, optional, tag = "3")]
    created_timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(uint64, optional, tag = "1")]
    sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    quantile: Vec<Quantile>,
    #[prost(message, optional, tag = "4")]
    created_timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
struct Quantile {
    #[prost(double, optional, tag = "1")]
    quantile: Option<f64>,
    #[prost(double, optional, tag = "2")]
    value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, optional, tag = "1")]
    sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    zero_threshold: Option<f64>,
    #[prost(uint64, optional, tag = "7")]
    zero_count: Option<u64>,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, packed = "false", tag = "13")]
    positive_delta: Vec<i64>,
    #[prost(message, optional, tag = "15")]
    created_timestamp: Option<Timestamp>,
    #[prost(message, repeated, tag = "16")]
    exemplars: Vec<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, optional, tag = "1")]
    cumulative_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    upper_bound: Option<f64>,
    #[prost(message, optional, tag = "3")]
    exemplar: Option<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct BucketSpan {
    #[prost(sint32, optional, tag = "1")]
    offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    length: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(double, optional, tag = "2")]
    value: Option<f64>,
    #[prost(message, optional, tag = "3")]
    timestamp: Option<Timestamp>,
}

const STARTED: Timestamp = Timestamp { seconds: 1_577_836_800, nanos: 0 };

fn families(families: Vec<Family>, options: PageOptions) -> Vec<MetricFamily> {
    let mut page = Kept::with_options(Format::Protobuf, options);
    let mut rest = page.render(&snapshot(families), &Resource::default());
    let mut read = Vec::new();
    while !rest.is_empty() {
        read.push(MetricFamily::decode_length_delimited(&mut rest).unwrap());
    }
    read
}

fn only(family: Family, options: PageOptions) -> MetricFamily {
    let mut read = families(vec![family], options);
    assert_eq!(read.len(), 1);
    read.remove(0)
}

fn pair(name: &str, value: &str) -> LabelPair {
    LabelPair { name: Some(name.to_owned()), value: Some(value.to_owned()) }
}

/// The native buckets by index.
fn native(histogram: &Histogram) -> BTreeMap<i32, u64> {
    let (mut index, mut count, mut deltas) = (0, 0, histogram.positive_delta.iter());
    let mut buckets = BTreeMap::new();
    for span in &histogram.positive_span {
        index += span.offset.unwrap();
        for _ in 0..span.length.unwrap() {
            count += deltas.next().unwrap();
            buckets.insert(index, count as u64);
            index += 1;
        }
    }
    assert_eq!(deltas.next(), None);
    buckets
}

#[test]
fn sums_and_gauges_read_back() {
    let read = families(small(), PageOptions::default());
    let names: Vec<_> = read.iter().map(|f| (f.name.as_deref().unwrap(), f.kind)).collect();
    let (counter, gauge) = (Some(0), Some(1));
    assert_eq!(
        names,
        [
            ("cpu_ratio", gauge),
            ("queue_length", gauge),
            ("shop_orders_total", counter),
            ("worst", gauge)
        ]
    );
    assert_eq!(read[0].unit.as_deref(), Some("ratio"));
    assert_eq!(read[0].metric[0].gauge, Some(Gauge { value: Some(0.25) }));
    assert_eq!(read[1].metric[0].gauge, Some(Gauge { value: Some(-3.0) }));
    assert_eq!(read[2].help.as_deref(), Some("Orders \"accepted\"\nby C:\\shop"));
    let second = &read[2].metric[1];
    assert_eq!(second.label, [pair("tier", "b\"\\\n")]);
    let value = Some(u64::MAX as f64);
    assert_eq!(
        second.counter,
        Some(Counter { value, exemplar: None, created_timestamp: Some(STARTED) })
    );
}

#[test]
fn a_counter_has_its_exemplar() {
    let hits = series(&[], SeriesValue::FloatCounter(2.0)).with_exemplar(Some(with_label("7", 1)));
    let hits = family("hits", Kind::Counter, Unit::NONE, "", vec![hits]);
    let read = only(hits, PageOptions::default());
    let exemplar = read.metric[0].counter.as_ref().unwrap().exemplar.as_ref().unwrap();
    assert_eq!((&exemplar.label, exemplar.value), (&vec![pair("n", "7")], Some(1.0)));
    assert_eq!(exemplar.timestamp, Some(Timestamp { seconds: 1_577_836_801, nanos: 0 }));
}

#[test]
fn a_histogram_is_classic_and_native() {
    let values: Vec<f64> = (0..1000).map(|i| 0.001 * 1.01f64.powi(i)).chain([0.0]).collect();
    let labels = &[("http.route", "/")];
    let value = with_exemplars(&values, &[0.01, 3.0]);
    let family = family("t", Kind::Histogram, Unit::Seconds, "T", vec![series(labels, value)]);
    for (limit, schema) in [(160, 3), (20, 0), (1000, 6)] {
        let read = only(family.clone(), PageOptions::default().native_buckets(limit));
        assert_eq!((read.name.as_deref(), read.kind), (Some("t_seconds"), Some(4)));
        assert_eq!(read.metric[0].label, [pair("http_route", "/")]);
        let histogram = read.metric[0].histogram.as_ref().unwrap();
        assert_eq!(histogram.sample_count, Some(1001));
        let sum: f64 = values.iter().sum();
        assert!((histogram.sample_sum.unwrap() / sum - 1.0).abs() < 1e-9);
        assert_eq!(histogram.created_timestamp, Some(STARTED));

        assert_eq!(histogram.bucket.len(), 22);
        for bucket in &histogram.bucket {
            let bound = bucket.upper_bound.unwrap();
            let within = |bound| values.iter().filter(|&&value| value <= bound).count() as u64;
            let count = bucket.cumulative_count.unwrap();
            assert!(within(bound) <= count && count <= within(bound * 1.011), "{bound}");
            let exemplar = bucket.exemplar.as_ref().and_then(|exemplar| exemplar.value);
            let expected = [(0.01, 0.01), (5.0, 3.0)].into_iter().find(|(le, _)| *le == bound);
            assert_eq!(exemplar, expected.map(|(_, value)| value), "{bound}");
        }

        assert_eq!(histogram.schema, Some(schema));
        assert_eq!(histogram.zero_count, Some(1));
        assert_eq!(histogram.zero_threshold, Some(2f64.powi(-30)));
        let mut expected = BTreeMap::new();
        for value in values.iter().filter(|value| **value > 0.0) {
            let index = (value.log2() * f64::from(schema).exp2()).ceil() as i32;
            *expected.entry(index).or_insert(0) += 1;
        }
        assert_eq!(native(histogram), expected);
        assert!(expected.len() <= limit);

        let exemplar = &histogram.exemplars[1];
        assert_eq!(exemplar.value, Some(3.0));
        let labels = [
            pair("trace_id", "000000000000000000000000000000ab"),
            pair("span_id", "00000000000000cd"),
        ];
        assert_eq!(exemplar.label, labels);
        assert_eq!(exemplar.timestamp, Some(Timestamp { seconds: 1_577_836_802, nanos: 0 }));
    }
}

#[test]
fn an_empty_histogram_is_native_too() {
    let empty = family("t", Kind::Histogram, Unit::NONE, "", vec![series(&[], histogram(&[]))]);
    let read = only(empty, PageOptions::default());
    let histogram = read.metric[0].histogram.as_ref().unwrap();
    // Without buckets, the threshold is what tells Prometheus that it is native.
    assert!(histogram.zero_threshold.unwrap() > 0.0 && histogram.positive_span.is_empty());
    assert_eq!((histogram.sample_count, histogram.zero_count), (Some(0), Some(0)));
}

#[test]
fn the_other_kinds_read_back() {
    let windows = vec![(std::time::Duration::from_secs(60), HistogramSnapshot::of(&[2.0, 2.0]))];
    let summary = SeriesValue::Summary(Arc::new(SummarySnapshot { count: 9, sum: 3.5, windows }));
    let read = families(
        vec![
            family("b", Kind::Info, Unit::NONE, "", vec![series(&[("v", "1")], SeriesValue::Info)]),
            family(
                "s",
                Kind::StateSet,
                Unit::NONE,
                "",
                vec![series(&[("s", "on")], SeriesValue::State(true))],
            ),
            family("w", Kind::Summary, Unit::NONE, "", vec![series(&[], summary)]),
        ],
        PageOptions::default(),
    );
    assert_eq!((read[0].name.as_deref(), read[0].kind), (Some("b_info"), Some(1)));
    assert_eq!(read[0].metric[0].gauge, Some(Gauge { value: Some(1.0) }));
    assert_eq!(read[1].metric[0].label, [pair("s", "on")]);
    assert_eq!(read[1].metric[0].gauge, Some(Gauge { value: Some(1.0) }));
    assert_eq!(read[2].kind, Some(2));
    assert_eq!(read[2].metric[0].label, [pair("window", "1m")]);
    let window = read[2].metric[0].summary.as_ref().unwrap();
    assert_eq!((window.sample_count, window.sample_sum), (Some(2), Some(4.0)));
    assert!((window.quantile[2].value.unwrap() - 2.0).abs() < 0.02);
    let whole = read[2].metric[1].summary.as_ref().unwrap();
    assert_eq!((whole.sample_count, whole.sample_sum), (Some(9), Some(3.5)));
    assert_eq!(whole.created_timestamp, Some(STARTED));
}

#[test]
fn the_resource_is_a_family() {
    let mut page = Kept::new(Format::Protobuf);
    let resource = Resource::default().with("service.name", "a\"\n");
    let mut bytes = page.render(&snapshot(vec![]), &resource);
    let read = MetricFamily::decode_length_delimited(&mut bytes).unwrap();
    assert!(bytes.is_empty());
    assert_eq!(read.name.as_deref(), Some("target_info"));
    assert_eq!(read.metric[0].label, [pair("service_name", "a\"\n")]);
    assert_eq!(read.metric[0].gauge, Some(Gauge { value: Some(1.0) }));
}

#[test]
fn no_string_breaks_a_message() {
    for (which, hostile) in hostile::strings("on a page") {
        let labels = [("k", hostile.as_str())];
        let hits = vec![series(&labels, SeriesValue::Counter(7))];
        let kept = hits[0].labels().get("k").map(|kept| pair("k", kept)); // An empty one is none.
        let read =
            only(family("hits", Kind::Counter, Unit::NONE, &hostile, hits), PageOptions::default());
        assert_eq!(read.metric[0].label, Vec::from_iter(kept), "{which}");
        assert_eq!(read.help.unwrap_or_default(), hostile, "{which}");
    }
}
