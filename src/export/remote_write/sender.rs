//! Sends requests: in which version, with which headers, and what an answer means.

use super::first::{as_first, n_series};
use crate::{
    diagnostics,
    error::Error,
    pipeline::{Deadline, ExportError, Payload, SendResult, Sender, Setup},
    transport::http_client::{HttpAnswer, HttpClient, HttpPost},
};

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RemoteWriteVersion {
    /// 1.0, `prometheus.WriteRequest`, which every receiver takes.
    V1,
    /// 2.0, `io.prometheus.write.v2.Request`: smaller, with types, help and units beside each series and
    /// the time when its sum began. Its answers say how much was written.
    V2,
}

use RemoteWriteVersion::{V1, V2};

impl RemoteWriteVersion {
    fn content_type(self) -> &'static str {
        match self {
            V1 => "application/x-protobuf",
            V2 => "application/x-protobuf;proto=io.prometheus.write.v2.Request",
        }
    }

    fn number(self) -> &'static str {
        match self {
            V1 => "0.1.0",
            V2 => "2.0.0",
        }
    }
}

/// Posts requests.
#[derive(Debug)]
pub(super) struct Post {
    client: HttpClient,
    version: RemoteWriteVersion,
    /// Whether 1.0 is spoken to a receiver that does not know 2.0.
    falls_back: bool,
}

/// Where an answer says how many samples, and how many histograms, were written.
const WRITTEN: [&str; 2] =
    ["x-prometheus-remote-write-samples-written", "x-prometheus-remote-write-histograms-written"];

/// More of an answer is not read.
const MOST_ANSWER: usize = 4 << 20;

impl Post {
    /// Posts in `version`; without one, in the newest that the receiver knows.
    pub(super) fn new(client: HttpClient, version: Option<RemoteWriteVersion>) -> Self {
        Self { client, version: version.unwrap_or(V2), falls_back: version.is_none() }
    }

    fn post(
        &mut self,
        payload: &Payload,
        deadline: &Deadline,
    ) -> Result<HttpAnswer, ExportError<Payload>> {
        let request = match self.version {
            V1 => as_first(payload.head(), payload.bytes()),
            V2 => [payload.head(), payload.bytes()].concat(),
        };
        // It fails for what is larger than 4 GiB.
        let body = snap::raw::Encoder::new().compress_vec(&request);
        let body = body.map_err(ExportError::too_large)?;
        let post = HttpPost {
            headers: &[
                ("content-encoding", "snappy"),
                ("x-prometheus-remote-write-version", self.version.number()),
            ],
            most_answer: MOST_ANSWER,
            ..HttpPost::new(self.version.content_type(), body)
        };
        Ok(self.client.post(post, deadline)?)
    }

    /// Whether the receiver does not know 2.0. One that is older takes it for an empty request: it reports
    /// a success, and not what it wrote.
    fn is_unknown(&self, answer: &HttpAnswer) -> bool {
        let is_silent = answer.is_success() && written(answer).is_none();
        self.version == V2 && (answer.status.as_u16() == 415 || is_silent)
    }

    /// What an answer to `payload` means.
    pub(super) fn judge(&self, payload: &Payload, answer: &HttpAnswer) -> SendResult {
        let n_sent = n_series(payload.bytes());
        let n_written = (self.version == V2).then(|| written(answer)).flatten();
        let place = format!("remote write to {}", self.client);
        let may_pass = |status: u16| status == 429 || status >= 500;
        let is_lasting =
            answer.status.is_client_error() && !matches!(answer.status.as_u16(), 413 | 429);
        match n_written {
            None if answer.is_success() && self.version == V2 => {
                let message = format!("{place}: the answer does not say that anything was written");
                Err(ExportError::reject(message))
            }
            None if answer.is_success() => Ok(()),
            Some(n) if answer.is_success() && n >= n_sent => Ok(()),
            Some(n) if answer.is_success() || is_lasting && n > 0 => {
                let error: ExportError<Payload> = answer.error(&place, may_pass);
                let message = format!("{error}; {n} of {n_sent} samples were written");
                // Each of those that were not may be of another record.
                let n_rejected = n_sent.saturating_sub(n).clamp(1, payload.len());
                Err(ExportError::partial(n_rejected, message))
            }
            _ => Err(answer.error(&place, may_pass)),
        }
    }
}

impl Sender for Post {
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        self.client.check()
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        if payload.bytes().is_empty() {
            return Ok(()); // Nothing that a receiver would take.
        }
        let mut answer = self.post(payload, deadline)?;
        if self.falls_back && self.is_unknown(&answer) {
            self.version = V1;
            let text = format_args!("{} does not know 2.0: 1.0 from now on", self.client);
            diagnostics::report("remote write", text);
            answer = self.post(payload, deadline)?;
        }
        self.judge(payload, &answer)
    }

    fn name(&self) -> &str {
        "remote-write"
    }

    fn destination(&self) -> Option<String> {
        Some(self.client.to_string())
    }
}

/// How many samples and histograms were written, if the answer says so.
fn written(answer: &HttpAnswer) -> Option<usize> {
    let number = |name: &&str| answer.headers.get(*name)?.to_str().ok()?.trim().parse().ok();
    WRITTEN.iter().filter_map(number).reduce(usize::saturating_add)
}
