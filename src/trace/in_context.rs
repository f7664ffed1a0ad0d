//! Futures that carry a context: it is current while they are polled, on whichever thread.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{self, Poll},
};

use crate::context::Context;

pin_project_lite::pin_project! {
    /// A future with a context; made by [`InSpan::in_current_span`](super::InSpan::in_current_span) and
    /// [`InSpan::in_context`](super::InSpan::in_context).
    #[must_use = "futures do nothing unless they are polled"]
    pub struct InContext<F> {
        #[pin]
        future: Option<F>, // None once it is over.
        context: Context,
    }

    impl<F> PinnedDrop for InContext<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // What the future drops belongs to its context.
            let _scope = this.context.enter();
            this.future.set(None);
        }
    }
}

impl<F> InContext<F> {
    pub(super) const fn new(future: F, context: Context) -> Self {
        Self { future: Some(future), context }
    }
}

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            // As an async block polled again: a bug of the executor, which must not pass for waiting.
            panic!("`InContext` polled after it was ready");
        };
        let _scope = this.context.enter();
        let poll = future.poll(task);
        if poll.is_ready() {
            this.future.set(None);
        }
        poll
    }
}

impl<F> fmt::Debug for InContext<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InContext").field("context", &self.context).finish_non_exhaustive()
    }
}
