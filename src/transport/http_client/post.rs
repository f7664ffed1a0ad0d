//! Sends a body, and decides by the response what to do next.

use std::time::Duration;

use reqwest::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
};

use super::{
    endpoint::{HttpEndpoint, chain},
    resolver::is_not_public,
};
use crate::{
    clock::{self, Deadline},
    util::http_date,
};

/// Why a request did not succeed.
#[derive(Debug)]
pub(crate) struct HttpFailure {
    /// Whether a retry may help, and the delay that the server requested.
    pub(crate) retry: Option<RetryAfter>,
    /// What happened, without secrets.
    pub(crate) message: String,
}

/// The delay that the server requested, if it did.
pub(crate) type RetryAfter = Option<Duration>;

/// The longest delay that a server can request.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

impl HttpEndpoint {
    /// Sends `body` and waits for the status, until `deadline` and no longer than the time-out. The
    /// body of the response is not read.
    pub(crate) fn post(
        &mut self,
        content_type: &str,
        body: Vec<u8>,
        deadline: &Deadline,
    ) -> Result<(), HttpFailure> {
        let url = self.permitted().map_err(HttpFailure::reject)?.clone();
        let client = self.client().map_err(HttpFailure::retry)?;
        let request = client.post(url).header(CONTENT_TYPE, content_type).body(body);
        let Some(answer) = self.run(deadline, request.send()) else {
            return Err(HttpFailure::retry(format!("{self}: timed out")));
        };
        let response = answer.map_err(|error| self.send_failure(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let is_passing = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        let retry = is_passing.then(|| retry_after(response.headers()));
        Err(HttpFailure { retry, message: format!("{self} answered {status}") })
    }

    fn send_failure(&self, error: &reqwest::Error) -> HttpFailure {
        let message = format!("{self}: {}", chain(error));
        // The name has no public address: a retry would not change that.
        if error.is_builder() || is_not_public(error) {
            return HttpFailure::reject(message);
        }
        HttpFailure::retry(message)
    }
}

impl HttpFailure {
    fn reject(message: String) -> Self {
        Self { retry: None, message }
    }

    fn retry(message: String) -> Self {
        Self { retry: Some(None), message }
    }
}

/// The delay that the server requests: in seconds or as a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap) -> RetryAfter {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = if is_number {
        text.parse().unwrap_or(u64::MAX) // More digits than fit mean a long time too.
    } else {
        http_date::parse_http_date(text)?.saturating_sub(clock::unix_nanos() / 1_000_000_000)
    };
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_after_is_read_capped_and_never_panics() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(read("0"), Some(Duration::ZERO));
        assert_eq!(read(" 5 "), Some(Duration::from_secs(5)));
        assert_eq!(read("99999999999999999999999"), Some(MAX_RETRY_AFTER));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(read("Sun, 06 Nov 9994 08:49:37 GMT"), Some(MAX_RETRY_AFTER));
        for garbage in ["", "-1", "1e30", "5.5", "soon", "NaN"] {
            assert_eq!(read(garbage), None, "{garbage}");
        }
    }
}
