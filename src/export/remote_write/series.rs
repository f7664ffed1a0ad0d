//! The messages of one series of a registry, which on a page is one or more: `TimeSeries` of
//! `io.prometheus.write.v2`.
//!
//! The numbers of the fields are those of `io/prometheus/write/v2/types.proto`. Two times when a sum began
//! are written, the one of the first release candidates, beside a series, and the one of today, beside a
//! sample: a receiver skips the one that it does not know. Optional fields come last in a message, so that
//! a reader can cut them off.

use super::{buckets::Buckets, symbols::Symbols};
use crate::{
    cells::histogram::cuts::BucketCounts,
    export::wire::protobuf::{Guess, Protobuf},
    exposition::{
        Extra, FamilyName, Model, Native, QUANTILES, Sample, WindowLength, ZERO_THRESHOLD,
        bucket_samples, number_samples, quantile_samples, sum_samples,
    },
    metric::{Exemplar, HistogramSnapshot, Kind, SeriesValue, SummarySnapshot, Unit},
    snapshot::Part,
};

/// Fields of `Request`.
pub(super) const TIME_SERIES: u8 = 5;
/// Fields of `TimeSeries`.
pub(super) const LABELS_REFS: u8 = 1;
pub(super) const SAMPLES: u8 = 2;
pub(super) const HISTOGRAMS: u8 = 3;
pub(super) const EXEMPLARS: u8 = 4;
const METADATA: u8 = 5;
const CREATED: u8 = 6;
/// The optional field of `Sample`, and of `Histogram`.
pub(super) const SAMPLE_START: u8 = 3;
pub(super) const HISTOGRAM_START: u8 = 17;

/// That a series has ended (`StaleNaN` of Prometheus' `model/value`).
pub(super) const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);
/// "Not a number" as Prometheus writes it. Another form of it could be the marker that a series has ended.
const NO_NUMBER: f64 = f64::from_bits(0x7ff8_0000_0000_0001);

/// What the series of a family have in common.
#[derive(Debug)]
pub(super) struct About {
    pub(super) kind: Kind,
    names: [String; 4], // Of the parts, in the order of `name`.
    family: String,
    kind_number: u64,
    help: String,
    unit: String,
}

impl About {
    pub(super) fn new(names: &FamilyName, kind: Kind, unit: Unit, help: &str) -> Self {
        let parts = [Part::Value, Part::Bucket, Part::Sum, Part::Count];
        Self {
            kind,
            names: parts.map(|part| names.sample(part, kind).into_owned()),
            family: names.family().to_owned(),
            kind_number: match kind {
                Kind::Counter => 1,
                Kind::Gauge | Kind::UpDownCounter => 2,
                Kind::Histogram => 3,
                Kind::Summary => 5,
                Kind::Info => 6,
                Kind::StateSet => 7,
            },
            help: help.to_owned(),
            unit: names.unit(unit, kind).unwrap_or_default(),
        }
    }

    fn name(&self, part: Part) -> &str {
        match part {
            Part::Value | Part::Created => &self.names[0],
            Part::Bucket => &self.names[1],
            Part::Sum => &self.names[2],
            Part::Count => &self.names[3],
        }
    }
}

/// Which series there are of one of a registry.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// A number.
    Number,
    /// A histogram: as buckets, as a native one, or as both.
    Histogram { classic: Option<std::sync::Arc<Buckets>>, is_native: bool },
    /// A summary with these windows.
    Summary(Box<[WindowLength]>),
}

/// Memory that all series use in turn.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) counts: BucketCounts,
    pub(super) native: Native,
}

/// Writes series that have some labels in common.
pub(super) struct Writer<'a> {
    pub(super) bytes: &'a mut Vec<u8>,
    pub(super) symbols: &'a mut Symbols,
    pub(super) about: &'a About,
    labels: Vec<(&'a str, u32, u32)>, // Sorted by name.
    pub(super) at: i64,               // Milliseconds since the Unix epoch, as all times here.
    started: Option<i64>,
    refs: Vec<u32>,
}

impl<'a> Writer<'a> {
    /// `labels` are sorted by name. A sum that began later than `at` began right before it.
    pub(super) fn new(
        bytes: &'a mut Vec<u8>,
        symbols: &'a mut Symbols,
        about: &'a About,
        labels: &[(&'a str, &str)],
        at: i64,
        started: Option<i64>,
    ) -> Self {
        let labels = labels
            .iter()
            .map(|&(name, value)| (name, symbols.place_of(name), symbols.place_of(value)));
        let labels = labels.collect();
        let started = started.map(|started| started.clamp(1, at - 1));
        Self { bytes, symbols, about, labels, at, started, refs: Vec::new() }
    }

    /// Writes a value that is one number; nothing where a page shows nothing.
    pub(super) fn number(&mut self, value: &SeriesValue, exemplar: Option<&Exemplar>) {
        number_samples(value, |sample| self.sample(sample, &[], exemplar));
    }

    /// Writes the buckets of a histogram, its sum and its count. Exemplars count from `newer` on.
    pub(super) fn classic(
        &mut self,
        buckets: &Buckets,
        counts: &BucketCounts,
        is_new: impl Fn(&Exemplar) -> bool,
    ) {
        let mut newest = buckets.shown.exemplars(counts.exemplars());
        bucket_samples(counts, |sample| {
            let exemplar = newest.next().flatten().filter(|one| is_new(one));
            if let Extra::Bound(place) = sample.extra {
                self.sample(sample, &[("le", &buckets.texts[place])], exemplar);
            }
        });
        let sums = (counts.sum(), counts.count());
        sum_samples(sums, Model::Prometheus, |sample| self.sample(sample, &[], None));
    }

    /// Writes the quantiles of a summary, its sum and its count.
    pub(super) fn summary(&mut self, summary: &SummarySnapshot) {
        quantile_samples(summary, |sample| {
            if let Extra::Quantile(window, place) = sample.extra {
                let window = text_of(window);
                let extra = [("quantile", QUANTILES[place].1), ("window", &*window)];
                self.sample(sample, &extra, None);
            }
        });
        let sums = (summary.sum, summary.count);
        sum_samples(sums, Model::Prometheus, |sample| self.sample(sample, &[], None));
    }

    /// Writes a native histogram.
    pub(super) fn native(
        &mut self,
        native: &Native,
        histogram: &HistogramSnapshot,
        is_new: impl Fn(&Exemplar) -> bool,
    ) {
        let mut exemplars: Vec<&Exemplar> =
            histogram.exemplars().iter().filter(|one| is_new(one)).collect();
        exemplars.sort_by_key(|one| one.taken());
        self.histogram(&exemplars, |to| {
            to.varint(1, histogram.count());
            to.double(3, histogram.sum());
            to.zigzag(4, native.schema.into());
            to.double(5, ZERO_THRESHOLD);
            to.varint(6, native.zero_count);
            for (offset, len) in native.spans() {
                to.message(11, Guess::Short, |to| {
                    to.zigzag(1, offset.into());
                    to.varint(2, len.into());
                });
            }
            to.packed(12, |to| {
                native.deltas().for_each(|delta| {
                    to.number((delta << 1 ^ delta >> 63).cast_unsigned());
                });
            });
        });
    }

    /// Writes that all series of this form have ended.
    pub(super) fn stale(&mut self, form: &Form) {
        match form {
            Form::Number => self.stale_sample(Part::Value, &[]),
            Form::Histogram { classic, is_native } => {
                if let Some(buckets) = classic {
                    for text in &buckets.texts {
                        self.stale_sample(Part::Bucket, &[("le", text)]);
                    }
                    self.stale_sample(Part::Sum, &[]);
                    self.stale_sample(Part::Count, &[]);
                }
                if *is_native {
                    self.histogram(&[], |to| to.double(3, STALE));
                }
            }
            Form::Summary(windows) => {
                for window in windows.iter().copied().map(text_of) {
                    for (_, quantile) in QUANTILES {
                        let extra = [("quantile", quantile), ("window", &*window)];
                        self.stale_sample(Part::Value, &extra);
                    }
                }
                self.stale_sample(Part::Sum, &[]);
                self.stale_sample(Part::Count, &[]);
            }
        }
    }

    fn sample(&mut self, sample: Sample, extra: &[(&str, &str)], exemplar: Option<&Exemplar>) {
        let value = sample.number.as_f64();
        let value = if value.is_nan() { NO_NUMBER } else { value };
        self.write_sample(sample.part, extra, value, exemplar);
    }

    fn stale_sample(&mut self, part: Part, extra: &[(&str, &str)]) {
        self.write_sample(part, extra, STALE, None);
    }

    fn write_sample(
        &mut self,
        part: Part,
        extra: &[(&str, &str)],
        value: f64,
        exemplar: Option<&Exemplar>,
    ) {
        let (about, at) = (self.about, self.at);
        // The quantiles of a summary are those of a window.
        let started = self.started.filter(|_| part != Part::Value || about.kind != Kind::Summary);
        self.series(about.name(part), extra, started, exemplar.as_slice(), |to| {
            to.message(SAMPLES, Guess::Short, |to| {
                to.double(1, value);
                to.varint(2, at.cast_unsigned());
                optional_time(to, SAMPLE_START, started);
            });
        });
    }

    fn histogram(&mut self, exemplars: &[&Exemplar], write: impl FnOnce(&mut Protobuf<'_>)) {
        let (about, at, started) = (self.about, self.at, self.started);
        self.series(&about.family, &[], started, exemplars, |to| {
            to.message(HISTOGRAMS, Guess::Long, |to| {
                write(to);
                to.varint(15, at.cast_unsigned());
                optional_time(to, HISTOGRAM_START, started);
            });
        });
    }

    /// Writes a series of one sample or histogram.
    fn series(
        &mut self,
        name: &str,
        extra: &[(&str, &str)],
        started: Option<i64>,
        exemplars: &[&Exemplar],
        value: impl FnOnce(&mut Protobuf<'_>),
    ) {
        self.refer(name, extra);
        let Self { bytes, symbols, about, refs, .. } = self;
        let metadata = [symbols.place_of(&about.help), symbols.place_of(&about.unit)];
        Protobuf(bytes).message(TIME_SERIES, Guess::Short, |to| {
            packed(to, LABELS_REFS, refs);
            value(to);
            for exemplar in exemplars {
                to.message(EXEMPLARS, Guess::Short, |to| write_exemplar(to, symbols, exemplar));
            }
            to.message(METADATA, Guess::Short, |to| {
                to.varint(1, about.kind_number);
                to.varint(3, metadata[0].into());
                to.varint(4, metadata[1].into());
            });
            optional_time(to, CREATED, started);
        });
    }

    /// Sets the references to the labels of a series: sorted by name, with that of the metric among them.
    fn refer(&mut self, name: &str, extra: &[(&str, &str)]) {
        let mut more = [("__name__", name); 3];
        more[1..=extra.len()].copy_from_slice(extra);
        let more = &mut more[..=extra.len()];
        more.sort_unstable();
        let mut more = more.iter().peekable();
        self.refs.clear();
        for &(label, key, value) in &self.labels {
            while let Some((key, value)) = more.next_if(|(other, _)| *other < label) {
                self.refs.extend([self.symbols.place_of(key), self.symbols.place_of(value)]);
            }
            self.refs.extend([key, value]);
        }
        for (key, value) in more {
            self.refs.extend([self.symbols.place_of(key), self.symbols.place_of(value)]);
        }
    }
}

fn write_exemplar(to: &mut Protobuf<'_>, symbols: &mut Symbols, exemplar: &Exemplar) {
    let mut pairs = Vec::new();
    exemplar.each_pair(|key, value| pairs.push((key.to_owned(), value.to_owned())));
    pairs.sort_unstable();
    let refs: Vec<u32> = (pairs.iter())
        .flat_map(|(key, value)| [symbols.place_of(key), symbols.place_of(value)])
        .collect();
    packed(to, 1, &refs);
    to.double(2, exemplar.value());
    to.varint(3, millis(exemplar.taken().unix_nanos()).cast_unsigned());
}

fn packed(to: &mut Protobuf<'_>, field: u8, refs: &[u32]) {
    to.message(field, Guess::Short, |to| refs.iter().for_each(|&one| to.number(one.into())));
}

fn optional_time(to: &mut Protobuf<'_>, field: u8, at: Option<i64>) {
    if let Some(at) = at {
        to.varint(field, at.cast_unsigned());
    }
}

/// Milliseconds of nanoseconds.
pub(super) fn millis(nanos: u64) -> i64 {
    (nanos / 1_000_000) as i64
}

fn text_of(window: WindowLength) -> String {
    format!("{}{}", window.number, window.unit)
}
