//! The series of one name: a block of ids for a closed label set, a growing map for an open one.

use std::{
    borrow::Cow,
    panic::{Location, catch_unwind},
    sync::Arc,
    time::Duration,
};

use super::{
    asked::InstrumentView,
    descriptor::{Descriptor, Number},
    list::{Listed, SeriesList},
    open::{OpenSet, Visit},
    settings::Settings,
};
use crate::{
    cells::{Baseline, DISABLED, Reader, SPANS, Space, Storage, histogram::chosen},
    clock::{self, Ticks},
    diagnostics,
    label::{Encoded, Keys, LabelSet},
    snapshot::{
        self, Choice, HistogramOptions, HistogramSnapshot, Kind, Series, SeriesValue,
        SummarySnapshot, Unit, merge,
    },
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
    pub(crate) space: Space,
    /// How often a series was removed, and one more.
    pub(crate) removals: AtomicU32,
    /// What a histogram was told in the source.
    pub(crate) told: HistogramOptions,
    /// How it keeps its values: as it was told, or as a view asked for.
    pub(crate) histogram: HistogramOptions,
    set: SeriesSet,
    /// Of its registry, whose ids its series have.
    _settings: Arc<Settings>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one for each family, and read by every look-up")]
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

/// Which combinations of a closed set some reader has seen, so that the others alone are looked at.
#[derive(Debug)]
struct Seen {
    keys: Arc<Keys>,
    /// A bit for each index that was seen.
    bits: Box<[u64]>,
    /// Those that were seen; `None` where it has to be made anew.
    list: Option<Arc<SeriesList>>,
}

/// How the series of a family are told apart.
pub(crate) enum Shape {
    Closed { len: usize, at: fn(usize) -> Vec<Cow<'static, str>> },
    Open,
}

impl Family {
    pub(crate) fn new(
        descriptor: &Descriptor,
        keys: Vec<Cow<'static, str>>,
        settings: &Arc<Settings>,
        shape: Shape,
        view: &InstrumentView,
    ) -> Self {
        let space = Space::of(descriptor.kind);
        let all_keys = Arc::new(Keys::new(&keys, &settings.labels()));
        let told = descriptor.histogram;
        let histogram = match view.aggregation() {
            Some(asked) if descriptor.kind == Kind::Histogram => told.aggregation(asked),
            _ => told,
        };
        let set = match shape {
            Shape::Closed { len, at } => {
                let base = settings.ids.reserve(space, histogram, len as u32);
                SeriesSet::Closed(ClosedSet::new(base, len, at, all_keys))
            }
            Shape::Open => {
                let limit = view.limit().or(descriptor.limit);
                let settings = settings.clone();
                SeriesSet::Open(OpenSet::new(descriptor, histogram, all_keys, limit, settings))
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
            space,
            removals: AtomicU32::new(1),
            told,
            histogram,
            set,
            _settings: settings.clone(),
        }
    }

    /// Whether the series are told apart in the same way: both looked up, or both by the same place
    /// for the same values.
    pub(crate) fn has_shape(&self, shape: &Shape) -> bool {
        match (&self.set, shape) {
            (SeriesSet::Open(_), Shape::Open) => true,
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
                (seen.keys, seen.list) = (keys(), None);
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

    /// The labels of all combinations of a closed set.
    pub(crate) fn combinations(&self) -> Vec<LabelSet> {
        let SeriesSet::Closed(set) = &self.set else { return Vec::new() };
        let keys = set.seen.lock().keys.clone();
        (0..set.len).filter_map(|at| Some(set.listed(at, &keys)?.labels)).collect()
    }

    /// Shows all series of a closed set in `storage`, whatever they hold.
    pub(crate) fn show_all(&self, storage: &Storage) {
        if let SeriesSet::Closed(set) = &self.set
            && set.base != DISABLED
        {
            let ids = set.base..set.base + set.len as u32;
            ids.for_each(|id| storage.show(self.space, id));
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
        let (mut series, mut has_twins) = (Vec::new(), false);
        self.walk(storage, reader, |reader, list, always| {
            has_twins = list.has_twins();
            series.extend(list.known().iter().filter_map(|listed| {
                let value = self.value(storage, reader, listed.id, always)?;
                let started = self.started(storage, reader, listed);
                Some(Series::new(listed.labels.clone(), value, started))
            }));
        });
        if has_twins {
            series = merge::fold(series, Choice::LatestStarted, |_, _| {});
        }
        let (name, help) = (self.name.into(), self.help.into());
        let (kind, unit, page_bounds) = (self.kind, self.unit, self.told.page_bounds);
        snapshot::Family { name, kind, unit, help, page_bounds, series }
    }

    /// Hands over the list of the series, in the order of the labels, and whether they are there
    /// without a value too; with a reader that knows of every removal.
    pub(crate) fn walk(
        &self,
        storage: &Storage,
        reader: &Reader,
        walk: impl FnOnce(&Reader, &Arc<SeriesList>, bool),
    ) {
        let (reading, list, always) = match &self.set {
            SeriesSet::Closed(set) => {
                let always = self.keys.is_empty();
                let is_there = |id| {
                    always || reader.is_recorded(self.space, id) || storage.is_shown(self.space, id)
                };
                (None, set.list(is_there), always)
            }
            SeriesSet::Open(set) => (Some(set.reading()), set.list(), true),
        };
        // An id that changed hands since the reader was made has no base any more; from here on none
        // does.
        let newer = reading.as_ref().and_then(|_| storage.newer_reader(reader));
        let reader = newer.as_ref().unwrap_or(reader);
        walk(reader, &list, always);
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
    pub(crate) fn started(&self, storage: &Storage, reader: &Reader, listed: &Listed) -> Ticks {
        let oldest = storage.started();
        let made = if let Some(made) = listed.made { made.max(oldest) } else { oldest };
        match reader.removed_at(self.space, listed.id) {
            None => made,
            Some(removed) => removed.max(made),
        }
    }

    /// The value of a series; `None` where it was never touched, unless it is `always` there.
    pub(crate) fn value(
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
                let is_there = value.as_f64() != 0.0;
                if is_there {
                    storage.show(self.space, id); // One that comes back to zero does not vanish.
                }
                (is_there || always || storage.is_shown(self.space, id)).then_some(value)
            }
            Kind::Gauge => reader.gauge(id).map(SeriesValue::Gauge),
            Kind::Info => reader.gauge(id).map(|_| SeriesValue::Info),
            Kind::StateSet => reader.gauge(id).map(|holds| SeriesValue::State(holds != 0.0)),
            Kind::Histogram => {
                let always = always || storage.is_shown(self.space, id);
                let histogram = reader.histogram(id);
                let histogram =
                    histogram.or_else(|| always.then(|| chosen::empty(&self.histogram)));
                histogram.map(|histogram| SeriesValue::Histogram(Arc::new(histogram)))
            }
            Kind::Summary => {
                let histogram = reader.histogram(id);
                let shown = histogram.is_some() || always || storage.is_shown(self.space, id);
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
    fn new(
        base: u32,
        len: usize,
        at: fn(usize) -> Vec<Cow<'static, str>>,
        keys: Arc<Keys>,
    ) -> Self {
        let seen = Seen { keys, bits: vec![0; len.div_ceil(64)].into(), list: None };
        Self { base, len, at, seen: Mutex::new(seen) }
    }

    /// The combinations that `is_there` knows or ever knew.
    ///
    /// One that was never touched is no series, save the only one of an instrument without labels,
    /// which is there from registration on.
    fn list(&self, is_there: impl Fn(u32) -> bool) -> Arc<SeriesList> {
        loop {
            let (keys, old, missing) = {
                let seen = self.seen.lock();
                (seen.keys.clone(), seen.list.clone(), self.missing(&seen, &is_there))
            };
            if let Some(list) = old.as_ref().filter(|_| missing.is_empty()) {
                return list.clone();
            }
            // Outside the lock: the type of the labels has code of its own.
            let mut known = old.as_ref().map_or_else(Vec::new, |list| list.known().to_vec());
            known.extend(missing.iter().filter_map(|&index| self.listed(index, &keys)));
            let list = Arc::new(SeriesList::of_combinations(known));
            let mut seen = self.seen.lock();
            let is_current = Arc::ptr_eq(&seen.keys, &keys)
                && seen.list.as_ref().map(Arc::as_ptr) == old.as_ref().map(Arc::as_ptr);
            if is_current {
                missing.iter().for_each(|index| seen.bits[index / 64] |= 1 << (index % 64));
                seen.list = Some(list.clone());
                return list;
            }
        }
    }

    /// The combinations that are not in the list and should be: those that `is_there` knows, and where
    /// there is no list all that were seen.
    fn missing(&self, seen: &Seen, is_there: impl Fn(u32) -> bool) -> Vec<usize> {
        let is_complete = seen.list.as_ref().is_some_and(|list| list.len() == self.len);
        if is_complete || self.base == DISABLED {
            return Vec::new();
        }
        let is_missing = |&index: &usize| match seen.bits[index / 64] >> (index % 64) & 1 {
            0 => is_there(self.base + index as u32),
            _ => seen.list.is_none(),
        };
        (0..self.len).filter(is_missing).collect()
    }

    /// The combination at `index`; `None` if its type panics instead of telling its values, which
    /// costs the family that series and nobody else anything.
    fn listed(&self, index: usize, keys: &Arc<Keys>) -> Option<Listed> {
        let at = self.at;
        let Ok(values) = catch_unwind(move || at(index)) else {
            let keys = keys.names().collect::<Vec<_>>().join(", ");
            let text = format_args!("the values of the labels {keys} at {index} panicked");
            diagnostics::report("labels", text);
            return None;
        };
        let mut encoded = Encoded::new();
        for value in values {
            encoded.push(&value);
        }
        let values = Combination::new(encoded.bytes());
        let labels = LabelSet::of_series(keys.clone(), Arc::new(values));
        Some(Listed { id: self.base + index as u32, labels, made: None })
    }
}

/// The values of one combination of a closed set; short ones lie where readers find them at once.
enum Combination {
    Short { len: u8, bytes: [u8; 22] },
    Long(Box<[u8]>),
}

impl Combination {
    fn new(encoded: &[u8]) -> Self {
        let mut bytes = [0; 22];
        match bytes.get_mut(..encoded.len()) {
            Some(to) => to.copy_from_slice(encoded),
            None => return Self::Long(encoded.into()),
        }
        Self::Short { len: encoded.len() as u8, bytes }
    }
}

impl crate::label::Values for Combination {
    fn encoded(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => &bytes[..usize::from(*len)],
            Self::Long(bytes) => bytes,
        }
    }
}
