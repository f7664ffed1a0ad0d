//! The body of a response, at whose last byte a request ends.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Buf as _;
use http_body::{Body, Frame, SizeHint};

use super::{
    exchange::{End, Exchange},
    grpc,
};
use crate::{context::Outcome, trace::Failure};

pin_project_lite::pin_project! {
    /// The body of a response whose request is observed.
    ///
    /// The span of the request is current while it is polled, and ends with the last byte: when the body
    /// says that it is over, or has given as many bytes as its length says. Dropped before, the request
    /// was cancelled; a client's, only if it had begun to read.
    pub struct ObservedBody<B> {
        #[pin]
        body: B,
        exchange: Option<Exchange>, // None once it is over.
    }

    impl<B> PinnedDrop for ObservedBody<B> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(exchange) = this.project().exchange {
                // Whoever sent a request may look at the head alone.
                let end = match exchange.is_unread() {
                    true => End::Answered,
                    false => End::Abandoned(Outcome::Cancelled),
                };
                exchange.enter(Outcome::Cancelled).end(end);
            }
        }
    }
}

impl<B> ObservedBody<B> {
    #[inline]
    pub(super) fn new(body: B, exchange: Option<Exchange>) -> Self {
        Self { body, exchange }
    }

    /// One that is only passed on.
    pub(super) fn plain(body: B) -> Self {
        Self { body, exchange: None }
    }
}

impl<B> Body for ObservedBody<B>
where
    B: Body,
    B::Error: fmt::Display,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(exchange) = this.exchange.as_mut() else { return this.body.poll_frame(task) };
        let mut turn = exchange.enter(Outcome::Panic);
        let Poll::Ready(polled) = this.body.as_mut().poll_frame(task) else {
            turn.leave();
            return Poll::Pending;
        };
        match &polled {
            Some(Ok(frame)) => {
                let mut is_last = frame.is_trailers();
                if let Some(data) = frame.data_ref() {
                    is_last = turn.exchange().count(data.remaining() as u64);
                } else if let Some(trailers) = frame.trailers_ref() {
                    turn.exchange().set_code(grpc::code_in(trailers));
                }
                if !is_last && !this.body.is_end_stream() {
                    turn.leave();
                    return Poll::Ready(polled);
                }
                turn.exchange().set_whole();
                turn.end(End::Answered);
            }
            Some(Err(error)) => {
                turn.end(End::Failed(&Failure::new::<B::Error>(Some(error), None)));
            }
            None => {
                turn.exchange().set_whole();
                turn.end(End::Answered);
            }
        }
        *this.exchange = None;
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: Default> Default for ObservedBody<B> {
    fn default() -> Self {
        Self::plain(B::default())
    }
}

impl<B> fmt::Debug for ObservedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedBody").field("exchange", &self.exchange).finish_non_exhaustive()
    }
}
