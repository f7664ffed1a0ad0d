//! The futures of observed functions, and those that timed code waits for.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use super::{
    place::{Marks, Place},
    probe::{Ending, Said},
    scope::{Scope, Started},
};
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
        marks: Option<&'a Marks>, // Kept by `future`, if it is one that notes each `?`.
        ending: P, // Asks the output what it says.
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

impl Started {
    /// Enters the span whenever `future`, which keeps `marks`, is polled, until it is ready.
    pub fn future<F, A>(
        self,
        marks: &Marks,
        future: F,
        _: A,
    ) -> Observed<'_, F, impl Fn(&F::Output) -> Said<'_>>
    where
        F: Future<Output: Ending<A>>,
    {
        let (future, marks, started) = (Some(future), Some(marks), Some(self));
        Observed { future, marks, ending: <F::Output as Ending<A>>::said, started }
    }
}

/// A future that says of its value what it means: a pointer, so that all that one function returns
/// are of one type.
pub type Followed<F> = Observed<'static, F, fn(&<F as Future>::Output) -> Said<'_>>;

/// The future that `scope` ends with: it is observed from the call on, but what `?` returns in it is
/// not seen.
pub fn follow<F, A>(future: F, scope: Scope, _: A) -> Followed<F>
where
    F: Future<Output: Ending<A>>,
{
    let (future, started) = (Some(future), Some(scope.hand_over().started()));
    Observed { future, marks: None, ending: <F::Output as Ending<A>>::said, started }
}

impl<F, P> Future for Observed<'_, F, P>
where
    F: Future,
    P: Fn(&F::Output) -> Said<'_>,
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
                turn.outcome = match (this.ending)(value) {
                    Some(Err(failure)) => {
                        turn.scope.iter().for_each(|span| span.fail(&failure));
                        Outcome::Error
                    }
                    // A `None`, which does not say who returned it.
                    None if this.marks.is_some_and(Marks::has_left) => Outcome::Error,
                    Some(Ok(())) | None => Outcome::Ok,
                };
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

impl Marks {
    /// Notes that `future` is waited for, and, once it is ready, that the code is at `place` again.
    pub fn awaiting<F: IntoFuture>(&self, place: Place, future: F) -> Awaiting<'_, F::IntoFuture> {
        let future = future.into_future();
        self.at(Place::AWAITING);
        Awaiting { future, marks: self, place }
    }
}

pin_project_lite::pin_project! {
    /// What [`Marks::awaiting`] waits for.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Awaiting<'a, F> {
        #[pin]
        future: F,
        marks: &'a Marks,
        place: Place,
    }
}

impl<F: Future> Future for Awaiting<'_, F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let poll = this.future.poll(task);
        if poll.is_ready() {
            this.marks.at(*this.place);
        }
        poll
    }
}
