//! Asking for a document, limited in size and in time.

use std::io::{self, Read as _};

use reqwest::{blocking::Response, header::ACCEPT};

use super::endpoint::{HttpEndpoint, chain, is_not_public};
use crate::clock;

/// Why no document was read.
#[derive(Debug)]
pub(crate) struct GetFailure {
    /// In a word: `forbidden`, `timeout`, `connection`, `status` or `too_large`.
    pub(crate) reason: &'static str,
    /// What happened, without secrets.
    pub(crate) message: String,
}

impl HttpEndpoint {
    /// The document at the URL, if it has at most `limit` bytes and all of it comes within the
    /// time-out.
    pub(crate) fn get(&self, accept: &str, limit: usize) -> Result<Vec<u8>, GetFailure> {
        let fail = |reason| move |message| GetFailure { reason, message };
        let deadline = clock::deadline(self.timeout);
        let url = self.permitted().map_err(fail("forbidden"))?;
        let client = self.client().map_err(fail("connection"))?;
        let request = client.get(url.clone()).header(ACCEPT, accept);
        let response = request.send().map_err(|error| self.get_failure(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(fail("status")(format!("{self} answered {status}")));
        }
        self.body(response, limit, || clock::until(deadline).is_zero())
    }

    fn body(
        &self,
        mut response: Response,
        limit: usize,
        is_late: impl Fn() -> bool,
    ) -> Result<Vec<u8>, GetFailure> {
        let mut body = Vec::new();
        let mut piece = [0; 16 << 10];
        loop {
            let n_read = response.read(&mut piece).map_err(|error| self.read_failure(&error))?;
            if n_read == 0 {
                return Ok(body);
            }
            // The client's own time-out begins anew with each piece.
            if is_late() {
                let message = format!("{self}: timed out in the middle of the answer");
                return Err(GetFailure { reason: "timeout", message });
            }
            if body.len() + n_read > limit {
                let message = format!("the answer of {self} has more than {limit} bytes");
                return Err(GetFailure { reason: "too_large", message });
            }
            body.extend_from_slice(&piece[..n_read]);
        }
    }

    fn get_failure(&self, error: &reqwest::Error) -> GetFailure {
        let reason = match error.is_timeout() {
            true => "timeout",
            false if is_not_public(error) => "forbidden",
            false => "connection",
        };
        GetFailure { reason, message: format!("{self}: {}", chain(error)) }
    }

    fn read_failure(&self, error: &io::Error) -> GetFailure {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<reqwest::Error>());
        match cause {
            Some(cause) => self.get_failure(cause),
            None => GetFailure { reason: "connection", message: format!("{self}: {error}") },
        }
    }
}
