//! Requests a document, with limits on its size and time.

use reqwest::header::ACCEPT;

use super::{
    client::{HttpClient, chain},
    resolver::is_not_public,
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
        let fail = |reason| move |message| GetFailure { reason, message };
        let deadline = Deadline::after(self.endpoint.time_limit());
        let url = self.endpoint.permitted().map_err(fail("forbidden"))?.clone();
        let client = self.connected().map_err(fail("connection"))?;
        let request = client.get(url).header(ACCEPT, accept);
        let place = self.to_string();
        let document = async {
            let failure = |error| get_failure(&place, &error);
            let mut response = request.send().await.map_err(failure)?;
            let status = response.status();
            if !status.is_success() {
                return Err(fail("status")(format!("{place} answered {status}")));
            }
            let mut body = Vec::new();
            while let Some(piece) = response.chunk().await.map_err(failure)? {
                if body.len() + piece.len() > limit {
                    let message = format!("the answer of {place} has more than {limit} bytes");
                    return Err(fail("too_large")(message));
                }
                body.extend_from_slice(&piece);
            }
            Ok(body)
        };
        self.run(deadline.instant(), &deadline, document)
            .unwrap_or_else(|| Err(fail("timeout")(format!("{place}: timed out"))))
    }
}

fn get_failure(place: &str, error: &reqwest::Error) -> GetFailure {
    let reason = if is_not_public(error) { "forbidden" } else { "connection" };
    GetFailure { reason, message: format!("{place}: {}", chain(error)) }
}
