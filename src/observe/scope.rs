//! An observed function: its timer and its span, which share their time stamps.

use std::{mem::ManuallyDrop, ops::Deref};

use super::{
    operation::{Measure, Operation},
    place::{Keeper, Marks},
};
use crate::{
    clock,
    context::{self, Context, Measured, Outcome},
    label::KeyValue,
    trace::{Failure, PlacedSpan, SpanBuilder, SpanKind, SpanScope, span},
};

/// The fields of a function that has none.
pub const NO_FIELDS: Option<fn() -> Vec<KeyValue>> = None;

/// The span of an observed function; without a `parent`, it is a child of what is current.
#[inline(always)]
fn builder(measure: Measure, kind: SpanKind, parent: Option<Context>) -> SpanBuilder {
    let builder = span(measure.operation().name()).kind(kind).start_at(measure.start());
    match parent {
        Some(parent) => builder.parent(parent),
        None => builder,
    }
}

/// An observed function that has begun and whose work is a future. It is over once: by the future, or
/// by its drop before that is polled.
#[derive(Debug)]
pub struct Started {
    measure: Measure,
    measured: Measured, // So far; while a thread is in it, that thread knows.
    is_over: bool,
    dropped: Outcome, // What a drop means.
    span: PlacedSpan,
}

impl Started {
    /// Starts the timer.
    #[inline(always)]
    #[must_use]
    pub fn begin(operation: &'static Operation) -> Self {
        Self::new(Measure::new(operation), Measured::Never, Outcome::Panic, PlacedSpan::NONE)
    }

    #[inline(always)]
    fn new(measure: Measure, measured: Measured, dropped: Outcome, span: PlacedSpan) -> Self {
        Self { measure, measured, is_over: false, dropped, span }
    }

    /// Starts the span, and asks for its `fields` if it is recorded. It is entered already, as long as
    /// nobody's code runs before the function's own.
    #[inline(always)] // So that what is known of a function leaves little of it.
    pub fn start<F>(&mut self, kind: SpanKind, parent: Option<Context>, fields: Option<F>)
    where
        F: FnOnce() -> Vec<KeyValue>,
    {
        self.span.start(builder(self.measure, kind, parent));
        if let Some(fields) = fields
            && self.span.is_recorded()
        {
            self.set_fields(fields);
        }
    }

    /// Sets fields, which are read where the caller is.
    #[inline(never)]
    fn set_fields(&mut self, fields: impl FnOnce() -> Vec<KeyValue>) {
        self.span.leave();
        self.span.set_attributes(fields());
    }

    /// Enters the operation for one poll, unless it is over. Returns what [`pause`](Self::pause) and
    /// [`finish`](Self::finish) put back: how often the operation around was measured.
    #[inline]
    pub(super) fn poll(&mut self) -> Option<Measured> {
        if self.is_over {
            return None;
        }
        self.span.enter();
        let around = context::replace_measured(self.measured);
        Some(if around == Measured::Offered { self.take_over() } else { around })
    }

    /// Serves the request that a layer around measures, unless it is recorded in any case. Returns what
    /// is around it then.
    #[inline(never)]
    fn take_over(&self) -> Measured {
        if self.measure.operation().is_always_recorded() {
            return Measured::Offered;
        }
        context::replace_measured(Measured::Outside);
        Measured::Never
    }

    /// Leaves the operation until the next poll.
    pub(super) fn pause(&mut self, around: Measured) {
        self.measured = context::replace_measured(around);
        self.span.leave();
    }

    /// Leaves the operation, which is over.
    #[inline]
    pub(super) fn finish(&mut self, around: Measured, outcome: Outcome) {
        let measured = context::replace_measured(around);
        self.end(outcome, measured);
    }

    #[inline(never)] // So that what leads to it is small.
    fn end(&mut self, outcome: Outcome, measured: Measured) {
        let end = clock::now();
        self.is_over = true;
        // In the span, of which the duration may be an exemplar.
        self.measure.record_once(end, outcome, measured);
        self.span.end(outcome, end);
    }

    pub(super) fn fail(&mut self, failure: &Failure<'_>) {
        self.span.fail(failure);
    }
}

impl Drop for Started {
    #[inline]
    fn drop(&mut self) {
        if !self.is_over {
            give_up(self);
        }
    }
}

#[cold]
#[inline(never)]
fn give_up(started: &mut Started) {
    started.span.enter();
    started.end(started.dropped, started.measured);
}

/// The timer of an observed function that is not `async`, before its span: dropped there, the function
/// has panicked.
#[derive(Debug)]
pub struct Begun(Measure);

impl Begun {
    /// Starts the timer.
    #[inline(always)]
    #[must_use]
    pub fn begin(operation: &'static Operation) -> Self {
        Self(Measure::new(operation))
    }

    /// Starts the span, and enters the operation until the scope is dropped.
    #[inline(always)] // As `Started::start`.
    #[must_use]
    pub fn enter<F>(self, kind: SpanKind, parent: Option<Context>, fields: Option<F>) -> Scope
    where
        F: FnOnce() -> Vec<KeyValue>,
    {
        let measure = ManuallyDrop::new(self).0;
        let span = match fields {
            None => builder(measure, kind, parent).enter(),
            Some(fields) => {
                let (never, panics) = (Measured::Never, Outcome::Panic);
                let mut started = Started::new(measure, never, panics, PlacedSpan::NONE);
                started.start(kind, parent, Some(fields));
                started.is_over = true; // It goes on as the scope.
                started.span.take().into_scope()
            }
        };
        let around = context::replace_measured(Measured::Never);
        Scope { measure, marks: Marks::new(), around, is_over: false, span }
    }
}

impl Drop for Begun {
    #[cold]
    fn drop(&mut self) {
        self.0.record(clock::now(), Outcome::Panic);
    }
}

/// The body of an observed function that is not `async`.
#[derive(Debug)]
pub struct Scope {
    measure: Measure,
    marks: Marks,
    around: Measured, // How often the operation around was measured.
    is_over: bool,
    span: SpanScope,
}

impl Scope {
    /// Leaves the function for the future that it returns; before that runs, a drop is a cancellation.
    #[must_use]
    pub fn hand_over(mut self) -> Started {
        self.is_over = true; // It goes on as the future.
        let measured = context::replace_measured(self.around);
        let span = PlacedSpan::out(self.span.take().leave());
        Started::new(self.measure, measured, Outcome::Cancelled, span)
    }

    #[inline(never)] // As `Started::end`.
    fn end(&mut self, outcome: Outcome, measured: Measured) {
        let end = clock::now();
        self.measure.record_once(end, outcome, measured);
        self.span.end_with(outcome, end);
    }
}

impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        if !self.is_over {
            let measured = context::replace_measured(self.around);
            self.end(self.marks.outcome(), measured);
        }
    }
}

impl Deref for Scope {
    type Target = Marks;

    fn deref(&self) -> &Marks {
        &self.marks
    }
}

impl Keeper for Scope {
    #[inline]
    fn marks(&self) -> &Marks {
        &self.marks
    }

    #[inline]
    fn hear(&self, failure: &Failure<'_>) {
        self.span.fail(failure);
    }
}
