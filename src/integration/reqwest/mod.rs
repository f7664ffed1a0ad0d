//! Spans and figures of the requests that a [`reqwest::Client`] sends, with the context
//! in their headers.
//!
//! [`TracedClient`] traces all requests of a client, [`Traced`] a single one.
//!
//! ```
//! # use std::{io::{Read, Write}, net::TcpListener, thread};
//! use bellwether::{context::Outcome, integration::reqwest::TracedClient, testing};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let listener = TcpListener::bind("127.0.0.1:0")?;
//! # let address = listener.local_addr()?;
//! # thread::spawn(move || {
//! #     let (mut stream, _) = listener.accept().unwrap();
//! #     let _ = stream.read(&mut [0; 4096]).unwrap();
//! #     stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").unwrap();
//! # });
//! let scope = testing::scope();
//! let client = TracedClient::from(reqwest::Client::builder().no_proxy().build()?);
//!
//! let url = format!("http://{address}/items/7?sig=secret");
//! let response = client.get(url).template("/items/{id}").send().await?;
//!
//! assert_eq!(response.status(), 404);
//! assert_eq!(scope.span("GET /items/{id}").outcome(), Outcome::Error);
//! # Ok(())
//! # }
//! ```
//!
//! | on the span | from |
//! | --- | --- |
//! | its name | the method, and the template if there is one: `GET /items/{id}`, or `GET` |
//! | `http.request.method`, `http.request.method_original` | the method |
//! | `server.address`, `server.port`, `url.full` | the URL, without credentials, values of known secrets, and a fragment |
//! | `url.template` | [`TracedRequest::template`] |
//! | `http.request.resend_count` | [`TracedRequest::resend_count`] |
//! | `http.request.body.size` | a body that is in memory, or the header `content-length` |
//! | `http.response.status_code`, `network.protocol.version` | the response |
//! | `network.peer.address`, `network.peer.port` | the connection |
//! | `http.response.body.size` | the response's `content-length`; with [`until_body_ends`](TracedRequest::until_body_ends), what was read of it |
//! | `error.type` | the status from 400 on, or `timeout`, `connect`, `redirect`, `decode`, `body`, `builder` (no URL to send to), `request`, `cancelled`, `panic` |
//! | an event `http.redirect` | each redirect, by [`noted_redirects`]; otherwise one for where the response came from |
//! | an event `exception` | why there is no response, without the URL |
//!
//! Measured are `http.client.request.duration`, the sizes of bodies and `http.client.active_requests`, as
//! by the bundle [`HttpClient`](crate::bundle::HttpClient).
//!
//! # When a request is over
//!
//! With the head of the response, so that the time is what the server takes to answer; an error while the
//! body is read is then the caller's to record. [`until_body_ends`](TracedRequest::until_body_ends) ends
//! it with the body. A future that is dropped before, or such a body, makes it a cancelled request; one that
//! panics, as a redirect policy may, ends it there.
//!
//! # Redirects and retries
//!
//! reqwest follows redirects by itself, all within one span and one measurement, and with one context in
//! the headers. So are requests that it sends again by a retry policy of its own
//! ([`reqwest::retry`]). The request's span is the current one where such a policy's classifier runs, so
//! that this can say that it sends again: `bellwether::trace::add_event("http.retry", [])`. Retries of the
//! caller, or of a tower layer above a [`TracedClient`], each have a span.
//!
//! # What is left alone
//!
//! On a [muted](crate::trace::mute) thread, where exporters work, requests go out as they are. Where no
//! telemetry runs, requests are measured, and the headers of the caller's context go on as they came.
//! The blocking client is a feature of reqwest that this one does not turn on; for its requests there are
//! [`time!`](macro@crate::time), [`inject`](crate::inject) and the bundle.

mod client;
mod sending;
mod body;
mod exchange;
mod redirect;
mod failure;
mod url;

pub use client::{Traced, TracedClient, TracedRequest};
pub use redirect::noted_redirects;
pub use sending::Sending;
