//! The context that metrics, spans and logs of this thread share.

use std::{cell::Cell, mem::ManuallyDrop};

use super::SpanContext;

thread_local! {
    // `ManuallyDrop` keeps the thread-local without a destructor: it can be read in every destructor
    // and exit hook, and costs no check of whether it is still there. Nothing leaks, because a scope
    // puts back what it found and the first thing found is `NONE`.
    static CURRENT: ManuallyDrop<Cell<SpanContext>> =
        const { ManuallyDrop::new(Cell::new(SpanContext::NONE)) };
}

/// The context of the span this thread is in; [`SpanContext::NONE`] outside of any.
#[must_use]
pub fn current() -> SpanContext {
    CURRENT.with(|cell| {
        let context = cell.take();
        cell.set(context.clone());
        context
    })
}

/// Makes `context` current and gives back what was.
#[inline]
pub(crate) fn replace(context: SpanContext) -> SpanContext {
    CURRENT.with(|cell| cell.replace(context))
}

/// Makes current what `next` makes of what is, and gives that back. While `next` runs, nothing is
/// current.
#[inline(always)]
pub(crate) fn replace_with(next: impl FnOnce(&SpanContext) -> SpanContext) -> SpanContext {
    CURRENT.with(|cell| {
        let previous = cell.take();
        cell.set(next(&previous));
        previous
    })
}
