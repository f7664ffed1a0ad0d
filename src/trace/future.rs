//! Futures that carry a span: it is current while they are polled, on whichever thread.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use super::{AsError, InContext, Span, SpanScope};
use crate::context::{self, Outcome};

/// Gives every future [`in_span`](Self::in_span), and those of a `Result`
/// [`try_in_span`](Self::try_in_span).
pub trait InSpan: Future + Sized {
    /// The future with `span` as its own: current during each poll, and ended with the future.
    ///
    /// Its outcome is `cancelled` if the future is dropped before it is ready. What it is ready with is
    /// not looked at, be it an `Err`: for that there is [`try_in_span`](Self::try_in_span).
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::trace::InSpan;
    ///
    /// async fn work() {}
    ///
    /// let future = work().in_span(bellwether::span("work").start());
    /// # drop(future);
    /// ```
    fn in_span(self, span: Span) -> Instrumented<Self> {
        Instrumented { future: Some(self), span, conclude: |_, _| () }
    }

    /// As [`in_span`](Self::in_span), for a future of a `Result`: an `Err` makes the outcome an error,
    /// and is recorded as [`Span::record_error`] does it. A status and an `error.type` that somebody
    /// set before stay, and of an error that was recorded last there is no second event.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{testing, trace::{InSpan, Status}};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let scope = testing::scope();
    /// let reading = async { std::str::from_utf8(b"\xff").map(str::len) };
    /// let read = reading.try_in_span(bellwether::span("read").start()).await;
    /// let description = read.unwrap_err().to_string();
    /// assert_eq!(scope.span("read").status(), &Status::Error(description.into()));
    /// # }
    /// ```
    fn try_in_span<T, E, K>(self, span: Span) -> Instrumented<Self>
    where
        Self: Future<Output = Result<T, E>>,
        E: AsError<K>,
    {
        let conclude = |output: &Result<T, E>, scope: &SpanScope| {
            if let Err(error) = output {
                error.describe(&mut |failure| scope.fail(failure));
                scope.conclude(Outcome::Error);
            }
        };
        Instrumented { future: Some(self), span, conclude }
    }

    /// The future as a part of the span that is current here: what it does is below that span, wherever it
    /// is polled. For tasks that are spawned.
    ///
    /// The span is not held open, and ends when its own scope does.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{InSpan, span};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// async fn store() {
    ///     let _store = span("store").enter(); // A child of `order`.
    /// }
    ///
    /// let order = span("order").enter();
    /// let storing = tokio::spawn(store().in_current_span());
    /// drop(order);
    /// storing.await.unwrap();
    /// # }
    /// ```
    fn in_current_span(self) -> InContext<Self> {
        self.in_context(context::current())
    }

    /// The future with `context` as the current one during each poll: its children are below the span of
    /// that, and its outgoing headers have the baggage.
    fn in_context(self, context: context::Context) -> InContext<Self> {
        InContext::new(self, context)
    }
}

impl<F: Future> InSpan for F {}

pin_project_lite::pin_project! {
    /// A future with a span; made by [`InSpan::in_span`] and [`InSpan::try_in_span`].
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Instrumented<F: Future> {
        #[pin]
        future: Option<F>, // None once it is over.
        span: Span,
        conclude: fn(&F::Output, &SpanScope),
    }

    impl<F: Future> PinnedDrop for Instrumented<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_none() {
                return;
            }
            this.span.set_outcome(Outcome::Cancelled);
            // What the future drops belongs to its span.
            let _scope = std::mem::take(this.span).enter();
            this.future.set(None);
        }
    }
}

impl<F: Future> Future for Instrumented<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            // As an async block polled again: a bug of the executor, which must not pass for waiting.
            panic!("`Instrumented` polled after it was ready");
        };
        let scope = std::mem::take(this.span).enter();
        match future.poll(cx) {
            Poll::Ready(output) => {
                this.future.set(None);
                (this.conclude)(&output, &scope);
                scope.end();
                Poll::Ready(output)
            }
            Poll::Pending => {
                *this.span = scope.leave();
                Poll::Pending
            }
        }
    }
}

impl<F: Future> Instrumented<F> {
    /// The span, to set something on it from outside of the future.
    pub fn span_mut(self: Pin<&mut Self>) -> &mut Span {
        self.project().span
    }
}

impl<F: Future> fmt::Debug for Instrumented<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instrumented").field("span", &self.span).finish_non_exhaustive()
    }
}
