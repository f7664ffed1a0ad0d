//! Data points as documents: those with the same labels and time are in one, as far as it has room. The first of them
//! has it in its record; the others have a line break, which says nothing more.

use std::{collections::HashMap, ops::Range};

use super::{
    dimensions,
    document::{About, Distribution, Document, MOST_VALUES, Target},
    options::{EmfHistograms, Options},
    unit::word,
};
use crate::{
    clock::Ticks,
    error::Error,
    export::wire::{figures, number::Number},
    label::LabelSet,
    metric::{DataPoint, HistogramSnapshot, SeriesValue},
    pipeline::{Batch, Encoder, Payload, Setup},
};

/// Encodes data points.
#[derive(Debug)]
pub(super) struct Documents {
    options: Options,
    resource: Vec<(String, String)>,
    document: Document,
    /// The place of the first point of the document.
    first: usize,
    room: Room,
}

/// What is used again from batch to batch.
#[derive(Debug, Default)]
struct Room {
    groups: HashMap<(LabelSet, Ticks), usize>,
    /// The number of each point's group, and the point's place.
    members: Vec<(usize, usize)>,
    buckets: Vec<(f64, u64)>,
    /// The documents of the batch, one after the other.
    bytes: Vec<u8>,
    /// The place of each document's first point, and its bytes.
    documents: Vec<(usize, Range<usize>)>,
    /// The places of points that no document can have.
    refused: Vec<usize>,
}

/// The point at hand.
#[derive(Clone, Copy)]
struct At<'a> {
    point: &'a DataPoint,
    place: usize,
}

impl Documents {
    pub(super) fn new(options: Options) -> Self {
        let (document, room) = (Document::default(), Room::default());
        Self { options, resource: Vec::new(), document, first: 0, room }
    }

    /// Numbers the groups by their first points, and sorts the points by group.
    fn group(&mut self, points: &[&DataPoint]) {
        let Room { groups, members, .. } = &mut self.room;
        members.clear();
        for (place, point) in points.iter().enumerate() {
            let next = groups.len();
            let group = *groups.entry((point.labels().clone(), point.taken())).or_insert(next);
            members.push((group, place));
        }
        groups.clear(); // Their labels are not kept longer than needed.
        members.sort_unstable();
    }

    /// Writes all documents.
    fn write(&mut self, points: &[&DataPoint]) {
        self.group(points);
        let members = std::mem::take(&mut self.room.members);
        for group in members.chunk_by(|a, b| a.0 == b.0) {
            let at = group.iter().map(|&(_, place)| At { point: points[place], place });
            for (n, at) in at.enumerate() {
                if n == 0 {
                    self.document.dimensions.read(&self.resource, at.point.labels());
                }
                if !self.point(at) {
                    self.room.refused.push(at.place);
                }
            }
            self.end(points[group[0].1].taken());
        }
        self.room.members = members;
        self.room.documents.sort_by_key(|(place, _)| *place); // Stable.
        self.room.refused.sort_unstable();
    }

    /// Ends the document at hand, if it has a metric.
    fn end(&mut self, taken: Ticks) {
        if self.document.is_empty() {
            return;
        }
        let Room { bytes, documents, .. } = &mut self.room;
        let begin = bytes.len();
        let millis = taken.timestamp().unix_nanos() / 1_000_000;
        self.document.write(bytes, millis, &self.options);
        documents.push((self.first, begin..bytes.len()));
        self.document.clear();
    }

    /// Writes a point, and says whether a document can have it.
    fn point(&mut self, at: At<'_>) -> bool {
        let float = |value| legal(value).map(Number::Float);
        let number = match at.point.value() {
            SeriesValue::Counter(sum) => Some(Number::Whole(*sum)),
            SeriesValue::UpDownCounter(sum) => float(*sum as f64),
            SeriesValue::FloatCounter(value) | SeriesValue::Gauge(value) => float(*value),
            SeriesValue::Info => Some(Number::Whole(1)),
            SeriesValue::State(holds) => Some(Number::Whole((*holds).into())),
            SeriesValue::Histogram(histogram) => return self.histogram(at, histogram),
            SeriesValue::Summary(summary) => {
                return self.figures(at, summary.count, figures::of_summary(summary));
            }
        };
        if let Some(number) = number {
            self.add(at, "", Target::Number(number));
        }
        number.is_some()
    }

    fn histogram(&mut self, at: At<'_>, histogram: &HistogramSnapshot) -> bool {
        if self.options.histograms == EmfHistograms::Figures {
            return self.figures(at, histogram.count(), figures::of_histogram(histogram));
        }
        let mut buckets = std::mem::take(&mut self.room.buckets);
        buckets.clear();
        let middle = |(lower, upper, n)| Some((legal(figures::middle(lower, upper))?, n));
        buckets.extend(histogram.buckets().filter_map(middle).filter(|(_, n)| *n > 0));
        let shared = of_all(&buckets);
        let n_parts = buckets.len().div_ceil(MOST_VALUES);
        for (place, part) in buckets.chunks(MOST_VALUES).enumerate() {
            let (Some((first, _)), Some((last, _))) = (part.first(), part.last()) else { continue };
            let known = |is_known, value: Option<f64>| value.filter(|_| is_known).and_then(legal);
            let sum = if n_parts == 1 {
                histogram.sum()
            } else {
                of_all(part) / shared * histogram.sum()
            };
            self.add(
                at,
                "",
                Target::Distribution(Distribution {
                    buckets: part,
                    min: known(place == 0, histogram.min()).unwrap_or(*first),
                    max: known(place + 1 == n_parts, histogram.max()).unwrap_or(*last),
                    sum: legal(sum).unwrap_or_else(|| of_all(part)),
                }),
            );
        }
        self.room.buckets = buckets;
        true
    }

    fn figures(
        &mut self,
        at: At<'_>,
        count: u64,
        figures: impl Iterator<Item = (&'static str, f64)>,
    ) -> bool {
        self.add(at, "count", Target::Number(Number::Whole(count)));
        for (figure, value) in figures {
            if let Some(value) = legal(value) {
                self.add(at, figure, Target::Number(Number::Float(value)));
            }
        }
        true
    }

    /// Adds a metric to the document at hand, or to a further one.
    fn add(&mut self, at: At<'_>, figure: &'static str, target: Target<'_>) {
        let point = at.point;
        let unit = match figure {
            "count" => "Count",
            _ => word(point.kind(), point.unit()),
        };
        let about = About { name: point.name(), figure, unit };
        if !self.document.is_empty() {
            if self.document.add(about, target, &self.options) {
                return;
            }
            self.end(point.taken());
        }
        self.first = at.place;
        self.document.add(about, target, &self.options);
    }
}

/// About the sum of the values that are in these buckets.
fn of_all(buckets: &[(f64, u64)]) -> f64 {
    buckets.iter().map(|(middle, n)| middle * *n as f64).sum()
}

/// The value as CloudWatch takes it: "Values must be in the range of -2^360 to 2^360", says its API of `MetricDatum`,
/// and those that are too small are refused as well.
fn legal(value: f64) -> Option<f64> {
    let limit = 2_f64.powi(360);
    match value.abs() {
        size if size <= 1.0 / limit => Some(0.0),
        size if size <= limit => Some(value),
        _ => None,
    }
}

impl Encoder<DataPoint> for Documents {
    fn encode(&mut self, batch: &Batch<DataPoint>) -> Payload {
        let points: Vec<&DataPoint> = batch.iter().collect();
        self.write(&points);
        let Room { bytes, documents, refused, .. } = &mut self.room;
        let (mut next, mut refused) = (documents.iter().peekable(), refused.drain(..).peekable());
        let payload = Payload::each(0..points.len(), |out, place| {
            let begin = out.len();
            while let Some((_, range)) = next.next_if(|(first, _)| *first == place) {
                out.extend_from_slice(&bytes[range.clone()]);
            }
            if refused.next_if_eq(&place).is_none() && out.len() == begin {
                out.push(b'\n');
            }
        });
        drop(refused);
        bytes.clear();
        documents.clear();
        self.document.dimensions.changed.report("emf", "dimensions are not sent as they are");
        payload
    }

    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        self.resource = dimensions::of_resource(&self.options, setup.resource());
        Ok(())
    }

    fn format(&self) -> &str {
        "emf.metrics.1"
    }
}
