//! Transport: how bytes leave and enter the process, whatever they mean.

#[cfg(feature = "http-client")]
pub(crate) mod address;
#[cfg(feature = "http-client")]
pub(crate) mod http_client;
#[cfg(feature = "prometheus-listener")]
pub(crate) mod http_server;

#[cfg(feature = "http-client")]
#[cfg_attr(docsrs, doc(cfg(feature = "http-client")))]
pub use http_client::Endpoint;
