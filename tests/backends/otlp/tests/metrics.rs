//! Metrics, field by field, as OpenTelemetry's own messages read them: from protobuf and from JSON.

use bellwether::{
    clock::ManualClock,
    export::otlp::Otlp,
    metric::{DataPoint, Reader, Registry, Temporality, Unit},
    pipeline::{Batch, Setup},
    resource::Resource,
};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    metrics::v1::{
        ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, Sum,
        metric::Data, number_data_point::Value as Number,
    },
};
use prost::Message as _;

const DELTA: i32 = 1;
const CUMULATIVE: i32 = 2;

fn otlp() -> Otlp {
    Otlp::new("https://example.com")
}

/// The metrics of the requests that these points become, in both forms.
fn arrived(otlp: Otlp, points: Vec<DataPoint>) -> [Vec<Metric>; 2] {
    let (batch, setup) = (Batch::from(points), Setup::new(Resource::service("shop")));
    let protobuf = otlp.metrics_request(&setup, &batch);
    let json = otlp.json().metrics_request(&setup, &batch);
    let requests = [
        ExportMetricsServiceRequest::decode(&*protobuf).unwrap(),
        serde_json::from_slice(&json)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&json))),
    ];
    requests.map(|mut request| {
        let scope = request.resource_metrics[0].scope_metrics[0].scope.take().unwrap();
        assert_eq!(scope.name, "bellwether");
        std::mem::take(&mut request.resource_metrics[0].scope_metrics[0].metrics)
    })
}

fn points(registry: &Registry) -> Vec<DataPoint> {
    registry.snapshot().data_points(Temporality::Cumulative)
}

fn labels(pairs: &[(&str, &str)]) -> Vec<KeyValue> {
    let label = |&(key, value): &(&str, &str)| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) }),
        ..Default::default()
    };
    pairs.iter().map(label).collect()
}

fn number(point: &DataPoint, value: Number) -> NumberDataPoint {
    NumberDataPoint {
        attributes: labels(&point.labels().iter().collect::<Vec<_>>()),
        start_time_unix_nano: point.started().timestamp().unix_nanos(),
        time_unix_nano: point.taken().timestamp().unix_nanos(),
        exemplars: vec![],
        flags: 0,
        value: Some(value),
    }
}

#[test]
fn points_of_a_counter_are_one_metric() {
    let registry = Registry::new();
    let sent = registry
        .counter("shop.sent", "Messages \"sent\"")
        .unit(Unit::Bytes)
        .any_keys()
        .build()
        .unwrap();
    sent.bind_any(&[("to", "a")]).add(3);
    sent.bind_any(&[("to", "b"), ("via", "c\n")]).add(u64::MAX / 2);
    let points = points(&registry);
    for metrics in arrived(otlp(), points.clone()) {
        assert_eq!(
            metrics,
            [Metric {
                name: "shop.sent".to_owned(),
                description: "Messages \"sent\"".to_owned(),
                unit: "By".to_owned(),
                metadata: vec![],
                data: Some(Data::Sum(Sum {
                    data_points: vec![
                        number(&points[0], Number::AsInt(3)),
                        number(&points[1], Number::AsInt(i64::MAX)),
                    ],
                    aggregation_temporality: CUMULATIVE,
                    is_monotonic: true,
                })),
            }]
        );
    }
}

#[test]
fn each_kind_of_number_has_its_data() {
    let registry = Registry::new();
    registry.counter("a.counter", "").build().unwrap().add(u64::MAX);
    registry.up_down_counter("b.open", "").build().unwrap().add(-4);
    registry.gauge("c.level", "").build().unwrap().set(0.5);
    let points = points(&registry);
    let sum = |point, value, is_monotonic| {
        let data_points = vec![number(point, value)];
        Data::Sum(Sum { data_points, aggregation_temporality: CUMULATIVE, is_monotonic })
    };
    for metrics in arrived(otlp(), points.clone()) {
        let data: Vec<_> = metrics.into_iter().map(|metric| metric.data.unwrap()).collect();
        let mut level = number(&points[2], Number::AsDouble(0.5));
        level.start_time_unix_nano = 0;
        let gauge = opentelemetry_proto::tonic::metrics::v1::Gauge { data_points: vec![level] };
        assert_eq!(
            data,
            [
                sum(&points[0], Number::AsDouble(u64::MAX as f64), true),
                sum(&points[1], Number::AsInt(-4), false),
                Data::Gauge(gauge),
            ]
        );
    }
}

#[test]
fn differences_say_that_they_are_and_up_down_counters_are_none() {
    let registry = Registry::new();
    registry.counter("a.counter", "").build().unwrap().add(5);
    registry.up_down_counter("b.open", "").build().unwrap().add(2);
    registry.histogram("c.time", "").build().unwrap().record(1.0);
    let mut reader = Reader::delta(&registry);
    reader.collect();
    let reading = reader.collect();
    for metrics in arrived(otlp(), reading.data_points(Temporality::Delta)) {
        let temporality = |metric: &Metric| match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => sum.aggregation_temporality,
            Data::ExponentialHistogram(histogram) => histogram.aggregation_temporality,
            other => panic!("{other:?}"),
        };
        assert_eq!(metrics.iter().map(temporality).collect::<Vec<_>>(), [DELTA, CUMULATIVE, DELTA]);
        let Some(Data::Sum(sum)) = &metrics[0].data else { panic!() };
        assert_eq!(sum.data_points[0].value, Some(Number::AsInt(0)));
        assert_eq!(
            sum.data_points[0].start_time_unix_nano,
            reading.started().timestamp().unix_nanos()
        );
    }
}

fn exponential(metric: &Metric) -> &ExponentialHistogramDataPoint {
    match metric.data.as_ref().unwrap() {
        Data::ExponentialHistogram(histogram) => &histogram.data_points[0],
        other => panic!("{other:?}"),
    }
}

fn explicit(metric: &Metric) -> &HistogramDataPoint {
    match metric.data.as_ref().unwrap() {
        Data::Histogram(histogram) => &histogram.data_points[0],
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_histogram_has_exponential_buckets() {
    let registry = Registry::new();
    let latency = registry.histogram("latency", "").unit(Unit::Seconds).build().unwrap();
    [0.0, 1.0, 1.5, 2.0, 9.0].into_iter().for_each(|value| latency.record(value));
    let points = points(&registry);
    let expected = latency.snapshot().exponential(i32::MAX).unwrap();
    for (most, scale) in [(160, 5), (4_480, 6), (4, -1)] {
        for metrics in arrived(otlp().exponential_histograms(most), points.clone()) {
            let point = exponential(&metrics[0]);
            assert_eq!((point.count, point.sum, point.scale), (5, Some(13.5), scale));
            let expected = expected.clone().downscaled(scale);
            let (offset, counts) = expected.dense();
            let positive = point.positive.as_ref().unwrap();
            assert_eq!((positive.offset, &positive.bucket_counts), (offset, &counts));
            assert_eq!((point.zero_count, point.zero_threshold), (1, 2f64.powi(-30)));
            assert_eq!((point.min, point.max, &point.negative), (Some(0.0), Some(9.0), &None));
            assert_eq!(point.start_time_unix_nano, points[0].started().timestamp().unix_nanos());
            assert_eq!(point.time_unix_nano, points[0].taken().timestamp().unix_nanos());
        }
    }
}

#[test]
fn a_histogram_has_the_bounds_of_a_page_where_exponential_ones_are_not_known() {
    let registry = Registry::new();
    let latency = registry.histogram("latency", "").unit(Unit::Seconds).build().unwrap();
    [0.0, 0.25, 0.26, 1e6].into_iter().for_each(|value| latency.record(value));
    for metrics in arrived(otlp().explicit_histograms(), points(&registry)) {
        let point = explicit(&metrics[0]);
        assert_eq!((point.count, point.sum), (4, Some(1e6 + 0.51)));
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
        assert_eq!(point.bucket_counts.iter().sum::<u64>(), 4);
        let below = |bound: f64| {
            let buckets = point.explicit_bounds.iter().zip(&point.bucket_counts);
            buckets.filter(|(upper, _)| **upper <= bound).map(|(_, count)| count).sum::<u64>()
        };
        assert_eq!((below(0.25), below(0.5), below(64.0)), (2, 3, 3));
        assert_eq!((point.min, point.max), (Some(0.0), Some(1e6)));
    }
}

#[test]
fn a_histogram_with_bounds_of_its_own_keeps_them() {
    use bellwether::metric::{Aggregation, HistogramOptions};
    let registry = Registry::new();
    let options = HistogramOptions::new().aggregation(Aggregation::explicit(&[1.0, 2.0]).unwrap());
    let sizes = registry.histogram("sizes", "").options(options).build().unwrap();
    [0.5, 1.0, 1.5, 7.0].into_iter().for_each(|value| sizes.record(value));
    for metrics in arrived(otlp(), points(&registry)) {
        let point = explicit(&metrics[0]);
        assert_eq!(point.explicit_bounds, [1.0, 2.0]);
        assert_eq!(point.bucket_counts, [2, 1, 1]);
    }
}

#[test]
fn an_empty_histogram_has_neither_buckets_nor_extremes() {
    let registry = Registry::new();
    let _latency = registry.histogram("latency", "").build().unwrap();
    for metrics in arrived(otlp(), points(&registry)) {
        let point = exponential(&metrics[0]);
        assert_eq!((point.count, &point.positive), (0, &None));
        assert_eq!((point.min, point.max), (None, None));
    }
}

#[test]
fn exemplars_lead_to_their_spans() {
    let _scope = bellwether::testing::scope();
    let clock = ManualClock::new();
    let _ = clock.now();
    let registry = Registry::new();
    let latency = registry.histogram("latency", "").build().unwrap();
    let span = bellwether::span("slow").enter();
    let context = span.context();
    latency.record_with_exemplar(3.0, &[("order", "7")]);
    span.end();
    for metrics in arrived(otlp(), points(&registry)) {
        let exemplars = &exponential(&metrics[0]).exemplars;
        assert_eq!(exemplars.len(), 1);
        let exemplar = &exemplars[0];
        assert_eq!(exemplar.trace_id, context.trace_id().to_u128().to_be_bytes());
        assert_eq!(exemplar.span_id, context.span_id().to_u64().to_be_bytes());
        assert_eq!(exemplar.filtered_attributes, labels(&[("order", "7")]));
        assert!(exemplar.time_unix_nano > 0);
        let value = opentelemetry_proto::tonic::metrics::v1::exemplar::Value::AsDouble(3.0);
        assert_eq!(exemplar.value, Some(value));
    }
}

#[test]
fn metrics_stay_apart_and_in_order() {
    let registry = Registry::new();
    for name in ["a", "b", "c"] {
        let counter = registry.counter(name, "").any_keys().build().unwrap();
        (0..40).for_each(|n| counter.bind_any(&[("n", &format!("{n:02}"))]).add(n));
    }
    for metrics in arrived(otlp(), points(&registry)) {
        let names: Vec<&str> = metrics.iter().map(|metric| &*metric.name).collect();
        assert_eq!(names, ["a", "b", "c"]);
        for metric in metrics {
            let Some(Data::Sum(sum)) = metric.data else { panic!() };
            let values = sum.data_points.iter().map(|point| point.value.unwrap());
            assert!(values.eq((0..40).map(Number::AsInt)));
        }
    }
}
