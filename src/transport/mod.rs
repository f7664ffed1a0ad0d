//! Transport: how bytes leave and enter the process, whatever they mean.

#[cfg(any(feature = "webhook", feature = "poll-json"))]
pub(crate) mod address;
#[cfg(any(feature = "webhook", feature = "poll-json"))]
pub(crate) mod http_client;
#[cfg(feature = "prometheus-listener")]
pub(crate) mod http_server;
