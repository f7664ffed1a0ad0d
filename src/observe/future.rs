//! The body of an observed `async` function.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use super::{place::Marks, scope::Started};
use crate::{context::Outcome, trace::SpanScope};

pin_project_lite::pin_project! {
    /// A future whose span is entered at each poll, and which records when it is ready, panics, or
    /// is dropped before.
    ///
    /// A drop while nobody polls it is a cancellation, even if the thread panics for a reason of its
    /// own.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Observed<'a, F, P> {
        #[pin]
        future: Option<F>, // None once it was ready, or is dropped.
        marks: &'a Marks, // Kept by `future`, which notes each `?`.
        outcome: Option<P>, // None once it was asked.
        started: Option<Started>, // None once it has ended.
    }

    impl<'a, F, P> PinnedDrop for Observed<'a, F, P> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // What the future drops belongs to its span, and to its time.
            let _turn = Turn::new(this.started, Outcome::Cancelled);
            this.future.set(None);
        }
    }
}

impl<'a, F, P> Observed<'a, F, P> {
    pub(super) fn new(started: Started, marks: &'a Marks, future: F, outcome: P) -> Self {
        Self { future: Some(future), marks, outcome: Some(outcome), started: Some(started) }
    }
}

impl<F, P> Future for Observed<'_, F, P>
where
    F: Future,
    P: FnOnce(&F::Output) -> Outcome,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            // As an async block polled again: a bug of the executor, which must not pass for waiting.
            panic!("an observed future was polled after it was ready");
        };
        let mut turn = Turn::new(this.started, Outcome::Panic);
        let poll = future.poll(task);
        match &poll {
            Poll::Pending => turn.stays = true,
            Poll::Ready(value) => {
                this.future.set(None);
                let said = this.outcome.take().map_or(Outcome::Ok, |outcome| outcome(value));
                turn.outcome = this.marks.outcome_of_value(said);
            }
        }
        poll
    }
}

impl<F, P> fmt::Debug for Observed<'_, F, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").field("started", &self.started).finish_non_exhaustive()
    }
}

/// One stay in the span. Leaving it ends the operation with `outcome`, unless it `stays` open; a
/// panic leaves it as it was made.
struct Turn<'a> {
    started: &'a mut Option<Started>,
    scope: Option<SpanScope>,
    outcome: Outcome,
    stays: bool,
}

impl<'a> Turn<'a> {
    fn new(started: &'a mut Option<Started>, outcome: Outcome) -> Self {
        let scope = started.as_mut().map(Started::poll);
        Self { started, scope, outcome, stays: false }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let (Some(scope), Some(started)) = (self.scope.take(), self.started.as_mut()) else {
            return;
        };
        if self.stays {
            started.pause(scope);
        } else {
            started.end(scope, self.outcome);
            *self.started = None;
        }
    }
}
