//! The context that metrics, spans and logs of this thread share.

use std::{
    cell::{Cell, RefCell},
    mem::{self, ManuallyDrop},
};

use super::{
    Baggage, Context, SpanContext, SpanId, TraceId, TraceState,
    span_context::{Bits, Ids},
};

/// What few contexts have: a trace state, baggage.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Attached {
    pub(crate) state: TraceState,
    pub(crate) baggage: Baggage,
}

impl Attached {
    pub(crate) const NONE: Self = Self { state: TraceState::EMPTY, baggage: Baggage::EMPTY };

    #[inline(always)]
    pub(crate) const fn is_none(&self) -> bool {
        self.state.is_empty() && self.baggage.is_empty()
    }

    /// The context of the span of `ids`, which this is attached to.
    #[inline(always)]
    pub(crate) fn to(self, ids: Ids) -> Context {
        Context::new(ids.with_state(self.state), self.baggage)
    }
}

thread_local! {
    // Word by word, as they are read and written when spans start and end: a wide load waits for the
    // narrow stores before it.
    static TRACE: Cell<TraceId> = const { Cell::new(TraceId::INVALID) };
    static SPAN: Cell<SpanId> = const { Cell::new(SpanId::INVALID) };
    static BITS: Cell<Bits> = const { Cell::new(Bits::NONE) };
    // `ManuallyDrop` keeps the thread-local without a destructor: it can be read in every destructor
    // and exit hook, and costs no check of whether it is still there. Nothing leaks, because a scope
    // puts back what it found and the first thing found is empty.
    static ATTACHED: ManuallyDrop<RefCell<Attached>> =
        const { ManuallyDrop::new(RefCell::new(Attached::NONE)) };
    // Whether there is anything in it, as in few: one load where spans start and end.
    static HAS_ATTACHED: Cell<bool> = const { Cell::new(false) };
    // Whether it is a span's of this process that may be exported: one load for every record of a
    // histogram. A caller's context is current where it is only passed through.
    static SAMPLED: Cell<bool> = const { Cell::new(false) };
}

/// The context of the span this thread is in, with the baggage; [`Context::NONE`] outside of any. Where
/// no span is recorded, it is that of the nearest parent that a span was given.
#[inline]
#[must_use]
pub fn current() -> Context {
    attached().to(ids())
}

/// The span of the current context.
#[inline]
pub(crate) fn span_context() -> SpanContext {
    ids().with_state(attached().state)
}

/// The current context without what is attached to it.
#[inline(always)]
pub(crate) fn ids() -> Ids {
    Ids { trace_id: TRACE.get(), span_id: SPAN.get(), bits: BITS.get() }
}

/// What is attached to the current context.
#[inline(always)]
pub(crate) fn attached() -> Attached {
    if has_attached() { clone_attached() } else { Attached::NONE }
}

#[cold] // Not that it were rare: the way past it is to stay short.
#[inline(never)]
fn clone_attached() -> Attached {
    ATTACHED.with(|cell| cell.try_borrow().map_or(Attached::NONE, |attached| attached.clone()))
}

/// Whether anything is attached to the current context.
#[inline(always)]
pub(crate) fn has_attached() -> bool {
    HAS_ATTACHED.get()
}

/// Whether this thread is in a span that is exported, or may be if a tail sampler keeps it.
#[inline(always)]
pub(crate) fn is_sampled() -> bool {
    SAMPLED.get()
}

/// Makes another span of the current trace current, with what is attached as it is. Returns what was.
#[inline(always)]
pub(crate) fn replace_span(span_id: SpanId, bits: Bits) -> (SpanId, Bits) {
    SAMPLED.set(bits.may_be_exported());
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

/// Attaches `attached` to the current context, and puts there what was.
pub(crate) fn swap_attached(attached: &mut Attached) {
    ATTACHED.with(|cell| {
        if let Ok(mut current) = cell.try_borrow_mut() {
            mem::swap(&mut *current, attached);
            HAS_ATTACHED.set(!current.is_none());
        }
    });
}

/// Makes `context` current, and puts there what was.
#[cfg(test)]
pub(crate) fn swap(context: &mut SpanContext) {
    let (ids, state) = (context.ids(), context.state().clone());
    let mut attached = Attached { state, ..Attached::NONE };
    swap_attached(&mut attached);
    let trace_id = replace_trace(ids.trace_id);
    let (span_id, bits) = replace_span(ids.span_id, ids.bits);
    *context = Ids { trace_id, span_id, bits }.with_state(attached.state);
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
