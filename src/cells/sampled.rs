//! Records in sampled spans: the exemplar of a bucket beside the cell that counts it.

use super::{
    directory::slot,
    histogram::exemplars::Exemplars,
    hot::{self, Histograms},
    record::is_recordable,
    space::CHOSEN,
    tenant::with_table,
};
use crate::{clock, context};

/// Keeps `value`, which was just recorded in the histogram `id`, as the exemplar of its bucket, with
/// the current context, unless that has one of this turn. Allocates at the first one of a table and
/// series.
#[inline(never)]
pub(crate) fn exemplify(id: u32, value: f64) {
    let is_kept = match hot::dense(id) {
        Some(dense) => dense.has_exemplar_of(value),
        None => hot::chosen(id).is_some_and(|cell| cell.has_exemplar_of(value)),
    };
    if !is_kept {
        exemplify_further(id, value);
    }
}

/// [`exemplify`] where no shortcut leads to an exemplar of this turn.
#[inline(never)]
fn exemplify_further(id: u32, value: f64) {
    let exemplars = exemplars_of(hot::own_histograms(), id, value);
    if !exemplars.is_some_and(|(exemplars, key, _)| exemplars.is_kept(key)) {
        exemplify_slow(id, value);
    }
}

/// [`exemplify`] where the bucket has none of this turn, or the thread does not own its cell.
#[inline(never)]
fn exemplify_slow(id: u32, value: f64) {
    if !is_recordable(value) {
        return;
    }
    let own = exemplars_of(hot::own_histograms(), id, value);
    let is_own = own.is_some();
    let found = own.or_else(|| exemplars_of(hot::shared_histograms(), id, value));
    let Some((exemplars, key, value)) =
        found.filter(|(exemplars, key, _)| !exemplars.is_kept(*key))
    else {
        return;
    };
    if !exemplars.is_ready() {
        with_table(is_own, |table| table.make_exemplars(id, exemplars));
    }
    exemplars.keep(key, value, &context::span_context(), clock::now());
}

/// Where the exemplar of `value`, which was just recorded in the histogram `id`, belongs, and which
/// value it shows; `None` if it was not recorded.
pub(super) fn exemplar_place(id: u32, value: f64) -> Option<(u32, f64)> {
    if !is_recordable(value) {
        return None;
    }
    let own = exemplars_of(hot::own_histograms(), id, value);
    let found = own.or_else(|| exemplars_of(hot::shared_histograms(), id, value));
    found.map(|(_, key, value)| (key, value))
}

#[inline]
fn exemplars_of(
    (ordinary, chosen): Histograms,
    id: u32,
    value: f64,
) -> Option<(&'static Exemplars, u32, f64)> {
    match slot(ordinary, id) {
        Some(cell) => {
            let (exemplars, key) = cell.exemplars(value)?;
            Some((exemplars, key, value))
        }
        None => slot(chosen, id.wrapping_sub(CHOSEN))?.get()?.exemplars(value),
    }
}
