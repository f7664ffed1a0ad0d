//! An observed function: its timer and its span, which share their time stamps.

use std::ops::Deref;

use super::{
    future::Observed,
    operation::{Measure, Operation},
    place::Marks,
};
use crate::{
    clock,
    context::{Outcome, SpanContext},
    label::KeyValue,
    trace::SpanKind,
};

/// Starts the timer and the span of an observed function; `fields` is called where the span is
/// recorded.
pub fn start(
    operation: &'static Operation,
    kind: SpanKind,
    parent: Option<SpanContext>,
    fields: impl FnOnce() -> Vec<KeyValue>,
) -> Started {
    let measure = Measure::new(operation);
    let _ = (kind, parent, fields);
    Started { measure, span: Span }
}

#[derive(Debug)]
struct Span;

/// An observed function that has begun.
#[derive(Debug)]
pub struct Started {
    measure: Measure,
    span: Span,
}

impl Started {
    /// Enters the span on this thread, until the scope is dropped.
    #[must_use]
    pub fn enter(self) -> Scope {
        Scope { started: self }
    }

    /// Enters the span whenever `future` is polled, until it is ready.
    pub fn future<F, P>(self, future: F, outcome: P) -> Observed<F, P>
    where
        F: Future,
        P: FnOnce(&F::Output) -> Outcome,
    {
        Observed::new(self, future, outcome)
    }

    /// Ends both at the time it is now.
    pub(super) fn end(&mut self, outcome: Outcome) {
        let end = clock::now();
        self.measure.record(end, outcome);
        let _ = &self.span;
    }

    pub(super) fn entered(&self) {}
}

/// The body of an observed function that is not `async`.
#[derive(Debug)]
pub struct Scope {
    started: Started,
}

impl Drop for Scope {
    fn drop(&mut self) {
        let outcome = self.started.measure.marks.outcome();
        self.started.end(outcome);
    }
}

impl Deref for Scope {
    type Target = Marks;

    fn deref(&self) -> &Marks {
        &self.started.measure.marks
    }
}
