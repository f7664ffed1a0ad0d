//! Data points as documents: a document is one series at one instant.

use super::{
    encoder::{Document, Id},
    labels,
    options::{ElasticHistograms, Options},
};
use crate::{
    clock::Timestamp,
    export::wire::{familiar::Familiar, figures, json::Object},
    metric::{DataPoint, HistogramSnapshot, Kind, SeriesValue, Temporality},
};

impl Document for DataPoint {
    const FORMAT: &str = "elasticsearch.metrics.1";
    const DAILY_FORMAT: &str = "elasticsearch.metrics.daily.1";
    const TYPE: &str = "metrics";

    fn time(&self) -> Timestamp {
        self.taken().timestamp()
    }

    fn own_id(&self) -> Option<Id> {
        None
    }

    /// JSON has no word for what is not finite.
    fn is_document(&self) -> bool {
        match self.value() {
            SeriesValue::FloatCounter(value) | SeriesValue::Gauge(value) => value.is_finite(),
            _ => true,
        }
    }

    fn fields(&self, object: &mut Object<'_>, options: &Options, middles: &mut Familiar) {
        object.field("event.kind").bare(b"metric");
        object.field("metric.name").str(self.name());
        object.field("metric.kind").bare(kind_word(self.kind()));
        if !self.unit().as_str().is_empty() {
            object.field("metric.unit").str(self.unit().as_str());
        }
        if is_sum(self.kind()) {
            object.field("metric.temporality").bare(match self.temporality() {
                Temporality::Cumulative => b"cumulative",
                Temporality::Delta => b"delta",
            });
        }
        match self.value() {
            SeriesValue::Counter(sum) => object.field("metric.value").u64(*sum),
            SeriesValue::UpDownCounter(sum) => object.field("metric.value").i64(*sum),
            SeriesValue::FloatCounter(value) | SeriesValue::Gauge(value) => {
                object.field("metric.value").float(*value);
            }
            SeriesValue::Info => object.field("metric.value").u64(1),
            SeriesValue::State(holds) => object.field("metric.value").u64((*holds).into()),
            SeriesValue::Histogram(histogram) => {
                object.field("metric.count").u64(histogram.count());
                figures_of(object, figures::of_histogram(histogram));
                if options.histograms == ElasticHistograms::Distribution {
                    distribution(object, histogram, middles);
                }
            }
            SeriesValue::Summary(summary) => {
                object.field("metric.count").u64(summary.count);
                figures_of(object, figures::of_summary(summary));
            }
        }
        labels::labels(object, self.labels());
    }
}

fn kind_word(kind: Kind) -> &'static [u8] {
    match kind {
        Kind::Counter => b"counter",
        Kind::UpDownCounter => b"up_down_counter",
        Kind::Gauge => b"gauge",
        Kind::Histogram => b"histogram",
        Kind::Summary => b"summary",
        Kind::Info => b"info",
        Kind::StateSet => b"state",
    }
}

/// Whether its values add up, so that one is a total or a difference.
fn is_sum(kind: Kind) -> bool {
    matches!(kind, Kind::Counter | Kind::UpDownCounter | Kind::Histogram | Kind::Summary)
}

fn figures_of(object: &mut Object<'_>, figures: impl Iterator<Item = (&'static str, f64)>) {
    for (figure, value) in figures {
        object
            .field(match figure {
                "sum" => "metric.sum",
                "min" => "metric.min",
                "max" => "metric.max",
                "p50" => "metric.p50",
                "p90" => "metric.p90",
                _ => "metric.p99",
            })
            .float(value);
    }
}

/// Writes the middles of the buckets and how many values each has.
fn distribution(object: &mut Object<'_>, histogram: &HistogramSnapshot, middles: &mut Familiar) {
    object.field("metric.distribution").object(|object| {
        object.field("values").array(histogram.buckets(), |json, (lower, upper, _)| {
            json.raw(|out| middles.put(out, figures::middle(lower, upper)));
        });
        object.field("counts").array(histogram.buckets(), |json, (.., count)| json.whole(count));
    });
}
