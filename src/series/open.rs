//! The series of an open label set: they are created with their values, up to a limit, and can be
//! removed.
//!
//! ```text
//!  values ─► the thread's look-up table ─ miss ─► map of the family ─ new ─► limit, budget ─► id
//!                                                      │                        └─ full ─► overflow
//!  remove, clear, expire ─► begins again, off page ────┴─ no writer left ─► id free
//! ```

use std::{
    borrow::{Borrow, Cow},
    collections::{HashMap, HashSet},
    fmt,
    hash::{Hash, Hasher},
    panic::Location,
    sync::Arc,
    time::Duration,
};

use parking_lot::{RwLock, RwLockReadGuard};

use super::{
    descriptor::Descriptor,
    list::{Listed, SeriesList},
    pin::{Pin, Series},
    settings::Settings,
};
use crate::{
    cells::{self, DISABLED, Space, Tags},
    clock, diagnostics,
    label::{Encoded, Keys, LabelSet, OVERFLOW_KEY, decode},
    snapshot::HistogramOptions,
    sync::Mutex,
    util::hash::BuildHash,
};

/// Calls its argument with each label value in turn; may be called more than once.
pub(crate) type Visit<'a> = &'a dyn Fn(&mut dyn FnMut(&str));

/// The result of a look-up of label values.
pub(crate) enum Found {
    /// A series of its own, with the right to write to it.
    Series(Pin),
    /// The overflow series.
    Overflow(u32),
}

/// An open label set of one family.
pub(crate) struct OpenSet {
    /// Unique in the process, so that a thread's look-up table can tell sets apart by a number.
    number: u32,
    /// The name of the instrument, and its place in the source.
    name: Cow<'static, str>,
    place: &'static Location<'static>,
    /// The space from which its ids come, in the registry.
    pub(super) space: Space,
    histogram: HistogramOptions,
    /// Its own limit, if it has one.
    limit: Option<usize>,
    /// Those of its registry.
    pub(super) settings: Arc<Settings>,
    idle: Option<Duration>,
    tags: Tags,
    /// Whether its series have labels with any keys: see `any_keys.rs`.
    takes_any_keys: bool,
    /// Guards the series. Inside it, only the locks of the free ids, of the registry's labels and, in a
    /// sweep, of storages are taken.
    pub(super) known: Mutex<Known>,
    /// Read-locked while a reader walks the list, so that no id goes to another series.
    pub(super) walk: RwLock<()>,
}

pub(super) struct Known {
    /// The keys that were learned, in the order of their values, if the set takes any.
    pub(super) learned: Vec<Cow<'static, str>>,
    /// The keys of the series, and the registry's labels.
    pub(super) keys: Arc<Keys>,
    pub(super) by_key: HashSet<ByKey, BuildHash>,
    /// Removed series, which are freed when no thread can write to them any more.
    pub(super) removed: HashMap<u32, Arc<Series>>, // By id.
    /// How many of these are still marked as removed; the others were brought back.
    pub(super) n_removed: usize,
    pub(super) overflow: Option<u32>,
    /// The list that readers walk; `None` if it must be rebuilt.
    pub(super) list: Option<Arc<SeriesList>>,
}

/// A series in a hash set, found by its encoded values.
pub(super) struct ByKey(pub(super) Arc<Series>);

/// Why there is no series for new label values.
#[derive(Clone, Copy)]
pub(super) enum Full {
    Keys(usize),
    Limit(usize),
    Budget(u64),
    Ids,
}

impl OpenSet {
    pub(crate) fn new(
        descriptor: &Descriptor,
        histogram: HistogramOptions,
        keys: Arc<Keys>,
        limit: Option<usize>,
        settings: Arc<Settings>,
    ) -> Self {
        let Descriptor { place, idle, kind, keeps_exemplars, .. } = *descriptor;
        let name = descriptor.name.clone();
        let space = Space::of(kind);
        let tags = Tags::new(space, idle.is_some(), keeps_exemplars);
        let number = NUMBERS.lock().take();
        let (known, walk) = (Mutex::new(Known::new(keys)), RwLock::default());
        let takes_any_keys = false;
        Self {
            number,
            name,
            place,
            space,
            histogram,
            limit,
            settings,
            idle,
            tags,
            takes_any_keys,
            known,
            walk,
        }
    }

    /// The set, for labels with any keys.
    pub(crate) fn of_any_keys(mut self) -> Self {
        self.takes_any_keys = true;
        self
    }

    pub(crate) fn takes_any_keys(&self) -> bool {
        self.takes_any_keys
    }

    #[inline(always)]
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit.unwrap_or_else(|| self.settings.series_limit())
    }

    pub(crate) fn idle(&self) -> Option<Duration> {
        self.idle
    }

    /// The tags for writing to its series.
    #[inline]
    pub(crate) fn tags(&self) -> Tags {
        self.tags
    }

    /// Sets the registry's current labels on the series, besides the labels with `own` keys.
    pub(crate) fn relabel(&self, own: &[Cow<'static, str>], settings: &Settings) {
        let _busy = cells::busy();
        let mut known = self.known.lock();
        // Read inside the lock: if two changes run at once, both set the later labels.
        let own = if self.takes_any_keys { &known.learned } else { own };
        known.keys = Arc::new(Keys::new(own, &settings.labels()));
        known.list = None;
    }

    /// No id goes to another series until the guard is dropped.
    pub(crate) fn reading(&self) -> RwLockReadGuard<'_, ()> {
        // Recursive, because a callback of an exporter may read while a sweep waits.
        self.walk.read_recursive()
    }

    /// The series with these values. It is created if it does not exist and there is room for it.
    pub(crate) fn find_or_add(&self, values: Visit<'_>) -> Found {
        let (mut encoded, mut truncated, mut is_inside) = (Encoded::new(), 0, false);
        // Each is guarded, because foreign code produces the values and may record.
        values(&mut |value| {
            if !is_inside {
                let pushed = cells::guarded(|| encoded.push(value));
                truncated += u64::from(pushed == Some(true));
                is_inside = pushed.is_none();
            }
        });
        if is_inside {
            return Found::Overflow(DISABLED);
        }
        let found = cells::guarded(move || {
            let encoded = encoded; // Freed inside.
            let mut known = self.known.lock();
            if let Some(pin) = known.pin(encoded.bytes()) {
                return (Found::Series(pin), None, 0);
            }
            match self.add(&mut known, encoded.bytes()) {
                Ok(pin) => (Found::Series(pin), None, truncated),
                Err(full) => {
                    let (id, widest) = self.overflow_of(&mut known);
                    (Found::Overflow(id), Some((full, widest)), 0)
                }
            }
        });
        // The thread is inside already, because its allocator records.
        let Some((found, overflow, truncated)) = found else { return Found::Overflow(DISABLED) };
        if truncated > 0 {
            cells::tally(|tally| tally.truncate(truncated));
        }
        if let Some((full, widest)) = overflow {
            self.report_overflow(full, widest);
        }
        found
    }

    /// The overflow series, instead of one with labels for which there is no room.
    pub(super) fn overflow_for(&self, full: Full) -> Found {
        let found = cells::guarded(|| self.overflow_of(&mut self.known.lock()));
        let Some((id, widest)) = found else { return Found::Overflow(DISABLED) };
        self.report_overflow(full, widest);
        Found::Overflow(id)
    }

    /// The id of the overflow series; if this makes it, also the key that has the most values.
    fn overflow_of(&self, known: &mut Known) -> (u32, Option<(String, usize)>) {
        if let Some(id) = known.overflow {
            return (id, None);
        }
        let id = self.reserve_id();
        (known.overflow, known.list) = (Some(id), None);
        (id, Some(known.widest()))
    }

    fn report_overflow(&self, full: Full, widest: Option<(String, usize)>) {
        cells::tally(|tally| tally.overflow(&self.name, 1));
        if let Some(widest) = widest {
            self.warn(full, widest);
        }
    }

    fn add(&self, known: &mut Known, encoded: &[u8]) -> Result<Pin, Full> {
        // Removed series that can still be written to take bytes, but do not count towards the limit.
        let live = known.by_key.len() - known.n_removed;
        let limit = self.limit();
        if live >= limit {
            return Err(Full::Limit(limit));
        }
        let id = self.reserve_id();
        if id == DISABLED {
            return Err(Full::Ids);
        }
        let series = Arc::new(Series::new(id, clock::now(), encoded));
        if !self.settings.budget.take(series.weight()) {
            self.give_id_back(id);
            return Err(Full::Budget(self.settings.budget.limit()));
        }
        let pin = series.pin();
        known.by_key.insert(ByKey(series));
        known.list = None;
        Ok(pin)
    }

    fn reserve_id(&self) -> u32 {
        self.settings.ids.reserve(self.space, self.histogram, 1)
    }

    /// Frees an id: its cells are reset and no thread writes to them.
    pub(super) fn give_id_back(&self, id: u32) {
        self.settings.ids.give_back(self.space, self.histogram, id, 1);
    }

    /// Frees the number for another set: by now no thread may find its remembered series by it.
    pub(super) fn give_number_back(&self) {
        NUMBERS.lock().free.push(self.number);
    }

    /// The id of the overflow series, if there is one.
    pub(crate) fn overflow(&self) -> Option<u32> {
        self.known.lock().overflow
    }

    /// Reports that there is no series for new label values, and which key has the most values.
    fn warn(&self, full: Full, (key, values): (String, usize)) {
        let (name, place) = (&self.name, self.place);
        let limit = match full {
            Full::Keys(keys) => format!("its limit of {keys} label keys"),
            Full::Limit(limit) => format!("its limit of {limit} series"),
            Full::Budget(bytes) => format!("its registry's budget of {bytes} bytes"),
            Full::Ids => "the end of the ids of this process".to_owned(),
        };
        diagnostics::report(
            "cardinality",
            format_args!(
                "{name} ({place}) has reached {limit}: its label {key:?} has {values} values; more label \
                 sets go to the series {OVERFLOW_KEY}=\"true\""
            ),
        );
    }

    /// All series, including removed ones and the overflow series.
    pub(crate) fn list(&self) -> Arc<SeriesList> {
        let _busy = cells::busy();
        let mut known = self.known.lock();
        if let Some(list) = &known.list {
            return list.clone();
        }
        let listed = |ByKey(series): &ByKey| {
            let labels = LabelSet::of_series(known.keys.clone(), series.clone());
            Listed { id: series.id, labels, made: Some(series.started) }
        };
        let overflow = known.overflow.map(|id| {
            let labels = self.settings.labels().with([(OVERFLOW_KEY, "true")]);
            Listed { id, labels, made: None }
        });
        let all = known.by_key.iter().map(listed).chain(overflow).collect();
        let list = Arc::new(SeriesList::new(all));
        known.list = Some(list.clone());
        list
    }
}

/// The numbers of the existing sets.
struct Numbers {
    free: Vec<u32>,
    next: u32,
}

/// No lock is taken inside it.
static NUMBERS: Mutex<Numbers> = Mutex::new(Numbers { free: Vec::new(), next: 0 });

impl Numbers {
    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }
}

impl fmt::Debug for OpenSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSet").field("limit", &self.limit()).finish_non_exhaustive()
    }
}

impl Known {
    fn new(keys: Arc<Keys>) -> Self {
        let (by_key, removed) = (HashSet::default(), HashMap::new());
        let learned = Vec::new();
        Self { learned, keys, by_key, removed, n_removed: 0, overflow: None, list: None }
    }

    /// A pin of the series with these values; if it was removed, this brings it back.
    fn pin(&mut self, encoded: &[u8]) -> Option<Pin> {
        let ByKey(series) = self.by_key.get(encoded)?;
        self.n_removed -= usize::from(series.is_removed());
        Some(series.pin())
    }

    /// The key with the most different values, and their number: this is the key that grows.
    fn widest(&self) -> (String, usize) {
        let mut values: HashMap<usize, HashSet<&str>> = HashMap::new();
        for ByKey(series) in &self.by_key {
            for (place, value) in decode(series.key()).enumerate() {
                values.entry(place).or_default().insert(value);
            }
        }
        let counts = values.iter().map(|(place, values)| (values.len(), *place));
        let (count, place) = counts.max().unwrap_or_default();
        (self.keys.of_place(place).unwrap_or_default().to_owned(), count)
    }
}

impl Borrow<[u8]> for ByKey {
    fn borrow(&self) -> &[u8] {
        self.0.key()
    }
}

impl PartialEq for ByKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.key() == other.0.key()
    }
}

impl Eq for ByKey {}

impl Hash for ByKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key().hash(state);
    }
}
