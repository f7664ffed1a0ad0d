//! transport

#[cfg(feature = "prometheus-listener")]
pub(crate) mod http_server;
