//! All the tables of one set of values: the process's own, or a test scope's.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use super::{
    Space,
    directory::{Directory, Fresh, Slots, slot},
    shortcuts::Shortcuts,
};
#[cfg(feature = "prometheus")]
use crate::metric::histogram::cuts::{BucketCounts, Cuts};
use crate::{
    clock::{self, Ticks},
    metric::{
        histogram::{
            HistogramSnapshot,
            cell::{Dense, HistogramCell, HistogramSlot},
            chosen::{self, ChosenCell, ChosenSlot},
            explicit::ExplicitCell,
        },
        sliding::Sliding,
    },
    sync::{
        Mutex as StaticMutex,
        modelled::{AtomicU64, Mutex, Ordering::Relaxed},
    },
};

/// One thread's cells.
#[derive(Debug)]
pub(crate) struct Table {
    pub(super) sums: Directory<SumCell>,
    pub(super) histograms: Directory<HistogramSlot>,
    /// Of the histograms whose ids begin at [`chosen::FIRST`]: there it is at zero.
    pub(super) chosen: Directory<ChosenSlot>,
    /// To what the cells of `histograms` lead to.
    pub(super) dense: Shortcuts<Dense>,
    /// To those of `chosen` with explicit bounds.
    pub(super) explicit: Shortcuts<ExplicitCell>,
}

/// A sum that one thread at a time adds to; signed sums wrap around.
#[derive(Debug)]
pub(crate) struct SumCell(AtomicU64);

/// The value of a gauge, which all threads share: the last one set holds, whoever set it.
#[derive(Debug)]
pub(crate) struct GaugeCell(AtomicU64);

/// The bits of a gauge nobody has set: a NaN that no arithmetic makes.
const NEVER_SET: u64 = 0x7ff4_6265_6c6c_7772;

/// A set of values: the tables of all threads that recorded into it, and the gauges.
#[derive(Debug)]
pub(crate) struct Storage {
    /// Guards the lists and every write to the orphan table; directory locks are taken inside it.
    tables: Mutex<Tables>,
    gauges: Directory<GaugeCell>,
    /// What readers remember of series. Nothing is locked inside it.
    seen: Mutex<Seen>,
    /// What removed series had recorded by then. Replaced, never changed, so that a reader has one
    /// view; the tables are locked inside it.
    bases: Mutex<Arc<Bases>>,
    sliding: Sliding,
    started: Ticks,
    scoped: bool,
}

#[derive(Debug, Default)]
struct Tables {
    all: Vec<&'static Table>,
    free: Vec<&'static Table>, // Invariant: no thread holds one of these.
    orphan: Option<&'static Table>,
}

#[derive(Debug, Default)]
struct Seen {
    sums: Vec<u64>, // A bit a series: whether it was ever seen not to be zero.
    /// Of series that expire: what they held when they last changed, and since when.
    unchanged: HashMap<(Space, u32), (u64, Ticks)>,
}

/// What to subtract from the cells of series that were removed while somebody could still write to
/// them: writing on brings such a series back, beginning at zero.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bases {
    sums: HashMap<u32, (u64, Ticks)>, // A sum's bits.
    histograms: HashMap<u32, (HistogramSnapshot, Ticks)>,
}

/// All storages there are, for the end of a series: its cells are in each of them.
static STORAGES: StaticMutex<Vec<Weak<Storage>>> = StaticMutex::new(Vec::new());

impl Storage {
    pub(crate) fn new(scoped: bool) -> Arc<Self> {
        let storage = Arc::new(Self {
            tables: Mutex::new(Tables::default()),
            gauges: Directory::new(),
            seen: Mutex::new(Seen::default()),
            bases: Mutex::new(Arc::default()),
            sliding: Sliding::default(),
            started: clock::now(),
            scoped,
        });
        let mut storages = STORAGES.lock();
        storages.retain(|storage| storage.strong_count() > 0);
        storages.push(Arc::downgrade(&storage));
        drop(storages);
        storage
    }

    /// Every storage that is in use.
    pub(crate) fn all() -> Vec<Arc<Self>> {
        STORAGES.lock().iter().filter_map(Weak::upgrade).collect()
    }

    /// When recording into it began.
    pub(crate) fn started(&self) -> Ticks {
        self.started
    }

    /// The readings of its series that sliding windows need.
    pub(crate) fn sliding(&self) -> &Sliding {
        &self.sliding
    }

    /// Whether it belongs to a scope, where a series that was not touched is not there.
    pub(crate) fn is_scoped(&self) -> bool {
        self.scoped
    }

    /// A table for a thread to write: one that an ended thread left, or a new one.
    ///
    /// The lock orders the old owner's last store before the new owner's first load.
    pub(super) fn lease(&self) -> &'static Table {
        let mut tables = self.tables.lock();
        tables.free.pop().unwrap_or_else(|| tables.add())
    }

    /// Takes the table of a thread that ends back.
    pub(super) fn give_back(&self, table: &'static Table) {
        self.tables.lock().free.push(table);
    }

    /// Lets `write` write to the table of threads that have none.
    pub(super) fn with_orphan(&self, write: impl FnOnce(&'static Table)) {
        let mut tables = self.tables.lock();
        let table = match tables.orphan {
            Some(table) => table,
            None => tables.add(),
        };
        tables.orphan = Some(table);
        write(table);
    }

    /// The cells of the sum `id`, table by table, without those that are zero.
    #[cfg(test)]
    pub(crate) fn sums(&self, id: u32) -> Vec<u64> {
        self.reader().cells(id).map(SumCell::get).filter(|&sum| sum > 0).collect()
    }

    pub(super) fn gauges(&self) -> &Directory<GaugeCell> {
        &self.gauges
    }

    /// Everything that can be read now.
    pub(crate) fn reader(&self) -> Reader {
        let bases = self.bases.lock().clone();
        self.reader_with(bases)
    }

    /// A reader in place of `reader`, if series were removed or given up since that was made.
    pub(crate) fn newer_reader(&self, reader: &Reader) -> Option<Reader> {
        let bases = self.bases.lock().clone();
        (!Arc::ptr_eq(&bases, &reader.bases)).then(|| self.reader_with(bases))
    }

    /// Lets the series `id` begin anew: what `held` says of it now is the base of what it shows from
    /// here on. Two removals at once follow one another; what is recorded meanwhile is on one side of
    /// the base or on the other.
    ///
    /// Answers what it showed until now, of whole numbers: each record is in one of these answers or
    /// is still shown.
    pub(crate) fn remove_sum(&self, id: u32, held: impl FnOnce(&Reader) -> u64) -> u64 {
        self.remove_sum_if(id, held, |_, _| true).unwrap_or(0)
    }

    /// As [`remove_sum`](Self::remove_sum), if it `agrees` with what is held and the base of that.
    pub(crate) fn remove_sum_if(
        &self,
        id: u32,
        held: impl FnOnce(&Reader) -> u64,
        agrees: impl FnOnce(u64, u64) -> bool,
    ) -> Option<u64> {
        let mut bases = self.bases.lock();
        let held = held(&self.reader_with(Arc::default()));
        let base = bases.sums.get(&id).map_or(0, |(base, _)| *base);
        if !agrees(held, base) {
            return None;
        }
        Arc::make_mut(&mut *bases).sums.insert(id, (held, clock::now()));
        drop(bases);
        self.forget(Space::Sum, id);
        Some(held.wrapping_sub(base))
    }

    /// As [`remove_sum`](Self::remove_sum).
    pub(crate) fn remove_histogram(&self, id: u32) {
        self.remove_histogram_if(id, |_| true);
    }

    /// As [`remove_histogram`](Self::remove_histogram), if `agrees` with the count that is shown.
    pub(crate) fn remove_histogram_if(&self, id: u32, agrees: impl FnOnce(u64) -> bool) -> bool {
        let mut bases = self.bases.lock();
        let held = self.reader_with(Arc::default()).histogram(id).unwrap_or_default();
        let base = bases.histograms.get(&id).map_or(0, |(base, _)| base.count());
        if !agrees(held.count().saturating_sub(base)) {
            return false;
        }
        Arc::make_mut(&mut *bases).histograms.insert(id, (held, clock::now()));
        drop(bases);
        self.forget(Space::Histogram, id);
        true
    }

    /// Unsets a gauge; setting it brings it back.
    pub(crate) fn remove_gauge(&self, id: u32) {
        if let Some(cell) = slot(self.gauges.slots(), id) {
            cell.reset();
        }
        self.forget(Space::Gauge, id);
    }

    /// As [`remove_gauge`](Self::remove_gauge), if the value is `shown`, bit for bit.
    pub(crate) fn remove_gauge_if(&self, id: u32, shown: f64) -> bool {
        let cell = slot(self.gauges.slots(), id);
        let is_removed = cell.is_some_and(|cell| cell.unset(shown));
        if is_removed {
            self.forget(Space::Gauge, id);
        }
        is_removed
    }

    /// Makes the cells of `id` as they were before its first series. Nobody may be able to write to
    /// them, nor read them: see `series.rs`.
    pub(crate) fn reset(&self, space: Space, id: u32) {
        let mut bases = self.bases.lock();
        if bases.sums.contains_key(&id) || bases.histograms.contains_key(&id) {
            let bases = Arc::make_mut(&mut *bases);
            match space {
                Space::Sum => drop(bases.sums.remove(&id)),
                Space::Histogram => drop(bases.histograms.remove(&id)),
                Space::Gauge => {}
            }
        }
        let reader = self.reader_with(Arc::default());
        match space {
            Space::Sum => reader.cells(id).for_each(SumCell::reset),
            Space::Histogram => {
                if let Some(place) = id.checked_sub(chosen::FIRST) {
                    reader.chosen_cells(place).for_each(ChosenCell::reset);
                } else {
                    reader.histogram_cells(id).for_each(HistogramCell::reset);
                }
            }
            Space::Gauge => {
                if let Some(cell) = slot(reader.gauges, id) {
                    cell.reset();
                }
            }
        }
        drop(bases);
        self.forget(space, id);
    }

    /// Since when the series `id` has held what it holds now, `held`, as far as was noticed.
    pub(crate) fn unchanged_since(&self, space: Space, id: u32, held: u64, now: Ticks) -> Ticks {
        let mut seen = self.seen.lock();
        let (last, since) = seen.unchanged.entry((space, id)).or_insert((held, now));
        if *last != held {
            (*last, *since) = (held, now);
        }
        *since
    }

    /// Forgets that the series was ever there.
    fn forget(&self, space: Space, id: u32) {
        self.sliding.forget(space, id);
        let mut seen = self.seen.lock();
        seen.unchanged.remove(&(space, id));
        if space == Space::Sum
            && let Some(bits) = seen.sums.get_mut(id as usize / 64)
        {
            *bits &= !(1 << (id % 64));
        }
    }

    fn reader_with(&self, bases: Arc<Bases>) -> Reader {
        let _busy = super::busy();
        let tables = self.tables.lock();
        Reader {
            sums: tables.all.iter().map(|table| table.sums.slots()).collect(),
            histograms: tables.all.iter().map(|table| table.histograms.slots()).collect(),
            chosen: tables.all.iter().map(|table| table.chosen.slots()).collect(),
            gauges: self.gauges.slots(),
            bases,
        }
    }

    /// Whether the sum `id`, which is or is not zero now, was ever seen not to be: a series that came
    /// back to zero does not vanish.
    pub(crate) fn was_touched(&self, id: u32, is_touched: bool) -> bool {
        let (word, bit) = (id as usize / 64, 1u64 << (id % 64));
        let mut seen = self.seen.lock();
        if !is_touched {
            return seen.sums.get(word).is_some_and(|bits| bits & bit != 0);
        }
        if seen.sums.len() <= word {
            seen.sums.resize(word + 1, 0);
        }
        seen.sums[word] |= bit;
        true
    }
}

impl Tables {
    fn add(&mut self) -> &'static Table {
        let table = Table {
            sums: Directory::new(),
            histograms: Directory::new(),
            chosen: Directory::new(),
            dense: Shortcuts::new(),
            explicit: Shortcuts::new(),
        };
        let table: &'static Table = Box::leak(Box::new(table));
        self.all.push(table);
        table
    }
}

/// A view of all tables; reads what they hold at the time of each call.
#[derive(Debug)]
pub(crate) struct Reader {
    sums: Vec<Slots<SumCell>>,
    histograms: Vec<Slots<HistogramSlot>>,
    chosen: Vec<Slots<ChosenSlot>>,
    gauges: Slots<GaugeCell>,
    bases: Arc<Bases>,
}

impl Reader {
    /// The sum of all threads' cells, since the series was removed if it was.
    #[inline]
    pub(crate) fn sum(&self, id: u32) -> u64 {
        let sum = self.cells(id).fold(0, |sum: u64, cell| sum.wrapping_add(cell.get()));
        match self.sum_base(id) {
            None => sum,
            Some((base, _)) => sum.wrapping_sub(base),
        }
    }

    /// [`sum`](Self::sum) of cells that hold fractions.
    pub(crate) fn float_sum(&self, id: u32) -> f64 {
        let sum = self.cells(id).fold(0.0, |sum, cell| sum + f64::from_bits(cell.get()));
        match self.sum_base(id) {
            None => sum,
            Some((base, _)) => sum - f64::from_bits(base),
        }
    }

    /// The histogram over all threads, since the series was removed if it was; `None` where nobody
    /// has recorded.
    pub(crate) fn histogram(&self, id: u32) -> Option<HistogramSnapshot> {
        let merge = |mut merged: HistogramSnapshot, cell: HistogramSnapshot| {
            merged.merge(&cell);
            merged
        };
        let recorded = if let Some(place) = id.checked_sub(chosen::FIRST) {
            self.chosen_cells(place).map(ChosenCell::read).reduce(merge)
        } else {
            self.histogram_cells(id).map(HistogramCell::read).reduce(merge)
        };
        let since_removal = match self.histogram_base(id) {
            Some((base, _)) => recorded?.since(base),
            None => recorded?,
        };
        (since_removal.count() > 0).then_some(since_removal)
    }

    /// Makes each of `to` what all threads have recorded of a histogram of `ids`, whatever was removed
    /// of it; as many as there are, and at most [`GROUP`](crate::metric::histogram::cuts::GROUP).
    #[cfg(feature = "prometheus")]
    pub(crate) fn count_histograms(
        &self,
        ids: impl Iterator<Item = u32> + Clone,
        cuts: &Cuts,
        to: &mut [BucketCounts],
    ) {
        to.iter_mut().for_each(|counts| counts.clear(cuts));
        for slots in &self.histograms {
            let cells = ids.clone().map(|id| slot(slots, id)?.get());
            BucketCounts::add_group(to, cuts, cells);
        }
        for (id, counts) in ids.zip(to) {
            if let Some(place) = id.checked_sub(chosen::FIRST) {
                self.chosen_cells(place).for_each(|cell| cell.count(cuts, counts));
            }
        }
    }

    /// Adds the exemplars of the histogram `id`.
    #[cfg(feature = "prometheus")]
    pub(crate) fn add_exemplars(&self, id: u32, to: &mut BucketCounts) {
        match id.checked_sub(chosen::FIRST) {
            Some(place) => {
                to.add_exemplars(self.chosen_cells(place).flat_map(ChosenCell::all_exemplars));
            }
            None => to.add_exemplars(self.histogram_cells(id).flat_map(|c| c.exemplars.read())),
        }
    }

    /// The cells of the histogram at `place` among those that were told how to keep their values.
    fn chosen_cells(&self, place: u32) -> impl Iterator<Item = &'static ChosenCell> {
        let slots = self.chosen.iter().filter_map(move |slots| slot(slots, place));
        slots.filter_map(ChosenSlot::get)
    }

    /// The cells of an ordinary histogram.
    pub(crate) fn histogram_cells(&self, id: u32) -> impl Iterator<Item = &'static HistogramCell> {
        self.histograms.iter().filter_map(move |slots| slot(slots, id)?.get())
    }

    /// The value of a gauge, if it was ever set.
    pub(crate) fn gauge(&self, id: u32) -> Option<f64> {
        slot(self.gauges, id)?.get()
    }

    /// Whether a cell of `id` holds anything.
    pub(crate) fn is_recorded(&self, space: Space, id: u32) -> bool {
        match space {
            Space::Sum => self.cells(id).any(|cell| cell.get() != 0),
            Space::Gauge => self.gauge(id).is_some(),
            Space::Histogram => self.histogram(id).is_some(),
        }
    }

    /// When the series `id` was removed, if it was.
    #[inline(always)]
    pub(crate) fn removed_at(&self, space: Space, id: u32) -> Option<Ticks> {
        match space {
            Space::Sum => Some(self.sum_base(id)?.1),
            Space::Histogram => self.histogram_base(id).map(|(_, at)| *at),
            Space::Gauge => None,
        }
    }

    // Most processes never remove a series: the hash of an id is not made for them.

    #[inline(always)]
    fn sum_base(&self, id: u32) -> Option<(u64, Ticks)> {
        if self.bases.sums.is_empty() { None } else { self.bases.sums.get(&id).copied() }
    }

    #[inline]
    fn histogram_base(&self, id: u32) -> Option<&(HistogramSnapshot, Ticks)> {
        if self.bases.histograms.is_empty() { None } else { self.bases.histograms.get(&id) }
    }

    #[inline]
    fn cells(&self, id: u32) -> impl Iterator<Item = &'static SumCell> {
        self.sums.iter().filter_map(move |slots| slot(slots, id))
    }
}

impl SumCell {
    /// Adds to a cell that this thread owns.
    #[inline(always)]
    pub(crate) fn add(&self, n: u64) {
        // A load and a store in place of a read-modify-write: nobody else writes this cell.
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// [`add`](Self::add) of a fraction.
    #[inline(always)]
    pub(crate) fn add_float(&self, n: f64) {
        let sum = f64::from_bits(self.0.load(Relaxed)) + n;
        self.0.store(sum.to_bits(), Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Back to zero, by whoever knows that the owner does not write: see `series.rs`.
    fn reset(&self) {
        self.0.store(0, Relaxed);
    }
}

impl Fresh for SumCell {
    fn fresh() -> Self {
        Self(AtomicU64::new(0))
    }
}

impl GaugeCell {
    #[inline(always)]
    pub(crate) fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Relaxed);
    }

    /// Unsets a value that is still `value`.
    fn unset(&self, value: f64) -> bool {
        self.0.compare_exchange(value.to_bits(), NEVER_SET, Relaxed, Relaxed).is_ok()
    }

    /// Makes the value what `update` makes of it, if it makes one; one that was never set counts as
    /// zero.
    pub(crate) fn update(&self, mut update: impl FnMut(f64) -> Option<f64>) {
        let mut bits = self.0.load(Relaxed);
        loop {
            let value = if bits == NEVER_SET { 0.0 } else { f64::from_bits(bits) };
            let Some(value) = update(value) else { return };
            // Relaxed: the value publishes nothing but itself.
            match self.0.compare_exchange(bits, value.to_bits(), Relaxed, Relaxed) {
                Ok(_) => return,
                Err(newer) => bits = newer,
            }
        }
    }

    fn reset(&self) {
        self.0.store(NEVER_SET, Relaxed);
    }

    fn get(&self) -> Option<f64> {
        let bits = self.0.load(Relaxed);
        (bits != NEVER_SET).then(|| f64::from_bits(bits))
    }
}

impl Fresh for GaugeCell {
    fn fresh() -> Self {
        Self(AtomicU64::new(NEVER_SET))
    }
}
