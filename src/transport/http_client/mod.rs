//! HTTP requests of notifiers and exporters: one client, with one policy, that a deadline cancels.
//!
//! Redirects are not followed, proxies from the environment are not used, and neither plain http nor
//! addresses that are not public are spoken to unless the code allows it. The address is checked
//! where it is connected to: a resolver hands the client only addresses that passed, so that a name
//! cannot change its mind between the check and the connection.
//!
//! Errors name scheme, host and port of a URL and nothing more: its userinfo, path and query are
//! often secrets.

mod connection;
mod endpoint;
#[cfg(feature = "poll-json")]
mod get;
#[cfg(feature = "webhook")]
mod post;
mod resolver;

pub(crate) use endpoint::HttpEndpoint;
#[cfg(feature = "webhook")]
pub(crate) use post::HttpFailure;
