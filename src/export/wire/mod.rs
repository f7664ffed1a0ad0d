//! Encodings that exporters share. They know records, but no backend.

pub(crate) mod json;
pub(crate) mod lines;
pub(crate) mod log;
pub(crate) mod point;
#[cfg(all(test, feature = "http-client"))]
pub(crate) mod receiver;
pub(crate) mod record;
pub(crate) mod span;
mod utc;
