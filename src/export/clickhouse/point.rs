//! Data points as rows.

use super::encoder::{Row, float, time};
use crate::{
    export::wire::{familiar::Familiar, json::Object, point::kind_word},
    metric::{DataPoint, HistogramSnapshot, SeriesValue, Temporality},
};

impl Row for DataPoint {
    const FORMAT: &str = "clickhouse.metrics.1";
    const TABLE: &str = "samples";

    fn columns(&self, row: &mut Object<'_>, bounds: &mut Familiar) {
        time(row.field("Timestamp"), self.taken().timestamp());
        time(row.field("StartTimestamp"), self.started().timestamp());
        row.field("MetricName").str(self.name());
        row.field("MetricUnit").str(self.unit().as_str());
        row.field("MetricKind").plain(kind_word(self.kind()));
        row.field("Temporality").plain(match self.temporality() {
            Temporality::Cumulative => "cumulative",
            Temporality::Delta => "delta",
        });
        row.field("Attributes").object(|map| {
            self.labels().iter().for_each(|(key, value)| map.field(key).str(value));
        });
        match self.value() {
            SeriesValue::Counter(sum) => row.field("Value").u64(*sum),
            SeriesValue::Histogram(histogram) => {
                row.field("Value").u64(histogram.count());
                float(row.field("Sum"), histogram.sum());
                for (column, value) in [("Min", histogram.min()), ("Max", histogram.max())] {
                    if let Some(value) = value {
                        float(row.field(column), value);
                    }
                }
                quantiles(row, histogram);
                row.field("Bounds").array(histogram.buckets(), |json, (_, upper, _)| {
                    match upper.is_finite() {
                        true => json.raw(|out| bounds.put(out, upper)),
                        false => float(json, upper),
                    }
                });
                row.field("Counts")
                    .array(histogram.buckets(), |json, (.., count)| json.whole(count));
            }
            SeriesValue::Summary(summary) => {
                row.field("Value").u64(summary.count);
                float(row.field("Sum"), summary.sum);
                if let Some((_, window)) = summary.windows.first() {
                    quantiles(row, window);
                }
            }
            value => float(row.field("Value"), value.as_f64()),
        }
    }
}

fn quantiles(row: &mut Object<'_>, histogram: &HistogramSnapshot) {
    for (column, value) in
        [("P50", histogram.p50()), ("P90", histogram.p90()), ("P99", histogram.p99())]
    {
        if let Some(value) = value {
            float(row.field(column), value);
        }
    }
}
