//! Data points as bytes: a record is the series of a point, the head is the table of their texts.
//!
//! Points come in readings: all of one have the same instant. The first record of a reading has, besides
//! its own series, that of the resource, and the end of those series that the reading before did not have.
//! What it has was sent for good or will be, in order: so the encoder knows what is still to be ended when
//! all ends.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
};

use super::{
    buckets::{AllBuckets, text},
    family::{Family, Known, Namer, TARGET, spared},
    merging::{Merging, value_of},
    options::Options,
    series::{About, Form, Room, Writer, millis},
    symbols::Symbols,
};
use crate::{
    clock::{self, Ticks},
    diagnostics,
    error::Error,
    exposition::{FamilyName, Model, Translation, WindowLength},
    label::LabelSet,
    metric::{DataPoint, Exemplar, Kind, SeriesValue, Temporality, Unit},
    pipeline::{Batch, Encoder, Payload, Setup},
    resource::Resource,
};

/// Encodes data points.
pub(super) struct Points {
    options: Options,
    target: Target,
    families: BTreeMap<String, Family>,
    /// The names that the families use.
    taken: HashSet<String>,
    buckets: AllBuckets,
    reading: Current,
    room: Room,
}

/// Who sends: the labels that each series has, and the series of the resource.
#[derive(Default)]
struct Target {
    labels: Vec<(String, String)>, // Sorted.
    info: Vec<(String, String)>,   // Sorted, with those above; empty for no such series.
}

/// The reading whose points come.
#[derive(Default)]
struct Current {
    taken: Option<Ticks>,
    number: u64,
    /// When the reading was taken, as it is sent: later than all before, whatever the wall clock does.
    at: i64,
}

/// What a series is sent with.
struct Sent<'a> {
    labels: Cow<'a, LabelSet>,
    value: Cow<'a, SeriesValue>,
    started: Ticks,
    exemplar: Option<Exemplar>,
}

impl Points {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            target: Target::default(),
            families: BTreeMap::new(),
            taken: HashSet::new(),
            buckets: AllBuckets::default(),
            reading: Current::default(),
            room: Room::default(),
        }
    }

    fn namer(&self) -> Namer {
        Namer { translation: self.options.translation }
    }

    /// Begins the reading that was taken at `taken`, unless its points are coming already. Returns `false`
    /// for one that is over: what is older than what was sent, nobody would take.
    fn is_current(&mut self, taken: Ticks, bytes: &mut Vec<u8>, symbols: &mut Symbols) -> bool {
        match self.reading.taken {
            Some(current) if taken == current => return true,
            Some(current) if taken.is_comparable_with(current) && taken < current => return false,
            _ => {}
        }
        self.end_missing(bytes, symbols);
        self.reading.taken = Some(taken);
        self.reading.number += 1;
        self.reading.at = millis(taken.unix_nanos()).max(self.reading.at + 1);
        self.write_info(bytes, symbols);
        true
    }

    /// Writes the end of the series that the current reading does not have.
    fn end_missing(&mut self, bytes: &mut Vec<u8>, symbols: &mut Symbols) {
        let Current { number, at, .. } = self.reading;
        for family in self.families.values_mut() {
            let is_gone = |_: &LabelSet, known: &mut Known| known.reading != number;
            let gone: Vec<_> = family.known.extract_if(is_gone).collect();
            for (labels, known) in gone {
                let pairs = family.pairs(&labels, &self.target.labels);
                Writer::new(bytes, symbols, &family.about, &pairs, at, None).stale(&known.form);
            }
        }
        let taken = &mut self.taken;
        self.families.retain(|_, family| {
            let stays = std::mem::take(&mut family.is_met) || !family.known.is_empty();
            if !stays {
                release(taken, family);
            }
            stays
        });
        self.buckets.tidy();
    }

    /// Writes the series of the resource.
    fn write_info(&self, bytes: &mut Vec<u8>, symbols: &mut Symbols) {
        let is_free = ["target", "target_info"].iter().all(|name| !self.taken.contains(*name));
        if is_free && !self.target.info.is_empty() {
            self.info_writer(bytes, symbols, &info_about(), self.reading.at)
                .number(&SeriesValue::Info, None);
        }
    }

    fn info_writer<'a>(
        &'a self,
        bytes: &'a mut Vec<u8>,
        symbols: &'a mut Symbols,
        about: &'a About,
        at: i64,
    ) -> Writer<'a> {
        let info = self.target.info.iter().map(|(name, value)| (&**name, &**value));
        Writer::new(bytes, symbols, about, &info.collect::<Vec<_>>(), at, None)
    }

    /// Sees to it that the family of `point` is known, with the keys of its labels.
    fn meet(&mut self, point: &DataPoint) {
        let (namer, name) = (self.namer(), point.name());
        if !self.families.get(name).is_some_and(|family| family.is_of(point)) {
            if let Some(old) = self.families.remove(name) {
                release(&mut self.taken, &old);
            }
            let (names, is_left_out) = self.free_names(point);
            self.families.insert(name.to_owned(), Family::new(point, names, is_left_out));
        }
        if let Some(family) = self.families.get_mut(name) {
            family.is_met = true;
            family.learn(namer, name, point.labels(), self.reading.number);
        }
    }

    /// The names of a family: those of the translation, or else those with underscores and suffixes; and
    /// whether even these are another's.
    fn free_names(&mut self, point: &DataPoint) -> (FamilyName, bool) {
        let what = (point.name(), point.kind(), point.unit());
        let namer = self.namer();
        let names = |translation| FamilyName::new(what, namer.naming(translation));
        let tried = [self.options.translation, Translation::default()].map(names);
        let is_free = |names: &FamilyName| {
            names.claims(point.kind()).all(|name| !self.taken.contains(&*name))
        };
        let Some(free) = tried.iter().find(|names| is_free(names)) else {
            diagnostics::report(
                "remote write",
                format_args!(
                    "{:?} is not sent, because `{}` is another family's name",
                    point.name(),
                    tried[0].family()
                ),
            );
            return (tried[0].clone(), true);
        };
        self.taken.extend(free.claims(point.kind()).map(Cow::into_owned));
        (free.clone(), false)
    }

    /// Writes the series of `sent`, which is of the family `name`.
    fn write(&mut self, name: &str, sent: Sent<'_>, bytes: &mut Vec<u8>, symbols: &mut Symbols) {
        let Current { number, at, .. } = self.reading;
        let Some(family) = self.families.get_mut(name) else { return };
        let known = family.known.get(&*sent.labels);
        let is_sent = known.is_some_and(|known| known.reading == number);
        if family.is_left_out || is_sent || family.is_mute_in == Some(number) {
            return;
        }
        let newest = known.and_then(|known| known.exemplar);
        let form = self.options.form_of(&sent.value, &mut self.buckets, family);
        let pairs = family.pairs(&sent.labels, &self.target.labels);
        let is_sum = matches!(family.kind(), Kind::Counter | Kind::Histogram | Kind::Summary);
        let started = is_sum.then(|| millis(sent.started.unix_nanos()));
        let (begin, n_native) = (bytes.len(), self.options.native_buckets);
        let writer = Writer::new(bytes, symbols, &family.about, &pairs, at, started);
        write_value(writer, &sent, &form, newest, (&mut self.room, n_native));
        if bytes.len() == begin {
            return; // It has no value that anybody would take: it ends, if it was there.
        }
        let exemplar = newest.max(newest_exemplar(&sent));
        let known = Known { form, reading: number, exemplar };
        family.known.insert(sent.labels.into_owned(), known);
    }
}

/// Gives back the names of a family that is gone.
fn release(taken: &mut HashSet<String>, family: &Family) {
    if !family.is_left_out {
        for name in family.names.claims(family.kind()) {
            taken.remove(&*name);
        }
    }
}

/// Writes a value with the exemplars that are newer than `newest`.
fn write_value(
    mut writer: Writer<'_>,
    sent: &Sent<'_>,
    form: &Form,
    newest: Option<Ticks>,
    (room, n_native): (&mut Room, usize),
) {
    let is_new = |one: &Exemplar| newest.is_none_or(|newest| newest < one.taken());
    match (&*sent.value, form) {
        (SeriesValue::Histogram(histogram), Form::Histogram { classic, is_native }) => {
            if let Some(buckets) = classic {
                room.counts.read_snapshot(histogram, buckets.shown.cuts());
                writer.classic(buckets, &room.counts, is_new);
            }
            if *is_native {
                room.native.read(histogram, n_native);
                writer.native(&room.native, histogram, is_new);
            }
        }
        (SeriesValue::Summary(summary), _) => writer.summary(summary),
        (value, _) => writer.number(value, sent.exemplar.as_ref().filter(|one| is_new(one))),
    }
}

fn newest_exemplar(sent: &Sent<'_>) -> Option<Ticks> {
    let of_histogram = sent.value.as_histogram().map_or(&[][..], |one| one.exemplars());
    of_histogram.iter().chain(&sent.exemplar).map(Exemplar::taken).max()
}

impl Options {
    /// Which series a value of `family` becomes.
    fn form_of(&self, value: &SeriesValue, buckets: &mut AllBuckets, family: &Family) -> Form {
        match value {
            SeriesValue::Histogram(histogram) => {
                let layout = histogram.layout();
                let explicit = histogram.explicit_bounds().is_some();
                let is_native = self.histograms.are_native() && !explicit;
                let classic = (self.histograms.are_classic() || explicit)
                    .then(|| buckets.of(layout, family.unit, family.page_bounds, text));
                Form::Histogram { classic, is_native }
            }
            SeriesValue::Summary(summary) => {
                let windows = summary.windows.iter().map(|(length, _)| WindowLength::new(*length));
                Form::Summary(windows.collect())
            }
            _ => Form::Number,
        }
    }
}

impl Encoder<DataPoint> for Points {
    fn encode(&mut self, batch: &Batch<DataPoint>) -> Payload {
        batch.iter().for_each(|point| self.meet(point));
        let families = &self.families;
        let mut merging = Merging::of(batch, self.namer(), |name| families.get(name));
        let (mut payload, mut symbols) = (Payload::new(), Symbols::new());
        for (place, point) in batch.iter().enumerate() {
            payload.record(|bytes| {
                if !self.is_current(point.taken(), bytes, &mut symbols) {
                    return;
                }
                if point.temporality() == Temporality::Delta {
                    let text = "differences are not sent: Prometheus has totals alone";
                    return diagnostics::report("remote write", format_args!("{text}"));
                }
                match merging.take(place) {
                    Err(()) => {
                        let sent = Sent {
                            labels: Cow::Borrowed(point.labels()),
                            value: Cow::Borrowed(point.value()),
                            started: point.started(),
                            exemplar: point.exemplar().cloned(),
                        };
                        self.write(point.name(), sent, bytes, &mut symbols);
                    }
                    Ok(None) => {}
                    Ok(Some((labels, merged))) => {
                        let Some(value) = value_of(&merged) else { return };
                        if let Some(family) = self.families.get_mut(point.name()) {
                            let namer = Namer { translation: self.options.translation };
                            family.learn(namer, point.name(), &labels, self.reading.number);
                        }
                        let (started, exemplar) = (merged.started(), merged.exemplar().cloned());
                        let sent = Sent { labels: Cow::Owned(labels), value, started, exemplar };
                        self.write(point.name(), sent, bytes, &mut symbols);
                    }
                }
            });
        }
        payload.set_head(symbols.into_bytes());
        payload
    }

    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        self.target = Target::of(setup.resource(), &self.options, self.namer());
        Ok(())
    }

    /// Ends all series, each family in a record of its own.
    fn finish(&mut self) -> Option<Payload> {
        self.reading.taken?;
        let at = millis(clock::unix_nanos()).max(self.reading.at + 1);
        let (mut payload, mut symbols) = (Payload::new(), Symbols::new());
        let is_free = ["target", "target_info"].iter().all(|name| !self.taken.contains(*name));
        if is_free && !self.target.info.is_empty() {
            payload.record(|bytes| {
                self.info_writer(bytes, &mut symbols, &info_about(), at).stale(&Form::Number);
            });
        }
        for family in self.families.values_mut().filter(|family| !family.known.is_empty()) {
            payload.record(|bytes| {
                for (labels, known) in std::mem::take(&mut family.known) {
                    let pairs = family.pairs(&labels, &self.target.labels);
                    let mut writer =
                        Writer::new(bytes, &mut symbols, &family.about, &pairs, at, None);
                    writer.stale(&known.form);
                }
            });
        }
        self.reading.taken = None;
        payload.set_head(symbols.into_bytes());
        Some(payload)
    }

    fn format(&self) -> &str {
        "remote_write.2"
    }
}

impl Target {
    /// The labels of a target that a scrape would have: `job` is the service with its namespace, and
    /// `instance` its id.
    fn of(resource: &Resource, options: &Options, namer: Namer) -> Self {
        let text = |key: &str| resource.get(key).map(ToString::to_string);
        let job = options.job.clone().or_else(|| {
            let service = text("service.name")?;
            Some(match text("service.namespace") {
                Some(namespace) => format!("{namespace}/{service}"),
                None => service,
            })
        });
        let instance = options.instance.clone().or_else(|| text("service.instance.id"));
        let instance = instance.unwrap_or_else(|| {
            let process = std::process::id();
            text("host.name").map_or(process.to_string(), |host| format!("{host}:{process}"))
        });
        let labels = TARGET.into_iter().zip([job.unwrap_or_default(), instance]);
        let mut labels: Vec<(String, String)> = labels
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        labels.sort_unstable();
        let mut info = Vec::new();
        if options.with_target_info && !resource.attributes().is_empty() {
            let values: Vec<String> =
                resource.attributes().iter().map(|one| one.value.to_string()).collect();
            let keys = resource.attributes().iter().map(|one| one.key.as_ref());
            let pairs = keys.zip(values.iter().map(String::as_str));
            let joined = namer.labels(Kind::Info, ("", "")).joined(pairs);
            let names: Vec<String> = joined.iter().map(|(name, _)| name.clone()).collect();
            let full = joined.iter().filter(|(_, value)| !value.is_empty());
            info.extend(full.map(|(name, value)| (spared(name, &names), value.to_string())));
            info.extend_from_slice(&labels);
            info.sort_unstable();
        }
        Self { labels, info }
    }
}

fn info_about() -> About {
    let names = FamilyName::target(Model::Prometheus);
    About::new(&names, Kind::Info, Unit::NONE, "Attributes of the entity that speaks.")
}
