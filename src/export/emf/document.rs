//! A document: metrics of the same dimensions and time ("Specification: Embedded metric format" in Amazon's guide to
//! CloudWatch).

use super::{dimensions::Dimensions, options::Options};
use crate::export::wire::{
    familiar::Familiar,
    json::Json,
    number::{Number, put_f64},
};

/// The most metrics of a document.
const MOST_METRICS: usize = 100;

/// The most numbers of a metric.
pub(super) const MOST_VALUES: usize = 100;

/// About the most bytes of a document. CloudWatch Logs took 256 KiB for years; a last metric may be a few more.
const MOST_BYTES: usize = 200 << 10;

/// The most characters of a metric's name.
const MOST_NAME: usize = 255;

/// A document under construction. Its room is used again.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) dimensions: Dimensions,
    /// The definitions of the metrics, a comma before all but the first, and their values, with a comma before each.
    definitions: Vec<u8>,
    values: Vec<u8>,
    /// The names of the metrics, one after the other, and where each ends.
    names: String,
    ends: Vec<usize>,
    /// The middles of buckets.
    middles: Familiar,
}

impl Default for Document {
    fn default() -> Self {
        Self {
            dimensions: Dimensions::default(),
            definitions: Vec::new(),
            values: Vec::new(),
            names: String::new(),
            ends: Vec::new(),
            middles: Familiar::of(put_f64),
        }
    }
}

/// What a metric is called and measured in.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) name: &'a str,
    /// The last part of the name, or nothing.
    pub(super) figure: &'a str,
    pub(super) unit: &'static str,
}

/// What a metric has.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    Number(Number),
    Distribution(Distribution<'a>),
}

/// Numbers, how often there was each, and what is known of them besides.
#[derive(Clone, Copy)]
pub(super) struct Distribution<'a> {
    pub(super) buckets: &'a [(f64, u64)],
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) sum: f64,
}

impl Document {
    pub(super) fn clear(&mut self) {
        self.definitions.clear();
        self.values.clear();
        self.names.clear();
        self.ends.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds a metric, unless the document is full or has one of its name.
    pub(super) fn add(&mut self, about: About<'_>, target: Target<'_>, options: &Options) -> bool {
        let begin = self.names.len();
        name(&mut self.names, about);
        while self.names[begin..] == *"_aws" || self.dimensions.has(&self.names[begin..]) {
            self.names.push('_');
        }
        let (before, name) = self.names.split_at(begin);
        let mut from = 0;
        let has_name =
            self.ends.iter().any(|&end| before[std::mem::replace(&mut from, end)..end] == *name);
        let is_full = self.ends.len() == MOST_METRICS
            || self.dimensions.n_bytes() + self.definitions.len() + self.values.len() > MOST_BYTES;
        if has_name || is_full {
            self.names.truncate(begin);
            return false;
        }
        self.ends.push(self.names.len());
        let name = &self.names[begin..];
        if !self.definitions.is_empty() {
            self.definitions.push(b',');
        }
        Json::new(&mut self.definitions).object(|object| {
            object.field("Name").str(name);
            object.field("Unit").bare(about.unit.as_bytes());
            if options.is_high_resolution {
                object.field("StorageResolution").u64(1);
            }
        });
        self.values.push(b',');
        Json::new(&mut self.values).str(name);
        self.values.push(b':');
        target.put(&mut self.values, &mut self.middles);
        true
    }

    /// Writes the document and a line break.
    pub(super) fn write(&self, out: &mut Vec<u8>, unix_millis: u64, options: &Options) {
        Json::new(out).object(|object| {
            object.field("_aws").object(|aws| {
                aws.field("Timestamp").u64(unix_millis);
                if let Some(group) = &options.log_group {
                    aws.field("LogGroupName").str(group);
                }
                if let Some(stream) = &options.log_stream {
                    aws.field("LogStreamName").str(stream);
                }
                aws.field("CloudWatchMetrics").array([()], |json, ()| {
                    json.object(|directive| {
                        directive.field("Namespace").str(&options.namespace);
                        directive.field("Dimensions").raw(|out| {
                            out.push(b'[');
                            self.dimensions.write_sets(out, options);
                            out.push(b']');
                        });
                        directive.field("Metrics").raw(|out| {
                            out.push(b'[');
                            out.extend_from_slice(&self.definitions);
                            out.push(b']');
                        });
                    });
                });
            });
            self.dimensions.write_values(object);
        });
        out.pop(); // The bracket, before which the values come.
        out.extend_from_slice(&self.values);
        out.extend_from_slice(b"}\n");
    }
}

/// Appends the name of a metric: without control characters, and not too long.
fn name(out: &mut String, About { name, figure, .. }: About<'_>) {
    let begin = out.len();
    let room = MOST_NAME.saturating_sub(if figure.is_empty() { 0 } else { figure.len() + 1 });
    match name.len() <= room && name.bytes().all(|byte| !byte.is_ascii_control()) {
        true => out.push_str(name),
        false => {
            let plain = |c: char| if c.is_control() { '_' } else { c };
            out.extend(name.chars().map(plain).take(room));
        }
    }
    if out[begin..].trim().is_empty() {
        out.push('_');
    }
    if !figure.is_empty() {
        out.push('.');
        out.push_str(figure);
    }
}

impl Target<'_> {
    fn put(self, out: &mut Vec<u8>, middles: &mut Familiar) {
        match self {
            Self::Number(number) => number.put(out),
            Self::Distribution(Distribution { buckets, min, max, sum }) => {
                for (name, value) in [("{\"Max\":", max), (",\"Min\":", min), (",\"Sum\":", sum)] {
                    out.extend_from_slice(name.as_bytes());
                    Number::Float(value).put(out);
                }
                out.extend_from_slice(b",\"Count\":");
                Number::Whole(buckets.iter().map(|(_, count)| count).sum()).put(out);
                out.extend_from_slice(b",\"Values\":[");
                for (place, (value, _)) in buckets.iter().enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    middles.put(out, *value);
                }
                out.extend_from_slice(b"],\"Counts\":[");
                for (place, (_, count)) in buckets.iter().enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    Number::Whole(*count).put(out);
                }
                out.extend_from_slice(b"]}");
            }
        }
    }
}
