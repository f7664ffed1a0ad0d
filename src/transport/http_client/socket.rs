//! Connections by a Unix socket.

use std::path::Path;

use reqwest::ClientBuilder;

/// The builder whose connections all go to the socket at `path`.
#[expect(clippy::unnecessary_wraps, reason = "the twin where there are none fails")]
pub(super) fn on(builder: ClientBuilder, path: &Path) -> Result<ClientBuilder, String> {
    Ok(builder.unix_socket(path))
}
