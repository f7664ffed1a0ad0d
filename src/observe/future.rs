//! The futures of observed functions, and those that timed code waits for.

use std::{
    borrow::BorrowMut,
    fmt,
    mem::ManuallyDrop,
    pin::Pin,
    task::{Context, Poll},
};

use super::{
    place::{Marks, Place},
    probe::{Ending, Said},
    scope::{Scope, Started},
};
use crate::context::{Measured, Outcome};

pin_project_lite::pin_project! {
    /// A future whose span is entered at each poll, and which records when it is ready, panics, or
    /// is dropped before.
    ///
    /// A drop while nobody polls it is a cancellation, even if the thread panics for a reason of its
    /// own.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Observed<'a, F, P, S: BorrowMut<Started>> {
        #[pin]
        future: Option<F>, // None once it was ready, or is dropped.
        marks: Option<&'a Marks>, // Kept by `future`, if it is one that notes each `?`.
        ending: P, // Asks the output what it says.
        started: S,
    }

    impl<'a, F, P, S: BorrowMut<Started>> PinnedDrop for Observed<'a, F, P, S> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                // What the future drops belongs to its span, and to its time.
                let turn = Turn::new(this.started.borrow_mut(), Outcome::Cancelled);
                this.future.set(None);
                drop(turn);
            }
        }
    }
}

impl Started {
    /// Enters the operation whenever `future`, which keeps `marks`, is polled, until it is ready. It is
    /// lent, since it is larger than what is done with it takes.
    #[inline(always)]
    pub fn future<'a, F, A>(
        &'a mut self,
        marks: &'a Marks,
        future: F,
        _: A,
    ) -> Observed<'a, F, impl Fn(&F::Output) -> Said<'_>, &'a mut Self>
    where
        F: Future<Output: Ending<A>>,
    {
        let (future, marks) = (Some(future), Some(marks));
        Observed { future, marks, ending: <F::Output as Ending<A>>::said, started: self }
    }
}

/// A future that says of its value what it means: a pointer, so that all that one function returns
/// are of one type.
pub type Followed<F> = Observed<'static, F, fn(&<F as Future>::Output) -> Said<'_>, Started>;

/// The future that `scope` ends with: it is observed from the call on, but what `?` returns in it is
/// not seen.
pub fn follow<F, A>(future: F, scope: Scope, _: A) -> Followed<F>
where
    F: Future<Output: Ending<A>>,
{
    let (future, started) = (Some(future), scope.hand_over());
    Observed { future, marks: None, ending: <F::Output as Ending<A>>::said, started }
}

impl<F, P, S> Future for Observed<'_, F, P, S>
where
    F: Future,
    P: Fn(&F::Output) -> Said<'_>,
    S: BorrowMut<Started>,
{
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else { polled_again() };
        let turn = Turn::new(this.started.borrow_mut(), Outcome::Panic);
        let poll = future.poll(task);
        match &poll {
            Poll::Pending => turn.pause(),
            Poll::Ready(value) => {
                this.future.set(None);
                let outcome = match (this.ending)(value) {
                    Some(Err(failure)) => {
                        turn.started.fail(&failure);
                        Outcome::Error
                    }
                    // A `None`, which does not say who returned it.
                    None if this.marks.is_some_and(Marks::has_left) => Outcome::Error,
                    Some(Ok(())) | None => Outcome::Ok,
                };
                turn.end(outcome);
            }
        }
        poll
    }
}

/// As an `async` block polled again: a bug of the executor, which must not pass for waiting.
#[cold]
#[inline(never)]
fn polled_again() -> ! {
    panic!("an observed future was polled after it was ready");
}

impl<F, P, S: BorrowMut<Started>> fmt::Debug for Observed<'_, F, P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").field("started", self.started.borrow()).finish_non_exhaustive()
    }
}

/// One stay in the operation, unless that is over. If nobody says how it is left, the operation ends as
/// the turn was made to.
struct Turn<'a> {
    started: &'a mut Started,
    around: Option<Measured>, // None if the operation is over.
    dropped: Outcome,
}

impl<'a> Turn<'a> {
    #[inline]
    fn new(started: &'a mut Started, dropped: Outcome) -> Self {
        let around = started.poll();
        Self { started, around, dropped }
    }

    /// Leaves the operation open.
    #[inline]
    fn pause(self) {
        let mut this = ManuallyDrop::new(self);
        if let Some(around) = this.around {
            this.started.pause(around);
        }
    }

    /// Ends the operation.
    #[inline]
    fn end(self, outcome: Outcome) {
        ManuallyDrop::new(self).finish(outcome);
    }

    #[inline]
    fn finish(&mut self, outcome: Outcome) {
        if let Some(around) = self.around {
            self.started.finish(around, outcome);
        }
    }
}

impl Drop for Turn<'_> {
    #[cold]
    #[inline(never)]
    fn drop(&mut self) {
        self.finish(self.dropped);
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
