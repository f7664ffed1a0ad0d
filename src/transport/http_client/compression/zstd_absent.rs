//! In the place of zstd, where its feature is off.

use std::io;

pub(super) fn check() -> Result<(), String> {
    Err("compression by zstd needs the feature `zstd` of this crate".to_owned())
}

pub(super) fn compress(_bytes: &[u8]) -> io::Result<Vec<u8>> {
    Err(io::ErrorKind::Unsupported.into())
}
