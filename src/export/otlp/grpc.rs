//! Sends payloads as unary calls of gRPC: HTTP/2, a frame of five bytes before each message, and the status
//! behind it.

use std::{borrow::Cow, time::Duration};

use base64::Engine as _;
use bytes::Bytes;
use reqwest::header::HeaderMap;

use super::{
    answer::Partial,
    http::{checked_body, refusal, settle},
    signal::{Encoding, Names},
    target::Target,
};
use crate::{
    diagnostics,
    error::Error,
    export::wire::protobuf::{Read, fields},
    pipeline::{Deadline, ExportError, Payload, SendResult, Sender, Setup},
    transport::{
        Compression,
        http_client::{HttpAnswer, HttpClient, HttpPost, MOST_ANSWER},
    },
    util::percent,
};

/// Sends the payloads of a signal to one method.
#[derive(Debug)]
pub(super) struct GrpcSender {
    client: HttpClient,
    names: &'static Names,
    compression: Compression,
    /// What was compressed last, until a call succeeds: one that is made again is not compressed again.
    packed: Option<Packed>,
}

#[derive(Debug)]
struct Packed {
    of: Vec<u8>,
    body: Bytes,
}

/// What stands before a message: whether it is compressed, and its length.
const FRAME: usize = 5;

/// What servers of gRPC take by default. Of a larger message, some statuses mean that it is too large.
const COMMON_LIMIT: usize = 4 << 20;

impl GrpcSender {
    pub(super) fn new(target: &Target, names: &'static Names) -> Self {
        let client = HttpClient::new(target.endpoint.clone()).http2();
        let compression = client.compression();
        Self { client, names, compression, packed: None }
    }

    /// The answer to the message. A server that takes nothing compressed gets it, and all that follow, as they
    /// are.
    fn ask(
        &mut self,
        message: &[u8],
        deadline: &Deadline,
    ) -> Result<HttpAnswer, ExportError<Payload>> {
        if self.compression == Compression::None {
            return self.call(framed(message, false).into(), Compression::None, deadline);
        }
        let body = self.packed(message)?;
        let answer = self.call(body, self.compression, deadline)?;
        if !is_unimplemented(&answer) {
            return Ok(answer);
        }
        let plain = self.call(framed(message, false).into(), Compression::None, deadline)?;
        if !is_unimplemented(&plain) {
            let by = self.compression.encoding().unwrap_or_default();
            let text = format_args!("{} takes no {by}: it gets messages as they are", self.client);
            diagnostics::report("compression", text);
            (self.compression, self.packed) = (Compression::None, None);
        }
        Ok(plain)
    }

    /// The message compressed, in its frame.
    fn packed(&mut self, message: &[u8]) -> Result<Bytes, ExportError<Payload>> {
        if let Some(packed) = self.packed.as_ref().filter(|packed| packed.of == message) {
            return Ok(packed.body.clone());
        }
        let compressed = self.compression.compress(message);
        let compressed = compressed
            .map_err(|error| ExportError::reject(format_args!("compression: {error}")))?;
        let body = Bytes::from(framed(&compressed, true));
        self.packed = Some(Packed { of: message.to_vec(), body: body.clone() });
        Ok(body)
    }

    fn call(
        &mut self,
        body: Bytes,
        compression: Compression,
        deadline: &Deadline,
    ) -> Result<HttpAnswer, ExportError<Payload>> {
        let limit = deadline.left().min(self.client.time_limit());
        let timeout = format!("{}m", limit.as_millis().min(99_999_999)); // Eight digits at most.
        let post = HttpPost {
            path: self.names.method,
            headers: &[
                ("te", "trailers"),
                ("grpc-timeout", &timeout),
                ("grpc-encoding", compression.encoding().unwrap_or("identity")),
            ],
            body,
            most_answer: MOST_ANSWER,
            ..HttpPost::new("application/grpc", Vec::new())
        };
        Ok(self.client.post(post, deadline)?)
    }
}

impl Sender for GrpcSender {
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        self.client.check()
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        let message = checked_body(payload, self.names, Encoding::Protobuf)?;
        let len = FRAME + message.len();
        let answer = self.ask(&message, deadline)?;
        let place = self.client.to_string();
        if !answer.is_success() {
            return Err(refusal(&place, &answer));
        }
        let status = GrpcStatus::of(&answer);
        if status.code != Some(0) {
            return Err(status.error(&place, len));
        }
        self.packed = None;
        // An answer that cannot be read says nothing against the records: its status is what counts.
        let message = answer.body.get(FRAME..).filter(|_| answer.body[0] == 0);
        let partial = Partial::read(message.unwrap_or_default(), self.names, Encoding::Protobuf);
        settle(partial, &place)
    }

    fn name(&self) -> &str {
        "otlp"
    }

    fn destination(&self) -> Option<String> {
        Some(format!("{}{}", self.client, self.names.method))
    }
}

/// The message in its frame (gRPC, "Length-Prefixed-Message").
fn framed(message: &[u8], is_packed: bool) -> Vec<u8> {
    let mut body = Vec::with_capacity(FRAME + message.len());
    body.push(is_packed.into());
    body.extend_from_slice(&(message.len() as u32).to_be_bytes());
    body.extend_from_slice(message);
    body
}

/// Whether the server does not have the method, or not the compression.
fn is_unimplemented(answer: &HttpAnswer) -> bool {
    const UNIMPLEMENTED: u32 = 12;
    GrpcStatus::of(answer).code == Some(UNIMPLEMENTED)
}

/// The status of a call.
#[derive(Debug, PartialEq)]
struct GrpcStatus {
    /// `None` if the server sent none, or no number.
    code: Option<u32>,
    message: String,
    /// When to try again, as the details say.
    retry_after: Option<Duration>,
}

impl GrpcStatus {
    /// The status of an answer: behind its body, or in its head if there is none.
    fn of(answer: &HttpAnswer) -> Self {
        let has_status = answer.trailers.contains_key("grpc-status");
        let headers = if has_status { &answer.trailers } else { &answer.headers };
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let message = text("grpc-message").unwrap_or_default();
        let message = percent::decoded(message).map_or(Cow::Borrowed(message), Cow::Owned);
        Self {
            code: text("grpc-status").and_then(|code| code.parse().ok()),
            message: message.chars().take(512).collect(),
            retry_after: details(headers).and_then(|details| retry_delay(&details)),
        }
    }

    /// What becomes of the records of a request of `len` bytes (OTLP, "OTLP/gRPC Response").
    fn error(&self, place: &str, len: usize) -> ExportError<Payload> {
        const RESOURCE_EXHAUSTED: u32 = 8;
        const OUT_OF_RANGE: u32 = 11;
        let Some(code) = self.code else {
            return ExportError::reject(format_args!("{place} answered without a status of gRPC"));
        };
        let name = NAMES.get(code as usize).copied().unwrap_or("an unknown code");
        let colon = if self.message.is_empty() { "" } else { ": " };
        let message = format_args!("{place} answered {name} ({code}){colon}{}", self.message);
        let may_be_too_large = len > COMMON_LIMIT && self.retry_after.is_none();
        match (code, self.retry_after) {
            (RESOURCE_EXHAUSTED | OUT_OF_RANGE, _) if may_be_too_large => {
                ExportError::too_large(message)
            }
            (1 | 4 | RESOURCE_EXHAUSTED | 10 | OUT_OF_RANGE | 14 | 15, Some(delay)) => {
                ExportError::retry(message).after(delay)
            }
            (1 | 4 | 10 | OUT_OF_RANGE | 14 | 15, None) => ExportError::retry(message),
            _ => ExportError::reject(message),
        }
    }
}

/// The names of the codes.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The `google.rpc.Status` with the details of an error.
fn details(headers: &HeaderMap) -> Option<Vec<u8>> {
    let text = headers.get("grpc-status-details-bin")?.to_str().ok()?;
    base64::engine::general_purpose::STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

/// The delay of the `google.rpc.RetryInfo` among the details of `status`.
fn retry_delay(status: &[u8]) -> Option<Duration> {
    let infos = fields(status).filter_map(|field| match field {
        (3, Read::Bytes(any)) => retry_info(any),
        _ => None,
    });
    let delay = infos.last()?;
    let (mut seconds, mut nanos) = (0, 0);
    for field in fields(bytes_of(delay, 1).unwrap_or_default()) {
        match field {
            (1, Read::Number(n)) => seconds = u64::try_from(n.cast_signed()).unwrap_or(0),
            (2, Read::Number(n)) => nanos = u32::try_from(n).unwrap_or(0),
            _ => {}
        }
    }
    Some(Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos.into())))
}

/// The message in a `google.protobuf.Any`, if it is a `RetryInfo`.
fn retry_info(any: &[u8]) -> Option<&[u8]> {
    let is_one = bytes_of(any, 1)?.ends_with(b"/google.rpc.RetryInfo");
    is_one.then(|| bytes_of(any, 2).unwrap_or_default())
}

fn bytes_of(message: &[u8], number: u64) -> Option<&[u8]> {
    let found = fields(message).filter_map(|field| match field {
        (found, Read::Bytes(bytes)) if found == number => Some(bytes),
        _ => None,
    });
    found.last()
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;
    use crate::{
        export::{
            otlp::signal::OtlpSignal,
            wire::protobuf::{Guess, Protobuf},
        },
        trace::SpanRecord,
        transport::Endpoint,
    };

    fn status(headers: &[(&'static str, &str)], trailers: &[(&'static str, &str)]) -> GrpcStatus {
        let map = |pairs: &[(&'static str, &str)]| {
            let pairs =
                pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            pairs.collect::<HeaderMap>()
        };
        let (headers, trailers) = (map(headers), map(trailers));
        GrpcStatus::of(&HttpAnswer { status: StatusCode::OK, headers, body: Vec::new(), trailers })
    }

    fn with_code(code: u32, retry_after: Option<u64>) -> GrpcStatus {
        let retry_after = retry_after.map(Duration::from_secs);
        GrpcStatus { code: Some(code), message: String::new(), retry_after }
    }

    #[test]
    fn a_message_that_is_sent_again_is_not_compressed_again() {
        let endpoint =
            Endpoint::new("https://collector.example.com").compression(Compression::Gzip);
        let mut sender = GrpcSender::new(&Target::new(endpoint), SpanRecord::NAMES);
        let (first, again) = (sender.packed(b"one").unwrap(), sender.packed(b"one").unwrap());
        assert_eq!(first.as_ptr(), again.as_ptr());
        assert_ne!(sender.packed(b"two").unwrap(), first);
    }

    #[test]
    fn each_code_is_retried_or_refused_as_the_specification_says() {
        let retried: Vec<u32> =
            (1..17).filter(|&code| with_code(code, None).error("", 9).is_retry()).collect();
        assert_eq!(retried, [1, 4, 10, 11, 14, 15]);
        let retried: Vec<u32> =
            (1..17).filter(|&code| with_code(code, Some(3)).error("", 9).is_retry()).collect();
        assert_eq!(retried, [1, 4, 8, 10, 11, 14, 15]);
        assert_eq!(with_code(8, Some(3)).error("", 9).retry_after(), Some(Duration::from_secs(3)));
        assert!(!with_code(99, None).error("", 9).is_retry());
    }

    #[test]
    fn a_message_beyond_the_common_limit_is_cut_where_it_may_be_too_large() {
        for code in 1..17 {
            let error = with_code(code, None).error("", COMMON_LIMIT + 1);
            assert_eq!(format!("{error:?}").contains("Cut"), code == 8 || code == 11, "{code}");
            let error = with_code(code, None).error("", COMMON_LIMIT);
            assert!(!format!("{error:?}").contains("Cut"), "{code}");
        }
        assert!(with_code(8, Some(1)).error("", COMMON_LIMIT + 1).is_retry());
    }

    #[test]
    fn a_status_is_read_behind_the_body_or_in_the_head() {
        let full = status(
            &[("grpc-status", "0")],
            &[("grpc-status", "14"), ("grpc-message", "at%20rest")],
        );
        assert_eq!((full.code, &*full.message), (Some(14), "at rest"));
        assert_eq!(
            full.error("http://a", 9).to_string(),
            "http://a answered UNAVAILABLE (14): at rest"
        );
        let alone = status(&[("grpc-status", "3"), ("grpc-message", "100%")], &[]);
        assert_eq!((alone.code, &*alone.message), (Some(3), "100%"));
        for none in [status(&[], &[]), status(&[("grpc-status", "fine")], &[])] {
            let error = none.error("http://a", 9);
            assert_eq!((none.code, error.is_retry()), (None, false));
            assert_eq!(error.to_string(), "http://a answered without a status of gRPC");
        }
    }

    #[test]
    fn a_delay_is_read_from_the_details() {
        let mut details = Vec::new();
        Protobuf(&mut details).varint(1, 8);
        for (kind, seconds) in [("google.rpc.DebugInfo", 9), ("google.rpc.RetryInfo", 2)] {
            Protobuf(&mut details).message(3, Guess::Short, |any| {
                any.bytes(1, format!("type.googleapis.com/{kind}").as_bytes());
                any.message(2, Guess::Short, |info| {
                    info.message(1, Guess::Short, |delay| {
                        delay.varint(1, seconds);
                        delay.varint(2, 500_000_000);
                    });
                });
            });
        }
        let base64 = base64::engine::general_purpose::STANDARD.encode(&details);
        for text in [&*base64, base64.trim_end_matches('=')] {
            let read = status(&[], &[("grpc-status", "8"), ("grpc-status-details-bin", text)]);
            assert_eq!(read.retry_after, Some(Duration::from_millis(2_500)));
        }
        let read = status(&[], &[("grpc-status", "8"), ("grpc-status-details-bin", "?")]);
        assert_eq!(read.retry_after, None);
    }
}
