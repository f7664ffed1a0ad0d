//! Sends lines: over HTTP, or in datagrams.

use super::answer;
use crate::{
    error::Error,
    export::wire::packed::{self, Split},
    pipeline::{Deadline, ExportError, Payload, SendResult, Sender, Setup},
    transport::{
        http_client::{HttpClient, HttpPost},
        socket::Datagrams,
    },
    util::percent,
};

/// Posts lines.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) client: HttpClient,
    /// What follows the path of the endpoint's URL.
    pub(super) path: String,
}

/// More of an answer is not read. One that names each line of a batch fits in.
const MOST_ANSWER: usize = 4 << 20;

impl Sender for Post {
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        self.client.check()
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        if payload.bytes().is_empty() {
            return Err(ExportError::partial(payload.len(), answer::NO_LINE));
        }
        let post = HttpPost::new("text/plain; charset=utf-8", payload.bytes());
        let post = post.path(&self.path).reading(MOST_ANSWER);
        let answer = self.client.post(post, deadline)?;
        answer::judge(payload, &answer, &format!("InfluxDB at {}", self.client))
    }

    fn name(&self) -> &str {
        "influx"
    }

    fn destination(&self) -> Option<String> {
        Some(self.client.to_string())
    }
}

/// A path with its query: `/write?db=shop&precision=ns`.
pub(super) fn path_of(path: &str, query: &[(&str, &str)]) -> String {
    let mut out = path.to_owned();
    for (place, (name, value)) in query.iter().enumerate() {
        out.push(if place == 0 { '?' } else { '&' });
        out.push_str(name);
        out.push('=');
        percent::encode(&mut out, value);
    }
    out
}

/// Sends lines in datagrams.
#[derive(Debug)]
pub(super) struct Send {
    pub(super) datagrams: Datagrams,
    pub(super) most_bytes: usize,
}

impl Sender for Send {
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        self.datagrams.check(self.most_bytes)
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        packed::send(payload, &mut self.most_bytes, Split::Never, |datagram| {
            self.datagrams.send(datagram, deadline)
        })
    }

    fn name(&self) -> &str {
        "influx"
    }

    fn destination(&self) -> Option<String> {
        Some(self.datagrams.place().to_string())
    }
}
