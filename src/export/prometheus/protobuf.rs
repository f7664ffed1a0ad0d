//! The messages of `io.prometheus.client`, written by hand. A dozen kinds of fields, each a number, a
//! text or a message, need no library and no copy of the labels for each scrape.
//!
//! The numbers of the fields are those of `metrics.proto` in Prometheus' `client_model`.

use super::{
    Format,
    buckets::Buckets,
    buffer::Buffer,
    labels::push_label,
    wire::{count, double, message, text, zigzag},
};
use crate::{
    cells::histogram::cuts::BucketCounts,
    exposition::{FamilyName, Native, QUANTILES, WindowLength, ZERO_THRESHOLD, number_samples},
    metric::{Exemplar, HistogramSnapshot, Kind, SeriesValue, SummarySnapshot, Unit},
};

/// The fields of a `MetricFamily` before its metrics.
pub(super) fn head(names: &FamilyName, kind: Kind, unit: Unit, help: &str) -> Buffer {
    const COUNTER: u64 = 0;
    const GAUGE: u64 = 1;
    const SUMMARY: u64 = 2;
    const HISTOGRAM: u64 = 4;
    let kind_number = match kind {
        Kind::Counter => COUNTER,
        Kind::Histogram => HISTOGRAM,
        Kind::Summary => SUMMARY,
        _ => GAUGE,
    };
    let mut head = Buffer::default();
    text(&mut head, 1, names.family().as_bytes());
    if !help.is_empty() {
        text(&mut head, 2, help.as_bytes());
    }
    count(&mut head, 3, kind_number);
    if let Some(word) = names.unit(unit, kind) {
        text(&mut head, 5, word.as_bytes());
    }
    head
}

/// Writes the metrics of one series.
pub(super) struct Writer<'a> {
    pub(super) page: &'a mut Buffer,
    /// The labels.
    pub(super) block: &'a Buffer,
    /// When its sum began, in nanoseconds since the Unix epoch, if that is shown.
    pub(super) created: Option<u64>,
    /// The exemplar of a counter.
    pub(super) of_sum: Option<&'a Exemplar>,
}

impl Writer<'_> {
    /// Writes the metric of a value that is one number.
    pub(super) fn value(&mut self, value: &SeriesValue) {
        let Self { created, of_sum, .. } = *self;
        number_samples(value, |sample| match value {
            SeriesValue::Counter(_) | SeriesValue::FloatCounter(_) => self.metric(3, |to| {
                double(to, 1, sample.number.as_f64());
                if let Some(one) = of_sum {
                    message(to, 2, |to| exemplar(to, one));
                }
                timestamp(to, 3, created);
            }),
            _ => self.metric(2, |to| double(to, 1, sample.number.as_f64())),
        });
    }

    /// Writes a histogram with the `counts` of its `buckets`, and as a native histogram with at most so
    /// many buckets.
    pub(super) fn histogram(
        &mut self,
        buckets: &Buckets,
        counts: &BucketCounts,
        histogram: &HistogramSnapshot,
        (native, limit): (&mut Native, usize),
    ) {
        let created = self.created;
        self.metric(7, |to| {
            count(to, 1, histogram.count());
            double(to, 2, histogram.sum());
            let exemplars = buckets.shown.exemplars(counts.exemplars());
            for ((bound, below), newest) in
                buckets.shown.bounds().iter().zip(counts.cumulative()).zip(exemplars)
            {
                message(to, 3, |to| {
                    count(to, 1, below);
                    double(to, 2, *bound);
                    if let Some(one) = newest {
                        message(to, 3, |to| exemplar(to, one));
                    }
                });
            }
            timestamp(to, 15, created);
            if !buckets.shown.are_explicit() {
                native.read(histogram, limit);
                native_histogram(to, native, histogram.exemplars());
            }
        });
    }

    /// Writes a metric for each window, and one for all values: the format has quantiles only beside a
    /// count and a sum, and for a window these are its own.
    pub(super) fn summary(&mut self, summary: &SummarySnapshot) {
        for (length, values) in &summary.windows {
            message(self.page, 4, |to| {
                to.copy(self.block);
                message(to, 1, |pair| {
                    text(pair, 1, b"window");
                    message(pair, 2, |value| value.window(WindowLength::new(*length)));
                });
                message(to, 4, |to| {
                    count(to, 1, values.count());
                    double(to, 2, values.sum());
                    for (q, _) in QUANTILES {
                        message(to, 3, |to| {
                            double(to, 1, q);
                            double(to, 2, values.quantile(q).unwrap_or(f64::NAN));
                        });
                    }
                });
            });
        }
        let created = self.created;
        self.metric(4, |to| {
            count(to, 1, summary.count);
            double(to, 2, summary.sum);
            timestamp(to, 4, created);
        });
    }

    /// Writes a `Metric` with the value that `write` puts into `field`.
    fn metric(&mut self, field: u8, write: impl FnOnce(&mut Buffer)) {
        message(self.page, 4, |to| {
            to.copy(self.block);
            message(to, field, write);
        });
    }
}

fn native_histogram(to: &mut Buffer, native: &Native, exemplars: &[Exemplar]) {
    zigzag(to, 5, native.schema.into());
    double(to, 6, ZERO_THRESHOLD);
    count(to, 7, native.zero_count);
    for (offset, len) in native.spans() {
        message(to, 12, |to| {
            zigzag(to, 1, offset.into());
            count(to, 2, len.into());
        });
    }
    native.deltas().for_each(|delta| zigzag(to, 13, delta));
    for one in exemplars {
        message(to, 16, |to| exemplar(to, one));
    }
}

fn exemplar(to: &mut Buffer, exemplar: &Exemplar) {
    exemplar.each_pair(|key, value| push_label(to, Format::Protobuf, key, value));
    double(to, 2, exemplar.value());
    timestamp(to, 3, Some(exemplar.taken().unix_nanos()));
}

/// A `google.protobuf.Timestamp`, if there is one.
fn timestamp(to: &mut Buffer, field: u8, nanos: Option<u64>) {
    if let Some(nanos) = nanos {
        message(to, field, |to| {
            count(to, 1, nanos / 1_000_000_000);
            count(to, 2, nanos % 1_000_000_000);
        });
    }
}
