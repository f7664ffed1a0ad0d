//! What the tests of bellwether's layers share: small services, bodies that behave badly, and the labels
//! of series.

use std::{
    collections::VecDeque,
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{Router, body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body::Frame;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

pub const SERVED: &str = "http.server.request.duration";
pub const SENT: &str = "http.client.request.duration";

/// The labels of a `GET` that was served.
pub fn served<'a>(route: &'a str, status: &'a str, error: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("http.request.method", "GET"),
        ("url.scheme", "http"),
        ("http.route", route),
        ("http.response.status_code", status),
        ("error.type", error),
    ]
}

/// A `GET` without a body.
pub fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).expect("a request")
}

/// Sends a request into a router; the body of the response is not read.
pub async fn send(app: &Router, request: Request<Body>) -> Response {
    app.clone().oneshot(request).await.expect("a router answers")
}

/// Sends a request into a router, and reads all of the response.
pub async fn fetch(app: &Router, request: Request<Body>) -> (http::StatusCode, Bytes) {
    let response = send(app, request).await;
    let status = response.status();
    (status, response.into_body().collect().await.expect("a body").to_bytes())
}

/// Waits until `is` says so; what it waits for happens on another task.
pub async fn until(mut is: impl FnMut() -> bool) {
    for _ in 0..5000 {
        if is() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("it never was");
}

/// The value of an attribute as text; empty if there is none.
pub fn attribute(span: &bellwether::trace::SpanRecord, key: &str) -> String {
    let found = span.attributes().iter().find(|attribute| attribute.key == key);
    found.map_or(String::new(), |attribute| attribute.value.to_string())
}

/// What a [`Script`] does at a poll.
#[derive(Debug)]
pub enum Step {
    Data(&'static str),
    Trailers(HeaderMap),
    Wait,
    Fail,
    Panic,
    Run(fn()),
}

/// A body that follows a script, and ends after it.
#[derive(Debug, Default)]
pub struct Script(pub VecDeque<Step>);

impl Script {
    pub fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self(steps.into_iter().collect())
    }
}

/// The error of a [`Script`].
#[derive(Debug)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pipe is broken")
    }
}

impl std::error::Error for Broken {}

impl http_body::Body for Script {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            return Poll::Ready(match self.0.pop_front() {
                Some(Step::Data(text)) => {
                    Some(Ok(Frame::data(Bytes::from_static(text.as_bytes()))))
                }
                Some(Step::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
                Some(Step::Wait) => {
                    task.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Fail) => Some(Err(Broken)),
                Some(Step::Panic) => panic!("expected by the test"),
                Some(Step::Run(run)) => {
                    run();
                    continue;
                }
                None => None,
            });
        }
    }
}

/// A service that never fails, of a function from requests to responses.
pub fn service<F, B>(
    answer: F,
) -> impl tower_service::Service<
    Request<Body>,
    Response = http::Response<B>,
    Error = Infallible,
    Future = impl Future<Output = Result<http::Response<B>, Infallible>>,
> + Clone
where
    F: Fn(Request<Body>) -> http::Response<B> + Clone,
{
    tower::service_fn(move |request| {
        let response = answer(request);
        async { Ok(response) }
    })
}

pub mod grpc;
