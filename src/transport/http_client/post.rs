//! Sends a body, and reads what the server says of it.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
};

use super::{
    client::{HttpClient, chain},
    resolver::is_not_public,
};
use crate::{
    clock::{self, Deadline},
    pipeline::ExportError,
    util::http_date,
};

/// What is posted.
pub(crate) struct HttpPost<'a> {
    /// What follows the path of the endpoint's URL; empty for nothing.
    pub(crate) path: &'a str,
    pub(crate) content_type: &'a str,
    /// Headers of this request besides those of the endpoint.
    pub(crate) headers: &'a [(&'static str, &'a str)],
    pub(crate) body: Bytes,
    /// More of the answer's body makes the request a failure, or is left out where the server refuses; with
    /// 0 none of it is waited for.
    pub(crate) most_answer: usize,
}

impl<'a> HttpPost<'a> {
    /// A post whose answer is its status alone.
    pub(crate) fn new(content_type: &'a str, body: impl Into<Bytes>) -> Self {
        Self { path: "", content_type, headers: &[], body: body.into(), most_answer: 0 }
    }
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct HttpFailure {
    /// Whether a retry may help.
    pub(crate) may_pass: bool,
    /// What happened, without secrets.
    pub(crate) message: String,
}

/// The longest delay that a server can request.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

impl HttpClient {
    /// Posts, and waits for the answer, until `deadline` and no longer than the time-out.
    pub(crate) fn post(
        &mut self,
        post: HttpPost<'_>,
        deadline: &Deadline,
    ) -> Result<HttpAnswer, HttpFailure> {
        let mut url = self.endpoint.permitted().map_err(HttpFailure::lasting)?.clone();
        if !post.path.is_empty() {
            url.set_path(&format!("{}{}", url.path().trim_end_matches('/'), post.path));
        }
        let client = self.connected().map_err(HttpFailure::passing)?;
        let mut request = client.post(url).header(CONTENT_TYPE, post.content_type).body(post.body);
        for (name, value) in post.headers {
            request = request.header(*name, *value);
        }
        let place = self.to_string();
        let answer = async { read(request.send().await, post.most_answer, &place).await };
        self.run(deadline, answer)
            .unwrap_or_else(|| Err(HttpFailure::passing(format!("{place}: timed out"))))
    }
}

async fn read(
    response: Result<Response, reqwest::Error>,
    most: usize,
    place: &str,
) -> Result<HttpAnswer, HttpFailure> {
    let mut response = response.map_err(|error| send_failure(place, &error))?;
    let body = if most == 0 { Vec::new() } else { body_of(&mut response, most, place).await? };
    Ok(HttpAnswer { status: response.status(), headers: response.headers().clone(), body })
}

/// The body of an answer. Of a refusal, which is one whatever its body is, as much as there is and fits.
async fn body_of(
    response: &mut Response,
    most: usize,
    place: &str,
) -> Result<Vec<u8>, HttpFailure> {
    let is_refusal = !response.status().is_success();
    let mut body = Vec::new();
    loop {
        let piece = match response.chunk().await {
            Ok(Some(piece)) => piece,
            Err(error) if !is_refusal => return Err(send_failure(place, &error)),
            Ok(None) | Err(_) => return Ok(body),
        };
        let room = most - body.len();
        body.extend_from_slice(&piece[..room.min(piece.len())]);
        if piece.len() > room {
            let message = format!("the answer of {place} has more than {most} bytes");
            return if is_refusal { Ok(body) } else { Err(HttpFailure::passing(message)) };
        }
    }
}

fn send_failure(place: &str, error: &reqwest::Error) -> HttpFailure {
    let message = format!("{place}: {}", chain(error));
    // The name has no public address: a retry would not change that.
    if error.is_builder() || is_not_public(error) {
        return HttpFailure::lasting(message);
    }
    HttpFailure::passing(message)
}

impl HttpAnswer {
    pub(crate) fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// The delay that the server requests: in seconds or as a date (RFC 9110, 10.2.3).
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = if is_number {
            text.parse().unwrap_or(u64::MAX) // More digits than fit mean a long time too.
        } else {
            let at = http_date::parse_http_date(text)?;
            at.saturating_sub(clock::unix_nanos() / 1_000_000_000)
        };
        Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
    }

    /// The error of an answer that is no success, with what the body says of it: what `may_pass` by its status is tried again, 413 is cut,
    /// and all else is refused.
    pub(crate) fn error<L>(&self, place: &str, may_pass: fn(u16) -> bool) -> ExportError<L> {
        let mut message = format!("{place} answered {}", self.status);
        let reason = String::from_utf8_lossy(&self.body);
        if !reason.trim().is_empty() && !self.is_success() {
            message.push_str(": ");
            message.push_str(reason.trim());
        }
        match self.status.as_u16() {
            413 => ExportError::too_large(message),
            status if may_pass(status) => {
                let error = ExportError::retry(message);
                match self.retry_after() {
                    Some(delay) => error.after(delay),
                    None => error,
                }
            }
            _ => ExportError::reject(message),
        }
    }
}

impl HttpFailure {
    fn lasting(message: String) -> Self {
        Self { may_pass: false, message }
    }

    fn passing(message: String) -> Self {
        Self { may_pass: true, message }
    }
}

impl<L> From<HttpFailure> for ExportError<L> {
    fn from(failure: HttpFailure) -> Self {
        match failure.may_pass {
            true => Self::retry(failure.message),
            false => Self::reject(failure.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_after_is_read_capped_and_never_panics() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            HttpAnswer { status: StatusCode::OK, headers, body: Vec::new() }.retry_after()
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
