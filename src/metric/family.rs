//! The series of one name: a block of ids for a closed label set, a growing map for an open one.

use std::{borrow::Cow, collections::HashSet, panic::Location, sync::Arc, time::Duration};

use super::{
    InstrumentView, Kind, Unit,
    cell::{DISABLED, Reader, Space, Storage},
    histogram::{HistogramOptions, HistogramSnapshot, chosen},
    instrument::{Descriptor, Number},
    lookup::Visit,
    open::{Ids, OpenSet},
    registry::Settings,
    series::Pin,
    sliding::{Baseline, SPANS},
    snapshot::{self, Series, SeriesValue, SummarySnapshot},
};
use crate::{
    clock::{self, Ticks},
    label::{Encoded, Keys, LabelSet},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

/// A registered family: what it is and which series it has.
///
/// It lives as long as the process: instruments in statics point to it.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    pub(crate) number_kind: Number,
    /// The label keys of the instrument, without the registry's constant labels.
    pub(crate) keys: Vec<Cow<'static, str>>,
    pub(crate) place: &'static Location<'static>,
    /// Process-wide, so that a thread's look-up table can tell families apart by a number.
    pub(crate) number: u32,
    pub(crate) space: Space,
    /// How often a series was removed, and one more.
    removals: AtomicU32,
    /// What a histogram was told in the source.
    pub(crate) told: HistogramOptions,
    /// How it keeps its values: as it was told, or as a view asked for.
    histogram: HistogramOptions,
    set: SeriesSet,
}

#[derive(Debug)]
enum SeriesSet {
    Closed(ClosedSet),
    Open(OpenSet),
}

/// A label set whose combinations are known: each has an id, `base` plus its index.
#[derive(Debug)]
struct ClosedSet {
    base: u32,
    len: usize,
    at: fn(usize) -> Vec<Cow<'static, str>>,
    /// Guards what readers walk; only the registry's labels are locked inside it.
    seen: Mutex<Seen>,
}

/// The combinations that some reader has seen.
#[derive(Debug)]
struct Seen {
    keys: Arc<Keys>,
    list: Arc<SeriesList>,
}

/// Series as readers walk them: sorted by labels. It is replaced and not changed, so that a reader
/// that kept it can tell by its address whether anything it knows of the series has changed.
#[derive(Debug, Default)]
pub(crate) struct SeriesList {
    pub(crate) series: Vec<Listed>,
}

/// One series of a list.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) id: u32,
    pub(crate) labels: LabelSet,
    /// When it was made; `None` for one that is as old as what it is read from.
    started: Option<Ticks>,
    /// The family's count of removals when the process's own storage last had a value of it.
    touched: AtomicU32,
}

impl Listed {
    pub(crate) fn new(id: u32, labels: LabelSet, started: Option<Ticks>) -> Self {
        Self { id, labels, started, touched: AtomicU32::new(0) }
    }
}

/// How the series of a family are told apart.
pub(crate) enum Shape {
    Closed {
        len: usize,
        at: fn(usize) -> Vec<Cow<'static, str>>,
    },
    /// `limit` if the instrument has one of its own.
    Open {
        limit: Option<usize>,
        settings: Arc<Settings>,
        idle: Option<Duration>,
    },
}

impl Family {
    pub(crate) fn new(
        descriptor: &Descriptor,
        keys: Vec<Cow<'static, str>>,
        constant: &LabelSet,
        shape: Shape,
        view: &InstrumentView,
    ) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let space = Space::of(descriptor.kind);
        let all_keys = Arc::new(Keys::new(&keys, constant));
        let told = descriptor.histogram;
        let histogram = match view.aggregation() {
            Some(asked) if descriptor.kind == Kind::Histogram => told.aggregation(asked),
            _ => told,
        };
        let set = match shape {
            Shape::Closed { len, at } => SeriesSet::Closed(ClosedSet {
                base: space.reserve(histogram, len as u32),
                len,
                at,
                seen: Mutex::new(Seen { keys: all_keys, list: Arc::default() }),
            }),
            Shape::Open { limit, settings, idle } => {
                let limit = view.limit().or(limit);
                let ids = Ids::new(space, histogram);
                SeriesSet::Open(OpenSet::new(ids, all_keys, limit, settings, idle))
            }
        };
        Self {
            name: descriptor.name,
            help: descriptor.help,
            kind: descriptor.kind,
            unit: descriptor.unit,
            number_kind: descriptor.number,
            place: descriptor.place,
            keys,
            number,
            space,
            removals: AtomicU32::new(1),
            told,
            histogram,
            set,
        }
    }

    /// Whether the series are told apart in the same way: both looked up, or both by the same place
    /// for the same values.
    pub(crate) fn has_shape(&self, shape: &Shape) -> bool {
        match (&self.set, shape) {
            (SeriesSet::Open(_), Shape::Open { .. }) => true,
            (SeriesSet::Closed(set), Shape::Closed { len, at }) => {
                // The same type nearly always; where the compiler made two of one function, its texts.
                let same_texts = || (0..*len).all(|index| (set.at)(index) == at(index));
                set.len == *len && (std::ptr::fn_addr_eq(set.at, *at) || same_texts())
            }
            _ => false,
        }
    }

    /// Puts the labels that the registry has now on all series, in the place of those it had.
    pub(crate) fn relabel(&self, settings: &Settings) {
        // Asked inside the family's lock: of two changes that cross, both tell the later labels.
        let keys = || Arc::new(Keys::new(&self.keys, &settings.labels()));
        match &self.set {
            SeriesSet::Closed(set) => {
                let mut seen = set.seen.lock();
                *seen = Seen { keys: keys(), list: Arc::default() };
            }
            SeriesSet::Open(set) => set.relabel(keys),
        }
    }

    /// Whether it keeps its series as `view` asks.
    pub(crate) fn is_as_asked(&self, view: &InstrumentView) -> bool {
        let aggregation = view.aggregation().filter(|_| self.kind == Kind::Histogram);
        let limit = view.limit().and_then(|limit| Some((limit, self.open()?.limit())));
        aggregation.is_none_or(|asked| asked == self.histogram.aggregation)
            && limit.is_none_or(|(asked, own)| asked == own)
    }

    /// The id of the first series of a closed set; [`DISABLED`] in an open one.
    pub(crate) fn base(&self) -> u32 {
        match &self.set {
            SeriesSet::Closed(set) => set.base,
            SeriesSet::Open(_) => DISABLED,
        }
    }

    /// The id of the series at `index` of a closed set; [`DISABLED`] where ids have run out.
    pub(crate) fn id_at(&self, index: usize) -> u32 {
        match self.base() {
            DISABLED => DISABLED,
            base => base + index as u32,
        }
    }

    /// The series of an open set.
    pub(crate) fn open(&self) -> Option<&OpenSet> {
        match &self.set {
            SeriesSet::Open(set) => Some(set),
            SeriesSet::Closed(_) => None,
        }
    }

    /// Removes the series with these values, or in a closed set at this place; whether it was known.
    pub(crate) fn remove_series(
        &self,
        storage: &Storage,
        values: Visit<'_>,
        index: impl FnOnce() -> usize,
    ) -> bool {
        let known = match &self.set {
            SeriesSet::Closed(_) => {
                let id = self.id_at(index());
                let known = self.value(storage, &storage.reader(), id, false).is_some();
                self.remove(storage, id);
                known
            }
            SeriesSet::Open(set) => set.remove(values, |series| self.remove(storage, series.id)),
        };
        self.sweep();
        known
    }

    /// Makes the series `id` begin anew in `storage`, and disappear from it until somebody records.
    pub(crate) fn remove(&self, storage: &Storage, id: u32) {
        self.removals.fetch_add(1, Relaxed);
        match self.space {
            Space::Sum => {
                storage.remove_sum(id, |reader| match self.number_kind {
                    Number::Whole => reader.sum(id),
                    Number::Fraction => reader.float_sum(id).to_bits(),
                });
            }
            Space::Gauge => storage.remove_gauge(id),
            Space::Histogram => storage.remove_histogram(id),
        }
    }

    /// Removes all series, as [`remove`](Self::remove) does one.
    pub(crate) fn clear(&self, storage: &Storage) {
        match &self.set {
            SeriesSet::Closed(set) => {
                let reader = storage.reader();
                let ids = (0..set.len).map(|index| set.base + index as u32);
                ids.filter(|id| self.value(storage, &reader, *id, false).is_some())
                    .for_each(|id| self.remove(storage, id));
            }
            SeriesSet::Open(set) => {
                set.remove_where(|series| {
                    self.remove(storage, series.id);
                    true
                });
                set.overflow().into_iter().for_each(|id| self.remove(storage, id));
            }
        }
        self.sweep();
    }

    /// Gives up the removed series that nobody can write to and no storage shows.
    pub(crate) fn sweep(&self) {
        if let SeriesSet::Open(set) = &self.set {
            let shown = |id| {
                // One that was never touched there is no reason to keep it.
                let shows = |storage: &Arc<Storage>| {
                    self.value(storage, &storage.reader(), id, false).is_some()
                };
                Storage::all().iter().any(shows)
            };
            set.sweep(shown);
        }
    }

    /// Everything that `reader` holds of this family.
    pub(crate) fn read(&self, storage: &Storage, reader: &Reader) -> snapshot::Family {
        let mut series = Vec::new();
        self.walk(
            storage,
            reader,
            |_| None,
            |listed, started, value| {
                series.push(Series::new(listed.labels.clone(), value, started));
            },
        );
        let (name, help) = (self.name.into(), self.help.into());
        snapshot::Family { name, kind: self.kind, unit: self.unit, help, series }
    }

    /// Hands over each series that is there, in the order of the labels: when its sum began, and its
    /// value, of a histogram what `distribution` has for its id, if it has.
    pub(crate) fn walk(
        &self,
        storage: &Storage,
        reader: &Reader,
        distribution: impl Fn(u32) -> Option<SeriesValue>,
        mut each: impl FnMut(&Listed, Ticks, SeriesValue),
    ) {
        let (reading, list, always) = match &self.set {
            SeriesSet::Closed(set) => {
                let always = self.keys.is_empty();
                let is_there = |id| self.value(storage, reader, id, always).is_some();
                (None, set.list(is_there), always)
            }
            SeriesSet::Open(set) => (Some(set.reading()), set.list(), true),
        };
        // An id that changed hands since the reader was made has no base any more; from here on none
        // does.
        let newer = reading.as_ref().and_then(|_| storage.newer_reader(reader));
        let reader = newer.as_ref().unwrap_or(reader);
        for listed in &list.series {
            let value = match self.kind {
                Kind::Histogram => distribution(listed.id),
                // What a scope saw is not what the list remembers of the process's own.
                _ if storage.is_scoped() => None,
                _ => self.touched_sum(reader, listed),
            };
            let value = value.or_else(|| {
                let value = self.value(storage, reader, listed.id, always)?;
                if !storage.is_scoped() {
                    listed.touched.store(self.removals.load(Relaxed), Relaxed);
                }
                Some(value)
            });
            if let Some(value) = value {
                each(listed, self.started(storage, reader, listed), value);
            }
        }
    }

    /// The sum of a series that is not zero, and was not when it was last read: without asking the
    /// storage whether it was ever touched.
    #[inline]
    fn touched_sum(&self, reader: &Reader, listed: &Listed) -> Option<SeriesValue> {
        // Relaxed: where it is not seen, the storage is asked.
        let known = listed.touched.load(Relaxed) == self.removals.load(Relaxed);
        if !known || self.space != Space::Sum {
            return None;
        }
        let value = self.sum(reader, listed.id);
        (value.as_f64() != 0.0).then_some(value)
    }

    fn sum(&self, reader: &Reader, id: u32) -> SeriesValue {
        match (self.number_kind, self.kind) {
            (Number::Fraction, _) => SeriesValue::FloatCounter(reader.float_sum(id)),
            (_, Kind::UpDownCounter) => SeriesValue::UpDownCounter(reader.sum(id).cast_signed()),
            _ => SeriesValue::Counter(reader.sum(id)),
        }
    }

    /// Removes the series that have been idle for as long as the instrument says, and gives up what
    /// can be given up: before a snapshot is taken.
    pub(crate) fn tidy(&self, storage: &Storage) {
        if let Some((set, idle)) = self.open().and_then(|set| Some((set, set.idle()?))) {
            self.expire(storage, set, idle);
        }
        self.sweep();
    }

    fn expire(&self, storage: &Storage, set: &OpenSet, idle: Duration) {
        let (now, reader) = (clock::now(), storage.reader());
        set.remove_where(|series| {
            let Some(value) = self.value(storage, &reader, series.id, true) else { return false };
            let held = match &value {
                SeriesValue::Counter(sum) => *sum,
                value => value.as_f64().to_bits(),
            };
            let since = storage.unchanged_since(self.space, series.id, held, now);
            now.since(since) >= idle && self.remove_if(storage, series.id, &value)
        });
    }

    /// Removes the series `id` if it still shows `value`: what came meanwhile would be lost.
    fn remove_if(&self, storage: &Storage, id: u32, value: &SeriesValue) -> bool {
        self.removals.fetch_add(1, Relaxed);
        match value {
            SeriesValue::Counter(sum) => {
                let agrees = |held: u64, base| held.wrapping_sub(base) == *sum;
                storage.remove_sum_if(id, |reader| reader.sum(id), agrees).is_some()
            }
            SeriesValue::FloatCounter(sum) => {
                let bits = |reader: &Reader| reader.float_sum(id).to_bits();
                let agrees = |held, base| f64::from_bits(held) - f64::from_bits(base) == *sum;
                storage.remove_sum_if(id, bits, agrees).is_some()
            }
            SeriesValue::Histogram(histogram) => {
                storage.remove_histogram_if(id, |shown| shown == histogram.count())
            }
            SeriesValue::Summary(summary) => {
                storage.remove_histogram_if(id, |shown| shown == summary.count)
            }
            SeriesValue::Gauge(value) => storage.remove_gauge_if(id, *value),
            SeriesValue::Info => storage.remove_gauge_if(id, 1.0),
            // What somebody holds is not idle.
            SeriesValue::UpDownCounter(_) | SeriesValue::State(_) => false,
        }
    }

    /// When the sum of a series began, as `storage` shows it.
    fn started(&self, storage: &Storage, reader: &Reader, listed: &Listed) -> Ticks {
        let made = listed.started.map_or(storage.started(), |made| made.max(storage.started()));
        reader.removed_at(self.space, listed.id).map_or(made, |removed| removed.max(made))
    }

    /// The value of a series; `None` where it was never touched, unless it is `always` there.
    fn value(
        &self,
        storage: &Storage,
        reader: &Reader,
        id: u32,
        always: bool,
    ) -> Option<SeriesValue> {
        let expected = always;
        let always = always && !storage.is_scoped() && reader.removed_at(self.space, id).is_none();
        match self.kind {
            Kind::Counter | Kind::UpDownCounter => {
                let value = self.sum(reader, id);
                let is_zero = value.as_f64() == 0.0;
                (storage.was_touched(id, !is_zero) || always).then_some(value)
            }
            Kind::Gauge => reader.gauge(id).map(SeriesValue::Gauge),
            Kind::Info => reader.gauge(id).map(|_| SeriesValue::Info),
            Kind::StateSet => reader.gauge(id).map(|holds| SeriesValue::State(holds != 0.0)),
            Kind::Histogram => {
                let histogram = reader.histogram(id);
                let histogram =
                    histogram.or_else(|| always.then(|| chosen::empty(&self.histogram)));
                histogram.map(|histogram| SeriesValue::Histogram(Arc::new(histogram)))
            }
            Kind::Summary => {
                let histogram = reader.histogram(id);
                let shown = histogram.is_some() || always;
                // One that rests is read too: what comes next came after this.
                if !shown && !expected {
                    return None;
                }
                let summary = summary(storage, id, histogram.unwrap_or_default());
                shown.then_some(SeriesValue::Summary(Arc::new(summary)))
            }
        }
    }
}

/// The windows of a summary that has recorded `value` so far.
fn summary(storage: &Storage, id: u32, value: HistogramSnapshot) -> SummarySnapshot {
    let (count, sum, value) = (value.count(), value.sum(), Arc::new(value));
    let (now, spans) = ((clock::now(), &value), SPANS.map(|(span, _)| span));
    let before = storage.sliding().histograms_before(id, storage.started(), now, spans);
    let windows = before.map(|Baseline { asked, value: before, .. }| (asked, value.since(&before)));
    SummarySnapshot { count, sum, windows: windows.into() }
}

impl ClosedSet {
    /// The combinations that `is_there` knows or ever knew.
    ///
    /// One that was never touched is no series, save the only one of an instrument without labels,
    /// which is there from registration on.
    fn list(&self, is_there: impl Fn(u32) -> bool) -> Arc<SeriesList> {
        let mut seen = self.seen.lock();
        let Seen { keys, list } = &mut *seen;
        if list.series.len() == self.len {
            return list.clone();
        }
        let known: HashSet<u32> = list.series.iter().map(|listed| listed.id).collect();
        let new = (0..self.len).map(|index| self.base + index as u32);
        // Reading one costs more than to tell that it is known.
        let new: Vec<u32> = new.filter(|id| !known.contains(id) && is_there(*id)).collect();
        if !new.is_empty() {
            let known = list.series.iter();
            let known = known.map(|known| Listed::new(known.id, known.labels.clone(), None));
            let mut series: Vec<Listed> =
                known.chain(new.into_iter().map(|id| self.listed(id, keys))).collect();
            series.sort_by(|a, b| a.labels.cmp(&b.labels));
            *list = Arc::new(SeriesList { series });
        }
        list.clone()
    }

    fn listed(&self, id: u32, keys: &Arc<Keys>) -> Listed {
        let mut encoded = Encoded::new();
        for value in (self.at)((id - self.base) as usize) {
            encoded.push(&value);
        }
        let values = Combination(encoded.bytes().into());
        let labels = LabelSet::of_series(keys.clone(), Arc::new(values));
        Listed::new(id, labels, None)
    }
}

/// The values of one combination of a closed set.
struct Combination(Box<[u8]>);

impl crate::label::Values for Combination {
    fn encoded(&self) -> &[u8] {
        &self.0
    }
}

/// What a look-up of label values came to.
pub(crate) enum Found {
    /// A series of its own, and the right to write to it.
    Series(Pin),
    /// The series that takes what is beyond a limit.
    Overflow(u32),
}
