//! A data point of a metric as the fields of a JSON object; the schema is
//! [`File`](crate::export::File)'s.

use super::json::{Json, Object};
use crate::{
    label::LabelSet,
    metric::{DataPoint, HistogramSnapshot, Kind, SeriesValue, SummarySnapshot, Temporality},
};

/// Writes the fields of `point`.
pub(crate) fn fields(object: &mut Object<'_>, point: &DataPoint) {
    object.field("name").str(point.name());
    object.field("kind").plain(kind_word(point.kind()));
    if !point.unit().as_str().is_empty() {
        object.field("unit").str(point.unit().as_str());
    }
    labels(object.field("labels"), point.labels());
    object.field("unix_nanos").u64(point.taken().unix_nanos());
    if matches!(point.kind(), Kind::Counter | Kind::Histogram | Kind::Summary) {
        object.field("start_unix_nanos").u64(point.started().unix_nanos());
        object.field("temporality").plain(match point.temporality() {
            Temporality::Cumulative => "cumulative",
            Temporality::Delta => "delta",
        });
    }
    value(object, point.value());
}

/// The name of a kind, in the spelling of OpenTelemetry and OpenMetrics.
pub(crate) fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::UpDownCounter => "up_down_counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
        Kind::Summary => "summary",
        Kind::Info => "info",
        Kind::StateSet => "state_set",
    }
}

fn value(object: &mut Object<'_>, value: &SeriesValue) {
    match value {
        SeriesValue::Counter(sum) => object.field("value").u64(*sum),
        SeriesValue::UpDownCounter(sum) => object.field("value").i64(*sum),
        SeriesValue::FloatCounter(value) | SeriesValue::Gauge(value) => {
            object.field("value").f64(*value);
        }
        SeriesValue::Info => object.field("value").u64(1),
        SeriesValue::State(holds) => object.field("value").bool(*holds),
        SeriesValue::Histogram(histogram) => distribution(object, histogram),
        SeriesValue::Summary(summary) => windows(object, summary),
    }
}

fn distribution(object: &mut Object<'_>, histogram: &HistogramSnapshot) {
    object.field("count").u64(histogram.count());
    object.field("sum").f64(histogram.sum());
    object.field("min").optional_f64(histogram.min());
    object.field("max").optional_f64(histogram.max());
    quantiles(object, histogram);
    object.field("buckets").array(histogram.buckets(), |json, (lower, upper, count)| {
        json.array([Bound(lower), Bound(upper), Count(count)], |json, part| match part {
            Bound(bound) => json.f64(bound),
            Count(count) => json.u64(count),
        });
    });
}

/// A part of a bucket.
enum Part {
    Bound(f64),
    Count(u64),
}
use Part::{Bound, Count};

fn quantiles(object: &mut Object<'_>, histogram: &HistogramSnapshot) {
    object.field("p50").optional_f64(histogram.p50());
    object.field("p90").optional_f64(histogram.p90());
    object.field("p99").optional_f64(histogram.p99());
}

fn windows(object: &mut Object<'_>, summary: &SummarySnapshot) {
    object.field("count").u64(summary.count);
    object.field("sum").f64(summary.sum);
    object.field("windows").array(&summary.windows, |json, (length, window)| {
        json.object(|object| {
            object.field("seconds").f64(length.as_secs_f64());
            object.field("count").u64(window.count());
            quantiles(object, window);
        });
    });
}

fn labels(json: Json<'_>, labels: &LabelSet) {
    json.object(|object| labels.iter().for_each(|(key, value)| object.field(key).str(value)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Registry, Unit};

    fn read(registry: &Registry) -> Vec<serde_json::Value> {
        let points = registry.snapshot().data_points(Temporality::Cumulative);
        let read = |point: &DataPoint| {
            let mut out = Vec::new();
            Json::new(&mut out).object(|object| fields(object, point));
            serde_json::from_slice(&out).unwrap()
        };
        points.iter().map(read).collect()
    }

    #[test]
    fn a_counter_and_a_histogram_read_back() {
        let registry = Registry::builder().label("zone", "b\n\"").build();
        registry
            .counter("shop.orders", "")
            .unit(Unit::new("{order}"))
            .build()
            .unwrap()
            .add(u64::MAX);
        let latency = registry.histogram("shop.wait", "").unit(Unit::Seconds).build().unwrap();
        latency.record(1.0);
        latency.record(3.0);
        let [orders, wait] = read(&registry).try_into().unwrap();
        assert_eq!(orders["value"], u64::MAX);
        assert_eq!(orders["labels"], serde_json::json!({"zone": "b\n\""}));
        assert_eq!((&orders["kind"], &orders["unit"]), (&"counter".into(), &"{order}".into()));
        assert_eq!(orders["temporality"], "cumulative");
        assert!(wait["unix_nanos"].is_u64() && orders["start_unix_nanos"].is_u64());
        assert_eq!(
            (&wait["count"], &wait["sum"], &wait["max"]),
            (&2.into(), &4.0.into(), &3.0.into())
        );
        assert!((wait["p99"].as_f64().unwrap() - 3.0).abs() < 0.03);
        let counts = wait["buckets"].as_array().unwrap().iter().map(|bucket| &bucket[2]);
        assert_eq!(counts.collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn what_a_number_cannot_say_is_null_or_a_word() {
        let registry = Registry::new();
        registry.gauge("level", "").build().unwrap().set(f64::NAN);
        registry.histogram("never", "").unit(Unit::Seconds).build().unwrap();
        let [level, never] = read(&registry).try_into().unwrap();
        assert!(level["value"].is_null());
        assert!(level.get("temporality").is_none() && level.get("unit").is_none());
        assert!(never["min"].is_null() && never["p99"].is_null());
        assert_eq!((&never["count"], never["buckets"].as_array().unwrap().len()), (&0.into(), 0));
    }
}
