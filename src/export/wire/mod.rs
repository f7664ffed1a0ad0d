//! Encodings that exporters share. They know records, but no backend.

pub(crate) mod json;
pub(crate) mod lines;
pub(crate) mod log;
#[cfg(feature = "prometheus")]
pub(crate) mod number;
pub(crate) mod point;
#[cfg(feature = "remote-write")]
#[allow(dead_code, reason = "not every backend needs all of it")]
pub(crate) mod protobuf;
#[cfg(all(test, feature = "http-client"))]
pub(crate) mod receiver;
pub(crate) mod record;
pub(crate) mod span;
mod utc;
