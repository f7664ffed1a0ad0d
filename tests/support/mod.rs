//! An HTTP server that misbehaves as a test asks, and keeps what it was sent.
//!
//! For integration tests: `mod support;`, then a [`Server`] whose script says what each request gets.
//!
//! ```ignore
//! // The first request gets 503, each further one 200.
//! let server = Server::answering([Reply::status(503), Reply::ok()]);
//! let endpoint = Endpoint::new(&server.url("/v1/traces")).allow_plain_http().allow_private();
//! // … what is tested sends …
//! let request = server.next();
//! assert_eq!(request.path, "/v1/traces");
//! assert_eq!(request.header("content-encoding"), Some("gzip"));
//! decode(&request.body); // Unpacked, whatever it was compressed by.
//! ```
//!
//! - A [`Reply`] is a status, headers and a body, and how it goes wrong: late, cut, slow, endless, silent.
//! - [`Server::by`] takes a closure where the answer depends on the request.
//! - [`Server::over_tls`] shows a [`Certificate`], good or bad; [`Server::on_socket`] listens on a Unix socket;
//!   [`Server::raw`] says bytes that are no HTTP; [`nobody`] is an address where nothing listens.
//!
//! Nothing here sleeps: who waits does so until the client hangs up. A server needs no shutdown: its threads
//! end with their connections, or with the process.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, reason = "the helpers are part of the tests")]

mod numbered;
mod reply;
mod request;
mod server;
mod tls;

pub use numbered::numbered_spans;
pub use reply::Reply;
pub use request::Request;
pub use server::{PATIENCE, Server, nobody};
pub use tls::{
    CLIENT_KEY_PEM, CLIENT_PEM, Certificate, OTHER_ROOT_PEM, ROOT_PEM, UNKNOWN_KEY_PEM, UNKNOWN_PEM,
};
