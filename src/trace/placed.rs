//! A span that is entered, left and ended where it lies: that of a future.

use std::mem;

#[cfg(feature = "tower")]
use super::Filling;
use super::{
    Failure, SpanScope,
    active::By,
    builder::SpanBuilder,
    local,
    span::{self, Span, Stay},
    stack::{Left, Place},
    start,
};
use crate::{clock::Ticks, context::Outcome, label::KeyValue};

/// A span whose owner enters it whenever it works, and leaves it before it may go to another thread.
///
/// Where the work is done in one go, nothing but a place is ever moved. Dropped while it is entered, the
/// span stays on its thread's stack: its owner leaves it, or ends it.
#[derive(Debug)]
pub(crate) struct PlacedSpan(Stand);

#[derive(Debug)]
enum Stand {
    /// Entered, but no span was recorded and no parent named: what is current stays so.
    Inherits,
    /// Entered.
    At(Place),
    /// Not entered, or there was no frame for it.
    Out(Span),
}

impl PlacedSpan {
    /// No span.
    pub(crate) const NONE: Self = Self(Stand::Inherits);

    /// One that is not entered.
    pub(crate) fn out(span: Span) -> Self {
        Self(Stand::Out(span))
    }

    /// Starts the span and enters it; there was none before.
    #[inline(always)]
    pub(crate) fn start(&mut self, builder: SpanBuilder) {
        match builder.stay() {
            Stay::At(place) => self.put(Stand::At(place)),
            Stay::Inherits | Stay::Nowhere => self.put(Stand::Inherits),
            Stay::Apart(span) => self.put(Stand::Out(span.into_span())),
        }
    }

    /// Takes the place of one that needs no drop, so that nobody looks whether it does.
    #[inline(always)]
    fn put(&mut self, stand: Stand) {
        mem::forget(mem::replace(&mut self.0, stand));
    }

    /// Takes it away from where it lies.
    pub(crate) fn take(&mut self) -> Self {
        mem::replace(self, Self::NONE)
    }

    /// Whether it is recorded.
    #[inline]
    pub(crate) fn is_recorded(&self) -> bool {
        match &self.0 {
            Stand::Inherits => false,
            Stand::At(place) => place.is_recorded(),
            Stand::Out(span) => span.is_recording(),
        }
    }

    /// Sets attributes, if it is not entered.
    pub(crate) fn set_attributes(&mut self, attributes: Vec<KeyValue>) {
        if let Stand::Out(span) = &mut self.0 {
            for KeyValue { key, value } in attributes {
                span.set_attribute(key, value);
            }
        }
    }

    /// Has `fill` set what is known of it, if it is recorded: one look at the thread's spans serves for all.
    #[cfg(feature = "tower")]
    #[inline]
    pub(crate) fn fill(&mut self, fill: impl FnOnce(&mut Filling<'_>)) {
        let fill = |active: &mut _| fill(&mut Filling(active));
        match &mut self.0 {
            Stand::At(place) if place.is_recorded() => _ = local::with_record(*place, fill),
            Stand::Out(span) => _ = span.with_record(fill),
            Stand::Inherits | Stand::At(_) => {}
        }
    }

    /// This thread's stay in it.
    #[inline(always)]
    pub(crate) fn into_scope(self) -> SpanScope {
        match self.0 {
            Stand::Inherits => SpanScope::of(Stay::Inherits),
            Stand::At(place) => SpanScope::of(Stay::At(place)),
            Stand::Out(span) => span.enter(),
        }
    }

    /// Makes it current on this thread, if it is not already.
    #[inline]
    pub(crate) fn enter(&mut self) {
        if let Stand::Out(_) = self.0 {
            self.push();
        }
    }

    #[inline(never)]
    fn push(&mut self) {
        let Stand::Out(span) = &mut self.0 else { return };
        match span.left.take().map(local::push) {
            Some(Ok(place)) => self.put(Stand::At(place)),
            Some(Err(left)) => span.left = Some(left),
            None => {}
        }
    }

    /// Leaves it without ending it.
    #[inline(never)]
    pub(crate) fn leave(&mut self) {
        let left = match self.0 {
            Stand::Inherits => start::current_to_carry().map(Left::Unrecorded),
            Stand::At(place) => local::leave(place),
            Stand::Out(_) => return,
        };
        self.put(Stand::Out(Span { left }));
    }

    /// Records an error that its work had for a result.
    #[inline]
    pub(crate) fn fail(&mut self, failure: &Failure<'_>) {
        match &mut self.0 {
            Stand::Inherits => {}
            Stand::At(place) => span::fail_at(*place, failure, By::End),
            Stand::Out(span) => span::fail(failure, By::End, |change| span.with_record(change)),
        }
    }

    /// Ends it.
    #[inline]
    pub(crate) fn end(&mut self, outcome: Outcome, at: Ticks) {
        match self.0 {
            Stand::Inherits => {}
            Stand::At(place) => {
                self.put(Stand::Inherits);
                span::end_at(place, outcome, at);
            }
            Stand::Out(_) => self.end_out(outcome, at),
        }
    }

    #[cold]
    #[inline(never)]
    fn end_out(&mut self, outcome: Outcome, at: Ticks) {
        if let Stand::Out(mut span) = self.take().0 {
            span.with_record(|active| active.conclude(outcome));
            span.end_at(at);
        }
    }
}
