//! The messages of `io.prometheus.client`, written by hand: a dozen kinds of fields, of which each is
//! a number, a text or a message, need no library and no copy of the labels for each scrape.
//!
//! The numbers of the fields are those of `metrics.proto` in Prometheus' `client_model`.

use super::{
    buffer::Buffer,
    names::Names,
    native::{Native, ZERO_THRESHOLD},
    number::Room,
    shape::{Buckets, QUANTILES, Shape, Window},
    text::take_exemplar,
};
use crate::{
    clock::Ticks,
    metric::{Exemplar, HistogramSnapshot, Kind, SeriesValue, SummarySnapshot, Unit},
};

/// The fields of a `MetricFamily` before its metrics.
pub(super) fn head(names: &Names, kind: Kind, unit: Unit, help: &str) -> Vec<u8> {
    const COUNTER: u8 = 0;
    const GAUGE: u8 = 1;
    const SUMMARY: u8 = 2;
    const HISTOGRAM: u8 = 4;
    let kind_number = match kind {
        Kind::Counter => COUNTER,
        Kind::Histogram => HISTOGRAM,
        Kind::Summary => SUMMARY,
        _ => GAUGE,
    };
    let mut head = Vec::new();
    push_text(&mut head, 1, &names.family);
    if !help.is_empty() {
        push_text(&mut head, 2, help);
    }
    head.extend([3 << 3, kind_number]);
    if let Some(word) = names.unit(unit, kind) {
        push_text(&mut head, 5, word);
    }
    head
}

/// Appends a label as a field of a `Metric` or an `Exemplar`.
pub(super) fn push_label_pair(block: &mut Vec<u8>, key: &str, value: &str) {
    let mut pair = Vec::new();
    push_text(&mut pair, 1, key);
    push_text(&mut pair, 2, value);
    push_bytes(block, 1, &pair);
}

fn push_text(bytes: &mut Vec<u8>, field: u8, text: &str) {
    push_bytes(bytes, field, text.as_bytes());
}

fn push_bytes(bytes: &mut Vec<u8>, field: u8, content: &[u8]) {
    bytes.push(tag(field, Wire::Length));
    let mut room = Room::default();
    let len = put_varint(&mut room, content.len() as u64);
    bytes.extend(&room[..len]);
    bytes.extend(content);
}

/// Writes the metrics of a family.
pub(super) struct Writer<'a> {
    page: &'a mut Buffer,
    native: &'a mut Native,
    native_limit: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(page: &'a mut Buffer, native: &'a mut Native, native_limit: usize) -> Self {
        Self { page, native, native_limit }
    }

    /// Writes the metric of a series whose labels are `block`; of a summary, one for each window too.
    pub(super) fn series(
        &mut self,
        block: &[u8],
        shape: &Shape,
        started: Ticks,
        value: &SeriesValue,
    ) {
        match value {
            SeriesValue::FloatCounter(value) if value.is_nan() || *value < 0.0 => {}
            SeriesValue::Counter(_) | SeriesValue::FloatCounter(_) => {
                self.metric(block, 3, |to, _| {
                    double(to, 1, value.as_f64());
                    timestamp(to, 3, started);
                });
            }
            SeriesValue::Histogram(histogram) => {
                let Shape::Buckets(buckets) = shape else { return };
                let limit = self.native_limit;
                self.metric(block, 7, |to, native| {
                    classic_histogram(to, buckets, histogram, started);
                    if !buckets.are_explicit() {
                        native.read(histogram, limit);
                        native_histogram(to, native, histogram.exemplars());
                    }
                });
            }
            SeriesValue::Summary(summary) => {
                let Shape::Windows(windows) = shape else { return };
                self.summary(block, windows, started, summary);
            }
            _ => self.metric(block, 2, |to, _| double(to, 1, value.as_f64())),
        }
    }

    /// The format has quantiles only beside a count and a sum: those of the window.
    fn summary(
        &mut self,
        block: &[u8],
        windows: &[Window],
        started: Ticks,
        summary: &SummarySnapshot,
    ) {
        for (window, (_, values)) in windows.iter().zip(&summary.windows) {
            let mut labels = block.to_vec();
            push_label_pair(&mut labels, "window", &window.text);
            self.metric(&labels, 4, |to, _| {
                count(to, 1, values.count());
                double(to, 2, values.sum());
                for (q, _) in QUANTILES {
                    message(to, 3, |to| {
                        double(to, 1, q);
                        double(to, 2, values.quantile(q).unwrap_or(f64::NAN));
                    });
                }
            });
        }
        self.metric(block, 4, |to, _| {
            count(to, 1, summary.count);
            double(to, 2, summary.sum);
            timestamp(to, 4, started);
        });
    }

    /// Writes a `Metric` with these labels and the value that `write` puts into `field`.
    fn metric(&mut self, block: &[u8], field: u8, write: impl FnOnce(&mut Buffer, &mut Native)) {
        let native = &mut *self.native;
        message(self.page, 4, |to| {
            to.push(block);
            message(to, field, |to| write(to, native));
        });
    }
}

fn classic_histogram(
    to: &mut Buffer,
    buckets: &Buckets,
    histogram: &HistogramSnapshot,
    started: Ticks,
) {
    count(to, 1, histogram.count());
    double(to, 2, histogram.sum());
    let mut exemplars = histogram.exemplars();
    let bounds = buckets.bounds.iter().copied().chain([f64::INFINITY]);
    for (bound, below) in bounds.zip(buckets.counts(histogram)) {
        message(to, 3, |to| {
            count(to, 1, below);
            double(to, 2, bound);
            if let Some(one) = take_exemplar(&mut exemplars, bound) {
                message(to, 3, |to| exemplar(to, one));
            }
        });
    }
    timestamp(to, 15, started);
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
    let mut labels = Vec::new();
    push_label_pair(&mut labels, "trace_id", &exemplar.trace_id().to_string());
    push_label_pair(&mut labels, "span_id", &exemplar.span_id().to_string());
    to.push(&labels);
    double(to, 2, exemplar.value());
    timestamp(to, 3, exemplar.taken());
}

/// A `google.protobuf.Timestamp`.
fn timestamp(to: &mut Buffer, field: u8, at: Ticks) {
    let nanos = at.unix_nanos();
    message(to, field, |to| {
        count(to, 1, nanos / 1_000_000_000);
        count(to, 2, nanos % 1_000_000_000);
    });
}

/// Writes what `write` appends as a message: its length is known when it is written, and then put
/// before it.
pub(super) fn message(to: &mut Buffer, field: u8, write: impl FnOnce(&mut Buffer)) {
    number(to, u64::from(field) << 3 | Wire::Length as u64);
    let start = to.len();
    write(to);
    delimit(to, start);
}

/// Puts the length of what was written from `start` on before it.
pub(super) fn delimit(to: &mut Buffer, start: usize) {
    let mut room = Room::default();
    let len = put_varint(&mut room, (to.len() - start) as u64);
    to.insert(start, &room[..len]);
}

fn double(to: &mut Buffer, field: u8, value: f64) {
    to.push(&[tag(field, Wire::Fixed64)]);
    to.push(&value.to_le_bytes());
}

fn count(to: &mut Buffer, field: u8, value: u64) {
    to.push(&[tag(field, Wire::Varint)]);
    number(to, value);
}

fn zigzag(to: &mut Buffer, field: u8, value: i64) {
    count(to, field, (value << 1 ^ value >> 63).cast_unsigned());
}

fn number(to: &mut Buffer, value: u64) {
    to.number(put_varint, value);
}

/// How a field is written.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
}

/// What stands before a field whose number is below 16.
const fn tag(field: u8, wire: Wire) -> u8 {
    field << 3 | wire as u8
}

/// Writes seven bits in each byte, the lowest first, and gives the length.
fn put_varint(room: &mut Room, value: u64) -> usize {
    let (mut rest, mut len) = (value, 0);
    while rest >= 0x80 {
        room[len] = rest as u8 | 0x80;
        rest >>= 7;
        len += 1;
    }
    room[len] = rest as u8;
    len + 1
}
