//! Streams that carry a span: it is current while they are polled, on whichever thread.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::Span;
use crate::context::Outcome;

/// Gives every stream [`in_span`](Self::in_span).
pub trait StreamInSpan: Stream + Sized {
    /// The stream with `span` as its own: current while the next item is asked for, and ended when there is
    /// none any more.
    ///
    /// Its outcome is `cancelled` if the stream is dropped before that.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::trace::StreamInSpan;
    /// use futures_util::{StreamExt, stream};
    ///
    /// let rows = stream::iter([1, 2, 3]).in_span(bellwether::span("rows").start());
    /// # let mut rows = rows;
    /// # assert_eq!(futures_util::FutureExt::now_or_never(rows.next()), Some(Some(1)));
    /// ```
    fn in_span(self, span: Span) -> InstrumentedStream<Self> {
        InstrumentedStream { stream: Some(self), span }
    }
}

impl<S: Stream> StreamInSpan for S {}

pin_project_lite::pin_project! {
    /// A stream with a span; made by [`StreamInSpan::in_span`].
    #[must_use = "streams do nothing unless they are polled"]
    pub struct InstrumentedStream<S> {
        #[pin]
        stream: Option<S>, // None once it is over.
        span: Span,
    }

    impl<S> PinnedDrop for InstrumentedStream<S> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.stream.is_none() {
                return;
            }
            this.span.set_outcome(Outcome::Cancelled);
            // What the stream drops belongs to its span.
            let _scope = std::mem::take(this.span).enter();
            this.stream.set(None);
        }
    }
}

impl<S: Stream> Stream for InstrumentedStream<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        let Some(stream) = this.stream.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let scope = std::mem::take(this.span).enter();
        let poll = stream.poll_next(task);
        if matches!(poll, Poll::Ready(None)) {
            this.stream.set(None);
            scope.end();
        } else {
            *this.span = scope.leave();
        }
        poll
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.as_ref().map_or((0, Some(0)), S::size_hint)
    }
}

impl<S> InstrumentedStream<S> {
    /// The span, to set something on it from outside of the stream.
    pub fn span_mut(self: Pin<&mut Self>) -> &mut Span {
        self.project().span
    }
}

impl<S> fmt::Debug for InstrumentedStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstrumentedStream").field("span", &self.span).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, task::Waker};

    use super::*;
    use crate::{span, testing, trace::set_attribute};

    /// Three items, with a wait before each.
    struct Rows(u32);

    impl Stream for Rows {
        type Item = u32;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
            self.0 += 1;
            set_attribute("polls", self.0);
            match self.0 {
                7.. => Poll::Ready(None),
                n if n % 2 == 0 => Poll::Ready(Some(n)),
                _ => Poll::Pending,
            }
        }
    }

    impl Drop for Rows {
        fn drop(&mut self) {
            set_attribute("dropped", true);
        }
    }

    #[test]
    fn a_stream_is_in_its_span_until_it_has_no_more() {
        let scope = testing::scope();
        let mut task = Context::from_waker(Waker::noop());
        let mut rows = pin!(Rows(0).in_span(span("rows").start()));
        let mut n_items = 0;
        loop {
            match rows.as_mut().poll_next(&mut task) {
                Poll::Ready(None) => break,
                Poll::Ready(Some(_)) => n_items += 1,
                Poll::Pending => assert!(crate::current().is_none()),
            }
        }
        assert_eq!(n_items, 3);
        let span = scope.span("rows");
        assert_eq!((span.outcome(), span.attributes().len()), (Outcome::Ok, 2));
        assert_eq!(rows.as_mut().poll_next(&mut task), Poll::Ready(None));
    }

    #[test]
    fn a_stream_that_is_dropped_before_its_end_is_cancelled() {
        let scope = testing::scope();
        let mut task = Context::from_waker(Waker::noop());
        {
            let mut rows = pin!(Rows(1).in_span(span("rows").start()));
            assert_eq!(rows.as_mut().poll_next(&mut task), Poll::Ready(Some(2)));
        }
        let span = scope.span("rows");
        assert_eq!((span.outcome(), span.attributes().len()), (Outcome::Cancelled, 2));
    }
}
