//! Data points as rows of samples, each with the row of its series.

use super::{
    encoder::{Origin, Record},
    row::RowWriter,
};
use crate::{
    export::wire::{json::Json, point::kind_word},
    label::LabelSet,
    metric::{DataPoint, HistogramSnapshot, SeriesValue, SummarySnapshot, Temporality},
};

impl Record for DataPoint {
    const FORMAT: &str = "sql.metrics.1";

    fn cells(&self, row: &mut RowWriter<'_>, origin: &Origin) {
        let kind = kind_word(self.kind());
        let temporality = match self.temporality() {
            Temporality::Cumulative => "cumulative",
            Temporality::Delta => "delta",
        };
        let texts = [self.name(), kind, self.unit().as_str(), temporality];
        let labels = self.labels().iter().flat_map(|(key, value)| [key, value]);
        row.int(origin.id(texts.into_iter().chain(labels)));
        texts.into_iter().for_each(|text| row.text(text));
        row.written(|out| object(out, self.labels()));
        row.count(self.taken().timestamp().unix_nanos());
        row.count(self.started().timestamp().unix_nanos());
        match self.value() {
            SeriesValue::Histogram(histogram) => distribution(row, histogram),
            SeriesValue::Summary(summary) => windows(row, summary),
            value => {
                row.real(value.as_f64());
                (0..8).for_each(|_| row.null());
            }
        }
    }
}

fn object(out: &mut Vec<u8>, labels: &LabelSet) {
    Json::new(out).object(|object| {
        labels.iter().for_each(|(key, value)| object.field(key).str(value));
    });
}

fn distribution(row: &mut RowWriter<'_>, histogram: &HistogramSnapshot) {
    row.null();
    row.count(histogram.count());
    row.real(histogram.sum());
    row.optional(histogram.min(), RowWriter::real);
    row.optional(histogram.max(), RowWriter::real);
    quantiles(row, Some(histogram));
    row.written(|out| {
        Json::new(out).array(histogram.buckets(), |json, (lower, upper, count)| {
            json.array([Ok(lower), Ok(upper), Err(count)], |json, part| match part {
                Ok(bound) => json.f64(bound),
                Err(count) => json.u64(count),
            });
        });
    });
}

/// The quantiles are those of the shortest window.
fn windows(row: &mut RowWriter<'_>, summary: &SummarySnapshot) {
    row.null();
    row.count(summary.count);
    row.real(summary.sum);
    (0..2).for_each(|_| row.null());
    quantiles(row, summary.windows.first().map(|(_, window)| window));
    row.null();
}

fn quantiles(row: &mut RowWriter<'_>, histogram: Option<&HistogramSnapshot>) {
    for quantile in [HistogramSnapshot::p50, HistogramSnapshot::p90, HistogramSnapshot::p99] {
        row.optional(histogram.and_then(quantile), RowWriter::real);
    }
}
