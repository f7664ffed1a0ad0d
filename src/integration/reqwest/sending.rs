//! The future of a response.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use ::reqwest::{Body, Client, Request, Response, ResponseBuilderExt as _};
use tower_service::Service;

use super::{
    body::MeasuredBody,
    exchange::{Exchange, Said},
};
use crate::context::is_muted;

type Theirs = <Client as Service<Request>>::Future;

/// When a request is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Until {
    #[default]
    Head,
    Body,
}

pin_project_lite::pin_project! {
    /// A request on its way; ready with its response, or with why there is none. Made by
    /// [`TracedRequest::send`](super::TracedRequest::send) and
    /// [`TracedClient::execute`](super::TracedClient::execute).
    ///
    /// If it is dropped before, the request was cancelled: in the outcome of the span, and as `error.type`
    /// of what is measured.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Sending {
        #[pin]
        future: Option<Theirs>, // `None` once it was ready, or if there was no request.
        refused: Option<::reqwest::Error>, // Why there was none.
        exchange: Option<Exchange>, // `None` on a muted thread.
        until: Until,
    }

    impl PinnedDrop for Sending {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let (true, Some(exchange)) = (this.future.is_some(), this.exchange.as_mut()) {
                // What the future drops belongs to its span.
                let turn = exchange.enter();
                this.future.set(None);
                turn.leave();
            }
        }
    }
}

impl Sending {
    /// Sends `request`, with the context in its headers.
    pub(super) fn new(mut client: &Client, mut request: Request, said: Said, until: Until) -> Self {
        // What an exporter sends is not the program's.
        if is_muted() {
            let future = Some(client.call(request));
            return Self { future, refused: None, exchange: None, until };
        }
        let mut exchange = Exchange::begin(&mut request, said);
        let turn = exchange.enter();
        let future = client.call(request);
        turn.leave();
        Self { future: Some(future), refused: None, exchange: Some(exchange), until }
    }

    /// The future of a request that could not be made. It is none, and not measured.
    pub(super) fn refused(error: ::reqwest::Error) -> Self {
        Self { future: None, refused: Some(error), exchange: None, until: Until::Head }
    }
}

impl Future for Sending {
    type Output = Result<Response, ::reqwest::Error>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            let error = this.refused.take().expect("polled after it was ready");
            return Poll::Ready(Err(error));
        };
        let Some(exchange) = this.exchange.as_mut() else { return future.poll(task) };
        let mut turn = exchange.enter();
        let result = match future.poll(task) {
            Poll::Pending => {
                turn.leave();
                return Poll::Pending;
            }
            Poll::Ready(result) => result,
        };
        this.future.set(None);
        Poll::Ready(match result {
            Err(error) => Err(turn.fail(error)),
            Ok(response) => {
                turn.answered(&response);
                match *this.until {
                    Until::Head => turn.end(response.content_length()),
                    Until::Body => turn.leave(),
                }
                let open = (*this.until == Until::Body).then(|| this.exchange.take()).flatten();
                Ok(match open {
                    Some(exchange) => with_body(response, exchange),
                    None => response,
                })
            }
        })
    }
}

/// The response with a body that ends `exchange`.
fn with_body(response: Response, exchange: Exchange) -> Response {
    let url = response.url().clone();
    let (head, body) = ::http::Response::<Body>::from(response).into_parts();
    let body = Body::wrap(MeasuredBody::new(body, exchange));
    let mut with_url = ::http::Response::builder().url(url).body(()).unwrap_or_default();
    let mut response = ::http::Response::from_parts(head, body);
    response.extensions_mut().extend(std::mem::take(with_url.extensions_mut()));
    Response::from(response)
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("exchange", &self.exchange).finish_non_exhaustive()
    }
}
