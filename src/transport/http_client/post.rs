//! Sends a body, and reads what the server says of it.

use bytes::Bytes;
use reqwest::{Method, header::CONTENT_TYPE};

use super::{
    answer::{HttpAnswer, HttpFailure, MOST_ANSWER},
    client::{HttpClient, Request},
};
use crate::clock::Deadline;

/// What is posted.
pub(crate) struct HttpPost<'a> {
    /// What follows the path of the endpoint's URL; empty for nothing.
    pub(crate) path: &'a str,
    pub(crate) content_type: &'a str,
    /// Headers of this request besides those of the endpoint.
    pub(crate) headers: &'a [(&'static str, &'a str)],
    pub(crate) body: Bytes,
    /// A success with more than this in its body is a failure, and of another answer the rest is not read;
    /// with 0 none of it is waited for. [`MOST_ANSWER`] unless there is a reason, and never more.
    pub(crate) most_answer: usize,
}

impl<'a> HttpPost<'a> {
    /// A post whose answer is its status alone.
    pub(crate) fn new(content_type: &'a str, body: impl Into<Bytes>) -> Self {
        Self { path: "", content_type, headers: &[], body: body.into(), most_answer: 0 }
    }
}

impl HttpClient {
    /// Posts, and waits for the answer, until `deadline` and no longer than the time-out.
    pub(crate) fn post(
        &mut self,
        post: HttpPost<'_>,
        deadline: &Deadline,
    ) -> Result<HttpAnswer, HttpFailure> {
        let mut headers = vec![(CONTENT_TYPE.as_str(), post.content_type)];
        headers.extend_from_slice(post.headers);
        let request = Request {
            method: Method::POST,
            path: post.path,
            headers: &headers,
            body: Some(post.body),
            most_answer: post.most_answer.min(MOST_ANSWER),
        };
        self.ask(&request, deadline)
    }
}
