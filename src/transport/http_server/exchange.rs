//! Requests and responses, and their limits.

use std::{sync::Arc, time::Duration};

use hyper::{
    StatusCode,
    body::Bytes,
    header::{CONTENT_TYPE, HeaderValue},
    http::request::Parts,
};

/// The input of the handler: the head of a GET or HEAD request.
pub(crate) type Request = Parts;
/// The output of the handler; the body is left out if the request was HEAD.
pub(crate) type Response = hyper::Response<Bytes>;
/// Handles requests; called on the server's thread. If it panics, the response is 500.
pub(crate) type Handler = Arc<dyn Fn(&Request) -> Response + Send + Sync>;

/// A response of one line.
pub(crate) fn line(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}

/// The limits on what clients can cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections served at a time.
    pub(crate) connections: usize,
    /// Time to send the head of a request, from its first byte or from the connection's start.
    pub(crate) head: Duration,
    /// Time to prepare and send a response.
    pub(crate) answer: Duration,
    /// Time between a response and the next request's first byte. It is longer than the usual interval
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

/// The longest head of a request, with its first line. A browser that has the cookies of every service
/// behind one name may send dozens of kilobytes.
pub(crate) const MAX_HEAD_BYTES: usize = 64 * 1024;
/// The most fields of a head.
pub(crate) const MAX_FIELDS: usize = 256;
