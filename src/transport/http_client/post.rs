//! Sends a body, and reads what the server says of it.

use std::fmt;

use bytes::Bytes;
use reqwest::{Method, header::CONTENT_TYPE};

use super::{
    answer::{HttpAnswer, HttpFailure, MOST_ANSWER},
    client::{HttpClient, Request},
};
use crate::clock::Deadline;

/// What is posted by an [`HttpPoster`](crate::transport::HttpPoster): a body, with its place and headers.
#[derive(Clone)]
#[must_use = "what is not posted goes nowhere"]
pub struct HttpPost<'a> {
    /// What follows the path of the endpoint's URL; empty for nothing.
    pub(crate) path: &'a str,
    pub(crate) content_type: &'a str,
    /// Headers of this request besides those of the endpoint.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: Bytes,
    /// A success with more than this in its body is a failure, and of another answer the rest is not read;
    /// with 0 none of it is waited for. Never more than [`MOST_ANSWER`].
    pub(crate) most_answer: usize,
}

impl<'a> HttpPost<'a> {
    /// Creates a post to the endpoint's URL, of whose answer the status and the headers are read alone.
    pub fn new(content_type: &'a str, body: impl Into<Vec<u8>>) -> Self {
        Self { path: "", content_type, headers: &[], body: body.into().into(), most_answer: 0 }
    }

    /// Sets what follows the path of the endpoint's URL: `/api/v2/write`. What is behind a `?` is added to the
    /// query of the URL, as it is: whoever adds names or values encodes them.
    pub fn path(self, path: &'a str) -> Self {
        Self { path, ..self }
    }

    /// Sets headers of this request, besides those of the endpoint.
    pub fn headers(self, headers: &'a [(&'a str, &'a str)]) -> Self {
        Self { headers, ..self }
    }

    /// Reads the body of the answer, up to `most` bytes and 4 MiB at most: a success with more is a failure
    /// that may pass, and of another answer the rest is not read.
    pub fn reading(self, most: usize) -> Self {
        Self { most_answer: most, ..self }
    }
}

/// Without what may be secret: the query of its path, and the values of its headers.
impl fmt::Debug for HttpPost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.split('?').next().unwrap_or_default();
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        let mut text = f.debug_struct("HttpPost");
        text.field("path", &path).field("content_type", &self.content_type);
        text.field("headers", &headers).field("n_bytes", &self.body.len()).finish_non_exhaustive()
    }
}

impl HttpClient {
    /// Posts, and waits for the answer, until `deadline` and no longer than the time-out.
    pub(crate) fn post(
        &mut self,
        post: HttpPost<'_>,
        deadline: &Deadline,
    ) -> Result<HttpAnswer, HttpFailure> {
        self.send_by(Method::POST, post, deadline)
    }

    /// As [`post`](Self::post), by this method.
    pub(super) fn send_by(
        &mut self,
        method: Method,
        post: HttpPost<'_>,
        deadline: &Deadline,
    ) -> Result<HttpAnswer, HttpFailure> {
        let mut headers = vec![(CONTENT_TYPE.as_str(), post.content_type)];
        headers.extend_from_slice(post.headers);
        let request = Request {
            method,
            path: post.path,
            headers: &headers,
            body: Some(post.body),
            most_answer: post.most_answer.min(MOST_ANSWER),
        };
        self.ask(&request, deadline)
    }
}
