//! HTTP requests of notifiers and exporters: one client, with one policy, which a deadline cancels.
//!
//! An `Endpoint` has the options; an `HttpClient` holds it and its others (`Endpoint::or`), each with
//! connections of its own (`Place`), and asks them in turn. All that may change between two requests
//! (secrets, certificates, the password of a proxy) is read before each. Headers are made for each request;
//! where its certificates or its proxy's password have changed, a connection is opened again with the new ones.
//!
//! Redirects are not followed, and proxies from the environment are used by choice alone. Plain http, and
//! addresses that are not public, are refused unless the code allows them. The address is checked when the
//! connection is made: the resolver returns only addresses that passed, so that a name cannot change
//! its address between the check and the connection. Through a proxy, that is the proxy's.
//!
//! Errors name only scheme, host and port of a URL, because its userinfo, path and query are often
//! secrets.
//!
//! # For backends
//!
//! - `MOST_ANSWER` is the `most_answer` of who reads what the server says.
//! - `HttpClient::compressing(Compression::Gzip)` is for a protocol whose bodies are compressed unless the user
//!   says otherwise. What is sent again after a failure is recognised by its bytes, and not compressed again.
//! - `HttpClient::http2`, with the feature `otlp-grpc`, is for gRPC; others speak HTTP/1.1, whatever features are on.

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
#[cfg(any(feature = "pushgateway", feature = "elasticsearch"))]
#[allow(dead_code, reason = "each of what puts uses a part of it")]
mod put;
#[cfg(feature = "elasticsearch")]
mod fetch;
#[cfg(feature = "poll-json")]
mod get;
#[cfg(feature = "otlp-grpc")]
mod http2;
mod answer;
mod cause;
#[cfg(test)]
pub(crate) mod tests;

#[allow(unused_imports, reason = "for backends that read what the server says")]
pub(crate) use answer::MOST_ANSWER;
pub use answer::{HttpAnswer, HttpFailure};
pub(crate) use client::HttpClient;
pub use compression::Compression;
pub use endpoint::Endpoint;
pub use post::HttpPost;
