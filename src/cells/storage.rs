//! All the tables of one set of values: the process's own, or a test scope's.
//!
//! A few threads own a table each; the others write to a few tables that they share. Tables are never
//! freed, because somebody may be reading them: those of a storage that is gone go to the next one.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

#[cfg(feature = "prometheus")]
use super::histogram::cuts::{BucketCounts, Cuts};
use super::{
    budget::{Account, Room},
    busy::busy,
    directory::{Directory, Fresh, Slots, slot},
    histogram::{
        cell::HistogramCell,
        chosen::{Amount, ChosenCell, ChosenSlot},
        exemplars::Exemplars,
        options::Chosen,
    },
    ids::block_of,
    owners,
    sliding::Sliding,
    space::{CHOSEN, Space},
    tally::Tally,
    writer::{Sharer, Writer},
};
use crate::{
    clock::{self, Ticks},
    snapshot::{Admitted, HistogramSnapshot},
    sync::{
        Mutex as StaticMutex,
        modelled::{AtomicU64, Mutex, Ordering::Relaxed},
    },
};

/// The cells that one thread owns, or that several share.
#[derive(Debug)]
pub(crate) struct Table {
    is_shared: bool,
    pub(crate) sums: Directory<SumCell>,
    pub(crate) histograms: Directory<HistogramCell>,
    /// Of the histograms whose ids begin at [`CHOSEN`]: there it is at zero.
    pub(crate) chosen: Directory<ChosenSlot>,
    /// Held by the one of several threads that makes a cell; directory locks are taken inside it.
    making: Mutex<()>,
    /// How many records of sharers there were.
    shared_records: AtomicU64,
}

/// A sum; signed sums wrap around.
#[derive(Debug)]
pub(crate) struct SumCell(AtomicU64);

/// The value of a gauge, which all threads share: the last one set holds, whoever set it.
#[derive(Debug)]
pub(crate) struct GaugeCell(AtomicU64);

/// A bit for each of 64 series: whether it is shown although it may hold nothing.
#[derive(Debug)]
pub(crate) struct ShownWord(AtomicU64);

/// The bits of a gauge nobody has set: a NaN that no arithmetic makes.
const NEVER_SET: u64 = 0x7ff4_6265_6c6c_7772;

/// A set of values: the tables of the threads that recorded into it, and what they all share.
#[derive(Debug)]
pub(crate) struct Storage {
    /// Guards the lists; only the pool is locked inside it.
    tables: Mutex<Tables>,
    common: &'static Common,
    /// Of series that expire: what they held when they last changed, and since when. Nothing is locked
    /// inside it.
    unchanged: Mutex<HashMap<(Space, u32), (u64, Ticks)>>,
    /// What removed series had recorded by then. Replaced, never changed, so that a reader has one
    /// view; the tables are locked inside it.
    bases: Mutex<Arc<Bases>>,
    sliding: Sliding,
    tally: Tally,
    started: Ticks,
    scoped: bool,
}

#[derive(Debug, Default)]
struct Tables {
    all: Vec<&'static Table>,
    free: Vec<&'static Table>, // Invariant: no thread owns one of these.
    n_owned: usize,            // All but the shared ones, free ones among them.
    shared: Vec<&'static Table>,
    next_shared: usize,
}

/// What all threads of a storage write.
#[derive(Debug)]
pub(crate) struct Common {
    gauges: Directory<GaugeCell>,
    /// By the id of a series over 64.
    shown_sums: Directory<ShownWord>,
    shown_histograms: Directory<ShownWord>,
    shown_chosen: Directory<ShownWord>,
}

/// What storages that are gone left: everything in it is as new.
#[derive(Debug, Default)]
struct Pool {
    owned: Vec<&'static Table>,
    shared: Vec<&'static Table>,
    common: Vec<&'static Common>,
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

/// Nothing is locked inside it.
static POOL: StaticMutex<Pool> =
    StaticMutex::new(Pool { owned: Vec::new(), shared: Vec::new(), common: Vec::new() });

impl Storage {
    pub(crate) fn new(scoped: bool) -> Arc<Self> {
        let storage = Arc::new(Self {
            tables: Mutex::new(Tables::default()),
            common: Common::take(),
            unchanged: Mutex::new(HashMap::new()),
            bases: Mutex::new(Arc::default()),
            sliding: Sliding::default(),
            tally: Tally::default(),
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

    /// What was not recorded as it was asked to be.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Whether it belongs to a scope, where a series that was not touched is not there.
    pub(crate) fn is_scoped(&self) -> bool {
        self.scoped
    }

    /// A table for a thread to own: one that an ended thread left, or a new one; `None` if as many
    /// threads own one as may.
    ///
    /// The lock orders the old owner's last store before the new owner's first load.
    pub(crate) fn lease(&self) -> Option<&'static Table> {
        let mut tables = self.tables.lock();
        if let Some(table) = tables.free.pop() {
            return Some(table);
        }
        if tables.n_owned >= owners::most_owners() {
            return None;
        }
        tables.n_owned += 1;
        Some(tables.add(false))
    }

    /// Takes the table of a thread that ends back.
    pub(crate) fn give_back(&self, table: &'static Table) {
        self.tables.lock().free.push(table);
        owners::note_freed();
    }

    /// A table for a thread to share.
    pub(crate) fn share(&self) -> &'static Table {
        let mut tables = self.tables.lock();
        let place = tables.next_shared % owners::n_shared();
        tables.next_shared += 1;
        if let Some(table) = tables.shared.get(place) {
            return table;
        }
        let table = tables.add(true);
        tables.shared.push(table);
        table
    }

    /// The first of the shared tables.
    #[cfg(all(test, bellwether_loom))]
    pub(crate) fn share_one(&self) -> &'static Table {
        self.tables.lock().next_shared = 0;
        self.share()
    }

    /// How many records were made in shared tables.
    pub(crate) fn shared_records(&self) -> u64 {
        let tables = self.tables.lock();
        tables.shared.iter().map(|table| table.shared_records.load(Relaxed)).sum()
    }

    /// The cells of the sum `id`, table by table, without those that are zero.
    #[cfg(test)]
    pub(crate) fn sums(&self, id: u32) -> Vec<u64> {
        self.reader().cells(id).map(SumCell::get).filter(|&sum| sum > 0).collect()
    }

    pub(crate) fn gauges(&self) -> &'static Directory<GaugeCell> {
        &self.common.gauges
    }

    /// The gauge `id`, made if it was not there.
    pub(crate) fn gauge(&self, id: u32) -> Option<&'static GaugeCell> {
        let block = block_of(Space::Gauge, id);
        let room = block.as_ref().map_or(Room::unlimited(), |(account, _)| Room::shared(account));
        self.common.gauges.reserve(id, room)
    }

    /// Which sums, or which ordinary histograms, are shown: by 64.
    pub(crate) fn shown(&self, space: Space) -> Slots<ShownWord> {
        match space {
            Space::Sum => self.common.shown_sums.slots(),
            Space::Histogram => self.common.shown_histograms.slots(),
            Space::Gauge => &[],
        }
    }

    /// Shows the series although it may hold nothing: until it is removed.
    pub(crate) fn show(&self, space: Space, id: u32) {
        if let Some((shown, place)) = self.common.shown(space, id)
            && let Some(word) = shown.reserve(place / 64, Room::unlimited())
        {
            word.set(place);
        }
    }

    /// Whether the series is shown although it may hold nothing.
    pub(crate) fn is_shown(&self, space: Space, id: u32) -> bool {
        self.common.shown(space, id).is_some_and(|(shown, place)| {
            slot(shown.slots(), place / 64).is_some_and(|word| word.has(place))
        })
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
        if let Some(cell) = slot(self.common.gauges.slots(), id) {
            cell.reset();
        }
        self.forget(Space::Gauge, id);
    }

    /// As [`remove_gauge`](Self::remove_gauge), if the value is `shown`, bit for bit.
    pub(crate) fn remove_gauge_if(&self, id: u32, shown: f64) -> bool {
        let cell = slot(self.common.gauges.slots(), id);
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
        for table in &self.tables.lock().all {
            table.reset(space, id);
        }
        if space == Space::Gauge
            && let Some(cell) = slot(self.common.gauges.slots(), id)
        {
            cell.reset();
        }
        drop(bases);
        self.forget(space, id);
    }

    /// Since when the series `id` has held what it holds now, `held`, as far as was noticed.
    pub(crate) fn unchanged_since(&self, space: Space, id: u32, held: u64, now: Ticks) -> Ticks {
        let mut unchanged = self.unchanged.lock();
        let (last, since) = unchanged.entry((space, id)).or_insert((held, now));
        if *last != held {
            (*last, *since) = (held, now);
        }
        *since
    }

    /// Forgets that the series was ever there.
    fn forget(&self, space: Space, id: u32) {
        self.sliding.forget(space, id);
        self.unchanged.lock().remove(&(space, id));
        if let Some((shown, place)) = self.common.shown(space, id)
            && let Some(word) = slot(shown.slots(), place / 64)
        {
            word.clear(place);
        }
    }

    fn reader_with(&self, bases: Arc<Bases>) -> Reader {
        let _busy = busy();
        let tables = self.tables.lock();
        Reader {
            sums: tables.all.iter().map(|table| table.sums.slots()).collect(),
            histograms: tables.all.iter().map(|table| table.histograms.slots()).collect(),
            chosen: tables.all.iter().map(|table| table.chosen.slots()).collect(),
            gauges: self.common.gauges.slots(),
            bases,
        }
    }
}

impl Drop for Storage {
    /// Nobody writes to its tables any more: who does holds it.
    fn drop(&mut self) {
        if cfg!(bellwether_loom) {
            return; // What loom makes does not outlive its model.
        }
        let tables = std::mem::take(&mut *self.tables.lock());
        tables.all.iter().for_each(|table| table.clear());
        self.common.clear();
        let mut pool = POOL.lock();
        let (shared, owned): (Vec<_>, Vec<_>) =
            tables.all.into_iter().partition(|table| table.is_shared);
        pool.shared.extend(shared);
        pool.owned.extend(owned);
        pool.common.push(self.common);
    }
}

impl Tables {
    fn add(&mut self, is_shared: bool) -> &'static Table {
        let table = Table::take(is_shared);
        self.all.push(table);
        table
    }
}

impl Table {
    /// A table that a storage left, or a new one.
    fn take(is_shared: bool) -> &'static Self {
        let mut pool = POOL.lock();
        let left = if is_shared { pool.shared.pop() } else { pool.owned.pop() };
        drop(pool);
        left.unwrap_or_else(|| {
            Box::leak(Box::new(Self {
                is_shared,
                sums: Directory::new(),
                histograms: Directory::new(),
                chosen: Directory::new(),
                making: Mutex::new(()),
                shared_records: AtomicU64::new(0),
            }))
        })
    }

    /// The sum `id`, made if it was not there; `None` if an owner has no room for it.
    pub(crate) fn sum(&self, id: u32) -> Option<&'static SumCell> {
        let block = block_of(Space::Sum, id);
        self.sums.reserve(id, self.room(block.as_ref().map(|(account, _)| &**account)))
    }

    /// Records in the histogram `id`, making what is missing; `None` if an owner has no room for it.
    pub(crate) fn record<W: Writer>(&self, id: u32, amount: Amount) -> Option<Admitted> {
        let block = block_of(Space::Histogram, id);
        let room = self.room(block.as_ref().map(|(account, _)| &**account));
        let _making = self.is_shared.then(|| self.making.lock());
        match id.checked_sub(CHOSEN) {
            None => self.record_ordinary::<W>(id, amount.value, room),
            Some(place) => {
                let chosen = block.as_ref()?.1?;
                self.record_chosen::<W>(place, chosen, amount, room)
            }
        }
    }

    fn record_ordinary<W: Writer>(&self, id: u32, value: f64, room: Room<'_>) -> Option<Admitted> {
        let cell = self.histograms.reserve(id, room)?;
        while !cell.record::<W>(value) {
            if !cell.make_room::<W>(value, self.is_shared, room) {
                return None;
            }
        }
        Some(Admitted::Within(value))
    }

    fn record_chosen<W: Writer>(
        &self,
        place: u32,
        chosen: &'static Chosen,
        amount: Amount,
        room: Room<'_>,
    ) -> Option<Admitted> {
        let cell = self.chosen.reserve(place, room)?.get_or_make(chosen, room)?;
        loop {
            if let Some(admitted) = cell.record::<W>(amount) {
                return Some(admitted);
            }
            if !cell.make_room::<W>(amount, self.is_shared, room) {
                return None;
            }
        }
    }

    /// Makes room for exemplars of the histogram `id`, which has recorded here; if there is any.
    pub(crate) fn make_exemplars(&self, id: u32, exemplars: &Exemplars) {
        let block = block_of(Space::Histogram, id);
        let _making = self.is_shared.then(|| self.making.lock());
        exemplars.make(self.room(block.as_ref().map(|(account, _)| &**account)));
    }

    /// Counts a record of a thread that shares the table.
    #[inline]
    pub(crate) fn count_shared(&self) {
        Sharer::add(&self.shared_records, 1);
    }

    fn room<'a>(&self, account: Option<&'a Account>) -> Room<'a> {
        match account {
            None => Room::unlimited(),
            Some(account) if self.is_shared => Room::shared(account),
            Some(account) => Room::own(account),
        }
    }

    /// Makes the cell of a series as new, if there is one.
    fn reset(&self, space: Space, id: u32) {
        fn reset<T: Fresh>(directory: &Directory<T>, id: u32) {
            slot(directory.slots(), id).into_iter().for_each(T::reset);
        }
        match (space, id.checked_sub(CHOSEN)) {
            (Space::Sum, _) => reset(&self.sums, id),
            (Space::Histogram, None) => reset(&self.histograms, id),
            (Space::Histogram, Some(place)) => reset(&self.chosen, place),
            (Space::Gauge, _) => {}
        }
    }

    /// Makes everything as new.
    fn clear(&self) {
        self.sums.reset();
        self.histograms.reset();
        self.chosen.reset();
        self.shared_records.store(0, Relaxed);
    }
}

impl Common {
    /// One that a storage left, or a new one.
    fn take() -> &'static Self {
        let left = POOL.lock().common.pop();
        left.unwrap_or_else(|| {
            Box::leak(Box::new(Self {
                gauges: Directory::new(),
                shown_sums: Directory::new(),
                shown_histograms: Directory::new(),
                shown_chosen: Directory::new(),
            }))
        })
    }

    /// Where it is kept whether the series is shown, and at which place; gauges are shown when they are
    /// set.
    fn shown(&self, space: Space, id: u32) -> Option<(&Directory<ShownWord>, u32)> {
        match (space, id.checked_sub(CHOSEN)) {
            (Space::Sum, _) => Some((&self.shown_sums, id)),
            (Space::Histogram, None) => Some((&self.shown_histograms, id)),
            (Space::Histogram, Some(place)) => Some((&self.shown_chosen, place)),
            (Space::Gauge, _) => None,
        }
    }

    fn clear(&self) {
        self.gauges.reset();
        for shown in [&self.shown_sums, &self.shown_histograms, &self.shown_chosen] {
            shown.reset();
        }
    }
}

/// A view of all tables; reads what they hold at the time of each call.
#[derive(Debug)]
pub(crate) struct Reader {
    sums: Vec<Slots<SumCell>>,
    histograms: Vec<Slots<HistogramCell>>,
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
        let recorded = if let Some(place) = id.checked_sub(CHOSEN) {
            self.chosen_cells(place).filter_map(ChosenCell::read).reduce(merge)
        } else {
            HistogramCell::read_all(self.histogram_cells(id))
        };
        let since_removal = match self.histogram_base(id) {
            Some((base, _)) => recorded?.since(base),
            None => recorded?,
        };
        (since_removal.count() > 0).then_some(since_removal)
    }

    /// Makes each of `to` what all threads have recorded of a histogram of `ids`, whatever was removed
    /// of it; as many as there are, and at most [`GROUP`](super::histogram::cuts::GROUP).
    #[cfg(feature = "prometheus")]
    pub(crate) fn count_histograms(
        &self,
        ids: impl Iterator<Item = u32> + Clone,
        cuts: &Cuts,
        to: &mut [BucketCounts],
    ) {
        to.iter_mut().for_each(|counts| counts.clear(cuts));
        for slots in &self.histograms {
            let cells = ids.clone().map(|id| slot(slots, id));
            BucketCounts::add_group(to, cuts, cells);
        }
        if ids.clone().all(|id| id < CHOSEN) {
            return;
        }
        for slots in &self.chosen {
            let place = |id: u32| id.checked_sub(CHOSEN);
            let cells = ids.clone().map(|id| slot(slots, place(id)?)?.get());
            ChosenCell::count_group(cells, cuts, to);
        }
    }

    /// Adds the exemplars of the histogram `id`.
    #[cfg(feature = "prometheus")]
    pub(crate) fn add_exemplars(&self, id: u32, to: &mut BucketCounts) {
        match id.checked_sub(CHOSEN) {
            Some(place) => {
                to.add_exemplars(self.chosen_cells(place).flat_map(ChosenCell::all_exemplars));
            }
            None => {
                to.add_exemplars(self.histogram_cells(id).flat_map(HistogramCell::read_exemplars));
            }
        }
    }

    /// The cells of the histogram at `place` among those with options of their own.
    fn chosen_cells(&self, place: u32) -> impl Iterator<Item = &'static ChosenCell> {
        let slots = self.chosen.iter().filter_map(move |slots| slot(slots, place));
        slots.filter_map(ChosenSlot::get)
    }

    /// The cells of an ordinary histogram.
    pub(crate) fn histogram_cells(
        &self,
        id: u32,
    ) -> impl Iterator<Item = &'static HistogramCell> + Clone {
        self.histograms.iter().filter_map(move |slots| slot(slots, id))
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
    #[inline(always)]
    pub(crate) fn add<W: Writer>(&self, n: u64) {
        W::add(&self.0, n);
    }

    /// [`add`](Self::add) of a fraction.
    #[inline(always)]
    pub(crate) fn add_float<W: Writer>(&self, n: f64) {
        W::add_float(&self.0, n);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Fresh for SumCell {
    fn fresh() -> Self {
        Self(AtomicU64::new(0))
    }

    fn reset(&self) {
        self.0.store(0, Relaxed);
    }
}

impl ShownWord {
    #[inline]
    pub(crate) fn has(&self, id: u32) -> bool {
        self.0.load(Relaxed) & bit(id) != 0
    }

    fn set(&self, id: u32) {
        if !self.has(id) {
            self.0.fetch_or(bit(id), Relaxed);
        }
    }

    fn clear(&self, id: u32) {
        if self.has(id) {
            self.0.fetch_and(!bit(id), Relaxed);
        }
    }
}

fn bit(id: u32) -> u64 {
    1 << (id % 64)
}

impl Fresh for ShownWord {
    fn fresh() -> Self {
        Self(AtomicU64::new(0))
    }

    fn reset(&self) {
        self.0.store(0, Relaxed);
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

    fn get(&self) -> Option<f64> {
        let bits = self.0.load(Relaxed);
        (bits != NEVER_SET).then(|| f64::from_bits(bits))
    }
}

impl Fresh for GaugeCell {
    fn fresh() -> Self {
        Self(AtomicU64::new(NEVER_SET))
    }

    fn reset(&self) {
        self.0.store(NEVER_SET, Relaxed);
    }
}
