//! What a server answers, read within limits, or why there is no answer.
//!
//! The body is kept as it came: no encoding is asked for, and none is undone, so that a few bytes never
//! become many.

use std::{fmt, future::poll_fn, pin::pin, time::Duration};

use http_body::Body as _;
use reqwest::{
    Body, Response, StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};

use super::{cause::chain, resolver::is_not_public};
use crate::{clock, pipeline::ExportError, util::http_date};

/// The most bytes of an answer that a backend reads: for all of them, in one place. Arbitrary: an answer that
/// names each of ten thousand rejected records fits in.
pub(crate) const MOST_ANSWER: usize = 4 << 20;

/// The longest delay that a server can request.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// What a server answered to an [`HttpPost`](crate::transport::HttpPost).
#[derive(Debug)]
pub struct HttpAnswer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// What came behind the body, as gRPC's status does; none if the body was not read to its end.
    #[cfg_attr(not(test), allow(dead_code, reason = "for gRPC"))]
    pub(crate) trailers: HeaderMap,
}

/// Why there is no answer; as an [`ExportError`] it is tried again, unless a retry cannot help.
#[derive(Debug)]
pub struct HttpFailure {
    /// Whether a retry may help.
    pub(crate) may_pass: bool,
    pub(super) kind: FailureKind,
    /// What happened, without secrets.
    pub(crate) message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// The policy does not allow it.
    Forbidden,
    /// Nothing of the request was sent.
    NotConnected,
    TimedOut,
    TooLong,
    /// The connection ended, or what came is no HTTP.
    Broken,
}

/// Reads `response` into `answer`, as far as it comes, with a body of at most `most` bytes.
pub(super) async fn read(
    response: Result<Response, reqwest::Error>,
    most: usize,
    place: &str,
    answer: &mut Option<HttpAnswer>,
) -> Result<(), HttpFailure> {
    let response = response.map_err(|error| HttpFailure::of(place, &error))?;
    let (status, headers) = (response.status(), response.headers().clone());
    let (body, trailers) = (Vec::new(), HeaderMap::new());
    let answer = answer.insert(HttpAnswer { status, headers, body, trailers });
    if most == 0 {
        return Ok(());
    }
    let announced = response.content_length().unwrap_or(0);
    let ended = match usize::try_from(announced) {
        Ok(announced) if announced <= most => fill(answer, response.into(), most).await,
        _ => Err(Unread::TooLong),
    };
    ended.map_err(|unread| match unread {
        Unread::Broken(error) => HttpFailure::of(place, &error),
        Unread::TooLong => {
            let message = format!("the answer of {place} has more than {most} bytes");
            HttpFailure::new(true, FailureKind::TooLong, message)
        }
    })
}

/// What a request came to, by how its reading `ended` and what of the answer was read. An error is one
/// whatever became of its body: its status decides.
pub(super) fn decide(
    ended: Result<(), HttpFailure>,
    answer: Option<HttpAnswer>,
    place: &str,
) -> Result<HttpAnswer, HttpFailure> {
    match (ended, answer) {
        (Err(_), Some(answer)) if !answer.is_success() => Ok(answer),
        (Err(failure), _) => Err(failure),
        (Ok(()), answer) => answer.ok_or_else(|| HttpFailure::timed_out(place)),
    }
}

/// Why a body was not read to its end.
enum Unread {
    Broken(reqwest::Error),
    TooLong,
}

/// Reads the body into the answer, and what follows it.
async fn fill(answer: &mut HttpAnswer, body: Body, most: usize) -> Result<(), Unread> {
    let mut body = pin!(body);
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        match frame.map_err(Unread::Broken)?.into_data() {
            Ok(piece) if answer.body.len() + piece.len() > most => return Err(Unread::TooLong),
            Ok(piece) => {
                make_room(&mut answer.body, piece.len(), most);
                answer.body.extend_from_slice(&piece);
            }
            Err(other) => answer.trailers.extend(other.into_trailers().unwrap_or_default()),
        }
    }
    Ok(())
}

/// Room for `more` bytes. A body that is not short gets the room of the longest at once: what grows by and by
/// is copied, and takes up to three times as much meanwhile. Room that is not used is no memory yet.
fn make_room(body: &mut Vec<u8>, more: usize, most: usize) {
    const SHORT: usize = 1 << 16; // Arbitrary.
    if body.len() + more > body.capacity().max(SHORT) {
        let room = most.min(MOST_ANSWER).saturating_sub(body.len());
        body.reserve_exact(room.max(more));
    }
}

impl HttpAnswer {
    /// An answer without a connection; `None` if it is none of HTTP's.
    #[cfg_attr(not(feature = "otlp"), allow(dead_code, reason = "for fuzzing"))]
    pub(crate) fn of(status: u16, headers: &[(&str, &[u8])], body: &[u8]) -> Option<Self> {
        let status = StatusCode::from_u16(status).ok()?;
        let (mut map, trailers) = (HeaderMap::new(), HeaderMap::new());
        for (name, value) in headers {
            map.append(HeaderName::try_from(*name).ok()?, HeaderValue::from_bytes(value).ok()?);
        }
        Some(Self { status, headers: map, body: body.to_vec(), trailers })
    }

    /// The status: 200 for OK.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Whether the status is one of 200 to 299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// The value of a header, whatever the case of its name; of several the first. `None` if it is no text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as it came, as far as it was [read](super::HttpPost::reading).
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The delay that the server requests by `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3); at
    /// most 60 s. `None` for anything else.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
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

    /// Success, or the [error](Self::error) that the answer is.
    ///
    /// # Errors
    ///
    /// The status is none of 200 to 299.
    pub fn settle<L>(
        &self,
        place: impl fmt::Display,
        may_pass: impl FnOnce(u16) -> bool,
    ) -> Result<(), ExportError<L>> {
        if self.is_success() { Ok(()) } else { Err(self.error(place, may_pass)) }
    }

    /// The error of an answer that is no success, with what the body says of it: what `may_pass` by its
    /// status is tried again, after the delay that the server requests; 413 is cut in halves; all else is
    /// refused. `place` names who answered.
    #[must_use]
    pub fn error<L>(
        &self,
        place: impl fmt::Display,
        may_pass: impl FnOnce(u16) -> bool,
    ) -> ExportError<L> {
        let mut message = format!("{place} answered {}", self.status);
        let reason = String::from_utf8_lossy(&self.body);
        if !reason.trim().is_empty() {
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
    /// The failure that `error` is of a request to `place`.
    fn of(place: &str, error: &reqwest::Error) -> Self {
        let message = format!("{place}: {}", chain(error));
        // The name has no public address: a retry would not change that.
        if is_not_public(error) {
            return Self::forbidden(message);
        }
        let kind = if error.is_connect() { FailureKind::NotConnected } else { FailureKind::Broken };
        Self::new(!error.is_builder(), kind, message)
    }

    fn new(may_pass: bool, kind: FailureKind, message: String) -> Self {
        Self { may_pass, kind, message }
    }

    pub(super) fn forbidden(message: String) -> Self {
        Self::new(false, FailureKind::Forbidden, message)
    }

    pub(super) fn unconnected(message: String) -> Self {
        Self::new(true, FailureKind::NotConnected, message)
    }

    pub(super) fn timed_out(place: &str) -> Self {
        Self::new(true, FailureKind::TimedOut, format!("{place}: timed out"))
    }
}

/// What happened, without secrets.
impl fmt::Display for HttpFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for HttpFailure {}

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

    fn answered(headers: HeaderMap) -> HttpAnswer {
        let trailers = HeaderMap::new();
        HttpAnswer { status: StatusCode::OK, headers, body: Vec::new(), trailers }
    }

    #[test]
    fn a_retry_after_is_read_capped_and_never_panics() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            answered(headers).retry_after()
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
