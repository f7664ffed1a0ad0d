//! Puts a body where its path says, and deletes what is there.

use reqwest::Method;

use super::{
    answer::{HttpAnswer, HttpFailure},
    client::{HttpClient, Request},
    post::HttpPost,
};
use crate::clock::Deadline;

impl HttpClient {
    /// As [`post`](Self::post), by `PUT`.
    pub(crate) fn put(
        &mut self,
        post: HttpPost<'_>,
        deadline: &Deadline,
    ) -> Result<HttpAnswer, HttpFailure> {
        self.send_by(Method::PUT, post, deadline)
    }

    /// Deletes what is at `path` behind the path of the endpoint's URL. Of the answer the status counts alone.
    pub(crate) fn delete(
        &mut self,
        path: &str,
        deadline: &Deadline,
    ) -> Result<HttpAnswer, HttpFailure> {
        let method = Method::DELETE;
        let request = Request { method, path, headers: &[], body: None, most_answer: 0 };
        self.ask(&request, deadline)
    }
}
