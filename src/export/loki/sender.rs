//! Pushes the entries of a payload.

use super::{answer, options::LokiForm, request};
use crate::{
    error::Error,
    pipeline::{Deadline, ExportError, Payload, SendResult, Sender, Setup},
    transport::http_client::{HttpClient, HttpPost, MOST_ANSWER},
};

/// Pushes entries.
#[derive(Debug)]
pub(super) struct Push {
    pub(super) client: HttpClient,
    pub(super) form: LokiForm,
}

/// Where Loki takes entries.
const PATH: &str = "/loki/api/v1/push";

impl Sender for Push {
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        self.client.check()
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        let streams = request::streams(payload);
        if streams.is_empty() {
            return Err(ExportError::partial(payload.len(), answer::NO_ENTRY));
        }
        let body = self.form.body(&streams).map_err(ExportError::too_large)?;
        let is_whole = self.client.path_ends_with("/push");
        let post = HttpPost::new(self.form.content_type(), body);
        let post = post.path(if is_whole { "" } else { PATH }).reading(MOST_ANSWER);
        let answer = self.client.post(post, deadline)?;
        answer::judge(payload, &answer, &format!("Loki at {}", self.client))
    }

    fn name(&self) -> &str {
        "loki"
    }

    fn destination(&self) -> Option<String> {
        Some(self.client.to_string())
    }
}
