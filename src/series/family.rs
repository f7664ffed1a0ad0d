//! The series of one name: a block of ids for a closed label set, a growing map for an open one.

use std::{
    borrow::Cow,
    panic::Location,
    sync::{Arc, OnceLock},
};

use once_cell::race::OnceRef;

use super::{
    asked::InstrumentView,
    closed::ClosedSet,
    descriptor::{Descriptor, Number},
    list::{Listed, SeriesList},
    open::OpenSet,
    pin::{Pin, Series as PinnedSeries},
    settings::Settings,
};
use crate::{
    cells::{Baseline, DISABLED, Reader, SPANS, Space, Storage, Tags, histogram::chosen},
    clock::{self, Ticks},
    label::{Keys, LabelSet},
    snapshot::{
        self, Choice, Exemplar, HistogramOptions, HistogramSnapshot, Kind, Series, SeriesValue,
        SummarySnapshot, Unit, merge,
    },
    sync::atomic::AtomicU32,
};

/// A registered family: its properties and its series.
///
/// It lives until it is removed from its registry, or the registry is gone, and no instrument of it is
/// left. Then its ids go to others: see `removal.rs`. A family that statics record into lives as long
/// as the process.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: Cow<'static, str>,
    help: Help,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    pub(crate) number_kind: Number,
    /// The label keys of the instrument, without the registry's constant labels.
    pub(crate) keys: Vec<Cow<'static, str>>,
    pub(crate) place: &'static Location<'static>,
    pub(crate) space: Space,
    /// How often a series was removed, plus one.
    pub(crate) removals: AtomicU32,
    /// The options of a histogram, as in the source.
    pub(crate) declared: HistogramOptions,
    /// How it keeps its values: by its options or by a view.
    pub(crate) histogram: HistogramOptions,
    /// The family of its rates, for a throughput.
    pub(crate) rates: Option<Arc<Family>>,
    /// Whether it is a family of rates, which is read with its throughput.
    pub(crate) is_rates: bool,
    /// The tags for writing to the series of a closed set.
    tags: Tags,
    pub(super) set: SeriesSet,
    /// Those of its registry, whose ids its series have.
    pub(super) settings: Arc<Settings>,
    /// When it was created, if another family may have had its name before: its sums began then.
    begun: Option<Ticks>,
    /// Itself, for statics.
    lasting: OnceRef<'static, Family>,
    /// For handles of series that are released with the family: those of a closed set, and the overflow
    /// series.
    pub(super) anchor: Arc<PinnedSeries>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one for each family, and read by every look-up")]
pub(super) enum SeriesSet {
    Closed(ClosedSet),
    Open(OpenSet),
}

/// What a family measures, in words: as it was registered, or as it was said later.
#[derive(Debug)]
struct Help {
    registered: Cow<'static, str>,
    later: OnceLock<Cow<'static, str>>, // Only if `registered` is empty.
}

/// How the series of a family are identified.
pub(crate) enum Shape {
    Closed {
        len: usize,
        at: fn(usize) -> Vec<Cow<'static, str>>,
    },
    Open,
    /// As `Open`, with keys that are learned.
    AnyKeys,
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
        let declared = descriptor.histogram;
        let histogram = match view.aggregation() {
            Some(asked) if descriptor.kind == Kind::Histogram => declared.aggregation(asked),
            _ => declared,
        };
        let set = match shape {
            Shape::Closed { len, at } => {
                let base = settings.ids.reserve(space, histogram, len as u32);
                SeriesSet::Closed(ClosedSet::new(base, len, at, all_keys))
            }
            Shape::Open | Shape::AnyKeys => {
                let limit = view.limit().or(descriptor.limit);
                let settings = settings.clone();
                let set = OpenSet::new(descriptor, histogram, all_keys, limit, settings);
                let takes_any = matches!(shape, Shape::AnyKeys);
                SeriesSet::Open(if takes_any { set.of_any_keys() } else { set })
            }
        };
        Self {
            name: descriptor.name.clone(),
            help: Help { registered: descriptor.help.clone(), later: OnceLock::new() },
            kind: descriptor.kind,
            unit: descriptor.unit,
            number_kind: descriptor.number,
            place: descriptor.place,
            keys,
            space,
            removals: AtomicU32::new(1),
            declared,
            histogram,
            rates: None,
            is_rates: false,
            tags: Tags::new(space, false, descriptor.keeps_exemplars),
            set,
            settings: settings.clone(),
            begun: None,
            lasting: OnceRef::new(),
            anchor: Arc::new(PinnedSeries::new(DISABLED, clock::now(), &[])),
        }
    }

    /// What it measures, in words.
    pub(crate) fn help(&self) -> &Cow<'static, str> {
        self.help.later.get().unwrap_or(&self.help.registered)
    }

    /// Sets what it measures, if nobody has said so yet. Returns whether nobody had.
    pub(crate) fn describe(&self, help: &str) -> bool {
        self.help().is_empty() && self.help.later.set(help.to_owned().into()).is_ok()
    }

    /// Makes its sums begin now: another family may have had its name before.
    pub(crate) fn begin_now(&mut self) {
        self.begun = Some(clock::now());
    }

    /// The family for a static: from now on it lives as long as the process.
    pub(crate) fn lasting(self: &Arc<Self>) -> &'static Self {
        self.lasting.get_or_init(|| Box::leak(Box::new(self.clone())))
    }

    /// A pin of its series that are released with it; `None` if that never happens.
    pub(crate) fn pin(&self) -> Option<Pin> {
        (!self.is_lasting()).then(|| self.anchor.pin())
    }

    /// Whether statics record into it.
    pub(crate) fn is_lasting(&self) -> bool {
        self.lasting.get().is_some()
    }

    /// Whether the series are identified in the same way: both looked up, or both by the same index for
    /// the same values.
    pub(crate) fn has_shape(&self, shape: &Shape) -> bool {
        match (&self.set, shape) {
            (SeriesSet::Open(set), Shape::Open) => !set.takes_any_keys(),
            (SeriesSet::Open(set), Shape::AnyKeys) => set.takes_any_keys(),
            (SeriesSet::Closed(set), Shape::Closed { len, at }) => {
                // Nearly always the same type. If the compiler made two of one function, the texts are
                // compared.
                let same_texts = || (0..*len).all(|index| (set.at)(index) == at(index));
                set.len == *len && (std::ptr::fn_addr_eq(set.at, *at) || same_texts())
            }
            _ => false,
        }
    }

    /// Sets the registry's current labels on all series, in place of the previous ones.
    pub(crate) fn relabel(&self, settings: &Settings) {
        match &self.set {
            SeriesSet::Closed(set) => {
                let mut seen = set.seen.lock();
                // Read inside the lock: if two changes run at once, both set the later labels.
                let keys = Arc::new(Keys::new(&self.keys, &settings.labels()));
                (seen.keys, seen.list) = (keys, None);
            }
            SeriesSet::Open(set) => set.relabel(&self.keys, settings),
        }
    }

    /// Whether it keeps its series as `view` requires.
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

    /// The id of the series at `index` of a closed set; [`DISABLED`] if ids have run out.
    pub(crate) fn id_at(&self, index: usize) -> u32 {
        match self.base() {
            DISABLED => DISABLED,
            base => base + index as u32,
        }
    }

    /// The id for writing to the series at `index` of a closed set.
    pub(crate) fn writing_id(&self, index: usize) -> u32 {
        self.tags.on(self.id_at(index))
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

    /// Shows the series of a closed set whose indices are `listed`, in `storage`, whatever their
    /// values.
    pub(crate) fn show_all(&self, storage: &Storage, is_listed: fn(usize) -> bool) {
        if let SeriesSet::Closed(set) = &self.set
            && set.base != DISABLED
        {
            let listed = (0..set.len).filter(|&index| is_listed(index));
            listed.for_each(|index| storage.show(self.space, set.base + index as u32));
        }
    }

    /// All series of this family in `reader`.
    pub(crate) fn read(&self, storage: &Storage, reader: &Reader) -> snapshot::Family {
        let (mut series, mut has_twins) = (Vec::new(), false);
        self.walk(storage, reader, |reader, list, always| {
            has_twins = list.has_twins();
            series.extend(list.known().iter().filter_map(|listed| {
                let exemplar = self.exemplar(reader, listed.id).cloned();
                let value = self.value(storage, reader, listed.id, always)?;
                let started = self.started(storage, reader, listed);
                Some(Series::new(listed.labels.clone(), value, started).with_exemplar(exemplar))
            }));
        });
        if has_twins {
            series = merge::fold(series, Choice::LatestStarted, |_, _| {});
        }
        let (name, help) = (self.name.clone(), self.help().clone());
        let (kind, unit, page_bounds) = (self.kind, self.unit, self.declared.page_bounds);
        snapshot::Family { name, kind, unit, help, page_bounds, begins_at_zero: true, series }
    }

    /// Calls `walk` with the list of the series, in the order of the labels, and whether they are there
    /// even without a value; also with a reader that knows of every removal.
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
                    always || reader.is_recorded(self.space, id) || reader.is_shown(self.space, id)
                };
                (None, set.list(is_there), always)
            }
            SeriesSet::Open(set) => (Some(set.reading()), set.list(), true),
        };
        // If an id was reused since the reader was created, its base is gone. From here on no id is
        // reused.
        let newer = reading.as_ref().and_then(|_| storage.newer_reader(reader));
        let reader = newer.as_ref().unwrap_or(reader);
        walk(reader, &list, always);
    }

    /// The exemplar of a series of a counter.
    pub(super) fn exemplar<'a>(&self, reader: &'a Reader, id: u32) -> Option<&'a Exemplar> {
        let is_counter = self.kind == Kind::Counter;
        is_counter.then(|| reader.exemplars(Space::Sum, id).last()).flatten()
    }

    fn sum(&self, reader: &Reader, id: u32) -> SeriesValue {
        match (self.number_kind, self.kind) {
            (Number::Fraction, _) => SeriesValue::FloatCounter(reader.float_sum(id)),
            (_, Kind::UpDownCounter) => SeriesValue::UpDownCounter(reader.sum(id).cast_signed()),
            _ => SeriesValue::Counter(reader.sum(id)),
        }
    }

    /// When the sum of a series began, in `storage`.
    pub(crate) fn started(&self, storage: &Storage, reader: &Reader, listed: &Listed) -> Ticks {
        let oldest = storage.started();
        let made = listed.made.or(self.begun).map_or(oldest, |made| made.max(oldest));
        match reader.removed_at(self.space, listed.id) {
            None => made,
            Some(removed) => removed.max(made),
        }
    }

    /// The value of a series. `None` if it was never touched, unless it is `always` there.
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
                if is_there && !reader.is_shown(self.space, id) {
                    // A sum that returns to zero must not vanish.
                    storage.keep_shown(reader, self.space, id);
                }
                (is_there || always || reader.is_shown(self.space, id)).then_some(value)
            }
            Kind::Gauge => reader.gauge(id).map(SeriesValue::Gauge),
            Kind::Info => reader.gauge(id).map(|_| SeriesValue::Info),
            Kind::StateSet => reader.gauge(id).map(|holds| SeriesValue::State(holds != 0.0)),
            Kind::Histogram => {
                let always = always || reader.is_shown(self.space, id);
                let histogram = reader.histogram(id).map(|mut histogram| {
                    histogram.add_exemplars(reader.exemplars(Space::Histogram, id));
                    histogram
                });
                let histogram =
                    histogram.or_else(|| always.then(|| chosen::empty(&self.histogram)));
                histogram.map(|histogram| SeriesValue::Histogram(Arc::new(histogram)))
            }
            Kind::Summary => {
                let histogram = reader.histogram(id);
                let shown = histogram.is_some() || always || reader.is_shown(self.space, id);
                // Read even without a value: later values then come after this reading.
                if !shown && !expected {
                    return None;
                }
                let summary = summary(storage, id, histogram.unwrap_or_default());
                shown.then_some(SeriesValue::Summary(Arc::new(summary)))
            }
        }
    }
}

/// The summary with its windows; `value` is everything it has recorded so far.
fn summary(storage: &Storage, id: u32, value: HistogramSnapshot) -> SummarySnapshot {
    let (count, sum, value) = (value.count(), value.sum(), Arc::new(value));
    let (now, spans) = ((clock::now(), &value), SPANS.map(|(span, _)| span));
    let before = storage.sliding().histograms_before(id, storage.started(), now, spans);
    let windows = before.map(|Baseline { asked, value: before, .. }| (asked, value.since(&before)));
    SummarySnapshot { count, sum, windows: windows.into() }
}
