//! Metrics that are read from elsewhere when a snapshot or a page needs them: from the process, the
//! host, an async runtime, an HTTP endpoint.
//!
//! A [`Collector`] reads one place and fills the families that it described. A [`Source`] registers it,
//! and caches what was read:
//!
//! ```text
//! snapshot ─► a family's callback ─► the cache, read again if it is older than a second ─► collector
//!                                     ▲
//!                  a thread of its own, for what is slow: Source::every
//! ```
//!
//! - One reading serves all families of the source and every reader within a second.
//! - A reading that fails or panics is counted and reported. The last good values stay until they are
//!   *stale*, after five minutes by default; then the series are gone, not frozen.
//! - If a part cannot be read, only its series keep their last good values; the rest is new.
//! - If the place gives its figures a time stamp, a repeated one is a duplicate: the reading is dropped
//!   and counted, and the values keep their age.
//!
//! `telemetry.source.readings`, `.failures` (by `reason`) and `.duplicates` count all this by `source`,
//! on the registry of the source.

mod collector;
#[cfg(all(any(feature = "process", feature = "host"), target_os = "linux"))]
mod files;
#[cfg(all(feature = "host", target_os = "linux"))]
mod host;
#[cfg(all(feature = "host", not(target_os = "linux")))]
#[path = "host_absent.rs"]
mod host;
#[cfg(feature = "poll-json")]
pub mod poll;
#[cfg(all(feature = "process", target_os = "linux"))]
mod process;
#[cfg(all(feature = "process", not(target_os = "linux")))]
#[path = "process_absent.rs"]
mod process;
mod source;
#[cfg(feature = "tokio-runtime")]
mod tokio_runtime;

pub use collector::{Collector, Description, Failure, Reading};
#[cfg(feature = "host")]
pub use host::host;
#[cfg(feature = "poll-json")]
pub use poll::JsonPoll;
#[cfg(feature = "process")]
pub use process::process;
pub use source::{Registered, Source};
#[cfg(feature = "tokio-runtime")]
pub use tokio_runtime::TokioRuntimes;
