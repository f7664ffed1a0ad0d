//! Pieces without a word of telemetry in them.

#[cfg(feature = "hdrhistogram")]
pub(crate) mod base64;
pub(crate) mod catch;
pub(crate) mod civil;
#[cfg(feature = "webhook")]
pub(crate) mod date;
pub(crate) mod hash;
pub(crate) mod panics;
pub(crate) mod per_process;
#[cfg(unix)]
pub(crate) mod process;
#[cfg(not(unix))]
#[path = "process_absent.rs"]
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod standard;
