//! A registry that is read in place, for a page: the series of a [`Snapshot`](crate::metric::Snapshot),
//! without its memory.
//!
//! Values are read while they are passed on, one after the other. A histogram is passed on as the few
//! buckets that the page shows.

use std::{mem, rc::Rc, sync::Arc};

use super::{
    descriptor::Number,
    family::Family,
    list::{Entry, Listed, SeriesList},
};
use crate::{
    cells::{
        Reader, Space, Storage,
        histogram::cuts::{BucketCounts, Cuts, GROUP},
    },
    clock::Ticks,
    label::LabelSet,
    snapshot::{self, BucketLayout, Exemplar, Head, Kind, PageBounds, Series, SeriesValue, Views},
    sync::atomic::Ordering::Relaxed,
};

/// All series of a registry; each is read when it is needed.
pub(crate) struct Live {
    families: Vec<LiveFamily>, // Invariant: sorted by name, names unique.
}

/// The series of one name.
pub(crate) struct LiveFamily(Repr);

enum Repr {
    Recorded {
        family: Arc<Family>,
        page_bounds: PageBounds,
        from: Rc<Source>,
    },
    /// The values from a callback.
    Observed(snapshot::Family),
}

/// The source of the values.
pub(crate) struct Source {
    storage: Arc<Storage>,
    reader: Reader,
    with_exemplars: bool,
}

/// The value of a series, as it is passed on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reading<'a> {
    /// The value of a counter of whole numbers. Most series are counters, so they are not copied as a
    /// value.
    Counter(u64),
    /// All that a text page shows of a histogram.
    Buckets(&'a BucketCounts),
    /// The value of any other series.
    Value(&'a SeriesValue),
}

/// A series that is visited; its properties are looked up only when needed.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    index: u32,
    among: Among<'a>,
    /// For a counter.
    exemplar: Option<&'a Exemplar>,
}

#[derive(Clone, Copy)]
enum Among<'a> {
    Listed { family: &'a Family, storage: &'a Storage, reader: &'a Reader, list: &'a SeriesList },
    Kept(&'a [Series]),
}

/// A visitor of series.
pub(crate) trait Visit {
    /// The buckets by which histograms of this layout are counted.
    fn cuts(&mut self, layout: &BucketLayout) -> Arc<Cuts>;
    /// Memory for the histograms that are read together; its contents mean nothing.
    fn room(&mut self) -> &mut [BucketCounts; GROUP];
    /// Visits a series.
    fn series(&mut self, place: Place<'_>, reading: Reading<'_>);
}

impl<'a> Place<'a> {
    /// The labels.
    pub(crate) fn labels(&self) -> &'a LabelSet {
        let index = self.index as usize;
        match self.among {
            Among::Listed { list, .. } => &list.known()[index].labels,
            Among::Kept(series) => series[index].labels(),
        }
    }

    /// The exemplar of a counter.
    pub(crate) fn exemplar(&self) -> Option<&'a Exemplar> {
        self.exemplar
    }

    /// When its sum began.
    pub(crate) fn started(&self) -> Ticks {
        let index = self.index as usize;
        match self.among {
            Among::Listed { family, storage, reader, list } => {
                family.started(storage, reader, &list.known()[index])
            }
            Among::Kept(series) => series[index].started(),
        }
    }
}

/// Visits the series of a family that was read before.
pub(crate) fn visit_kept(series: &[Series], visit: &mut impl Visit) {
    for (index, each) in (0..).zip(series) {
        let place = Place { index, among: Among::Kept(series), exemplar: each.exemplar() };
        visit.series(place, each.value().into());
    }
}

impl<'a> From<&'a SeriesValue> for Reading<'a> {
    fn from(value: &'a SeriesValue) -> Self {
        match value {
            SeriesValue::Counter(sum) => Self::Counter(*sum),
            value => Self::Value(value),
        }
    }
}

impl Live {
    /// With the exemplars of histograms, or without the cost of reading them. `views` only set which
    /// bounds histograms show.
    pub(crate) fn new(
        storage: Arc<Storage>,
        with_exemplars: bool,
        views: &Views,
        families: impl ExactSizeIterator<Item = Arc<Family>>,
        observed: Vec<snapshot::Family>,
    ) -> Self {
        let reader = if with_exemplars { storage.reader_of_all() } else { storage.reader() };
        let from = Rc::new(Source { storage, reader, with_exemplars });
        let recorded = families.map(|family| {
            let asked = views.page_bounds(&family.name, family.kind, family.unit);
            let page_bounds = asked.unwrap_or(family.declared.page_bounds);
            Repr::Recorded { family, page_bounds, from: from.clone() }
        });
        let mut families = Vec::with_capacity(recorded.len() + observed.len());
        families.extend(recorded.chain(observed.into_iter().map(Repr::Observed)).map(LiveFamily));
        families.sort_unstable_by(|a: &LiveFamily, b| a.head().name.cmp(b.head().name));
        Self { families }
    }

    /// The families, sorted by name.
    pub(crate) fn families(&self) -> &[LiveFamily] {
        &self.families
    }
}

impl LiveFamily {
    /// The properties of the family.
    pub(crate) fn head(&self) -> Head<'_> {
        match &self.0 {
            Repr::Recorded { family, page_bounds, .. } => {
                let (Family { name, kind, unit, .. }, help) = (&**family, family.help());
                Head { name, kind: *kind, unit: *unit, help, page_bounds: *page_bounds }
            }
            Repr::Observed(family) => family.head(),
        }
    }

    /// Visits every series.
    pub(crate) fn each_series(&self, visit: &mut impl Visit) {
        match &self.0 {
            Repr::Observed(family) => visit_kept(family.series(), visit),
            Repr::Recorded { family, from, .. } => family.read_in_place(from, visit),
        }
    }
}

impl Family {
    /// Visits every series that exists, as [`read`](Self::read), without memory of its own.
    fn read_in_place(&self, from: &Source, visit: &mut impl Visit) {
        let Source { storage, reader, with_exemplars } = from;
        let mut has_twins = false;
        self.walk(storage, reader, |reader, list, always| {
            if list.has_twins() {
                has_twins = true;
                return;
            }
            let among = Among::Listed { family: self, storage, reader, list };
            let places = (0..).map(|index| Place { index, among, exemplar: None });
            let has_exemplars =
                *with_exemplars && self.kind == Kind::Counter && reader.has_exemplars();
            let entries = list.entries().iter().zip(places.clone());
            let value = |(entry, place): (&Entry, Place<'_>), visit: &mut _| {
                if let Some(value) = self.value(storage, reader, entry.id, always) {
                    self.remember(storage, entry);
                    let exemplar = has_exemplars.then(|| self.exemplar(reader, entry.id)).flatten();
                    let place = Place { exemplar, ..place };
                    Visit::series(visit, place, (&value).into());
                }
            };
            if self.kind == Kind::Histogram {
                self.histograms_in_place(from, (reader, list), places, visit, value);
            } else if let Some(mark) = self.remembered(storage).filter(|_| !has_exemplars) {
                let mut places = places;
                for (entries, known) in list.entries().chunks(GROUP).zip(list.known().chunks(GROUP))
                {
                    fetch_labels(known);
                    for (entry, place) in entries.iter().zip(&mut places) {
                        match remembered_sum(reader, entry, mark) {
                            Some(sum) => visit.series(place, Reading::Counter(sum)),
                            None => value((entry, place), visit),
                        }
                    }
                }
            } else {
                entries.for_each(|entry| value(entry, visit));
            }
        });
        if has_twins {
            visit_kept(self.read(storage, reader).series(), visit);
        }
    }

    /// Visits the histograms of `list` by their buckets, a few together. A histogram that has no
    /// values, or was removed, is visited by its `value`.
    fn histograms_in_place<'a, V: Visit>(
        &self,
        from: &Source,
        (reader, list): (&Reader, &SeriesList),
        mut places: impl Iterator<Item = Place<'a>>,
        visit: &mut V,
        value: impl Fn((&Entry, Place<'a>), &mut V),
    ) {
        let with_exemplars = from.with_exemplars;
        let cuts = visit.cuts(&BucketLayout::from(self.histogram.aggregation));
        let mut group = mem::take(visit.room());
        // Exemplars are read first, so that the value of each is counted.
        let begin = |id, counts: &mut BucketCounts| {
            if with_exemplars {
                add_exemplars(reader, id, counts);
            }
        };
        for (entries, known) in list.entries().chunks(GROUP).zip(list.known().chunks(GROUP)) {
            fetch_labels(known);
            let ids = entries.iter().map(|entry| entry.id);
            reader.count_histograms(ids, &cuts, &mut group[..entries.len()], begin);
            for ((entry, counts), place) in entries.iter().zip(group.iter_mut()).zip(&mut places) {
                let is_removed = reader.removed_at(Space::Histogram, entry.id).is_some();
                if is_removed || counts.count() == 0 {
                    value((entry, place), visit);
                    continue;
                }
                visit.series(place, Reading::Buckets(counts));
            }
        }
        *visit.room() = group;
    }

    /// Notes that the process's own storage has a value of the series. Values in a scope are not noted.
    fn remember(&self, storage: &Storage, entry: &Entry) {
        if !storage.is_scoped() {
            entry.touch(self.removals.load(Relaxed));
        }
    }

    /// The mark of series that have a value, if it is sufficient: for counters of whole numbers.
    fn remembered(&self, storage: &Storage) -> Option<u32> {
        let is_whole = self.kind == Kind::Counter && self.number_kind == Number::Whole;
        (is_whole && !storage.is_scoped()).then(|| self.removals.load(Relaxed))
    }
}

fn add_exemplars(reader: &Reader, id: u32, to: &mut BucketCounts) {
    reader.add_exemplars(id, to);
    let labelled = reader.exemplars(Space::Histogram, id);
    if !labelled.is_empty() {
        to.add_exemplars(labelled.iter().cloned());
    }
}

/// Waits for the labels of a few series at once, not one after the other.
#[inline(always)]
fn fetch_labels(known: &[Listed]) {
    std::hint::black_box(known.iter().fold(0, |any, listed| any ^ listed.labels.touch()));
}

/// The sum of a series, if it is not zero and was not zero at the last read. The storage is not asked
/// whether the series was ever touched.
#[inline(always)]
fn remembered_sum(reader: &Reader, entry: &Entry, mark: u32) -> Option<u64> {
    let sum = if entry.is_touched(mark) { reader.sum(entry.id) } else { 0 };
    (sum != 0).then_some(sum)
}
