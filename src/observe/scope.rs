//! An observed function: its timer and its span, which share their time stamps.

use std::{mem, ops::Deref};

use super::{
    future::Observed,
    operation::{Measure, Operation},
    place::Marks,
};
use crate::{
    clock,
    context::{Outcome, SpanContext},
    label::KeyValue,
    trace::{Span, SpanKind, SpanScope, span},
};

/// Starts the timer and the span of an observed function; without a `parent`, the span is a child of
/// what is current. `fields` is called where the span is recorded.
#[must_use]
pub fn start(
    operation: &'static Operation,
    kind: SpanKind,
    parent: Option<SpanContext>,
    fields: impl FnOnce() -> Vec<KeyValue>,
) -> Started {
    let measure = Measure::new(operation);
    let builder = span(operation.name()).kind(kind).start_at(measure.start());
    let mut span = match parent {
        Some(parent) => builder.parent(parent).start(),
        None => builder.start(),
    };
    if span.is_recording() {
        for field in fields() {
            span.set_attribute(field.key, field.value);
        }
    }
    Started { measure, span }
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

    /// Enters the span whenever `future`, which keeps `marks`, is polled, until it is ready.
    pub fn future<F, P>(self, marks: &Marks, future: F, outcome: P) -> Observed<'_, F, P>
    where
        F: Future,
        P: FnOnce(&F::Output) -> Outcome,
    {
        Observed::new(self, marks, future, outcome)
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

fn end(measure: &Measure, span: SpanScope, outcome: Outcome) {
    let end = clock::now();
    span.conclude(outcome);
    // In the span, of which the duration may be an exemplar.
    measure.record(end, outcome);
    span.end_at(end);
}
