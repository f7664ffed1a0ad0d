//! How bytes leave and enter the process, below what they mean.

#[cfg(any(feature = "webhook", feature = "poll-json"))]
pub(crate) mod address;
#[cfg(any(feature = "webhook", feature = "poll-json"))]
pub(crate) mod http_client;
#[cfg(feature = "prometheus-listener")]
pub(crate) mod http_server;
