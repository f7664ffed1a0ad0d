//! The thread's way to its cells: one thread-local look-up, and everything that happens rarely.
//!
//! ```text
//!  record ─► own cell at hand ─ no ─► shared cell at hand, and no table to wait for ─ no ─► slow path:
//!            load, add, store         atomic addition                                       own, else shared
//! ```

use std::{
    cell::{Cell, RefCell},
    sync::{Arc, LazyLock},
};

use super::{
    busy::{busy, guarded},
    directory::{Slots, slot},
    histogram::{
        cell::{Dense, HistogramCell},
        chosen::{Amount, ChosenCell, ChosenSlot},
        explicit::ExplicitCell,
    },
    owners::freed,
    scalars::{GaugeCell, SumCell},
    shortcuts::{Paths, shortcut},
    shown::{Bits, is_set},
    space::{CHOSEN, Space},
    storage::Storage,
    table::Table,
    tally::Tally,
    writer::{Owner, Sharer, Writer},
    written::WrittenSlots,
};
use crate::{
    snapshot::Admitted,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

thread_local! {
    // Constant and without a destructor: read without a check of whether it is there, in every
    // destructor and exit hook. Empty slices send every record down the slow path.
    static HOT: Hot = const { Hot::EMPTY };
    // What must be given back when the thread ends.
    static TENANT: Tenant = const { Tenant::NEW };
}

/// The values of the process.
static GLOBAL: LazyLock<Arc<Storage>> = LazyLock::new(|| Storage::new(false));

/// What records read: copies of the directories of this thread's tables.
struct Hot {
    /// Of the table that the thread owns; empty where it owns none.
    sums: Cell<Slots<SumCell>>,
    histograms: Cell<Slots<HistogramCell>>,
    chosen: Cell<Slots<ChosenSlot>>,
    dense: Cell<Paths<Dense>>,
    explicit: Cell<Paths<ExplicitCell>>,
    /// Of the storage.
    gauges: Cell<Slots<GaugeCell>>,
    shown_sums: Cell<Bits>,
    shown_histograms: Cell<Bits>,
    shown_chosen: Cell<Bits>,
    written: Cell<WrittenSlots>,
    shared: Shared,
}

/// The table that the thread shares, where it owns none or was refused a cell.
struct Shared {
    table: Cell<Option<&'static Table>>,
    sums: Cell<Slots<SumCell>>,
    histograms: Cell<Slots<HistogramCell>>,
    chosen: Cell<Slots<ChosenSlot>>,
    /// How often a table had become free when the thread last asked for one; `None` if it owns one.
    asked: Cell<Option<u64>>,
}

/// The directories of a table's ordinary histograms, and of those with options of their own.
pub(super) type Histograms = (Slots<HistogramCell>, Slots<ChosenSlot>);

/// Adds `n` to the sum `id`; `false` if its cell is not at hand and [`add_slow`] must do it.
#[inline(always)]
pub(crate) fn add(id: u32, n: u64) -> bool {
    HOT.with(|hot| slot(hot.sums.get(), id).map(|cell| cell.add::<Owner>(n)).is_some())
}

/// [`add`] for a cell that this thread does not own, or has not touched yet; `id` is registered.
#[cold]
#[inline(never)]
pub(crate) fn add_slow(id: u32, n: u64) {
    if !HOT.with(|hot| hot.shared.add_to(id, |cell| cell.add::<Sharer>(n))) {
        add_with(id, |cell| cell.add::<Owner>(n), |cell| cell.add::<Sharer>(n));
    }
}

/// [`add`] of a fraction, to a sum of fractions.
#[inline(always)]
pub(crate) fn add_float(id: u32, n: f64) -> bool {
    HOT.with(|hot| slot(hot.sums.get(), id).map(|cell| cell.add_float::<Owner>(n)).is_some())
}

/// [`add_slow`] of a fraction.
#[cold]
#[inline(never)]
pub(crate) fn add_float_slow(id: u32, n: f64) {
    if !HOT.with(|hot| hot.shared.add_to(id, |cell| cell.add_float::<Sharer>(n))) {
        add_with(id, |cell| cell.add_float::<Owner>(n), |cell| cell.add_float::<Sharer>(n));
    }
}

fn add_with(id: u32, own: impl FnOnce(&SumCell), shared: impl FnOnce(&SumCell)) {
    with_tables(|tables| match tables.own.and_then(|table| table.sum(id)) {
        Some(cell) => own(cell),
        None => {
            let table = tables.shared();
            if let Some(cell) = table.sum(id) {
                shared(cell);
                table.count_shared();
            }
        }
    });
}

/// Records `value` in the ordinary histogram `id` if it counts by bucket; `false` if one of the
/// functions below must do it.
#[inline(always)]
pub(crate) fn record(id: u32, value: f64) -> bool {
    // Only the look-up is in a closure: a longer one is not inlined where there are many callers.
    dense(id).is_some_and(|dense| dense.record::<Owner>(value))
}

/// Records `value` in the histogram `id` if that is one of explicit bounds; `false` if it is not, or
/// if one of the functions below must do it.
#[inline(always)]
pub(crate) fn record_explicit(id: u32, value: f64) -> bool {
    // An ordinary id wraps around, beyond all shortcuts.
    let cell = HOT.with(|hot| shortcut(hot.explicit.get(), id.wrapping_sub(CHOSEN)));
    cell.is_some_and(|cell| cell.record_known(value))
}

/// Records `value` in the histogram `id` if that is one with options of its own; `false` if it is not,
/// or if [`record_other`] or [`record_slow`] must do it.
#[inline]
pub(crate) fn record_chosen(id: u32, value: f64) -> bool {
    chosen(id).is_some_and(|cell| cell.record_known(value))
}

/// Records `ticks` in the histogram `id` if that is one of ticks; `false` if it is not, or if
/// [`record_other`] or [`record_slow`] must do it.
#[inline]
pub(crate) fn record_ticks(id: u32, ticks: u64) -> bool {
    chosen(id).is_some_and(|cell| cell.record_known_ticks(ticks))
}

/// Records `amount` in the histogram `id`, whatever it is, if its cell is at hand, owned or shared;
/// `None` if [`record_slow`] must do it.
pub(crate) fn record_other(id: u32, amount: Amount) -> Option<Admitted> {
    if !is_recordable(amount.value) {
        return None;
    }
    HOT.with(|hot| {
        record_at_hand::<Owner>(hot.histograms.get(), hot.chosen.get(), id, amount)
            .or_else(|| hot.shared.record(id, amount))
    })
}

/// [`record`] for a cell that is not there yet; `id` is registered and the amount neither negative nor
/// NaN nor infinite.
#[cold]
#[inline(never)]
pub(crate) fn record_slow(id: u32, amount: Amount) -> Admitted {
    let mut admitted = None;
    with_tables(|tables| {
        admitted = tables.own.and_then(|table| table.record::<Owner>(id, amount));
        if admitted.is_none() {
            let table = tables.shared();
            admitted = table.record::<Sharer>(id, amount);
            table.count_shared();
        }
    });
    admitted.unwrap_or(Admitted::Within(amount.value))
}

/// Records in a cell that is there.
#[inline]
fn record_at_hand<W: Writer>(
    ordinary: Slots<HistogramCell>,
    chosen: Slots<ChosenSlot>,
    id: u32,
    amount: Amount,
) -> Option<Admitted> {
    match slot(ordinary, id) {
        Some(cell) => cell.record::<W>(amount.value).then_some(Admitted::Within(amount.value)),
        // An ordinary id wraps around, beyond the directory.
        None => slot(chosen, id.wrapping_sub(CHOSEN))?.get()?.record::<W>(amount),
    }
}

/// Whether `value` is neither negative nor NaN nor infinite.
#[inline(always)]
pub(super) fn is_recordable(value: f64) -> bool {
    // By its bits, as which such numbers are ordered.
    value.to_bits() < f64::INFINITY.to_bits() || value == 0.0
}

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

/// [`gauge`] for one that nobody or only others have touched; `id` is registered.
#[cold]
#[inline(never)]
pub(crate) fn gauge_slow(id: u32, write: impl FnOnce(&GaugeCell)) {
    guarded(|| {
        let storage = current_storage();
        if let Some(gauge) = storage.gauge(id) {
            write(gauge);
        }
        HOT.with(|hot| hot.gauges.set(storage.gauges().slots()));
    });
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

/// Shows the series `id` although it may hold nothing, in the storage that this thread records into.
/// A gauge is shown when it is set.
#[inline]
pub(crate) fn show(space: Space, id: u32) {
    if !is_shown(space, id.into()) {
        show_slow(space, id);
    }
}

#[cold]
#[inline(never)]
fn show_slow(space: Space, id: u32) {
    guarded(|| {
        let storage = current_storage();
        storage.show(space, id);
        HOT.with(|hot| hot.refresh_shown(&storage));
    });
}

/// The marks of writes that this thread has at hand.
pub(super) fn written() -> WrittenSlots {
    HOT.with(|hot| hot.written.get())
}

/// Has the thread's marks of writes reach as far as those of `storage`, its current one.
pub(super) fn set_written(storage: &Storage) {
    HOT.with(|hot| hot.written.set(storage.written()));
}

/// Lets this thread record into `storage` until the guard is dropped; `None` is the process's own.
pub(crate) fn enter(storage: Option<Arc<Storage>>) -> Entered {
    let swap = |tenant: &Tenant| {
        let previous = tenant.current.replace(storage);
        tenant.refresh();
        previous
    };
    // A thread whose destructors run has no scope any more: its records go to the process's own.
    Entered(TENANT.try_with(swap).ok())
}

/// The storage that this thread records into.
pub(crate) fn current_storage() -> Arc<Storage> {
    TENANT.try_with(Tenant::storage).unwrap_or_else(|_| GLOBAL.clone())
}

/// Records of threads whose table was gone already.
static ORPHANED: AtomicU64 = AtomicU64::new(0);

/// How many records were made by threads whose table was gone already.
pub(crate) fn orphaned() -> u64 {
    ORPHANED.load(Relaxed)
}

/// Lets `note` count what the current storage does not record as it was asked to. From
/// inside the slow path, what is not counted here is counted as dropped there.
#[cold]
pub(crate) fn tally(note: impl FnOnce(&Tally)) {
    guarded(|| note(current_storage().tally()));
}

/// How many records threads made in shared tables of the process's own storage.
pub(crate) fn shared_records() -> u64 {
    GLOBAL.shared_records()
}

/// Puts the storage back that the thread recorded into before; `None` if there was none to swap.
#[derive(Debug)]
pub(crate) struct Entered(Option<Option<Arc<Storage>>>);

impl Drop for Entered {
    fn drop(&mut self) {
        let Some(previous) = self.0.take() else { return };
        let _ = TENANT.try_with(|tenant| {
            // The scope's own storage is dropped after the borrow has ended.
            let left = tenant.current.replace(previous);
            tenant.refresh();
            drop(left);
        });
    }
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

    fn clear(&self) {
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

    /// Leads to these tables, as far as they reach now.
    fn refresh(&self, storage: &Storage, lease: &Lease) {
        self.sums.set(lease.own.map_or(&[], |table| table.sums.slots()));
        self.histograms.set(lease.own.map_or(&[], |table| table.histograms.slots()));
        self.chosen.set(lease.own.map_or(&[], |table| table.chosen.slots()));
        self.dense.set(lease.own.map_or(&[], |table| table.dense.paths()));
        self.explicit.set(lease.own.map_or(&[], |table| table.explicit.paths()));
        self.gauges.set(storage.gauges().slots());
        self.refresh_shown(storage);
        self.written.set(storage.written());
        self.shared.refresh(lease.shared);
        self.shared.asked.set(lease.own.is_none().then_some(lease.asked));
    }

    fn refresh_shown(&self, storage: &Storage) {
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
    fn table(&self) -> Option<&'static Table> {
        let may_own = self.asked.get().is_some_and(|asked| asked != freed());
        self.table.get().filter(|_| !may_own)
    }

    /// Lets `add` write to the sum `id` if it is at hand; says whether it was.
    #[inline]
    fn add_to(&self, id: u32, add: impl FnOnce(&SumCell)) -> bool {
        let Some(table) = self.table() else { return false };
        let Some(cell) = slot(self.sums.get(), id) else { return false };
        add(cell);
        table.count_shared();
        true
    }

    /// Records in the histogram `id` if its cell is at hand.
    fn record(&self, id: u32, amount: Amount) -> Option<Admitted> {
        let table = self.table()?;
        let (ordinary, chosen) = (self.histograms.get(), self.chosen.get());
        let admitted = record_at_hand::<Sharer>(ordinary, chosen, id, amount)?;
        table.count_shared();
        Some(admitted)
    }
}

/// The tables that a thread has leased, and which storage is current.
struct Tenant {
    current: RefCell<Option<Arc<Storage>>>, // None: the process's own.
    leases: RefCell<Vec<Lease>>,            // Invariant: one for each storage.
}

/// A thread's tables in one storage.
struct Lease {
    storage: Arc<Storage>,
    own: Option<&'static Table>,
    /// `None` until the thread needs it: because it owns no table, or was refused a cell in it.
    shared: Option<&'static Table>,
    /// How often a table had become free when this one was asked for.
    asked: u64,
}

impl Lease {
    fn new(storage: Arc<Storage>) -> Self {
        let mut lease = Self { storage, own: None, shared: None, asked: 0 };
        lease.ask();
        lease
    }

    /// Asks for a table to own, if there is none.
    fn ask(&mut self) {
        if self.own.is_none() {
            // Before the table: one that becomes free in between is asked for again.
            self.asked = freed();
            self.own = self.storage.lease();
        }
    }

    /// The table that this thread shares.
    fn shared(&mut self) -> &'static Table {
        self.shared.get_or_insert_with(|| self.storage.share())
    }

    /// A lease of a thread that will give nothing back: it owns no table.
    fn last(storage: Arc<Storage>) -> Self {
        Self { storage, own: None, shared: None, asked: 0 }
    }
}

impl Tenant {
    #[expect(
        clippy::declare_interior_mutable_const,
        reason = "the initial value of a thread-local, copied into each"
    )]
    const NEW: Self = Self { current: RefCell::new(None), leases: RefCell::new(Vec::new()) };

    fn storage(&self) -> Arc<Storage> {
        self.current.borrow().as_ref().unwrap_or(&GLOBAL).clone()
    }

    /// Lets `write` write to this thread's tables in the current storage, leased at the first call.
    fn with_tables(&self, write: impl FnOnce(&mut Lease)) {
        let storage = self.storage();
        let mut leases = self.leases.borrow_mut();
        let place = leases.iter().position(|lease| Arc::ptr_eq(&lease.storage, &storage));
        let place = place.unwrap_or_else(|| {
            // A storage that only this thread's lease still holds belonged to a scope that has ended.
            leases.retain(|lease| Arc::strong_count(&lease.storage) > 1);
            leases.push(Lease::new(storage.clone()));
            leases.len() - 1
        });
        let lease = &mut leases[place];
        lease.ask();
        write(lease);
        HOT.with(|hot| hot.refresh(&storage, lease));
    }

    /// Lets the hot path lead to the current storage: to nothing where this thread has no table in it.
    fn refresh(&self) {
        let current = self.current.borrow();
        let storage = current.as_ref().unwrap_or(&GLOBAL);
        let leases = self.leases.borrow();
        HOT.with(|hot| match leases.iter().find(|lease| Arc::ptr_eq(&lease.storage, storage)) {
            Some(lease) => hot.refresh(storage, lease),
            None => hot.clear(),
        });
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        let _busy = busy();
        HOT.with(Hot::clear);
        for Lease { storage, own, .. } in self.leases.get_mut().drain(..) {
            own.into_iter().for_each(|table| storage.give_back(table));
        }
    }
}

/// Lets `write` write to the table that this thread owns, if `is_own` and it has one, else to the one that
/// it shares.
pub(super) fn with_table(is_own: bool, write: impl FnOnce(&'static Table)) {
    with_tables(|tables| {
        write(tables.own.filter(|_| is_own).unwrap_or_else(|| tables.shared()));
    });
}

/// Lets `write` write to this thread's tables; where it has none any more, to one that it shares.
fn with_tables(write: impl FnOnce(&mut Lease)) {
    let mut write = Some(write);
    guarded(|| {
        let own = TENANT.try_with(|tenant| {
            if let Some(write) = write.take() {
                tenant.with_tables(write);
            }
        });
        if let (Err(_), Some(write)) = (own, write.take()) {
            ORPHANED.fetch_add(1, Relaxed);
            write(&mut Lease::last(GLOBAL.clone()));
        }
    });
}
