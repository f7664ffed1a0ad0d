//! A response's body that ends its request.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use ::reqwest::Body;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::exchange::Exchange;

type Data = <Body as HttpBody>::Data;
type Failure = <Body as HttpBody>::Error;

/// A body, and the request that is over with it.
pub(super) struct MeasuredBody {
    body: Body,
    exchange: Option<Exchange>, // `None` once it is over.
    bytes: u64,
}

impl MeasuredBody {
    pub(super) fn new(body: Body, exchange: Exchange) -> Self {
        let mut this = Self { body, exchange: Some(exchange), bytes: 0 };
        this.end_if_over();
        this
    }

    fn end_if_over(&mut self) {
        if self.body.is_end_stream() {
            self.end();
        }
    }

    fn end(&mut self) {
        if let Some(mut exchange) = self.exchange.take() {
            exchange.enter().end(Some(self.bytes));
        }
    }
}

impl HttpBody for MeasuredBody {
    type Data = Data;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Data>, Failure>>> {
        let this = &mut *self;
        let Some(exchange) = this.exchange.as_mut() else {
            return Pin::new(&mut this.body).poll_frame(task);
        };
        let turn = exchange.enter();
        let poll = Pin::new(&mut this.body).poll_frame(task);
        match poll {
            Poll::Ready(Some(Err(error))) => {
                let error = turn.fail(error);
                this.exchange = None;
                return Poll::Ready(Some(Err(error)));
            }
            Poll::Ready(None) => {
                turn.leave();
                this.end();
            }
            Poll::Ready(Some(Ok(ref frame))) => {
                turn.leave();
                this.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                this.end_if_over();
            }
            Poll::Pending => turn.leave(),
        }
        poll
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
