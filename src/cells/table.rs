//! Tables of cells, and the pool of those that are left.
//!
//! Tables are never freed, because somebody may be reading them: those of a storage that is gone go to
//! the next one.

use super::{
    budget::{Account, Room},
    directory::{Directory, Fresh, slot},
    histogram::{
        cell::{Dense, HistogramCell},
        chosen::{Amount, ChosenSlot},
        exemplars::Exemplars,
        explicit::ExplicitCell,
        options::Chosen,
    },
    ids::block_of,
    scalars::{GaugeCell, SumCell},
    shortcuts::{DENSE_SHORTCUTS, EXPLICIT_SHORTCUTS, Shortcuts},
    shown::Shown,
    space::{CHOSEN, Space},
    writer::{Sharer, Writer},
    written::Written,
};
use crate::{
    snapshot::Admitted,
    sync::{
        Mutex as StaticMutex,
        modelled::{AtomicU64, Mutex, Ordering::Relaxed},
    },
};

/// The cells that one thread owns, or that several share.
#[derive(Debug)]
pub(crate) struct Table {
    pub(super) is_shared: bool,
    pub(crate) sums: Directory<SumCell>,
    pub(crate) histograms: Directory<HistogramCell>,
    /// Of the histograms whose ids begin at [`CHOSEN`]: there it is at zero.
    pub(crate) chosen: Directory<ChosenSlot>,
    /// Of a table that is owned: past both directories.
    pub(super) dense: Shortcuts<Dense, DENSE_SHORTCUTS>,
    pub(super) explicit: Shortcuts<ExplicitCell, EXPLICIT_SHORTCUTS>,
    /// Held by the one of several threads that makes a cell; directory locks are taken inside it.
    pub(super) making: Mutex<()>,
    /// How many records of sharers there were.
    pub(super) shared_records: AtomicU64,
}

/// What all threads of a storage write.
#[derive(Debug)]
pub(crate) struct Common {
    pub(super) gauges: Directory<GaugeCell>,
    pub(super) shown_sums: Shown,
    pub(super) shown_histograms: Shown,
    /// From [`CHOSEN`] on.
    pub(super) shown_chosen: Shown,
    pub(super) written: Written,
}

/// What storages that are gone left: everything in it is as new.
#[derive(Debug, Default)]
struct Pool {
    owned: Vec<&'static Table>,
    shared: Vec<&'static Table>,
    common: Vec<&'static Common>,
}

/// Nothing is locked inside it.
static POOL: StaticMutex<Pool> =
    StaticMutex::new(Pool { owned: Vec::new(), shared: Vec::new(), common: Vec::new() });

impl Table {
    /// A table that a storage left, or a new one.
    pub(super) fn take(is_shared: bool) -> &'static Self {
        let mut pool = POOL.lock();
        let left = if is_shared { pool.shared.pop() } else { pool.owned.pop() };
        drop(pool);
        left.unwrap_or_else(|| {
            Box::leak(Box::new(Self {
                is_shared,
                sums: Directory::new(),
                histograms: Directory::new(),
                chosen: Directory::new(),
                dense: Shortcuts::new(),
                explicit: Shortcuts::new(),
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
        if let Some(dense) = cell.dense().filter(|_| !self.is_shared) {
            self.dense.set(id, dense);
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
        if let Some(cell) = cell.explicit().filter(|_| !self.is_shared) {
            self.explicit.set(place, cell);
        }
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
    pub(super) fn reset(&self, space: Space, id: u32) {
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
    pub(super) fn clear(&self) {
        self.sums.reset();
        self.histograms.reset();
        self.chosen.reset();
        self.shared_records.store(0, Relaxed);
    }
}

impl Common {
    /// One that a storage left, or a new one.
    pub(super) fn take() -> &'static Self {
        let left = POOL.lock().common.pop();
        left.unwrap_or_else(|| {
            Box::leak(Box::new(Self {
                gauges: Directory::new(),
                shown_sums: Shown::new(),
                shown_histograms: Shown::new(),
                shown_chosen: Shown::new(),
                written: Written::new(),
            }))
        })
    }

    /// Where it is kept whether the series is shown, and at which place; gauges are shown when they are
    /// set.
    pub(super) fn shown(&self, space: Space, id: u32) -> Option<(&Shown, u32)> {
        match (space, id.checked_sub(CHOSEN)) {
            (Space::Sum, _) => Some((&self.shown_sums, id)),
            (Space::Histogram, None) => Some((&self.shown_histograms, id)),
            (Space::Histogram, Some(place)) => Some((&self.shown_chosen, place)),
            (Space::Gauge, _) => None,
        }
    }

    pub(super) fn clear(&self) {
        self.gauges.reset();
        for shown in [&self.shown_sums, &self.shown_histograms, &self.shown_chosen] {
            shown.reset();
        }
        self.written.reset();
    }
}

/// Leaves what a storage had to the next one. Nobody writes to any of it.
pub(super) fn leave(tables: Vec<&'static Table>, common: &'static Common) {
    tables.iter().for_each(|table| table.clear());
    common.clear();
    let mut pool = POOL.lock();
    let (shared, owned): (Vec<_>, Vec<_>) = tables.into_iter().partition(|table| table.is_shared);
    pool.shared.extend(shared);
    pool.owned.extend(owned);
    pool.common.push(common);
}
