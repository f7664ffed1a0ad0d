//! Data points as lines: a record is what one series has to say.

use super::{
    line::Series,
    options::{Options, RESOURCE_TAGS, StatsdDialect, StatsdHistograms},
};
use crate::{
    error::Error,
    export::wire::{figures, number::Number},
    metric::{DataPoint, HistogramSnapshot, SeriesValue, SummarySnapshot, Unit},
    pipeline::{Batch, Encoder, Payload, Setup},
};

/// Encodes data points.
#[derive(Debug)]
pub(super) struct Lines {
    options: Options,
    histograms: StatsdHistograms,
    /// Tags of the resource.
    tags: Vec<(String, String)>,
    series: Series,
}

impl Lines {
    pub(super) fn new(options: Options) -> Self {
        let by_default = match options.dialect {
            StatsdDialect::Dogstatsd => StatsdHistograms::Distributions,
            _ => StatsdHistograms::Figures,
        };
        let histograms = options.histograms.unwrap_or(by_default);
        let series = Series::new(options.dialect);
        Self { options, histograms, tags: Vec::new(), series }
    }

    fn point(&mut self, out: &mut Vec<u8>, point: &DataPoint) {
        let Self { options, series, tags, .. } = self;
        series.begin(&options.prefix, point.name());
        // A label of the same name stands in its place.
        let of_resource = tags.iter().filter(|(key, _)| point.labels().get(key).is_none());
        of_resource.for_each(|(key, value)| series.tag(key, value));
        point.labels().iter().for_each(|(key, value)| series.tag(key, value));
        match point.value() {
            SeriesValue::Counter(sum) => self.series.count(out, "", Number::Whole(*sum)),
            SeriesValue::FloatCounter(sum) if sum.is_finite() => {
                self.series.count(out, "", Number::Float(*sum));
            }
            SeriesValue::UpDownCounter(sum) => self.series.gauge(out, "", *sum as f64),
            SeriesValue::Gauge(value) if value.is_finite() => self.series.gauge(out, "", *value),
            SeriesValue::FloatCounter(_) | SeriesValue::Gauge(_) => {}
            SeriesValue::Info => self.series.gauge(out, "", 1.0),
            SeriesValue::State(holds) => self.series.gauge(out, "", f64::from(u8::from(*holds))),
            SeriesValue::Histogram(histogram) => self.histogram(out, histogram, point.unit()),
            SeriesValue::Summary(summary) => self.summary(out, summary),
        }
    }

    fn histogram(&self, out: &mut Vec<u8>, histogram: &HistogramSnapshot, unit: Unit) {
        let form = match self.histograms {
            StatsdHistograms::Figures => return self.figures(out, histogram),
            StatsdHistograms::Distributions => "d",
            StatsdHistograms::Histograms => "h",
            StatsdHistograms::Timers => "ms",
        };
        let factor = match form == "ms" && unit == Unit::Seconds {
            true => 1e3,
            false => 1.0,
        };
        let begin = out.len();
        for (lower, upper, n) in histogram.buckets().filter(|(_, _, n)| *n > 0) {
            let value = Number::Float(figures::middle(lower, upper) * factor);
            self.series.line(out, "", value, form, n);
        }
        if out.len() == begin {
            out.push(b'\n'); // A record without bytes would be one that cannot be expressed.
        }
    }

    fn figures(&self, out: &mut Vec<u8>, histogram: &HistogramSnapshot) {
        self.series.count(out, "count", Number::Whole(histogram.count()));
        for (figure, value) in figures::of_histogram(histogram) {
            self.series.gauge(out, figure, value);
        }
    }

    fn summary(&self, out: &mut Vec<u8>, summary: &SummarySnapshot) {
        self.series.count(out, "count", Number::Whole(summary.count));
        for (figure, value) in figures::of_summary(summary) {
            self.series.gauge(out, figure, value);
        }
    }
}

impl Encoder<DataPoint> for Lines {
    fn encode(&mut self, batch: &Batch<DataPoint>) -> Payload {
        Payload::each(batch, |out, point| self.point(out, point))
    }

    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        let resource = setup.resource();
        let tags = match (&self.options.resource_tags, self.options.dialect) {
            (Some(tags), _) => tags.clone(),
            // Each version would have a path of its own.
            (None, StatsdDialect::InName) => Vec::new(),
            (None, _) => RESOURCE_TAGS.map(|(key, tag)| (key.into(), tag.into())).to_vec(),
        };
        let found = tags
            .iter()
            .filter_map(|(key, tag)| Some((tag.to_string(), resource.get(key)?.to_string())));
        self.tags = found.collect();
        Ok(())
    }

    fn format(&self) -> &str {
        "statsd.metrics.1"
    }
}
