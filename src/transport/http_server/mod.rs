//! A small HTTP/1.1 server for pages that are rendered on demand, on a thread of its own.
//!
//! One thread (`bellwether-http`) does everything: it accepts, reads requests, calls the handler and
//! writes responses. Because the handler is called on that thread, a slow page delays others; a client
//! that sends or reads slowly delays none.
//!
//! The cost of a client is limited: 64 KiB and 256 fields of request head within 5 s, 30 s to receive
//! the response, two minutes of idling between requests, `Limits::connections` at a time. A connection
//! beyond that number replaces the one that has waited for a request for the longest time. So clients
//! that hold connections open without a request cannot shut others out. Only GET and HEAD are served,
//! and bodies of requests are not read.

mod connection;
mod exchange;
mod listen;
mod refusal;
mod server;

#[cfg(test)]
mod tests;

pub(crate) use exchange::{Request, Response, line};
pub(crate) use server::Server;
