//! Data points of metrics, as OTLP's `Metric` and its kinds of points.
//!
//! OTLP has metrics with points in them, and a payload has a record for each point. So a record has the
//! fields of its metric in front:
//!
//! ```text
//! length, fields of Metric │ number of the data's field │ length, fields of the data │ point …
//! └──────────────────── the key: neighbours that share it become one metric ──────┘
//! ```
//!
//! A summary's record has several points: one for all values, and one for each window, as an attribute says.

use std::{borrow::Cow, time::Duration};

use super::{
    attribute,
    form::{Field, Fields, Form, field},
};
use crate::{
    export::wire::protobuf::{Protobuf, read_number, split},
    metric::{
        DataPoint, Exemplar, HistogramSnapshot, Kind, SeriesValue, SummarySnapshot, Temporality,
    },
    pipeline::{Batch, Payload},
};

/// How histograms are sent that have no bounds of their own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Histograms {
    /// By exponential buckets, at most so many.
    Exponential(usize),
    /// By the bounds that a page shows.
    Explicit,
}

/// The limit of OpenTelemetry's exponential histograms.
pub(super) const MOST_BUCKETS: usize = 160;

/// What a metric's points are: the fields of `Metric` for its data.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Data {
    Gauge,
    Sum { is_monotonic: bool, temporality: Temporality },
    Histogram(Temporality),
    ExponentialHistogram(Temporality),
    Summary,
}

/// The fields of `Metric` that have the points.
const GAUGE: Field = field(5, "gauge");
const SUM: Field = field(7, "sum");
const HISTOGRAM: Field = field(9, "histogram");
const EXPONENTIAL: Field = field(10, "exponentialHistogram");
const SUMMARY: Field = field(11, "summary");

/// The points, whichever the data is.
const POINTS: Field = field(1, "dataPoints");

/// The name in JSON of the field with the data whose number is `number`.
pub(super) fn data_name(number: u8) -> Option<&'static str> {
    let all = [GAUGE, SUM, HISTOGRAM, EXPONENTIAL, SUMMARY];
    all.iter().find(|field| field.number == number).map(|field| field.name)
}

/// Adds a record for each point of `batch`.
pub(super) fn encode<F: Form>(
    batch: &Batch<DataPoint>,
    payload: &mut Payload,
    histograms: Histograms,
) {
    let mut key = Vec::new();
    let mut last: Option<(&DataPoint, Data)> = None;
    for point in batch {
        let data = Data::of(point, histograms);
        if last.is_none_or(|(other, known)| known != data || !point.is_of_family_of(other)) {
            key.clear();
            write_key::<F>(&mut key, point, data);
        }
        last = Some((point, data));
        payload.record(|bytes| {
            bytes.extend_from_slice(&key);
            write_points::<F>(bytes, point, histograms);
        });
    }
}

impl Data {
    fn of(point: &DataPoint, histograms: Histograms) -> Self {
        let temporality = point.temporality();
        match point.value() {
            SeriesValue::Counter(_) | SeriesValue::FloatCounter(_) => {
                Self::Sum { is_monotonic: true, temporality }
            }
            // These are not differences, whatever the reader's are.
            SeriesValue::UpDownCounter(_) | SeriesValue::Info | SeriesValue::State(_) => {
                Self::Sum { is_monotonic: false, temporality: Temporality::Cumulative }
            }
            SeriesValue::Gauge(_) => Self::Gauge,
            SeriesValue::Histogram(histogram) => match histogram.explicit_bounds() {
                None if histograms != Histograms::Explicit => {
                    Self::ExponentialHistogram(temporality)
                }
                _ => Self::Histogram(temporality),
            },
            SeriesValue::Summary(_) => Self::Summary,
        }
    }

    fn field(self) -> Field {
        match self {
            Self::Gauge => GAUGE,
            Self::Sum { .. } => SUM,
            Self::Histogram(_) => HISTOGRAM,
            Self::ExponentialHistogram(_) => EXPONENTIAL,
            Self::Summary => SUMMARY,
        }
    }

    /// Writes the fields beside the points.
    fn write(self, fields: &mut impl Fields) {
        const TEMPORALITY: Field = field(2, "aggregationTemporality");
        let number = |temporality| match temporality {
            Temporality::Delta => 1,
            Temporality::Cumulative => 2,
        };
        match self {
            Self::Gauge | Self::Summary => {}
            Self::Histogram(temporality) | Self::ExponentialHistogram(temporality) => {
                fields.small(TEMPORALITY, number(temporality));
            }
            Self::Sum { is_monotonic, temporality } => {
                fields.small(TEMPORALITY, number(temporality));
                if is_monotonic {
                    fields.bool(field(3, "isMonotonic"), true);
                }
            }
        }
    }
}

/// Writes the key of the records of a metric.
fn write_key<F: Form>(key: &mut Vec<u8>, point: &DataPoint, data: Data) {
    let mut part = Vec::new();
    F::fields(&mut part, |fields| write_metric(fields, point));
    Protobuf(key).number(part.len() as u64);
    key.extend_from_slice(&part);
    key.push(data.field().number);
    part.clear();
    F::fields(&mut part, |fields| data.write(fields));
    Protobuf(key).number(part.len() as u64);
    key.extend_from_slice(&part);
}

fn write_metric<F: Fields>(fields: &mut F, point: &DataPoint) {
    const METADATA: Field = field(12, "metadata");
    fields.text(field(1, "name"), point.name());
    fields.some_text(field(2, "description"), point.help());
    fields.some_text(field(3, "unit"), point.unit().as_str());
    // OpenTelemetry, "Prometheus and OpenMetrics Compatibility", sections "Info" and "StateSet".
    let of_prometheus = match point.kind() {
        Kind::Info => "info",
        Kind::StateSet => "stateset",
        _ => return,
    };
    fields.list(METADATA, |fields| {
        attribute::text_item(fields, METADATA, "prometheus.type", of_prometheus);
    });
}

/// Writes the points of a record, each as it stands behind another.
fn write_points<F: Form>(out: &mut Vec<u8>, point: &DataPoint, histograms: Histograms) {
    let mut item = |write: &mut dyn FnMut(&mut F::Writer<'_>)| F::item(out, POINTS, write);
    match point.value() {
        SeriesValue::Histogram(values) => match (values.explicit_bounds(), histograms) {
            (Some(bounds), _) => item(&mut |to| explicit(to, point, values, bounds)),
            (None, Histograms::Explicit) => {
                item(&mut |to| explicit(to, point, values, &point.shown_bounds()));
            }
            (None, Histograms::Exponential(most)) => {
                item(&mut |to| exponential(to, point, values, most));
            }
        },
        SeriesValue::Summary(summary) => {
            item(&mut |to| whole_summary(to, point, summary));
            for (length, values) in &summary.windows {
                item(&mut |to| window(to, point, *length, values));
            }
        }
        value => item(&mut |to| single(to, point, value)),
    }
}

/// Writes labels as the items of a list of attributes.
fn labels<F: Fields>(fields: &mut F, list: Field, point: &DataPoint, more: Option<(&str, &str)>) {
    if point.labels().is_empty() && more.is_none() {
        return;
    }
    fields.list(list, |fields| {
        for (key, value) in point.labels().iter().chain(more) {
            attribute::text_item(fields, list, key, value);
        }
    });
}

/// Writes when the sum of a point began, and when it was read.
fn times(fields: &mut impl Fields, point: &DataPoint) {
    fields.fixed64(field(2, "startTimeUnixNano"), point.started().unix_nanos());
    fields.fixed64(field(3, "timeUnixNano"), point.taken().unix_nanos());
}

/// Writes a `NumberDataPoint`.
fn single<F: Fields>(fields: &mut F, point: &DataPoint, value: &SeriesValue) {
    const DOUBLE: Field = field(4, "asDouble");
    const INT: Field = field(6, "asInt");
    labels(fields, field(7, "attributes"), point, None);
    match value {
        // A gauge's value has no beginning.
        SeriesValue::Gauge(_) => {
            fields.fixed64(field(3, "timeUnixNano"), point.taken().unix_nanos())
        }
        _ => times(fields, point),
    }
    match *value {
        SeriesValue::UpDownCounter(sum) => fields.sfixed64(INT, sum),
        SeriesValue::Info => fields.sfixed64(INT, 1),
        SeriesValue::State(holds) => fields.sfixed64(INT, holds.into()),
        // A larger sum is a float: not exact, but not negative either.
        SeriesValue::Counter(sum) if sum <= i64::MAX as u64 => fields.sfixed64(INT, sum as i64),
        _ => fields.double(DOUBLE, value.as_f64()),
    }
    exemplars(fields, field(5, "exemplars"), point.exemplar().into_iter());
}

/// Writes a `HistogramDataPoint`. Cells that reach over a bound count below the next one.
fn explicit<F: Fields>(
    fields: &mut F,
    point: &DataPoint,
    values: &HistogramSnapshot,
    bounds: &[f64],
) {
    labels(fields, field(9, "attributes"), point, None);
    times(fields, point);
    fields.fixed64(field(4, "count"), values.count());
    fields.double(field(5, "sum"), values.sum());
    let below = values.cumulative(bounds);
    let mut last = 0;
    let counts = below.iter().copied().chain([values.count()]);
    let counts = counts.map(|below| below - std::mem::replace(&mut last, below));
    fields.fixed64s(field(6, "bucketCounts"), counts);
    fields.doubles(field(7, "explicitBounds"), bounds);
    exemplars(fields, field(8, "exemplars"), values.exemplars().iter());
    extremes(fields, values, [field(11, "min"), field(12, "max")]);
}

/// Writes an `ExponentialHistogramDataPoint`.
fn exponential<F: Fields>(
    fields: &mut F,
    point: &DataPoint,
    values: &HistogramSnapshot,
    most: usize,
) {
    labels(fields, field(1, "attributes"), point, None);
    times(fields, point);
    fields.fixed64(field(4, "count"), values.count());
    fields.double(field(5, "sum"), values.sum());
    // Only explicit bounds have none.
    if let Some(buckets) = values.exponential(i32::MAX).map(|buckets| buckets.within(most)) {
        fields.zigzag(field(6, "scale"), buckets.scale());
        fields.fixed64(field(7, "zeroCount"), buckets.zero_count());
        let (offset, counts) = buckets.dense();
        if !counts.is_empty() {
            fields.message(field(8, "positive"), |fields| {
                fields.zigzag(field(1, "offset"), offset);
                fields.counts(field(2, "bucketCounts"), counts.into_iter());
            });
        }
        fields.double(field(14, "zeroThreshold"), buckets.zero_threshold());
    }
    exemplars(fields, field(11, "exemplars"), values.exemplars().iter());
    extremes(fields, values, [field(12, "min"), field(13, "max")]);
}

fn extremes(fields: &mut impl Fields, values: &HistogramSnapshot, [least, most]: [Field; 2]) {
    if let Some((min, max)) = values.extremes() {
        fields.double(least, min);
        fields.double(most, max);
    }
}

const SUMMARY_ATTRIBUTES: Field = field(7, "attributes");

/// Writes a `SummaryDataPoint` of all values: its count and its sum.
fn whole_summary<F: Fields>(fields: &mut F, point: &DataPoint, summary: &SummarySnapshot) {
    labels(fields, SUMMARY_ATTRIBUTES, point, None);
    times(fields, point);
    fields.fixed64(field(4, "count"), summary.count);
    fields.double(field(5, "sum"), summary.sum);
}

/// Writes a `SummaryDataPoint` of the values of a window.
fn window<F: Fields>(
    fields: &mut F,
    point: &DataPoint,
    length: Duration,
    values: &HistogramSnapshot,
) {
    const QUANTILES: Field = field(6, "quantileValues");
    let name = length_name(length);
    labels(fields, SUMMARY_ATTRIBUTES, point, Some(("window", &name)));
    fields.fixed64(field(3, "timeUnixNano"), point.taken().unix_nanos());
    fields.fixed64(field(4, "count"), values.count());
    fields.double(field(5, "sum"), values.sum());
    fields.list(QUANTILES, |fields| {
        for q in [0.5, 0.9, 0.99] {
            let Some(value) = values.quantile(q) else { continue };
            fields.item(QUANTILES, |fields| {
                fields.double(field(1, "quantile"), q);
                fields.double(field(2, "value"), value);
            });
        }
    });
}

/// The length of a window, as a page has it: `10s`, `1m`.
fn length_name(length: Duration) -> Cow<'static, str> {
    let seconds = length.as_secs();
    match seconds {
        _ if length.subsec_nanos() != 0 => format!("{}ms", length.as_millis()),
        1.. if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        1.. if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
    .into()
}

fn exemplars<'a, F: Fields>(
    fields: &mut F,
    list: Field,
    exemplars: impl ExactSizeIterator<Item = &'a Exemplar>,
) {
    if exemplars.len() > 0 {
        fields.list(list, |fields| {
            exemplars.for_each(|one| fields.item(list, |fields| exemplar(fields, one)));
        });
    }
}

/// Writes an `Exemplar`.
fn exemplar<F: Fields>(fields: &mut F, exemplar: &Exemplar) {
    const ATTRIBUTES: Field = field(7, "filteredAttributes");
    fields.fixed64(field(2, "timeUnixNano"), exemplar.taken().unix_nanos());
    fields.double(field(3, "asDouble"), exemplar.value());
    if exemplar.trace_id().is_valid() {
        fields.span_id(field(4, "spanId"), exemplar.span_id());
        fields.trace_id(field(5, "traceId"), exemplar.trace_id());
    }
    if exemplar.labels().next().is_some() {
        fields.list(ATTRIBUTES, |fields| {
            for (key, value) in exemplar.labels() {
                attribute::text_item(fields, ATTRIBUTES, key, value);
            }
        });
    }
}

/// A record, taken apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PointRecord<'a> {
    /// Everything before the points.
    pub(super) key: &'a [u8],
    /// The fields of the metric beside its data.
    pub(super) metric: &'a [u8],
    /// The number of the field with the data.
    pub(super) data_field: u8,
    /// The fields of the data beside its points.
    pub(super) data: &'a [u8],
    pub(super) points: &'a [u8],
}

impl<'a> PointRecord<'a> {
    /// `None` if `record` is none.
    pub(super) fn of(record: &'a [u8]) -> Option<Self> {
        let mut rest = record;
        let metric = delimited(&mut rest)?;
        let data_field = split(&mut rest, 1)?[0];
        let data = delimited(&mut rest)?;
        let key = &record[..record.len() - rest.len()];
        Some(Self { key, metric, data_field, data, points: rest })
    }
}

/// Takes bytes behind their length off the front of `bytes`.
fn delimited<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(read_number(bytes)?).ok()?;
    split(bytes, len)
}
