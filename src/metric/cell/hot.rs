//! The thread's way to its cells: one thread-local look-up, and everything that happens rarely.

use std::{
    cell::{Cell, RefCell},
    sync::{Arc, LazyLock},
};

use super::{
    ORPHANED, REENTRANT,
    directory::{Slots, slot},
    shortcuts::{Paths, shortcut},
    storage::{GaugeCell, Storage, SumCell, Table},
};
use crate::{
    clock, context,
    metric::histogram::{
        Admitted,
        cell::{Dense, HistogramSlot},
        chosen::{self, Amount, ChosenSlot},
        exemplars::Exemplars,
        explicit::ExplicitCell,
    },
    sync::atomic::Ordering::Relaxed,
};

thread_local! {
    // Constant and without a destructor: read without a check of whether it is there, in every
    // destructor and exit hook. Empty slices send every record down the slow path.
    static HOT: Hot = const { Hot::EMPTY };
    // Whether this thread is in the slow path already: an allocator may record.
    static BUSY: Cell<bool> = const { Cell::new(false) };
    // What must be given back when the thread ends.
    static TENANT: Tenant = const { Tenant::NEW };
}

/// The values of the process.
static GLOBAL: LazyLock<Arc<Storage>> = LazyLock::new(|| Storage::new(false));

/// What the hot path reads: copies of the directories of this thread's table.
struct Hot {
    sums: Cell<Slots<SumCell>>,
    histograms: Cell<Slots<HistogramSlot>>,
    chosen: Cell<Slots<ChosenSlot>>,
    gauges: Cell<Slots<GaugeCell>>,
    dense: Cell<Paths<Dense>>,
    explicit: Cell<Paths<ExplicitCell>>,
}

/// Adds `n` to the sum `id`; `false` if its cell is not at hand and [`add_slow`] must do it.
#[inline(always)]
pub(crate) fn add(id: u32, n: u64) -> bool {
    HOT.with(|hot| slot(hot.sums.get(), id).map(|cell| cell.add(n)).is_some())
}

/// [`add`] for a cell that this thread has not touched yet; `id` is registered.
#[cold]
#[inline(never)]
pub(crate) fn add_slow(id: u32, n: u64) {
    with_table(|table| table.sums.reserve(id).add(n));
}

/// [`add`] of a fraction, to a sum of fractions.
#[inline(always)]
pub(crate) fn add_float(id: u32, n: f64) -> bool {
    HOT.with(|hot| slot(hot.sums.get(), id).map(|cell| cell.add_float(n)).is_some())
}

/// [`add_slow`] of a fraction.
#[cold]
#[inline(never)]
pub(crate) fn add_float_slow(id: u32, n: f64) {
    with_table(|table| table.sums.reserve(id).add_float(n));
}

/// Records `value` in the ordinary histogram `id` if it counts by bucket; `false` if
/// [`record_explicit`], [`record_other`] or [`record_slow`] must do it.
#[inline(always)]
pub(crate) fn record(id: u32, value: f64) -> bool {
    // Only the look-up is inside: a longer closure is not inlined where there are many callers.
    let dense = HOT.with(|hot| shortcut(hot.dense.get(), id));
    dense.is_some_and(|dense| dense.record(value))
}

/// Records `value` in the histogram `id` if that is one of explicit bounds; `false` if it is not, or
/// if [`record_other`] or [`record_slow`] must do it.
#[inline(always)]
pub(crate) fn record_explicit(id: u32, value: f64) -> bool {
    // An ordinary id wraps around, beyond all shortcuts.
    let cell = HOT.with(|hot| shortcut(hot.explicit.get(), id.wrapping_sub(chosen::FIRST)));
    cell.is_some_and(|cell| cell.record(value))
}

/// Records `amount` in the histogram `id`, whatever it is, if its cell is at hand; `false` if
/// [`record_slow`] must do it.
pub(crate) fn record_other(id: u32, amount: Amount) -> bool {
    let (ordinary, chosen) = HOT.with(|hot| {
        // An ordinary id wraps around, beyond the directory.
        let chosen = slot(hot.chosen.get(), id.wrapping_sub(chosen::FIRST));
        (slot(hot.histograms.get(), id), chosen)
    });
    match ordinary.and_then(HistogramSlot::get) {
        Some(cell) => cell.record(amount.value),
        None => chosen.and_then(ChosenSlot::get).is_some_and(|cell| match amount.ticks {
            None => cell.record(amount.value),
            Some(ticks) => cell.record_ticks(ticks),
        }),
    }
}

/// [`record`] for a cell not touched yet, a bucket not touched yet, or a number out of the ordinary;
/// `id` is registered and the amount neither negative nor NaN nor infinite.
#[cold]
#[inline(never)]
pub(crate) fn record_slow(id: u32, amount: Amount) -> Admitted {
    let mut admitted = Admitted::Within(amount.value);
    with_table(|table| match id.checked_sub(chosen::FIRST) {
        Some(place) => {
            if let Some(cell) = table.chosen.reserve(place).get_or_make(id) {
                admitted = cell.record_slow(amount);
                cell.explicit().into_iter().for_each(|cell| table.explicit.set(place, cell));
            }
        }
        None => {
            let cell = table.histograms.reserve(id).get_or_make();
            cell.record_slow(amount.value);
            cell.dense().into_iter().for_each(|dense| table.dense.set(id, dense));
        }
    });
    admitted
}

/// Keeps `value`, which was just recorded in the histogram `id`, as the exemplar of its bucket, with
/// the current context. Allocates at the first one of a thread and series; a thread whose table is
/// gone keeps none.
#[inline(never)]
pub(crate) fn exemplify(id: u32, value: f64) {
    if !(0.0..f64::INFINITY).contains(&value) {
        return; // Rejected: NaN and negative ones too.
    }
    let Some((exemplars, key, value)) = HOT.with(|hot| exemplars_of(hot, id, value)) else {
        return;
    };
    let keep = || exemplars.keep(key, value, &context::current(), clock::now());
    if exemplars.is_ready() {
        keep();
    } else {
        guarded(keep);
    }
}

fn exemplars_of(hot: &Hot, id: u32, value: f64) -> Option<(&'static Exemplars, u32, f64)> {
    if let Some(cell) = slot(hot.histograms.get(), id).and_then(HistogramSlot::get) {
        let (exemplars, key) = cell.exemplars(value);
        return Some((exemplars, key, value));
    }
    slot(hot.chosen.get(), id.wrapping_sub(chosen::FIRST))?.get()?.exemplars(value)
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
        let storage = TENANT.try_with(Tenant::storage).unwrap_or_else(|_| GLOBAL.clone());
        write(storage.gauges().reserve(id));
        HOT.with(|hot| hot.gauges.set(storage.gauges().slots()));
    });
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
        gauges: Cell::new(&[]),
        dense: Cell::new(&[]),
        explicit: Cell::new(&[]),
    };

    fn clear(&self) {
        self.sums.set(&[]);
        self.histograms.set(&[]);
        self.chosen.set(&[]);
        self.gauges.set(&[]);
        self.dense.set(&[]);
        self.explicit.set(&[]);
    }
}

/// The tables that a thread has leased, and which storage is current.
struct Tenant {
    current: RefCell<Option<Arc<Storage>>>, // None: the process's own.
    leases: RefCell<Vec<Lease>>,            // Invariant: one for each storage.
}

struct Lease {
    storage: Arc<Storage>,
    table: &'static Table,
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

    /// This thread's table in the current storage, leased at the first call.
    fn table(&self) -> &'static Table {
        let storage = self.storage();
        let mut leases = self.leases.borrow_mut();
        if let Some(lease) = leases.iter().find(|lease| Arc::ptr_eq(&lease.storage, &storage)) {
            return lease.table;
        }
        // A storage that only this thread's lease still holds belonged to a scope that has ended.
        leases.retain(|lease| Arc::strong_count(&lease.storage) > 1);
        let table = storage.lease();
        leases.push(Lease { storage, table });
        table
    }

    /// Points the hot path to the current storage's table, or to nothing where none is leased yet.
    fn refresh(&self) {
        let storage = self.storage();
        let leases = self.leases.borrow();
        let lease = leases.iter().find(|lease| Arc::ptr_eq(&lease.storage, &storage));
        HOT.with(|hot| match lease {
            Some(lease) => {
                hot.sums.set(lease.table.sums.slots());
                hot.histograms.set(lease.table.histograms.slots());
                hot.chosen.set(lease.table.chosen.slots());
                hot.gauges.set(storage.gauges().slots());
                hot.dense.set(lease.table.dense.paths());
                hot.explicit.set(lease.table.explicit.paths());
            }
            None => hot.clear(),
        });
    }
}

impl Drop for Tenant {
    /// Gives the tables back. Whatever this thread records from here on, in the destructors of other
    /// thread-locals, takes the slow path and ends in the orphan table.
    fn drop(&mut self) {
        let _busy = busy();
        HOT.with(Hot::clear);
        for Lease { storage, table } in self.leases.get_mut().drain(..) {
            storage.give_back(table);
        }
    }
}

/// Lets `write` write to this thread's table, or to the orphan table where it has none any more.
fn with_table(write: impl FnOnce(&'static Table)) {
    let mut write = Some(write);
    guarded(|| {
        let own = TENANT.try_with(|tenant| {
            if let Some(write) = write.take() {
                write(tenant.table());
            }
            tenant.refresh();
        });
        if let (Err(_), Some(write)) = (own, write.take()) {
            ORPHANED.fetch_add(1, Relaxed);
            GLOBAL.with_orphan(write);
        }
    });
}

/// Runs `work` unless this thread is inside it already: an allocator that records would wait for a
/// lock that its own thread holds. What it wanted to record is then dropped and counted.
pub(crate) fn guarded<R>(work: impl FnOnce() -> R) -> Option<R> {
    if BUSY.get() {
        REENTRANT.fetch_add(1, Relaxed);
        return None;
    }
    let _busy = busy();
    Some(work())
}

/// Marks this thread as inside until it is dropped: for readers, which hold the same locks.
pub(crate) fn busy() -> Busy {
    Busy { was_busy: BUSY.replace(true) }
}

/// Puts back whether the thread was inside before.
pub(crate) struct Busy {
    was_busy: bool,
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.set(self.was_busy);
    }
}
