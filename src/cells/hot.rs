//! What a thread has at hand: the way to its cells, by one look-up of a thread-local.

use std::cell::Cell;

use super::{
    directory::{Slots, slot},
    histogram::{
        cell::{Dense, HistogramCell},
        chosen::{ChosenCell, ChosenSlot},
        explicit::ExplicitCell,
    },
    owners::freed,
    scalars::{GaugeCell, SumCell},
    shortcuts::{Paths, shortcut},
    shown::{Bits, is_set},
    space::{CHOSEN, Space},
    storage::Storage,
    table::Table,
    written::WrittenSlots,
};

thread_local! {
    // Constant and without a destructor: read without a check of whether it is there, in every
    // destructor and exit hook. Empty slices send every record down the slow path.
    pub(super) static HOT: Hot = const { Hot::EMPTY };
}

/// What records read: copies of the directories of this thread's tables.
pub(super) struct Hot {
    /// Of the table that the thread owns; empty where it owns none.
    pub(super) sums: Cell<Slots<SumCell>>,
    pub(super) histograms: Cell<Slots<HistogramCell>>,
    pub(super) chosen: Cell<Slots<ChosenSlot>>,
    dense: Cell<Paths<Dense>>,
    pub(super) explicit: Cell<Paths<ExplicitCell>>,
    /// Of the storage.
    pub(super) gauges: Cell<Slots<GaugeCell>>,
    shown_sums: Cell<Bits>,
    shown_histograms: Cell<Bits>,
    shown_chosen: Cell<Bits>,
    written: Cell<WrittenSlots>,
    pub(super) shared: Shared,
}

/// The table that the thread shares, where it owns none or was refused a cell.
pub(super) struct Shared {
    table: Cell<Option<&'static Table>>,
    pub(super) sums: Cell<Slots<SumCell>>,
    pub(super) histograms: Cell<Slots<HistogramCell>>,
    pub(super) chosen: Cell<Slots<ChosenSlot>>,
    /// How often a table had become free when the thread last asked for one; `None` if it owns one.
    asked: Cell<Option<u64>>,
}

/// The directories of a table's ordinary histograms, and of those with options of their own.
pub(super) type Histograms = (Slots<HistogramCell>, Slots<ChosenSlot>);

/// The counts by bucket of the ordinary histogram `id`, if a shortcut leads to them.
#[inline(always)]
pub(super) fn dense(id: u32) -> Option<&'static Dense> {
    HOT.with(|hot| shortcut(hot.dense.get(), id))
}

/// The thread's own cell of the histogram `id`, if that has options of its own.
#[inline(always)]
pub(super) fn chosen(id: u32) -> Option<&'static ChosenCell> {
    // An ordinary id wraps around, beyond the directory.
    HOT.with(|hot| slot(hot.chosen.get(), id.wrapping_sub(CHOSEN)))?.get()
}

/// The histograms of the thread's own table.
#[inline(always)]
pub(super) fn own_histograms() -> Histograms {
    HOT.with(|hot| (hot.histograms.get(), hot.chosen.get()))
}

/// The histograms of the table that the thread shares.
pub(super) fn shared_histograms() -> Histograms {
    HOT.with(|hot| (hot.shared.histograms.get(), hot.shared.chosen.get()))
}

/// The gauge `id`, if this thread has it at hand.
#[inline(always)]
pub(crate) fn gauge(id: u32) -> Option<&'static GaugeCell> {
    HOT.with(|hot| slot(hot.gauges.get(), id))
}

/// Whether [`show`] has nothing to do. An id plus an index may be beyond `u32`: that is never shown.
#[inline(always)]
pub(crate) fn is_shown(space: Space, id: u64) -> bool {
    match space {
        Space::Sum => is_set(HOT.with(|hot| hot.shown_sums.get()), id),
        // Ordinary ids wrap around, beyond all bits.
        Space::Histogram => {
            is_set(HOT.with(|hot| hot.shown_histograms.get()), id)
                || is_set(HOT.with(|hot| hot.shown_chosen.get()), id.wrapping_sub(CHOSEN.into()))
        }
        Space::Gauge => true,
    }
}

/// The marks of writes that this thread has at hand.
pub(super) fn written() -> WrittenSlots {
    HOT.with(|hot| hot.written.get())
}

/// Has the thread's marks of writes reach as far as those of `storage`, its current one.
pub(super) fn set_written(storage: &Storage) {
    HOT.with(|hot| hot.written.set(storage.written()));
}

impl Hot {
    #[expect(
        clippy::declare_interior_mutable_const,
        reason = "the initial value of a thread-local, copied into each"
    )]
    const EMPTY: Self = Self {
        sums: Cell::new(&[]),
        histograms: Cell::new(&[]),
        chosen: Cell::new(&[]),
        dense: Cell::new(&[]),
        explicit: Cell::new(&[]),
        gauges: Cell::new(&[]),
        shown_sums: Cell::new(&[]),
        shown_histograms: Cell::new(&[]),
        shown_chosen: Cell::new(&[]),
        written: Cell::new(WrittenSlots::EMPTY),
        shared: Shared {
            table: Cell::new(None),
            sums: Cell::new(&[]),
            histograms: Cell::new(&[]),
            chosen: Cell::new(&[]),
            asked: Cell::new(None),
        },
    };

    /// Leads nowhere.
    pub(super) fn clear(&self) {
        self.sums.set(&[]);
        self.histograms.set(&[]);
        self.chosen.set(&[]);
        self.dense.set(&[]);
        self.explicit.set(&[]);
        self.gauges.set(&[]);
        self.shown_sums.set(&[]);
        self.shown_histograms.set(&[]);
        self.shown_chosen.set(&[]);
        self.written.set(WrittenSlots::EMPTY);
        self.shared.refresh(None);
    }

    /// Leads to these tables, as far as they reach now; as often as `asked` a table had become free when
    /// the thread asked for one of its own, if it has none.
    pub(super) fn refresh(
        &self,
        storage: &Storage,
        own: Option<&'static Table>,
        shared: Option<&'static Table>,
        asked: u64,
    ) {
        self.sums.set(own.map_or(&[], |table| table.sums.slots()));
        self.histograms.set(own.map_or(&[], |table| table.histograms.slots()));
        self.chosen.set(own.map_or(&[], |table| table.chosen.slots()));
        self.dense.set(own.map_or(&[], |table| table.dense.paths()));
        self.explicit.set(own.map_or(&[], |table| table.explicit.paths()));
        self.gauges.set(storage.gauges().slots());
        self.refresh_shown(storage);
        self.written.set(storage.written());
        self.shared.refresh(shared);
        self.shared.asked.set(own.is_none().then_some(asked));
    }

    pub(super) fn refresh_shown(&self, storage: &Storage) {
        let [sums, histograms, chosen] = storage.shown();
        self.shown_sums.set(sums);
        self.shown_histograms.set(histograms);
        self.shown_chosen.set(chosen);
    }
}

impl Shared {
    fn refresh(&self, table: Option<&'static Table>) {
        self.table.set(table);
        self.sums.set(table.map_or(&[], |table| table.sums.slots()));
        self.histograms.set(table.map_or(&[], |table| table.histograms.slots()));
        self.chosen.set(table.map_or(&[], |table| table.chosen.slots()));
    }

    /// The table, unless the thread may own one by now.
    #[inline]
    pub(super) fn table(&self) -> Option<&'static Table> {
        let may_own = self.asked.get().is_some_and(|asked| asked != freed());
        self.table.get().filter(|_| !may_own)
    }

    /// Lets `add` write to the sum `id` if it is at hand; says whether it was.
    #[inline]
    pub(super) fn add_to(&self, id: u32, add: impl FnOnce(&SumCell)) -> bool {
        let Some(table) = self.table() else { return false };
        let Some(cell) = slot(self.sums.get(), id) else { return false };
        add(cell);
        table.count_shared();
        true
    }
}
