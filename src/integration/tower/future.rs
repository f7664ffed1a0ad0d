//! The future of a response.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Response, header::CONTENT_LENGTH};
use http_body::Body;

use super::{
    body::ObservedBody,
    exchange::{Answer, End, Exchange, Turn},
};
use crate::{context::Outcome, trace::Failure};

pin_project_lite::pin_project! {
    /// The future of a response whose request is observed, made by a
    /// [`ServerService`](super::ServerService) or a [`ClientService`](super::ClientService).
    ///
    /// The span of the request is current while it is polled. Dropped before the response is there, the
    /// request was cancelled.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        future: Option<F>, // None once it is over.
        exchange: Option<Exchange>, // None if nothing is observed, or the response has it.
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(exchange) = this.exchange {
                // What the future drops belongs to its request.
                let turn = exchange.enter(Outcome::Cancelled);
                this.future.set(None);
                drop(turn);
            }
        }
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(future: F, exchange: Exchange) -> Self {
        Self { future: Some(future), exchange: Some(exchange) }
    }

    /// One that observes nothing.
    pub(super) fn plain(future: F) -> Self {
        Self { future: Some(future), exchange: None }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    E: fmt::Display,
{
    type Output = Result<Response<ObservedBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            // As an async block polled again: a bug of the caller, which must not pass for waiting.
            panic!("`ResponseFuture` polled after it was ready");
        };
        let Some(exchange) = this.exchange.as_mut() else {
            return future.poll(task).map_ok(|response| response.map(ObservedBody::plain));
        };
        let turn = exchange.enter(Outcome::Panic);
        let Poll::Ready(result) = future.poll(task) else {
            turn.leave();
            return Poll::Pending;
        };
        this.future.set(None);
        Poll::Ready(match result {
            Ok(response) => {
                let exchange = match answered(turn, &response) {
                    true => {
                        *this.exchange = None;
                        None
                    }
                    false => this.exchange.take(),
                };
                Ok(response.map(|body| ObservedBody::new(body, exchange)))
            }
            Err(error) => {
                turn.end(End::Failed(&Failure::new::<E>(Some(&error), None)));
                *this.exchange = None;
                Err(error)
            }
        })
    }
}

/// Notes the response, and ends the exchange if it is over with its head. Returns whether it is.
fn answered<B: Body>(mut turn: Turn<'_>, response: &Response<B>) -> bool {
    let (declared, body) = (response.headers().get(CONTENT_LENGTH), response.body());
    let declared = declared.and_then(|value| value.to_str().ok()?.parse().ok());
    let length = declared.or_else(|| body.size_hint().exact());
    let has_body = !body.is_end_stream() && (length != Some(0) || turn.exchange().is_grpc());
    let is_over = turn.answered(response, Answer { length, has_body });
    if is_over {
        turn.end(End::Answered);
    } else {
        turn.leave();
    }
    is_over
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("exchange", &self.exchange).finish_non_exhaustive()
    }
}
