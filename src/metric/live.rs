//! A registry read in place, for a page: the series of a [`Snapshot`](super::Snapshot), without the
//! memory of one.
//!
//! Values are read while they are handed over, one after the other; a histogram that is kept
//! exponentially is handed over by powers of two, which are all that a text page shows of it.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{
    Kind, SeriesValue,
    cell::{Reader, Removals, Storage},
    family::Family,
    histogram::octaves::{OctaveCounts, OctaveGroup},
    list::{Entry, SeriesList},
    snapshot::{self, Head, Series},
};
use crate::{clock::Ticks, label::LabelSet, sync::atomic::Ordering::Relaxed};

/// All series of a registry, as they are when they are asked for.
pub(crate) struct Live {
    families: Vec<LiveFamily>, // Invariant: sorted by name, names unique.
}

/// The series of one name.
pub(crate) struct LiveFamily(Repr);

enum Repr {
    Recorded {
        family: &'static Family,
        from: Rc<Source>,
    },
    /// What a callback told.
    Observed(snapshot::Family),
}

/// Where values are read from.
pub(super) struct Source {
    storage: Arc<Storage>,
    reader: Reader,
    with_exemplars: bool,
    /// The histograms that are being handed over; their memory serves the next ones.
    octaves: RefCell<OctaveGroup>,
}

/// What a series holds, as it is handed over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reading<'a> {
    /// Of a counter of whole numbers. Most series are one, so that it is not moved about as a value.
    Counter(u64),
    /// Of a histogram that is kept exponentially, all that a text page shows.
    Octaves(&'a OctaveCounts),
    /// Of any other series.
    Value(&'a SeriesValue),
}

impl Reading<'_> {
    /// The value, to be kept.
    pub(crate) fn to_value(self) -> SeriesValue {
        match self {
            Self::Counter(sum) => SeriesValue::Counter(sum),
            Self::Octaves(octaves) => SeriesValue::Histogram(Arc::new(octaves.to_snapshot())),
            Self::Value(value) => value.clone(),
        }
    }
}

/// A series by its place among those that are visited; what is asked of it is looked up only then.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    index: u32,
    among: Among<'a>,
}

#[derive(Clone, Copy)]
enum Among<'a> {
    Listed { family: &'a Family, storage: &'a Storage, reader: &'a Reader, list: &'a SeriesList },
    Kept(&'a [Series]),
}

/// Where two are equal, a place has the same labels, and its sums began at the same time.
#[derive(Clone, Debug)]
pub(crate) struct Edition {
    list: Arc<SeriesList>,
    removals: Removals,
}

/// What is done with each series.
pub(crate) trait Visit {
    /// Begins the visits; the edition of the places, where they have one.
    fn begin(&mut self, edition: Option<Edition>);
    /// Visits a counter of whole numbers, as most series are.
    fn counter(&mut self, place: Place<'_>, sum: u64);
    /// Visits a series of any kind.
    fn series(&mut self, place: Place<'_>, reading: Reading<'_>);
}

impl<'a> Place<'a> {
    /// The same number for the same labels, within one edition.
    #[inline(always)]
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    /// The labels.
    pub(crate) fn labels(&self) -> &'a LabelSet {
        let index = self.index as usize;
        match self.among {
            Among::Listed { list, .. } => &list.known()[index].labels,
            Among::Kept(series) => series[index].labels(),
        }
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

/// Has the series of a family visited that was read before.
pub(crate) fn visit_kept(series: &[Series], visit: &mut impl Visit) {
    visit.begin(None);
    for (index, each) in (0..).zip(series) {
        visit.series(Place { index, among: Among::Kept(series) }, each.value().into());
    }
}

impl PartialEq for Edition {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.list, &other.list) && self.removals == other.removals
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
    /// With the exemplars of histograms, or without the cost of reading them.
    pub(super) fn new(
        storage: Arc<Storage>,
        with_exemplars: bool,
        families: impl ExactSizeIterator<Item = &'static Family>,
        observed: Vec<snapshot::Family>,
    ) -> Self {
        let reader = storage.reader();
        let from = Rc::new(Source { storage, reader, with_exemplars, octaves: RefCell::default() });
        let recorded = families.map(|family| Repr::Recorded { family, from: from.clone() });
        let mut families = Vec::with_capacity(recorded.len() + observed.len());
        families.extend(recorded.chain(observed.into_iter().map(Repr::Observed)).map(LiveFamily));
        families.sort_by(|a: &LiveFamily, b| a.head().name.cmp(b.head().name));
        Self { families }
    }

    /// The families, sorted by name.
    pub(crate) fn families(&self) -> &[LiveFamily] {
        &self.families
    }
}

impl LiveFamily {
    /// What the family is.
    pub(crate) fn head(&self) -> Head<'_> {
        match &self.0 {
            Repr::Recorded { family: Family { name, kind, unit, help, .. }, .. } => {
                Head { name, kind: *kind, unit: *unit, help }
            }
            Repr::Observed(family) => family.head(),
        }
    }

    /// Has every series visited.
    pub(crate) fn each_series(&self, visit: &mut impl Visit) {
        match &self.0 {
            Repr::Observed(family) => visit_kept(family.series(), visit),
            Repr::Recorded { family, from } => family.read_in_place(from, visit),
        }
    }
}

impl Family {
    /// Has every series visited that is there, as [`read`](Self::read), without memory of its own.
    fn read_in_place(&self, from: &Source, visit: &mut impl Visit) {
        let Source { storage, reader, with_exemplars, octaves } = from;
        let mut has_twins = false;
        self.walk(storage, reader, |reader, list, always| {
            if list.has_twins() {
                has_twins = true;
                return;
            }
            visit.begin(Some(Edition { list: list.clone(), removals: reader.removals() }));
            let among = Among::Listed { family: self, storage, reader, list };
            let places = (0..).map(|index| Place { index, among });
            let value = |place, entry: &Entry, visit: &mut _| {
                if let Some(value) = self.value(storage, reader, entry.id, always) {
                    self.remember(storage, entry);
                    Visit::series(visit, place, (&value).into());
                }
            };
            if self.kind == Kind::Histogram {
                let (mut group, mut places) = (octaves.borrow_mut(), places);
                for entries in list.entries().chunks(OctaveGroup::LEN) {
                    let ids = entries.iter().map(|entry| entry.id);
                    group.read(reader, ids.clone());
                    if *with_exemplars {
                        group.read_exemplars(reader, ids);
                    }
                    for ((entry, octaves), place) in
                        entries.iter().zip(group.each()).zip(&mut places)
                    {
                        match octaves {
                            Some(octaves) => visit.series(place, Reading::Octaves(octaves)),
                            None => value(place, entry, visit),
                        }
                    }
                }
            } else if let Some(mark) = self.remembered(storage) {
                for (entry, place) in list.entries().iter().zip(places) {
                    match remembered_sum(reader, entry, mark) {
                        Some(sum) => visit.counter(place, sum),
                        None => value(place, entry, visit),
                    }
                }
            } else {
                list.entries().iter().zip(places).for_each(|(e, place)| value(place, e, visit));
            }
        });
        if has_twins {
            visit_kept(self.read(storage, reader).series(), visit);
        }
    }

    /// Notes that the process's own storage has a value of the series; what a scope saw is not noted.
    fn remember(&self, storage: &Storage, entry: &Entry) {
        if !storage.is_scoped() {
            entry.touch(self.removals.load(Relaxed));
        }
    }

    /// What is noted of series that have a value, where it says enough: of counters of whole numbers.
    fn remembered(&self, storage: &Storage) -> Option<u32> {
        (self.is_whole_counter() && !storage.is_scoped()).then(|| self.removals.load(Relaxed))
    }
}

/// The sum of a series that is not zero, and was not when it was last read: without asking the storage
/// whether it was ever touched.
#[inline(always)]
fn remembered_sum(reader: &Reader, entry: &Entry, mark: u32) -> Option<u64> {
    let sum = if entry.is_touched(mark) { reader.sum(entry.id) } else { 0 };
    (sum != 0).then_some(sum)
}
