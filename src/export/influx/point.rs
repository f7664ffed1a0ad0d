//! Data points as lines: a record is the line of one series.

use super::{
    encoder::Point,
    line::Line,
    options::{InfluxHistograms, Options},
    tags::Tags,
};
use crate::{
    export::wire::{
        figures,
        number::{Room, put_f64},
    },
    metric::{DataPoint, HistogramSnapshot, SeriesValue, SummarySnapshot},
};

impl Point for DataPoint {
    const FORMAT: &str = "influx.metrics.1";

    fn write(&self, out: &mut Vec<u8>, options: &Options, tags: &mut Tags) {
        let mut line = Line::new(out, &options.prefix, self.name());
        let has_label = |key: &str| self.labels().iter().any(|(other, _)| other == key);
        tags.put(&mut line, has_label);
        self.labels().iter().for_each(|(key, value)| line.tag(key, value));
        match self.value() {
            SeriesValue::Counter(sum) => line.count("value", *sum),
            SeriesValue::UpDownCounter(sum) => line.int("value", *sum),
            SeriesValue::FloatCounter(value) | SeriesValue::Gauge(value) => {
                line.float("value", *value);
            }
            SeriesValue::Info => line.int("value", 1),
            SeriesValue::State(holds) => line.int("value", (*holds).into()),
            SeriesValue::Histogram(histogram) => match options.histograms {
                InfluxHistograms::Figures => all_figures(&mut line, histogram),
                InfluxHistograms::Buckets => buckets(&mut line, histogram, self),
            },
            SeriesValue::Summary(summary) => summary_figures(&mut line, summary),
        }
        let nanos = i64::try_from(self.taken().timestamp().unix_nanos()).unwrap_or(i64::MAX);
        tags.note(line.end(nanos / options.precision.nanos()));
    }
}

fn all_figures(line: &mut Line<'_>, histogram: &HistogramSnapshot) {
    line.count("count", histogram.count());
    figures::of_histogram(histogram).for_each(|(figure, value)| line.float(figure, value));
}

fn summary_figures(line: &mut Line<'_>, summary: &SummarySnapshot) {
    line.count("count", summary.count);
    figures::of_summary(summary).for_each(|(figure, value)| line.float(figure, value));
}

/// How many values there are up to each bound, which is the name of its field.
fn buckets(line: &mut Line<'_>, histogram: &HistogramSnapshot, point: &DataPoint) {
    line.count("count", histogram.count());
    line.float("sum", histogram.sum());
    let own = histogram.explicit_bounds();
    let shown = point.shown_bounds();
    let bounds = own.unwrap_or(&shown);
    for (bound, n) in bounds.iter().zip(histogram.cumulative(bounds)) {
        let mut room = Room::default();
        let length = put_f64(&mut room, *bound);
        line.count(str::from_utf8(&room[..length]).unwrap_or_default(), n);
    }
    line.count("+Inf", histogram.count());
}
