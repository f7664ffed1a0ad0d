//! All the tables of one set of values: the process's own, or a test scope's.
//!
//! A few threads own a table each; the others write to a few tables that they share. See
//! `table` for what one is, and `reader` for what is read of them.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use super::{
    budget::Room,
    busy::busy,
    directory::{Directory, Fresh, slot},
    exemplified::Exemplified,
    histogram::exemplars,
    ids::block_of,
    owners,
    reader::{Bases, Reader},
    scalars::GaugeCell,
    shown::{Bits, Shown},
    sliding::Sliding,
    space::{REFUSED, Space},
    table::{self, Common, Table},
    tally::Tally,
    written::WrittenSlots,
};
use crate::{
    clock::{self, Ticks},
    snapshot::Exemplar,
    sync::{
        Mutex as StaticMutex,
        modelled::{Mutex, Ordering::Relaxed},
    },
};

/// A set of values: the tables of the threads that recorded into it, and what they all share.
#[derive(Debug)]
pub(crate) struct Storage {
    /// Guards the lists; only the pool is locked inside it.
    tables: Mutex<Tables>,
    common: &'static Common,
    /// Of series that expire: how many values they had when a write was last noticed, and when that
    /// was. Only the marks of writes are touched inside it.
    idle: Mutex<HashMap<(Space, u32), (u64, Ticks)>>,
    exemplified: Exemplified,
    /// What removed series had recorded by then. Replaced, never changed, so that a reader has one
    /// view; the tables and the marks of what is shown are locked inside it.
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

/// All storages there are, for the end of a series: its cells are in each of them.
static STORAGES: StaticMutex<Vec<Weak<Storage>>> = StaticMutex::new(Vec::new());

impl Storage {
    pub(crate) fn new(scoped: bool) -> Arc<Self> {
        let storage = Arc::new(Self {
            tables: Mutex::new(Tables::default()),
            common: Common::take(),
            idle: Mutex::new(HashMap::new()),
            exemplified: Exemplified::default(),
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
        self.reader().cells(id).map(|cell| cell.get()).filter(|&sum| sum > 0).collect()
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

    /// Which sums, ordinary and chosen histograms are shown although they may hold nothing.
    pub(super) fn shown(&self) -> [Bits; 3] {
        let Common { shown_sums, shown_histograms, shown_chosen, .. } = self.common;
        [shown_sums, shown_histograms, shown_chosen].map(Shown::bits)
    }

    /// Shows the series although it may hold nothing: until it is removed. What is disabled is not shown.
    pub(crate) fn show(&self, space: Space, id: u32) {
        if id >= REFUSED {
            return;
        }
        let _busy = busy();
        if let Some((shown, place)) = self.common.shown(space, id) {
            shown.set(place);
        }
    }

    /// Shows the series, of which `reader` sees a value, from here on: unless series were removed since
    /// the reader was made, this one perhaps.
    pub(crate) fn keep_shown(&self, reader: &Reader, space: Space, id: u32) {
        // Held, so that no removal begins: it takes the mark back after its base is there.
        let bases = self.bases.lock();
        if Arc::ptr_eq(&bases, &reader.bases) {
            self.show(space, id);
        }
    }

    /// Everything that can be read now.
    pub(crate) fn reader(&self) -> Reader {
        exemplars::turn();
        let bases = self.bases.lock().clone();
        self.reader_with(bases)
    }

    /// As [`reader`](Self::reader), with the exemplars that are not kept beside cells.
    pub(crate) fn reader_of_all(&self) -> Reader {
        let exemplified = self.exemplified.all();
        Reader { exemplified, ..self.reader() }
    }

    /// A reader of all in place of `reader`, if series were removed or given up since that was made.
    pub(crate) fn newer_reader(&self, reader: &Reader) -> Option<Reader> {
        let bases = self.bases.lock().clone();
        (!Arc::ptr_eq(&bases, &reader.bases)).then(|| {
            let exemplified = self.exemplified.all();
            Reader { exemplified, ..self.reader_with(bases) }
        })
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
    /// them, nor read them: see `series/removal.rs`.
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
        if space == Space::Sum {
            self.sliding.forget_look(id);
        }
    }

    /// Since when nobody has written to the series `id`, which has `count` values if it is a histogram,
    /// as far as looks have noticed.
    pub(crate) fn idle_since(&self, space: Space, id: u32, count: u64, now: Ticks) -> Ticks {
        let mut idle = self.idle.lock();
        let is_written = self.common.written.take(space, id);
        let (last, since) = idle.entry((space, id)).or_insert((count, now));
        if is_written || *last != count {
            (*last, *since) = (count, now);
        }
        *since
    }

    /// Notes that the series `id` of a family that expires was asked for, to be kept: it is not idle.
    pub(crate) fn note_bound(&self, space: Space, id: u32, now: Ticks) {
        if let Some((_, since)) = self.idle.lock().get_mut(&(space, id)) {
            *since = now;
        }
    }

    pub(super) fn exemplified(&self) -> &Exemplified {
        &self.exemplified
    }

    /// The exemplars of the series `id` that are not kept beside its cells, in no order: to be asked for
    /// before a reader is made.
    pub(crate) fn exemplars(&self, space: Space, id: u32) -> Vec<Exemplar> {
        self.exemplified.of(space, id)
    }

    pub(super) fn written(&self) -> WrittenSlots {
        self.common.written.slots()
    }

    pub(super) fn mark_written(&self, space: Space, id: u32) {
        self.common.written.mark(space, id);
    }

    /// Whether an idle series was written while it was removed.
    pub(crate) fn was_written(&self, space: Space, id: u32) -> bool {
        self.common.written.is_marked(space, id)
    }

    /// Puts back the value of a gauge that was just removed, unless it has a newer one.
    pub(crate) fn restore_gauge(&self, id: u32, value: f64) {
        if let Some(cell) = slot(self.common.gauges.slots(), id) {
            cell.restore(value);
        }
    }

    /// Forgets that the series was ever there.
    fn forget(&self, space: Space, id: u32) {
        self.sliding.forget(space, id);
        self.idle.lock().remove(&(space, id));
        self.exemplified.forget(space, id);
        if let Some((shown, place)) = self.common.shown(space, id) {
            shown.clear(place);
        }
    }

    fn reader_with(&self, bases: Arc<Bases>) -> Reader {
        let _busy = busy();
        let shown = self.shown();
        let tables = self.tables.lock();
        Reader {
            sums: tables.all.iter().map(|table| table.sums.slots()).collect(),
            histograms: tables.all.iter().map(|table| table.histograms.slots()).collect(),
            chosen: tables.all.iter().map(|table| table.chosen.slots()).collect(),
            gauges: self.common.gauges.slots(),
            shown,
            bases,
            exemplified: HashMap::new(),
        }
    }
}

impl Drop for Storage {
    /// Nobody writes to its tables any more: who does holds it.
    fn drop(&mut self) {
        if cfg!(bellwether_loom) {
            return; // What loom makes does not outlive its model.
        }
        let _busy = busy();
        let tables = std::mem::take(&mut *self.tables.lock());
        table::leave(tables.all, self.common);
    }
}

impl Tables {
    fn add(&mut self, is_shared: bool) -> &'static Table {
        let table = Table::take(is_shared);
        self.all.push(table);
        table
    }
}
