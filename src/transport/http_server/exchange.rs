//! What goes to and fro, and what it may cost.

use std::{sync::Arc, time::Duration};

use hyper::{
    StatusCode,
    body::Bytes,
    header::{CONTENT_TYPE, HeaderValue},
    http::request::Parts,
};

/// What the handler is given: the head of a GET or HEAD request.
pub(crate) type Request = Parts;
/// What it answers; the body is left out where the request was HEAD.
pub(crate) type Response = hyper::Response<Bytes>;
/// Answers requests; called on the server's thread. A panic in it is answered by 500.
pub(crate) type Handler = Arc<dyn Fn(&Request) -> Response + Send + Sync>;

/// An answer of one line.
pub(crate) fn line(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}

/// What clients can cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections served at a time.
    pub(crate) connections: usize,
    /// Time to send the head of a request, from its first byte or from the connection's start.
    pub(crate) head: Duration,
    /// Time to make and take an answer.
    pub(crate) answer: Duration,
    /// Time between an answer and the next request's first byte: longer than the usual interval
    /// between scrapes, so that a scraper can keep its connection.
    pub(crate) idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            head: Duration::from_secs(5),
            answer: Duration::from_secs(30),
            idle: Duration::from_secs(120),
        }
    }
}

/// The longest head of a request, its first line included: a browser whose cookies are of every
/// service behind one name may send dozens of kilobytes.
pub(crate) const MAX_HEAD_BYTES: usize = 64 * 1024;
/// The most fields of a head.
pub(crate) const MAX_FIELDS: usize = 256;
