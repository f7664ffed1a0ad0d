//! Transport: how bytes leave and enter the process, whatever they mean.
//!
//! An `Endpoint` is where requests go: the same for every backend, notifier and source that speaks HTTP. An
//! `HttpPoster` posts to it, for a backend of your own.

#[cfg(feature = "http-client")]
pub(crate) mod address;
#[cfg(feature = "broker")]
#[allow(dead_code, reason = "not every broker needs all of it")]
pub(crate) mod crypto;
#[cfg(any(feature = "http-client", feature = "broker", feature = "sql"))]
#[allow(dead_code, reason = "not every client needs all of it")]
pub(crate) mod driver;
#[cfg(feature = "http-client")]
#[cfg_attr(
    not(feature = "webhook"),
    allow(dead_code, unused_imports, reason = "each of what sends uses a part of it")
)]
pub(crate) mod http_client;
#[cfg(feature = "http-client")]
mod http_poster;
#[cfg(feature = "prometheus-listener")]
pub(crate) mod http_server;
#[cfg(any(feature = "http-client", feature = "syslog-tls"))]
mod pem;
#[cfg(any(
    feature = "http-client",
    feature = "syslog-tls",
    feature = "broker",
    feature = "postgres",
    feature = "mysql"
))]
mod rotating_file;
#[cfg(any(feature = "http-client", feature = "broker", feature = "postgres", feature = "mysql"))]
#[allow(dead_code, reason = "not every client needs all of it")]
mod secret;
#[cfg(any(
    feature = "statsd",
    feature = "graphite",
    feature = "influx",
    feature = "emf",
    feature = "syslog",
    feature = "journal"
))]
#[allow(dead_code, unused_imports, reason = "each of what sends uses a part of it")]
pub(crate) mod socket;

#[cfg(feature = "http-client")]
#[cfg_attr(docsrs, doc(cfg(feature = "http-client")))]
pub use http_client::{Compression, Endpoint, HttpAnswer, HttpFailure, HttpPost};
#[cfg(feature = "http-client")]
#[cfg_attr(docsrs, doc(cfg(feature = "http-client")))]
pub use http_poster::HttpPoster;
#[cfg(any(
    feature = "http-client",
    feature = "broker",
    feature = "postgres",
    feature = "mysql"
))]
#[cfg_attr(
    docsrs,
    doc(cfg(any(
        feature = "http-client",
        feature = "broker",
        feature = "postgres",
        feature = "mysql"
    )))
)]
pub use secret::Secret;
