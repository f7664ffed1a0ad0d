//! Pushes a page, or deletes its group.

use super::{group::Group, options::Options};
use crate::{
    error::Error,
    export::prometheus::Dialect,
    pipeline::{Deadline, ExportError, Payload, SendResult, Sender, Setup},
    transport::http_client::{HttpClient, HttpPost},
};

/// Pushes pages into a group.
#[derive(Debug)]
pub(super) struct Push {
    client: HttpClient,
    options: Options,
    path: String,
}

/// More of an answer is not read: a few words of why.
const MOST_ANSWER: usize = 64 << 10;

impl Push {
    pub(super) fn new(client: HttpClient, options: Options) -> Self {
        Self { client, options, path: String::new() }
    }
}

impl Sender for Push {
    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        self.path = Group::new(&self.options, setup.resource())?.path();
        self.client.check()
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        let is_page = payload.bytes().is_empty();
        if is_page && payload.head().is_empty() {
            let message = "differences are not sent: a Pushgateway has totals alone";
            return Err(ExportError::reject(message));
        }
        let dialect = Dialect::from(self.options.format());
        let post = HttpPost::new(dialect.content_type(), payload.head());
        let post = post.path(&self.path).reading(MOST_ANSWER);
        let answer = match (is_page, self.options.keeps_others) {
            (true, true) => self.client.post(post, deadline)?,
            (true, false) => self.client.put(post, deadline)?,
            (false, _) => self.client.delete(&self.path, deadline)?,
        };
        let place = format!("Pushgateway at {}", self.client);
        match answer.settle(&place, |status| status == 429 || status >= 500) {
            // There are no halves of a page.
            Err(_) if answer.status() == 413 => {
                let n_bytes = payload.head().len();
                Err(ExportError::reject(format!("{place} finds {n_bytes} bytes too large")))
            }
            settled => settled,
        }
    }

    fn name(&self) -> &str {
        "pushgateway"
    }

    fn destination(&self) -> Option<String> {
        Some(self.client.to_string())
    }
}
