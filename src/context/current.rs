//! The context that metrics, spans and logs of this thread share.

use std::{
    cell::{Cell, RefCell},
    mem::{self, ManuallyDrop},
};

use super::{
    SpanContext, SpanId, TraceId, TraceState,
    span_context::{Bits, Ids},
};

thread_local! {
    // Word by word, as they are read and written when spans start and end: a wide load waits for the
    // narrow stores before it.
    static TRACE: Cell<TraceId> = const { Cell::new(TraceId::INVALID) };
    static SPAN: Cell<SpanId> = const { Cell::new(SpanId::INVALID) };
    static BITS: Cell<Bits> = const { Cell::new(Bits::NONE) };
    // `ManuallyDrop` keeps the thread-local without a destructor: it can be read in every destructor
    // and exit hook, and costs no check of whether it is still there. Nothing leaks, because a scope
    // puts back what it found and the first thing found is empty.
    static STATE: ManuallyDrop<RefCell<TraceState>> =
        const { ManuallyDrop::new(RefCell::new(TraceState::EMPTY)) };
    // Whether it is a span's of this process and sampled: one load for every record of a
    // histogram. A caller's context is current where it is only passed through.
    static SAMPLED: Cell<bool> = const { Cell::new(false) };
}

/// The context of the span this thread is in; [`SpanContext::NONE`] outside of any. Where no span is
/// recorded, it is that of the nearest parent that a span was given.
#[inline]
#[must_use]
pub fn current() -> SpanContext {
    ids().with_state(state())
}

/// The current context without its trace state.
#[inline(always)]
pub(crate) fn ids() -> Ids {
    Ids { trace_id: TRACE.get(), span_id: SPAN.get(), bits: BITS.get() }
}

/// The trace state of the current context.
#[inline(always)]
pub(crate) fn state() -> TraceState {
    STATE.with(|cell| cell.try_borrow().map_or(TraceState::EMPTY, |state| state.clone()))
}

/// Whether the current context has a trace state.
#[inline(always)]
pub(crate) fn has_state() -> bool {
    STATE.with(|cell| cell.try_borrow().is_ok_and(|state| !state.is_empty()))
}

/// Whether this thread is in a span that is recorded and exported.
#[inline(always)]
pub(crate) fn is_sampled() -> bool {
    SAMPLED.get()
}

/// Makes another span of the current trace current, with the trace state as it is. Returns what was.
#[inline(always)]
pub(crate) fn replace_span(span_id: SpanId, bits: Bits) -> (SpanId, Bits) {
    SAMPLED.set(bits.is_sampled_here());
    (SPAN.replace(span_id), BITS.replace(bits))
}

/// Makes another trace current. Returns what was.
#[inline(always)]
pub(crate) fn replace_trace(trace_id: TraceId) -> TraceId {
    TRACE.replace(trace_id)
}

/// Makes another trace current.
#[inline(always)]
pub(crate) fn set_trace(trace_id: TraceId) {
    TRACE.set(trace_id);
}

/// Makes `state` that of the current context, and puts there what was.
pub(crate) fn swap_state(state: &mut TraceState) {
    STATE.with(|cell| {
        if let Ok(mut current) = cell.try_borrow_mut() {
            mem::swap(&mut *current, state);
        }
    });
}

/// Makes `context` current, and puts there what was.
#[cfg(test)]
pub(crate) fn swap(context: &mut SpanContext) {
    let (ids, mut state) = (context.ids(), context.state().clone());
    swap_state(&mut state);
    let trace_id = replace_trace(ids.trace_id);
    let (span_id, bits) = replace_span(ids.span_id, ids.bits);
    *context = Ids { trace_id, span_id, bits }.with_state(state);
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
