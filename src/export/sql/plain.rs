//! Data points as rows of a plain table: one for each number.

use super::row::RowWriter;
use crate::{
    export::wire::figures,
    metric::{DataPoint, SeriesValue},
    pipeline::{Batch, Encoder, Payload},
};

/// Encodes data points for a plain table.
#[derive(Debug, Default)]
pub(super) struct PlainRows {
    /// The labels of the series at hand, in braces.
    labels: String,
}

impl Encoder<DataPoint> for PlainRows {
    fn encode(&mut self, batch: &Batch<DataPoint>) -> Payload {
        Payload::each(batch, |out, point| {
            write_labels(&mut self.labels, point);
            let mut rows = Numbers { row: RowWriter::new(out), point, labels: &self.labels };
            match point.value() {
                SeriesValue::Histogram(histogram) => {
                    rows.number(".count", histogram.count() as f64);
                    figures::of_histogram(histogram)
                        .for_each(|(word, value)| rows.figure(word, value));
                }
                SeriesValue::Summary(summary) => {
                    rows.number(".count", summary.count as f64);
                    figures::of_summary(summary).for_each(|(word, value)| rows.figure(word, value));
                }
                value => rows.number("", value.as_f64()),
            }
        })
    }

    fn format(&self) -> &str {
        "sql.plain.1"
    }
}

/// The rows of a point.
struct Numbers<'a> {
    row: RowWriter<'a>,
    point: &'a DataPoint,
    labels: &'a str,
}

impl Numbers<'_> {
    fn figure(&mut self, word: &str, value: f64) {
        self.number(&format!(".{word}"), value);
    }

    fn number(&mut self, ending: &str, value: f64) {
        self.row.count(self.point.taken().timestamp().unix_nanos());
        self.row.written(|out| {
            for part in [self.point.name(), ending, self.labels] {
                out.extend_from_slice(part.as_bytes());
            }
        });
        self.row.real(value);
    }
}

/// Writes labels as Prometheus does: `{key="value"}`, and nothing if there are none.
fn write_labels(out: &mut String, point: &DataPoint) {
    out.clear();
    for (key, value) in point.labels().iter() {
        out.push(if out.is_empty() { '{' } else { ',' });
        out.push_str(key);
        out.push_str("=\"");
        for character in value.chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                other => out.push(other),
            }
        }
        out.push('"');
    }
    if !out.is_empty() {
        out.push('}');
    }
}
