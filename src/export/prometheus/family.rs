//! A family's part of the page.
//!
//! What all its series have in common is kept from page to page: the starts of lines, the texts of
//! keys, the buckets of a histogram. Nothing is kept for a series: its labels are written again for
//! each page. That is one pass over a few bytes, and takes no memory.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Dialect, Format, PageOptions,
    buckets::{self, AllBuckets, Buckets},
    buffer::Buffer,
    labels::{Keys, push_joined},
    protobuf,
    text::{self, Starts},
    wire,
};
use crate::{
    cells::histogram::cuts::{BucketCounts, Cuts, GROUP},
    clock::Ticks,
    exposition::{FamilyName, FamilyReadings, LabelNaming, Merged, Native},
    label::LabelSet,
    metric::{BucketLayout, Exemplar, Kind, PageBounds, SeriesValue, Unit},
    series::{Place, Reading, VisitSeries},
    snapshot::Head,
};

/// A family on the page.
#[derive(Debug)]
pub(super) struct FamilyPage {
    name: String,
    help: String,
    kind: Kind,
    unit: Unit,
    page_bounds: PageBounds,
    pub(super) names: FamilyName,
    dialect: Dialect,
    options: PageOptions,
    /// Whether a series shows when its sum began.
    has_created: bool,
    /// Whether a series may have an exemplar that does not belong to a bucket.
    has_exemplars: bool,
    /// Whether a counter is one line.
    is_line: bool,
    /// The lines before the first series.
    head: Buffer,
    starts: Starts,
    keys: Vec<Keys>, // One for all series as a rule, and one more for the overflow series.
    /// The buckets of the last histogram.
    buckets: Option<Arc<Buckets>>,
    /// Whether two series may have the same labels on the page: then they are sorted by these and
    /// merged. Always true for a state set, because its series are in another order.
    is_ambiguous: bool,
}

/// Buffers that all series use in turn, and what families share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) buckets: AllBuckets,
    /// The labels of a series.
    block: Buffer,
    /// The starts of the lines of its buckets.
    prefix: Buffer,
    counts: BucketCounts,
    /// The counts of histograms that are read together.
    group: [BucketCounts; GROUP],
    native: Native,
    /// The last instant whose date was needed, and the date: most series began together.
    pub(super) date: Option<(Ticks, u64)>,
}

impl FamilyPage {
    /// The part of the family with this head, under the names `names`.
    pub(super) fn new(
        family: Head<'_>,
        names: FamilyName,
        dialect: Dialect,
        options: PageOptions,
    ) -> Self {
        let Head { name, kind, unit, help, page_bounds } = family;
        let is_sum = matches!(kind, Kind::Counter | Kind::Histogram | Kind::Summary);
        let has_place = matches!(dialect.format(), Format::OpenMetrics | Format::Protobuf);
        let head = match dialect.format() {
            Format::Protobuf => protobuf::head(&names, kind, unit, help),
            format => text::head(&names, kind, unit, help, format),
        };
        Self {
            name: name.to_owned(),
            help: help.to_owned(),
            kind,
            unit,
            page_bounds,
            starts: Starts::new(&names, kind),
            names,
            dialect,
            options,
            has_created: is_sum && has_place && options.with_created,
            has_exemplars: kind == Kind::Counter && has_place,
            is_line: dialect.format() != Format::Protobuf && !(has_place && options.with_created),
            head,
            keys: Vec::new(),
            buckets: None,
            is_ambiguous: kind == Kind::StateSet,
        }
    }

    /// Whether this is the part of the family with this head.
    pub(super) fn is_of(&self, family: Head<'_>) -> bool {
        let (name, help) = (&*self.name, &*self.help);
        let Self { kind, unit, page_bounds, .. } = *self;
        family == Head { name, kind, unit, help, page_bounds }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Appends the family to `page`; nothing if it has no series.
    pub(super) fn write(
        &mut self,
        family: &impl FamilyReadings,
        page: &mut Buffer,
        shared: &mut Shared,
    ) {
        let start = page.len();
        page.copy(&self.head);
        let format = self.dialect.format();
        let mut n_series = 0;
        if !self.is_ambiguous {
            let mut writer = Writer { family: self, page, shared, n_series };
            family.each_series(&mut writer);
            n_series = writer.n_series;
        }
        if self.is_ambiguous {
            page.truncate(start);
            page.copy(&self.head);
            n_series = self.write_merged(family, page, shared);
        }
        match (n_series, format) {
            (0, _) => page.truncate(start),
            (_, Format::Protobuf) => wire::delimit(page, start),
            _ => {}
        }
    }

    /// Appends the series, merging those with the same labels on the page; returns how many there are.
    fn write_merged(
        &mut self,
        family: &impl FamilyReadings,
        page: &mut Buffer,
        shared: &mut Shared,
    ) -> usize {
        let mut merging = Merging { family: self, shared, merged: BTreeMap::new() };
        family.each_series(&mut merging);
        let merged = merging.merged;
        for (block, one) in &merged {
            shared.block.clear();
            shared.block.push(block);
            self.write_series(|| one.started(), one.exemplar(), one.reading(), page, shared);
        }
        merged.len()
    }

    /// Appends a series whose labels are in the block of `shared`.
    #[inline(never)]
    fn write_series(
        &mut self,
        started: impl FnOnce() -> Ticks,
        of_sum: Option<&Exemplar>,
        reading: Reading<'_>,
        page: &mut Buffer,
        shared: &mut Shared,
    ) {
        let created = self.has_created.then(|| shared.nanos(started()));
        if let Reading::Value(SeriesValue::Histogram(histogram)) = reading {
            let buckets = self.buckets_of(histogram.layout(), &mut shared.buckets);
            shared.counts.read_snapshot(histogram, buckets.shown.cuts());
        }
        let format = self.dialect.format();
        let Shared { block, prefix, counts, native, .. } = shared;
        if format == Format::Protobuf {
            let mut writer = protobuf::Writer { page, block, created, of_sum };
            match (reading, &self.buckets) {
                (Reading::Value(SeriesValue::Histogram(histogram)), Some(buckets)) => {
                    let limit = self.options.native_buckets;
                    writer.histogram(buckets, counts, histogram, (native, limit));
                }
                (Reading::Value(SeriesValue::Summary(summary)), _) => writer.summary(summary),
                (Reading::Value(value), _) => writer.value(value),
                (Reading::Counter(sum), _) => writer.value(&SeriesValue::Counter(sum)),
                (Reading::Buckets(_), _) => {} // A protobuf page is rendered from a snapshot.
            }
            return;
        }
        let starts = &self.starts;
        let mut writer = text::Writer { page, starts, block, created, of_sum, format };
        match (reading, &self.buckets) {
            (Reading::Buckets(counts), Some(buckets)) => writer.histogram(buckets, counts, prefix),
            (Reading::Value(SeriesValue::Histogram(_)), Some(buckets)) => {
                writer.histogram(buckets, counts, prefix);
            }
            (Reading::Value(SeriesValue::Summary(summary)), _) => writer.summary(summary),
            (Reading::Value(value), _) => writer.value(value),
            (Reading::Counter(sum), _) => writer.counter(sum),
            (Reading::Buckets(_), None) => {} // They were counted by some.
        }
    }

    /// The buckets of histograms of this layout.
    fn buckets_of(&mut self, layout: &BucketLayout, all: &mut AllBuckets) -> &Buckets {
        let known = self.buckets.take().filter(|known| known.shown.are_of(layout));
        let (unit, asked, format) = (self.unit, self.page_bounds, self.dialect.format());
        let buckets = known
            .unwrap_or_else(|| all.of(layout, unit, asked, |bound| buckets::text(format, bound)));
        self.buckets.insert(buckets)
    }

    /// Appends a counter that is one line; returns `false` as [`write_labels`](Self::write_labels).
    #[inline(always)]
    fn write_line(&mut self, labels: &LabelSet, sum: u64, page: &mut Buffer) -> bool {
        let line = page.len();
        self.starts.open(page);
        let block = page.len();
        let has_labels = self.write_labels(labels, page);
        if has_labels {
            self.starts.close(page, (line, block), sum);
        } else {
            page.truncate(line);
        }
        has_labels
    }

    /// Appends the labels of a series as they are on the page. Returns `false` if another series may
    /// have the same labels, which makes the family ambiguous.
    #[inline(always)]
    fn write_labels(&mut self, labels: &LabelSet, to: &mut Buffer) -> bool {
        let (format, start) = (self.dialect.format(), to.len());
        let mut known = self.keys.iter();
        known.any(|keys| {
            to.truncate(start);
            keys.write(labels, format, to)
        }) || {
            to.truncate(start);
            self.learn_keys(labels, to)
        }
    }

    #[cold]
    #[inline(never)]
    fn learn_keys(&mut self, labels: &LabelSet, to: &mut Buffer) -> bool {
        let keys = Keys::new(labels, self.naming());
        self.is_ambiguous = keys.names().are_joined()
            || self.keys.iter().any(|known| keys.names().are_ambiguous_with(known.names()));
        !self.is_ambiguous && {
            keys.write(labels, self.dialect.format(), to);
            self.keys.push(keys);
            true
        }
    }

    /// The exemplar of a counter, if the format has a place for it.
    #[inline(always)]
    fn exemplar_of<'a>(&self, place: &Place<'a>) -> Option<&'a Exemplar> {
        place.exemplar().filter(|_| self.has_exemplars)
    }

    #[inline(always)]
    fn may_have_exemplar(&self, place: &Place<'_>) -> bool {
        self.exemplar_of(place).is_some()
    }

    fn naming(&self) -> LabelNaming<'_> {
        LabelNaming {
            kind: self.kind,
            translation: self.options.translation,
            escaping: self.dialect.escaping(),
            family: (&self.name, self.names.family()),
        }
    }
}

impl Shared {
    /// The date of `at` in nanoseconds.
    fn nanos(&mut self, at: Ticks) -> u64 {
        match self.date {
            Some((known, nanos)) if known == at => nanos,
            _ => self.date.insert((at, at.unix_nanos())).1,
        }
    }
}

/// Writes each series as it comes.
struct Writer<'a> {
    family: &'a mut FamilyPage,
    page: &'a mut Buffer,
    shared: &'a mut Shared,
    n_series: usize,
}

impl VisitSeries for Writer<'_> {
    fn cuts(&mut self, layout: &BucketLayout) -> Arc<Cuts> {
        self.family.buckets_of(layout, &mut self.shared.buckets).shown.cuts().clone()
    }

    fn room(&mut self) -> &mut [BucketCounts; GROUP] {
        &mut self.shared.group
    }

    #[inline(always)]
    fn series(&mut self, place: Place<'_>, reading: Reading<'_>) {
        let Self { family, page, shared, n_series } = self;
        if family.is_ambiguous {
            return;
        }
        let labels = place.labels();
        let is_written = match reading {
            Reading::Counter(sum) if family.is_line && !family.may_have_exemplar(&place) => {
                family.write_line(labels, sum, page)
            }
            reading => {
                shared.block.clear();
                let has_labels = family.write_labels(labels, &mut shared.block);
                if has_labels {
                    let (started, exemplar) = (|| place.started(), family.exemplar_of(&place));
                    family.write_series(started, exemplar, reading, page, shared);
                }
                has_labels
            }
        };
        *n_series += usize::from(is_written);
    }
}

/// Adds up the series that have the same labels on the page.
struct Merging<'a> {
    family: &'a mut FamilyPage,
    shared: &'a mut Shared,
    /// The series, by their labels on the page.
    merged: BTreeMap<Vec<u8>, Merged>,
}

impl VisitSeries for Merging<'_> {
    fn cuts(&mut self, layout: &BucketLayout) -> Arc<Cuts> {
        self.family.buckets_of(layout, &mut self.shared.buckets).shown.cuts().clone()
    }

    fn room(&mut self) -> &mut [BucketCounts; GROUP] {
        &mut self.shared.group
    }

    fn series(&mut self, place: Place<'_>, reading: Reading<'_>) {
        let Self { family, shared, merged } = self;
        let (labels, started) = (place.labels(), place.started());
        let exemplar = family.exemplar_of(&place).cloned();
        push_joined(&mut shared.block, family.dialect.format(), labels.iter(), family.naming());
        let one = Merged::new(started, exemplar, reading);
        match merged.get_mut(shared.block.as_slice()) {
            Some(merged) => {
                let cuts = family.buckets.as_ref().map(|buckets| &**buckets.shown.cuts());
                merged.add(one, cuts);
            }
            None => {
                merged.insert(shared.block.as_slice().to_vec(), one);
            }
        }
    }
}
