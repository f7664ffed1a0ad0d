//! Requests a document, with limits on its size and time.

use reqwest::{Method, header::ACCEPT};

use super::{
    answer::FailureKind,
    client::{HttpClient, Request},
};
use crate::clock::Deadline;

/// Why no document was read.
#[derive(Debug)]
pub(crate) struct GetFailure {
    /// One word: `forbidden`, `timeout`, `connection`, `status` or `too_large`.
    pub(crate) reason: &'static str,
    /// What happened, without secrets.
    pub(crate) message: String,
}

impl HttpClient {
    /// Returns the document at the URL, if it has at most `limit` bytes and arrives whole within the
    /// time-out.
    pub(crate) fn get(&mut self, accept: &str, limit: usize) -> Result<Vec<u8>, GetFailure> {
        let request = Request {
            method: Method::GET,
            path: "",
            headers: &[(ACCEPT.as_str(), accept)],
            body: None,
            most_answer: limit,
        };
        let deadline = Deadline::after(self.time_limit());
        match self.ask(&request, &deadline) {
            Ok(answer) if answer.is_success() => Ok(answer.body),
            Ok(answer) => {
                let message = format!("{self} answered {}", answer.status);
                Err(GetFailure { reason: "status", message })
            }
            Err(failure) => {
                let reason = match failure.kind {
                    FailureKind::Forbidden => "forbidden",
                    FailureKind::TimedOut => "timeout",
                    FailureKind::TooLong => "too_large",
                    FailureKind::NotConnected | FailureKind::Broken => "connection",
                };
                Err(GetFailure { reason, message: failure.message })
            }
        }
    }
}
