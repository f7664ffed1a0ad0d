//! HTTP requests of notifiers and exporters: one client, with one policy, which a deadline cancels.
//!
//! Redirects are not followed, and proxies from the environment are not used. Plain http, and addresses
//! that are not public, are refused unless the code allows them. The address is checked when the
//! connection is made: the resolver returns only addresses that passed, so that a name cannot change
//! its address between the check and the connection.
//!
//! Errors name only scheme, host and port of a URL, because its userinfo, path and query are often
//! secrets.

mod endpoint;
mod policy;
mod credentials;
mod compression;
mod tls;
mod proxy;
#[cfg(unix)]
mod socket;
#[cfg(not(unix))]
#[path = "socket_absent.rs"]
mod socket;
mod client;
mod place;
mod connection;
mod resolver;
mod post;
#[cfg(feature = "poll-json")]
mod get;
#[cfg(feature = "otlp-grpc")]
mod http2;
mod answer;
#[cfg(test)]
mod tests;

#[allow(unused_imports, reason = "for backends that read what the server says")]
pub(crate) use answer::{HttpAnswer, HttpFailure, MOST_ANSWER};
pub(crate) use client::HttpClient;
pub use compression::Compression;
pub use endpoint::Endpoint;
pub(crate) use post::HttpPost;
