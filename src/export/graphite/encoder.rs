//! Data points as lines: a record is what one series has to say.

use super::options::Options;
use crate::{
    error::Error,
    export::wire::{figures, number::Number, text::put},
    metric::{DataPoint, SeriesValue},
    pipeline::{Batch, Encoder, Payload, Setup},
};

/// The most bytes of a line: carbon closes the connection at a longer one, and all behind it is lost (twisted's
/// `LineReceiver.MAX_LENGTH`).
const MOST_LINE: usize = 16_384;

/// Encodes data points.
#[derive(Debug)]
pub(super) struct Lines {
    options: Options,
    /// Tags of the resource.
    of_resource: Vec<(String, String)>,
    /// The tags of the series at hand, or the parts of its path.
    tags: Vec<u8>,
}

impl Lines {
    pub(super) fn new(options: Options) -> Self {
        Self { options, of_resource: Vec::new(), tags: Vec::new() }
    }

    fn point(&mut self, out: &mut Vec<u8>, point: &DataPoint) {
        let begin = out.len();
        self.tags.clear();
        // A label of the same name stands in its place.
        let of_resource = self.of_resource.iter().map(|(key, value)| (&**key, &**value));
        let of_resource = of_resource.filter(|(key, _)| point.labels().get(key).is_none());
        for (key, value) in of_resource.chain(point.labels().iter()) {
            tag(&mut self.tags, self.options.has_tags, key, value);
        }
        let whole = |out: &mut Vec<u8>, figure, n| self.line(out, point, figure, Number::Whole(n));
        let float = |out: &mut Vec<u8>, figure, x| self.line(out, point, figure, Number::Float(x));
        match point.value() {
            SeriesValue::Counter(sum) => whole(out, "", *sum),
            SeriesValue::UpDownCounter(sum) => float(out, "", *sum as f64),
            SeriesValue::FloatCounter(value) | SeriesValue::Gauge(value) if value.is_finite() => {
                float(out, "", *value);
            }
            SeriesValue::FloatCounter(_) | SeriesValue::Gauge(_) => {}
            SeriesValue::Info => whole(out, "", 1),
            SeriesValue::State(holds) => whole(out, "", (*holds).into()),
            SeriesValue::Histogram(histogram) => {
                whole(out, "count", histogram.count());
                figures::of_histogram(histogram).for_each(|(name, value)| float(out, name, value));
            }
            SeriesValue::Summary(summary) => {
                whole(out, "count", summary.count);
                figures::of_summary(summary).for_each(|(name, value)| float(out, name, value));
            }
        }
        if out[begin..].split(|byte| *byte == b'\n').any(|line| line.len() > MOST_LINE) {
            out.truncate(begin); // A record without bytes is rejected.
        }
    }

    /// Writes a line; `figure` is the last part of the path, or empty.
    fn line(&self, out: &mut Vec<u8>, point: &DataPoint, figure: &str, value: Number) {
        put(out, &self.options.prefix, is_reserved_in_path);
        put(out, point.name(), is_reserved_in_path);
        if !self.options.has_tags {
            out.extend_from_slice(&self.tags);
        }
        if !figure.is_empty() {
            out.push(b'.');
            out.extend_from_slice(figure.as_bytes());
        }
        if self.options.has_tags {
            out.extend_from_slice(&self.tags);
        }
        out.push(b' ');
        value.put(out);
        out.push(b' ');
        Number::Whole(point.taken().timestamp().unix_nanos() / 1_000_000_000).put(out);
        out.push(b'\n');
    }
}

/// Adds a tag, or its value as a part of the path. A tag without a value cannot be expressed, and says nothing.
fn tag(tags: &mut Vec<u8>, is_tag: bool, key: &str, value: &str) {
    match is_tag {
        true if value.is_empty() => {}
        true => {
            tags.push(b';');
            put(tags, key, is_reserved_in_key);
            if tags.ends_with(b";name") {
                tags.push(b'_'); // Graphite has the path itself under that tag.
            }
            tags.push(b'=');
            let begin = tags.len();
            put(tags, value, is_reserved_in_value);
            if tags[begin] == b'~' {
                tags[begin] = b'_'; // Graphite takes it for a pattern.
            }
        }
        false => {
            tags.push(b'.');
            let value = if value.is_empty() { "_" } else { value };
            put(tags, value, |c| is_reserved_in_path(c) || c == '.');
        }
    }
}

/// Carbon takes a line apart at whatever Python finds white.
fn is_reserved(c: char) -> bool {
    c == ';' || c.is_control() || c.is_whitespace()
}

/// Carbon takes a line that ends in `"}` for one of OpenMetrics.
fn is_reserved_in_value(c: char) -> bool {
    is_reserved(c) || c == '"'
}

fn is_reserved_in_key(c: char) -> bool {
    is_reserved(c) || "!^=~".contains(c)
}

/// A `/` would be a folder of whisper's.
fn is_reserved_in_path(c: char) -> bool {
    is_reserved_in_key(c) || c == '/'
}

impl Encoder<DataPoint> for Lines {
    fn encode(&mut self, batch: &Batch<DataPoint>) -> Payload {
        Payload::each(batch, |out, point| self.point(out, point))
    }

    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        let tags = self.options.resource_tags.iter().filter(|_| self.options.has_tags);
        let found = tags.filter_map(|(key, tag)| {
            Some((tag.to_string(), setup.resource().get(key)?.to_string()))
        });
        self.of_resource = found.collect();
        Ok(())
    }

    fn format(&self) -> &str {
        "graphite.metrics.1"
    }
}
