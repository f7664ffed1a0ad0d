//! Records: into the cell that is at hand, and where none is, by the slow path that makes it.
//!
//! ```text
//!  record ─► own cell at hand ─ no ─► shared cell at hand, and no table to wait for ─ no ─► slow path:
//!            load, add, store         atomic addition                                       own, else shared
//! ```

use super::{
    busy::guarded,
    directory::{Slots, slot},
    histogram::{
        cell::HistogramCell,
        chosen::{Amount, ChosenSlot},
    },
    hot::{HOT, Shared, chosen, dense, is_shown},
    scalars::{GaugeCell, SumCell},
    shortcuts::shortcut,
    space::{CHOSEN, Space},
    tenant::{current_storage, with_tables},
    writer::{Owner, Sharer, Writer},
};
use crate::snapshot::Admitted;

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
            .or_else(|| record_shared(&hot.shared, id, amount))
    })
}

/// Records in the table that the thread shares if the cell is at hand.
fn record_shared(shared: &Shared, id: u32, amount: Amount) -> Option<Admitted> {
    let table = shared.table()?;
    let (ordinary, chosen) = (shared.histograms.get(), shared.chosen.get());
    let admitted = record_at_hand::<Sharer>(ordinary, chosen, id, amount)?;
    table.count_shared();
    Some(admitted)
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

/// [`gauge`](super::gauge) for one that nobody or only others have touched; `id` is registered.
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
