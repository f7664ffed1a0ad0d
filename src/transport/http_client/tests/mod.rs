//! What the client makes of servers that misbehave, of certificates and proxies, and what it shows of
//! secrets.

#[path = "../../../../tests/support/mod.rs"]
pub(crate) mod support;

mod failover;
mod faults;
pub(crate) mod matrix;
mod proxies;
mod secrets;
mod sending;
mod tls;

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
    let post =
        HttpPost { most_answer: MOST_ANSWER, ..HttpPost::new("text/plain", body.to_owned()) };
    client.post(post, &Deadline::after(PATIENCE))
}

/// A file of this test alone, which is gone at its end.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bellwether-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Self(path)
    }

    fn write(&self, bytes: impl AsRef<[u8]>) {
        std::fs::write(&self.0, bytes).unwrap();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
