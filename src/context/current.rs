//! The context that metrics, spans and logs of this thread share.

use std::{
    cell::{Cell, RefCell},
    mem,
    mem::ManuallyDrop,
};

use super::SpanContext;

thread_local! {
    // `ManuallyDrop` keeps the thread-local without a destructor: it can be read in every destructor
    // and exit hook, and costs no check of whether it is still there. Nothing leaks, because a scope
    // puts back what it found and the first thing found is `NONE`.
    static CURRENT: ManuallyDrop<RefCell<SpanContext>> =
        const { ManuallyDrop::new(RefCell::new(SpanContext::NONE)) };
    // Whether `CURRENT` is a span of this process and sampled: one load for every record of a
    // histogram. A caller's context is current where it is only passed through.
    static SAMPLED: Cell<bool> = const { Cell::new(false) };
}

/// The context of the span this thread is in; [`SpanContext::NONE`] outside of any. Where no span is
/// recorded, it is that of the nearest parent that a span was given.
#[inline]
#[must_use]
pub fn current() -> SpanContext {
    CURRENT.with(|cell| cell.try_borrow().map_or(SpanContext::NONE, |current| current.clone()))
}

/// Whether this thread is in a span that is recorded and exported.
#[inline(always)]
pub(crate) fn is_sampled() -> bool {
    SAMPLED.get()
}

/// Makes `context` current, and puts there what was.
///
/// In place: a context that is moved is read again while its parts are still being written, and the
/// processor waits (bench span).
#[inline]
pub(crate) fn swap(context: &mut SpanContext) {
    CURRENT.with(|cell| {
        if let Ok(mut current) = cell.try_borrow_mut() {
            mem::swap(&mut *current, context);
            SAMPLED.set(current.is_sampled() & !current.is_remote());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{SpanId, TraceFlags, TraceId, TraceState};

    #[test]
    fn the_flag_is_that_of_the_current_context() {
        let context =
            |flags| SpanContext::new(TraceId::random(), SpanId::random(), flags, TraceState::EMPTY);
        let mut outer = context(TraceFlags::SAMPLED);
        let mut inner = context(TraceFlags::RANDOM);
        let mut seen = vec![is_sampled()];
        for context in [&mut outer, &mut inner] {
            swap(context);
            seen.push(is_sampled());
        }
        for context in [&mut inner, &mut outer] {
            swap(context);
            seen.push(is_sampled());
        }
        assert_eq!(seen, [false, true, false, true, false]);
    }
}
