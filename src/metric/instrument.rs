//! What all instruments share: a description written in the source, and its series.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use once_cell::race::OnceRef;

use super::{handle::Handle, registry::Registry};
use crate::{
    cells::{self, DISABLED, Space, UNREGISTERED, current_storage, guarded},
    error::Error,
    label::{LabelSet, Labels},
    series::{Descriptor, Family, Number, Visit, is_closed, is_disabled, lookup, refused},
    snapshot::{HistogramOptions, Kind, Range, Unit, key_fault, name_fault},
    sync::atomic::{
        AtomicU32,
        Ordering::{Acquire, Relaxed, Release},
    },
};

/// A description that registers itself when it is first used.
pub(crate) struct Instrument {
    descriptor: Descriptor,
    /// The id of the first series of a closed set. [`UNREGISTERED`] before the first use; [`DISABLED`]
    /// after a conflict, and for open sets, whose series are looked up.
    base: AtomicU32,
    /// As `base`, for handles that need no pin on their series. Never set if a registry built the
    /// instrument: it may be dropped before its handles.
    handle_base: AtomicU32,
    /// Not set before registration, after a conflict, or if a registry built the instrument.
    family: OnceRef<'static, Family>,
    /// After a conflict, the id of the refused instrument: see `series/refused.rs`.
    refused: AtomicU32,
    /// The family, if a registry built the instrument. Its options are then fixed.
    made: Option<Arc<Family>>,
    /// A nanosecond in the unit of the instrument, computed once: timers multiply by it.
    per_nano: f64,
}

impl Instrument {
    /// An instrument for a static.
    ///
    /// # Panics
    ///
    /// Panics if `name` is not legal. In a static, this is a compile error.
    #[track_caller]
    pub(crate) const fn new(name: &'static str, help: &'static str, kind: Kind) -> Self {
        if let Some(fault) = name_fault(name) {
            panic!("{}", fault);
        }
        Self {
            descriptor: Descriptor::new(name, help, kind),
            base: AtomicU32::new(UNREGISTERED),
            handle_base: AtomicU32::new(UNREGISTERED),
            family: OnceRef::new(),
            refused: AtomicU32::new(DISABLED),
            made: None,
            per_nano: per_nano(Unit::NONE),
        }
    }

    /// Panics if a registry built the instrument.
    #[track_caller]
    const fn assert_new(&self) {
        assert!(self.made.is_none(), "an instrument of a registry stays what it was registered as");
    }

    pub(crate) const fn unit(&mut self, unit: Unit) {
        self.assert_new();
        self.descriptor.unit = unit;
        self.per_nano = per_nano(unit);
    }

    /// The instrument with sums of fractions.
    pub(crate) const fn of_fractions(mut self) -> Self {
        self.assert_new();
        self.descriptor.number = Number::Fraction;
        self
    }

    /// The instrument with a family of rates beside it.
    pub(crate) const fn of_rates(mut self) -> Self {
        self.assert_new();
        self.descriptor.has_rates = true;
        self
    }

    /// Limits a gauge to values in `range`. Its records take the slow path, which checks them.
    ///
    /// # Panics
    ///
    /// Panics if the range is not legal. In a static, this is a compile error.
    pub(crate) const fn within(&mut self, range: Range) {
        self.assert_new();
        if let Some(fault) = range.fault() {
            panic!("{}", fault);
        }
        self.descriptor.range = Some(range);
    }

    pub(crate) const fn series_limit(&mut self, limit: usize) {
        self.assert_new();
        self.descriptor.limit = Some(limit);
    }

    pub(crate) const fn expire_after(&mut self, idle: Duration) {
        self.assert_new();
        self.descriptor.idle = Some(idle);
    }

    pub(crate) const fn exemplars(&mut self) {
        self.assert_new();
        self.descriptor.keeps_exemplars = true;
    }

    /// The instrument with these keys of dynamic labels.
    ///
    /// # Panics
    ///
    /// Panics if a key is not legal. In a static, this is a compile error.
    pub(crate) const fn keys(&mut self, keys: &'static [&'static str]) {
        self.assert_new();
        let mut place = 0;
        while place < keys.len() {
            if let Some(fault) = key_fault(keys[place]) {
                panic!("{}", fault);
            }
            place += 1;
        }
        self.descriptor.keys = keys;
    }

    /// The current options of a histogram.
    pub(crate) const fn histogram(&self) -> HistogramOptions {
        self.descriptor.histogram
    }

    /// A histogram with `options`.
    ///
    /// # Panics
    ///
    /// Panics if they are not legal. In a static, this is a compile error.
    pub(crate) const fn with_histogram(&mut self, options: HistogramOptions) {
        self.assert_new();
        if let Some(fault) = options.fault() {
            panic!("{}", fault);
        }
        self.descriptor.histogram = options;
    }

    /// An instrument that a registry has registered.
    pub(crate) fn registered(descriptor: Descriptor, family: Arc<Family>) -> Self {
        Self {
            base: AtomicU32::new(base_of(&descriptor, &family)),
            handle_base: AtomicU32::new(DISABLED),
            family: OnceRef::new(),
            refused: AtomicU32::new(DISABLED),
            per_nano: per_nano(descriptor.unit),
            made: Some(family),
            descriptor,
        }
    }

    /// An instrument in place of one that a registry has refused: what it would have recorded is counted
    /// by its name.
    #[cfg(any(feature = "metrics", feature = "opentelemetry"))]
    pub(crate) fn refused(descriptor: Descriptor) -> Self {
        let id = if descriptor.name.is_empty() { DISABLED } else { refused::id_for(&descriptor) };
        Self {
            base: AtomicU32::new(DISABLED),
            handle_base: AtomicU32::new(DISABLED),
            family: OnceRef::new(),
            refused: AtomicU32::new(id),
            per_nano: per_nano(descriptor.unit),
            made: None,
            descriptor,
        }
    }

    /// The family, if it is registered.
    fn known_family(&self) -> Option<&Family> {
        self.family.get().or(self.made.as_deref())
    }

    /// The id of the only series, for the hot path: a legal id, or one beyond every table.
    #[inline(always)]
    pub(crate) fn id(&self) -> u32 {
        // Relaxed: a stale value takes the slow path, which checks again.
        self.base.load(Relaxed)
    }

    /// The id of the only series, after registering; `None` if the instrument is disabled.
    #[cold]
    pub(crate) fn register_id(&self) -> Option<u32> {
        let id = self.family::<()>()?.base();
        (id != DISABLED).then_some(id)
    }

    /// The id of the only series, after registering; a disabled id if the instrument is disabled.
    #[inline(always)]
    pub(crate) fn recording_id(&self) -> u32 {
        // Relaxed: as `id`. A thread without a table comes here with every record.
        match self.base.load(Relaxed) {
            UNREGISTERED | DISABLED => self.unregistered_recording_id(),
            id => id,
        }
    }

    #[cold]
    #[inline(never)]
    fn unregistered_recording_id(&self) -> u32 {
        let id = self.family::<()>().map(|family| family.writing_id(0));
        id.filter(|&id| id != DISABLED).unwrap_or_else(|| self.disabled_id())
    }

    /// The id that replaces each series of a refused instrument.
    #[cold]
    pub(crate) fn disabled_id(&self) -> u32 {
        // Relaxed: a thread that sees no family has acquired everything stored before.
        self.refused.load(Relaxed)
    }

    /// Lets `record` write to the series with `labels`, or to a disabled one if the instrument lost a
    /// conflict.
    #[inline(always)]
    pub(crate) fn with_series<L: Labels, R>(&self, labels: &L, record: impl FnOnce(u32) -> R) -> R {
        if const { !is_closed(L::CARDINALITY) } {
            return self.with_series_looked_up(labels, record);
        }
        record(self.closed_id::<L>(labels.index()))
    }

    /// The id of the series at `index` of a closed set. The labels are only a number from here on, so
    /// they need not be in memory.
    #[inline(always)]
    fn closed_id<L: Labels>(&self, index: usize) -> u32 {
        let base = self.base.load(Relaxed);
        if base < DISABLED { base + index as u32 } else { self.unregistered_id::<L>(index) }
    }

    #[cold]
    #[inline(never)]
    fn unregistered_id<L: Labels>(&self, index: usize) -> u32 {
        self.family::<L>().map_or_else(|| self.disabled_id(), |family| family.writing_id(index))
    }

    #[inline]
    fn with_series_looked_up<L: Labels, R>(&self, labels: &L, record: impl FnOnce(u32) -> R) -> R {
        let family = self.family.get().or_else(|| self.family::<L>());
        match family.map(|family| (family, family.open())) {
            None => record(self.disabled_id()),
            Some((family, None)) => record(family.writing_id(labels.index())),
            Some((_, Some(set))) => {
                let values = |each: &mut dyn FnMut(&str)| labels.visit(each);
                lookup::with_series(set, values, record)
            }
        }
    }

    /// A handle to the series with `labels`; as [`with_series`](Self::with_series). The caller knows
    /// the `space` at compile time.
    #[inline(always)]
    pub(crate) fn bind<L: Labels>(&self, space: Space, labels: &L) -> Handle {
        if const { is_closed(L::CARDINALITY) } {
            let index = labels.index();
            let id = u64::from(self.handle_base.load(Relaxed)) + index as u64;
            // Without a first id, the sum is beyond all ids that are shown: one check serves both.
            let is_ready = match space {
                Space::Gauge => id < u64::from(DISABLED),
                _ => cells::is_shown(space, id),
            };
            return match is_ready {
                true => Handle::lasting(id as u32),
                false => self.bind_place::<L>(space, index),
            };
        }
        self.bind_slow(labels)
    }

    /// A handle to the series at `index` of a closed set, which is shown from now on.
    #[cold]
    #[inline(never)]
    fn bind_place<L: Labels>(&self, space: Space, index: usize) -> Handle {
        let id = self.closed_id::<L>(index);
        if space != Space::Gauge && !is_disabled(id) {
            // The ids of histograms have no tags.
            let series = if space == Space::Histogram { id } else { cells::series_id(id) };
            cells::show(space, series);
        }
        self.family::<L>().map_or(Handle::lasting(id), |family| Handle::of_id(family, id))
    }

    /// A handle to the only series.
    #[inline(always)]
    pub(crate) fn only(&self) -> Handle {
        match self.handle_base.load(Relaxed) {
            id if id < DISABLED => Handle::lasting(id),
            _ => self.only_slow(),
        }
    }

    #[cold]
    #[inline(never)]
    fn only_slow(&self) -> Handle {
        let id = self.closed_id::<()>(0);
        self.family::<()>().map_or(Handle::lasting(id), |family| Handle::of_id(family, id))
    }

    /// Registers the instrument. Without labels it is shown from now on.
    pub(crate) fn register<L: Labels>(&self) {
        if let Some(family) = self.family::<L>().filter(|_| L::KEYS.is_empty()) {
            family.show_all(&current_storage(), L::is_listed);
        }
    }

    /// Shows all combinations of named values of a closed set from now on.
    pub(crate) fn show_all<L: Labels>(&self) {
        if let Some(family) = self.family::<L>() {
            family.show_all(&current_storage(), L::is_listed);
        }
    }

    #[cold]
    #[inline(never)]
    fn bind_slow<L: Labels>(&self, labels: &L) -> Handle {
        match self.family::<L>() {
            None => Handle::lasting(self.disabled_id()),
            Some(family) => Handle::of(family, &|each| labels.visit(each), || labels.index()),
        }
    }

    /// Lets `record` write to the series with these dynamic values, one for each key.
    #[inline]
    pub(crate) fn with_dynamic<R>(
        &self,
        values: impl Fn(&mut dyn FnMut(&str)),
        record: impl FnOnce(u32) -> R,
    ) -> R {
        let family = self.family.get().or_else(|| self.dynamic_family());
        match family.map(|family| (family, family.open())) {
            None => record(self.disabled_id()),
            Some((family, None)) => record(family.writing_id(0)),
            Some((_, Some(set))) => lookup::with_series(set, values, record),
        }
    }

    /// A handle to the series with these dynamic values.
    pub(crate) fn bind_dynamic(&self, values: Visit<'_>) -> Handle {
        match self.dynamic_family() {
            None => Handle::lasting(self.disabled_id()),
            Some(family) => Handle::of(family, values, || 0),
        }
    }

    /// A handle to the series with these labels, whose keys may be any.
    pub(crate) fn bind_any(&self, labels: &[(&str, &str)]) -> Handle {
        match self.known_family() {
            None => Handle::lasting(self.disabled_id()),
            Some(family) => Handle::of_labels(family, labels),
        }
    }

    /// Removes the series with `labels` from the scope of this thread. Returns whether it existed.
    pub(crate) fn remove<L: Labels>(&self, labels: &L) -> bool {
        let Some(family) = self.family::<L>() else { return false };
        family.remove_series(&current_storage(), &|each| labels.visit(each), || labels.index())
    }

    /// Removes all series from the scope of this thread.
    pub(crate) fn clear(&self) {
        if let Some(family) = self.known_family() {
            family.clear(&current_storage());
        }
    }

    /// The label sets of the series in the scope of this thread.
    pub(crate) fn series(&self) -> Vec<LabelSet> {
        let shown = self.known_family().map(|family| family.shown(&current_storage()));
        let shown = shown.unwrap_or_default();
        let mut labels: Vec<_> = shown.into_iter().map(|(_, labels)| labels).collect();
        labels.dedup();
        labels
    }

    /// Removes the series for which `keep` returns `false` from the scope of this thread.
    pub(crate) fn retain(&self, keep: impl FnMut(&LabelSet) -> bool) {
        if let Some(family) = self.known_family() {
            family.retain(&current_storage(), keep);
        }
    }

    /// The family of dynamic labels.
    pub(crate) fn dynamic_family(&self) -> Option<&Family> {
        self.family_of(|| {
            let keys = self.descriptor.keys.iter().map(|&key| Cow::Borrowed(key)).collect();
            Registry::global().register_open(&self.descriptor, keys)
        })
    }

    /// The family, registered at the first call; `None` if it lost a conflict.
    pub(crate) fn family<L: Labels>(&self) -> Option<&Family> {
        self.family_of(|| Registry::global().register::<L>(&self.descriptor))
    }

    /// [`family`](Self::family) for keys that are not a type.
    pub(crate) fn family_of(
        &self,
        register: impl Fn() -> Result<Arc<Family>, Error>,
    ) -> Option<&Family> {
        if let Some(family) = self.known_family() {
            return Some(family);
        }
        // Acquire: pairs with the store below, so that a family set before it is seen here.
        if self.base.load(Acquire) == DISABLED {
            return self.family.get();
        }
        // Two threads may both get here; both get the same family, or the same conflict. A thread that
        // is already inside, because its allocator records, tries again the next time.
        let lasting = || loop {
            let family = register()?;
            // Another thread may unregister the name meanwhile.
            if let Some(family) = Registry::global().lasting(&family) {
                return Ok(family);
            }
        };
        let family = match guarded(lasting)? {
            Ok(family) => {
                let _ = self.family.set(family);
                family
            }
            Err(error) => {
                self.refused.store(refused::id_for(&self.descriptor), Relaxed);
                self.base.store(DISABLED, Release);
                // Last, because its allocation, and a hook, may record here.
                Registry::global().refuse(error);
                return None;
            }
        };
        let base = base_of(&self.descriptor, family);
        self.handle_base.store(base, Relaxed);
        self.base.store(base, Release);
        Some(family)
    }

    /// How many of its unit are a nanosecond.
    #[inline(always)]
    pub(crate) fn per_nano(&self) -> f64 {
        self.per_nano
    }

    /// The range of the values of a gauge, if it has one.
    #[inline]
    pub(crate) fn range(&self) -> Option<Range> {
        self.descriptor.range
    }

    pub(crate) fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
}

/// The first id for the hot path. With a range there is none, so that every record takes the slow
/// path.
fn base_of(descriptor: &Descriptor, family: &Family) -> u32 {
    if descriptor.range.is_some() { DISABLED } else { family.writing_id(0) }
}

const fn per_nano(unit: Unit) -> f64 {
    unit.per_second() / 1e9
}

impl fmt::Debug for Instrument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Descriptor { name, kind, unit, .. } = &self.descriptor;
        f.debug_struct("Instrument")
            .field("name", name)
            .field("kind", kind)
            .field("unit", unit)
            .finish()
    }
}

/// Calls `each` with the value of each key of `instrument`, in the order of the keys.
#[inline]
pub(crate) fn pairs(instrument: &Instrument, labels: &[(&str, &str)], each: &mut dyn FnMut(&str)) {
    for (place, key) in instrument.descriptor.keys.iter().enumerate() {
        // The pairs usually come in the order of the keys.
        let value = match labels.get(place) {
            Some((own, value)) if own == key => value,
            _ => labels.iter().find(|(own, _)| own == key).map_or("", |(_, value)| value),
        };
        each(value);
    }
}
