//! Gets what is at a path.

use reqwest::Method;

use super::{
    answer::{HttpAnswer, HttpFailure, MOST_ANSWER},
    client::{HttpClient, Request},
};
use crate::clock::Deadline;

impl HttpClient {
    /// Gets what is at `path` behind the path of the endpoint's URL: at most `most` bytes of it, by `deadline` and
    /// within the time-out.
    pub(crate) fn get_from(
        &mut self,
        path: &str,
        most: usize,
        deadline: &Deadline,
    ) -> Result<HttpAnswer, HttpFailure> {
        let most_answer = most.min(MOST_ANSWER);
        let request = Request { method: Method::GET, path, headers: &[], body: None, most_answer };
        self.ask(&request, deadline)
    }
}
