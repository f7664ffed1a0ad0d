//! Pieces without a word of telemetry in them.

pub(crate) mod diagnostics;
