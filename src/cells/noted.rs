//! What few records do beside the record: noting a write to a series that can expire, and keeping an
//! exemplar that has no slot beside a cell.

use super::{
    busy::guarded,
    hot,
    sampled::exemplar_place,
    space::Space,
    tenant::{current_storage, tally},
    written::mark,
};
use crate::{
    clock, context,
    snapshot::{Exemplar, ExemplarFault},
};

/// Notes a write, by this thread, to the series `id` of a family that expires; before the write.
pub(crate) fn note_written(space: Space, id: u32) {
    match hot::written().word(space, id) {
        Some(word) => mark(word, id),
        None => note_written_slow(space, id),
    }
}

#[cold]
#[inline(never)]
fn note_written_slow(space: Space, id: u32) {
    guarded(|| {
        let storage = current_storage();
        storage.mark_written(space, id);
        hot::set_written(&storage);
    });
}

/// Keeps `value`, which was just recorded in the histogram `id`, as an exemplar with these labels.
#[cold]
#[inline(never)]
pub(crate) fn exemplify_with(id: u32, value: f64, labels: &[(&str, &str)]) {
    if let Some((key, value)) = exemplar_place(id, value) {
        keep_exemplar((Space::Histogram, id), key, value, labels);
    }
}

/// Keeps `value`, which was just recorded, as an exemplar of the series `id` with these labels and the
/// current context, if that is sampled; without either, nothing.
#[cold]
#[inline(never)]
pub(crate) fn keep_exemplar(
    (space, id): (Space, u32),
    key: u32,
    value: f64,
    labels: &[(&str, &str)],
) {
    let context = context::span_context();
    let (trace_id, span_id) = match context::is_sampled() {
        true => (context.trace_id(), context.span_id()),
        false => (context::TraceId::INVALID, context::SpanId::INVALID),
    };
    let exemplar = Exemplar::new(value, trace_id, span_id, clock::now());
    let reject = |fault| tally(|tally| tally.reject_exemplar(fault));
    let exemplar = exemplar.with_admitted(labels, reject);
    if !trace_id.is_valid() && exemplar.labels().next().is_none() {
        return;
    }
    let must = !labels.is_empty();
    let is_kept = guarded(|| {
        let storage = current_storage();
        storage.exemplified().keep((space, id), key, exemplar, must)
    });
    if is_kept == Some(false) {
        reject(ExemplarFault::NoRoom);
    }
}
