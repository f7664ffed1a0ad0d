//! Pieces without a word of telemetry in them.

pub(crate) mod catch;
pub(crate) mod civil;
pub(crate) mod date;
pub(crate) mod escape;
#[cfg(any(feature = "clickhouse", feature = "broker"))]
pub(crate) mod fingerprint;
pub(crate) mod fork_section;
pub(crate) mod hash;
#[cfg(feature = "http-client")]
pub(crate) mod http_date;
pub(crate) mod panics;
pub(crate) mod pattern;
pub(crate) mod per_process;
pub(crate) mod percent;
#[cfg(unix)]
pub(crate) mod process;
#[cfg(not(unix))]
#[path = "process_absent.rs"]
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod standard;
