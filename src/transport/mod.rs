//! How bytes leave and enter the process, below what they mean.

#[cfg(feature = "webhook")]
pub(crate) mod address;
#[cfg(feature = "webhook")]
pub(crate) mod http_client;
#[cfg(feature = "prometheus-listener")]
pub(crate) mod http_server;
