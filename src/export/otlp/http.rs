//! Sends payloads as requests of HTTP, and reads what the server says of them.

use super::{
    answer::{self, Partial},
    request,
    signal::{Encoding, Names},
    target::Target,
};
use crate::{
    diagnostics,
    error::Error,
    pipeline::{Deadline, ExportError, OneLine, Payload, SendResult, Sender, Setup},
    transport::http_client::{HttpAnswer, HttpClient, HttpPost, MOST_ANSWER},
};

/// Sends the payloads of a signal to one URL.
#[derive(Debug)]
pub(super) struct HttpSender {
    client: HttpClient,
    /// What follows the path of the endpoint.
    path: &'static str,
    names: &'static Names,
    encoding: Encoding,
}

/// The most bytes of a request: what receivers are asked to take at least (OTLP, "Message size").
pub(super) const MOST_REQUEST: usize = 64 << 20;

impl HttpSender {
    pub(super) fn new(target: &Target, names: &'static Names) -> Self {
        let path = if target.is_general { names.path } else { "" };
        let client = HttpClient::new(target.endpoint.clone());
        Self { client, path, names, encoding: target.encoding() }
    }
}

impl Sender for HttpSender {
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        self.client.check()
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        let body = checked_body(payload, self.names, self.encoding)?;
        let post = HttpPost {
            path: self.path,
            most_answer: MOST_ANSWER,
            ..HttpPost::new(self.encoding.content_type(), body)
        };
        let answer = self.client.post(post, deadline)?;
        judge(&answer, &self.client.to_string(), self.names, self.encoding)
    }

    fn name(&self) -> &str {
        "otlp"
    }

    fn destination(&self) -> Option<String> {
        Some(format!("{}{}", self.client, self.path))
    }
}

/// What becomes of records that were sent in this form, after an answer.
pub(super) fn judge(
    answer: &HttpAnswer,
    place: &str,
    names: &Names,
    encoding: Encoding,
) -> SendResult {
    if !answer.is_success() {
        return Err(refusal(place, answer));
    }
    let encoding = encoding_of(answer).unwrap_or(encoding);
    settle(Partial::read(&answer.body, names, encoding), place)
}

/// The body of the request with the records of `payload`.
pub(super) fn checked_body(
    payload: &Payload,
    names: &Names,
    encoding: Encoding,
) -> Result<Vec<u8>, ExportError<Payload>> {
    let len = payload.head().len() + payload.bytes().len();
    if len > MOST_REQUEST {
        return Err(ExportError::too_large(format_args!("a request of {len} bytes is too large")));
    }
    let body = request::body(payload, names, encoding);
    body.ok_or_else(|| ExportError::reject("the payload is not of this form"))
}

/// What becomes of records that a server took, or of which it took some.
pub(super) fn settle(partial: Partial, place: &str) -> SendResult {
    let Partial { rejected, message } = partial;
    if rejected > 0 {
        let rejected = usize::try_from(rejected).unwrap_or(usize::MAX);
        // None is sent again: which ones were refused is not said.
        return Err(ExportError::partial(rejected, format_args!("{place}: {message}")));
    }
    if !message.is_empty() {
        let text = format_args!("exporter \"otlp\": {place}: {}", OneLine(&message));
        diagnostics::report("warning of a backend", text);
    }
    Ok(())
}

/// The error of an answer that is no success (OTLP, "Retryable Response Codes").
pub(super) fn refusal(place: &str, answer: &HttpAnswer) -> ExportError<Payload> {
    let said = answer::error_message(&answer.body, encoding_of(answer));
    let colon = if said.is_empty() { "" } else { ": " };
    let message = format_args!("{place} answered {}{colon}{said}", answer.status);
    match answer.status.as_u16() {
        413 => ExportError::too_large(message),
        429 | 502 | 503 | 504 => {
            let error = ExportError::retry(message);
            match answer.retry_after() {
                Some(delay) => error.after(delay),
                None => error,
            }
        }
        _ => ExportError::reject(message),
    }
}

/// The form of an answer, as its header says.
fn encoding_of(answer: &HttpAnswer) -> Option<Encoding> {
    let content_type = answer.headers.get("content-type")?.to_str().ok()?;
    match content_type.split(';').next()?.trim() {
        "application/x-protobuf" | "application/protobuf" => Some(Encoding::Protobuf),
        "application/json" => Some(Encoding::Json),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::http_client::tests::matrix;

    #[test]
    fn each_status_is_a_delivery_a_retry_a_cut_or_a_refusal_whatever_the_server_asks_for() {
        let is_listed = |status| [429, 502, 503, 504].contains(&status);
        matrix::check(is_listed, |answer| match answer.is_success() {
            true => Ok(()),
            false => Err(refusal("collector", answer)),
        });
    }
}
