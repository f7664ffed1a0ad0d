//! Pieces without a word of telemetry in them.

#[cfg(feature = "webhook")]
pub(crate) mod date;
pub(crate) mod diagnostics;
