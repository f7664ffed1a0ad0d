//! Sends documents: many in a request of the bulk API.

use super::answer;
use crate::{
    error::Error,
    pipeline::{Deadline, ExportError, Payload, SendResult, Sender, Setup},
    transport::http_client::{HttpClient, HttpPost, MOST_ANSWER},
    util::percent,
};

/// Posts documents.
#[derive(Debug)]
pub(super) struct Bulk {
    pub(super) client: HttpClient,
    /// What follows the path of the endpoint's URL.
    pub(super) path: String,
}

impl Sender for Bulk {
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        self.client.check()
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        let body = body(payload);
        if body.is_empty() {
            return Err(ExportError::partial(payload.len(), answer::NO_DOCUMENT));
        }
        let post = HttpPost::new("application/x-ndjson", body);
        let answer = self.client.post(post.path(&self.path).reading(MOST_ANSWER), deadline)?;
        answer::judge(payload, &answer, &format!("Elasticsearch at {}", self.client))
    }

    fn name(&self) -> &str {
        "elasticsearch"
    }

    fn destination(&self) -> Option<String> {
        Some(self.client.to_string())
    }
}

/// All documents with what they have of their resource, and each line with its end.
pub(super) fn body(payload: &Payload) -> Vec<u8> {
    let each = payload.head().len() + 1;
    let mut body = Vec::with_capacity(payload.bytes().len() + payload.len() * each);
    for record in payload.records() {
        if let Some((brace, fields)) = record.split_last() {
            body.extend_from_slice(fields);
            body.extend_from_slice(payload.head());
            body.extend_from_slice(&[*brace, b'\n']);
        }
    }
    body
}

/// Where documents of a stream go, or where each says itself where it goes; and by which ingest pipeline.
pub(super) fn path_of(stream: Option<&str>, pipeline: Option<&str>) -> String {
    let mut path = match stream {
        Some(stream) => format!("/{stream}/_bulk?{}", answer::WANTED),
        None => format!("/_bulk?{}", answer::WANTED),
    };
    if let Some(pipeline) = pipeline {
        path.push_str("&pipeline=");
        percent::encode(&mut path, pipeline);
    }
    path
}
