//! zstd, by the reference implementation.

use std::io;

/// The fastest of its ordinary levels; see gzip's.
const LEVEL: i32 = 1;

#[expect(clippy::unnecessary_wraps, reason = "the twin that is absent fails")]
pub(super) fn check() -> Result<(), String> {
    Ok(())
}

pub(super) fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    ::zstd::bulk::compress(bytes, LEVEL)
}
