//! HTTP requests of notifiers and exporters: one client, with one policy, which a deadline cancels.
//!
//! Redirects are not followed, and proxies from the environment are not used. Plain http, and addresses
//! that are not public, are refused unless the code allows them. The address is checked when the
//! connection is made: the resolver returns only addresses that passed, so that a name cannot change
//! its address between the check and the connection.
//!
//! Errors name only scheme, host and port of a URL, because its userinfo, path and query are often
//! secrets.

mod client;
mod connection;
mod endpoint;
#[cfg(feature = "poll-json")]
mod get;
mod post;
mod resolver;

pub(crate) use client::HttpClient;
pub use endpoint::Endpoint;
#[cfg(feature = "remote-write")]
pub(crate) use post::HttpAnswer;
pub(crate) use post::HttpPost;
