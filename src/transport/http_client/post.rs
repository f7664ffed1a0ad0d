//! Sends a body, and reads what the server says of it.

use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;

use super::{
    answer::{self, HttpAnswer, HttpFailure, MOST_ANSWER},
    client::HttpClient,
};
use crate::clock::{self, Deadline};

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
        let latest = clock::deadline(self.time_limit());
        let mut url = self.endpoint.permitted().map_err(HttpFailure::lasting)?.clone();
        if !post.path.is_empty() {
            url.set_path(&format!("{}{}", url.path().trim_end_matches('/'), post.path));
        }
        let client = self.connected().map_err(HttpFailure::passing)?;
        let mut request = client.post(url).header(CONTENT_TYPE, post.content_type).body(post.body);
        for (name, value) in post.headers {
            request = request.header(*name, *value);
        }
        let most = post.most_answer.min(MOST_ANSWER);
        let place = self.to_string();
        let answer = async { answer::read(request.send().await, most, &place).await };
        self.run(latest, deadline, answer)
            .unwrap_or_else(|| Err(HttpFailure::passing(format!("{place}: timed out"))))
    }
}
