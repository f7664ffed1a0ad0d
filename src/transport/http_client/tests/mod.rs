//! What the client makes of servers that misbehave, of certificates and proxies, and what it shows of secrets.

#[path = "../../../../tests/support/mod.rs"]
mod support;

mod faults;

use std::time::Duration;

use support::{PATIENCE, Reply, Server};

use super::{HttpAnswer, HttpClient, HttpFailure, HttpPost, MOST_ANSWER};
use crate::{clock::Deadline, transport::Endpoint};

/// The endpoint of a server of these tests.
fn endpoint(url: &str) -> Endpoint {
    Endpoint::new(url).allow_plain_http().allow_private().timeout(PATIENCE)
}

/// Posts `body` once, and waits for all of the answer.
fn post(client: &mut HttpClient, body: &str) -> Result<HttpAnswer, HttpFailure> {
    let post = HttpPost {
        most_answer: MOST_ANSWER,
        ..HttpPost::new("text/plain", body.to_owned())
    };
    client.post(post, &Deadline::after(PATIENCE))
}
