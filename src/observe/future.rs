//! The body of an observed `async` function.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::scope::Started;
use crate::context::Outcome;

pin_project! {
    /// A future whose span is entered at each poll, and which records when it is ready, panics, or
    /// is dropped before.
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is polled"]
    pub struct Observed<F, P> {
        // First, so that what it holds is gone when the end is taken.
        #[pin]
        future: F,
        outcome: Option<P>, // None once it was asked.
        recording: Recording,
    }
}

impl<F, P> Observed<F, P> {
    pub(super) fn new(started: Started, future: F, outcome: P) -> Self {
        Self { future, outcome: Some(outcome), recording: Recording { started, ended: false } }
    }
}

impl<F, P> Future for Observed<F, P>
where
    F: Future,
    P: FnOnce(&F::Output) -> Outcome,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut turn = Turn { recording: this.recording, left_by: Outcome::Panic, is_over: true };
        turn.recording.started.entered();
        let poll = this.future.poll(task);
        match &poll {
            Poll::Pending => turn.is_over = false,
            Poll::Ready(value) => {
                turn.left_by = this.outcome.take().map_or(Outcome::Ok, |outcome| outcome(value));
            }
        }
        poll
    }
}

/// One poll: what it means to leave it as things stand. Only a panic leaves it as it was made.
struct Turn<'a> {
    recording: &'a mut Recording,
    left_by: Outcome,
    is_over: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.is_over {
            self.recording.end(self.left_by);
        }
    }
}

#[derive(Debug)]
struct Recording {
    started: Started,
    ended: bool,
}

impl Recording {
    fn end(&mut self, outcome: Outcome) {
        if !std::mem::replace(&mut self.ended, true) {
            self.started.end(outcome);
        }
    }
}

/// Dropped while nobody polls it: cancelled, even if the thread panics for another reason.
impl Drop for Recording {
    fn drop(&mut self) {
        self.end(Outcome::Cancelled);
    }
}
