//! An observed function: its timer and its span, which share their time stamps.

use std::{mem, ops::Deref};

use super::{
    operation::{Measure, Operation},
    place::{Keeper, Marks},
};
use crate::{
    clock,
    context::{Context, Outcome},
    label::KeyValue,
    trace::{Failure, Span, SpanKind, SpanScope, span},
};

/// Starts the timer of an observed function.
#[must_use]
pub fn begin(operation: &'static Operation) -> Between {
    Between::new(Measure::new(operation), Span::NONE, Outcome::Panic)
}

/// Starts the span of an observed function whose timer runs; without a `parent`, the span is a child
/// of what is current. `fields` is called where the span is recorded.
#[must_use]
pub fn start(
    mut beginning: Between,
    kind: SpanKind,
    parent: Option<Context>,
    fields: impl FnOnce() -> Vec<KeyValue>,
) -> Started {
    let measure = beginning.measure;
    let builder = span(measure.operation().name()).kind(kind).start_at(measure.start());
    let span = &mut beginning.span;
    *span = match parent {
        Some(parent) => builder.parent(parent).start(),
        None => builder.start(),
    };
    if span.is_recording() {
        for field in fields() {
            span.set_attribute(field.key, field.value);
        }
    }
    beginning.started()
}

/// An observed function between its beginning and its body, or between its body and the future that it
/// returns: dropped there, it has ended.
#[derive(Debug)]
pub struct Between {
    measure: Measure,
    span: Span,
    outcome: Outcome, // What it means to be dropped.
    goes_on: bool,
}

impl Between {
    fn new(measure: Measure, span: Span, outcome: Outcome) -> Self {
        Self { measure, span, outcome, goes_on: false }
    }

    /// What goes on.
    #[must_use]
    pub fn started(mut self) -> Started {
        self.goes_on = true;
        Started { measure: self.measure, span: mem::take(&mut self.span) }
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        if !self.goes_on {
            end(&self.measure, mem::take(&mut self.span).enter(), self.outcome);
        }
    }
}

/// An observed function that has begun. It ends once: by its scope, or by its future.
#[derive(Debug)]
pub struct Started {
    measure: Measure,
    span: Span, // `Span::NONE` while it is current on some thread, and after its end.
}

impl Started {
    /// Enters the span on this thread, until the scope is dropped.
    #[must_use]
    pub fn enter(self) -> Scope {
        let Self { measure, span } = self;
        Scope { measure, marks: Marks::new(), span: Some(span.enter()) }
    }

    /// Enters the span for one poll.
    pub(super) fn poll(&mut self) -> SpanScope {
        mem::take(&mut self.span).enter()
    }

    /// Leaves the span until the next poll.
    pub(super) fn pause(&mut self, scope: SpanScope) {
        self.span = scope.leave();
    }

    /// Ends the timer and the span, which `scope` is in, now.
    pub(super) fn end(&self, scope: SpanScope, outcome: Outcome) {
        end(&self.measure, scope, outcome);
    }
}

/// The body of an observed function that is not `async`.
#[derive(Debug)]
pub struct Scope {
    measure: Measure,
    marks: Marks,
    span: Option<SpanScope>, // None only in `drop`.
}

impl Scope {
    /// Leaves the function for the future that it returns; before that runs, a drop is a cancellation.
    #[must_use]
    pub fn hand_over(mut self) -> Between {
        let span = self.span.take().map_or(Span::NONE, SpanScope::leave);
        Between::new(self.measure, span, Outcome::Cancelled)
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if let Some(span) = self.span.take() {
            end(&self.measure, span, self.marks.outcome());
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
        if let Some(span) = &self.span {
            span.fail(failure);
        }
    }
}

#[inline(never)] // So that what leads to it is small, and moves the span where it is.
fn end(measure: &Measure, span: SpanScope, outcome: Outcome) {
    let end = clock::now();
    span.conclude(outcome);
    // In the span, of which the duration may be an exemplar.
    measure.record(end, outcome);
    span.end_at(end);
}
