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
        observed: Option<Observed>,
    }

    impl<B> PinnedDrop for ObservedBody<B> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(Observed { exchange, n_bytes, .. }) = this.project().observed.take() {
                // Whoever sent a request may look at the head alone.
                let was_ignored = exchange.is_client() && !exchange.is_grpc() && n_bytes == 0;
                exchange.end(match was_ignored {
                    true => End::Answered,
                    false => End::Abandoned(Outcome::Cancelled),
                });
            }
        }
    }
}

/// What of a body is counted while it goes through.
struct Observed {
    exchange: Exchange,
    length: Option<u64>,
    n_bytes: u64,
}

impl<B> ObservedBody<B> {
    pub(super) fn new(body: B, length: Option<u64>, exchange: Option<Exchange>) -> Self {
        Self { body, observed: exchange.map(|exchange| Observed { exchange, length, n_bytes: 0 }) }
    }

    /// One that is only passed on.
    pub(super) fn plain(body: B) -> Self {
        Self { body, observed: None }
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
        let Some(observed) = this.observed else { return this.body.poll_frame(task) };
        let Observed { exchange, length, n_bytes } = observed;
        let mut turn = exchange.enter(Outcome::Panic);
        let Poll::Ready(polled) = this.body.as_mut().poll_frame(task) else {
            turn.leave();
            return Poll::Pending;
        };
        match &polled {
            Some(Ok(frame)) => {
                let is_http = !turn.exchange().is_grpc();
                if let Some(data) = frame.data_ref() {
                    *n_bytes += data.remaining() as u64;
                } else if let Some(trailers) = frame.trailers_ref() {
                    turn.exchange().set_code(grpc::code_in(trailers));
                }
                let is_all = is_http && length.is_some_and(|length| *n_bytes >= length);
                if !is_all && !frame.is_trailers() && !this.body.is_end_stream() {
                    turn.leave();
                    return Poll::Ready(polled);
                }
                if is_http {
                    turn.exchange().set_response_bytes(*n_bytes);
                }
                turn.end(End::Answered);
            }
            Some(Err(error)) => {
                turn.end(End::Failed(&Failure::new::<B::Error>(Some(error), None)));
            }
            None => {
                if !turn.exchange().is_grpc() {
                    turn.exchange().set_response_bytes(*n_bytes);
                }
                turn.end(End::Answered);
            }
        }
        *this.observed = None;
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
        let exchange = self.observed.as_ref().map(|observed| &observed.exchange);
        f.debug_struct("ObservedBody").field("exchange", &exchange).finish_non_exhaustive()
    }
}
