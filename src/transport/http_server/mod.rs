//! A small HTTP/1.1 server for pages that are made on demand, on a thread of its own.
//!
//! One thread (`bellwether-http`) runs everything: it accepts, reads requests, calls the handler and
//! writes answers. The handler is called on that thread, so a page that takes long to make delays
//! others; a client that sends or reads slowly delays nobody.
//!
//! What a client can cost is bounded: 64 KiB and 256 fields of request head within 5 s, 30 s to take the answer,
//! two minutes of idling between requests, `Limits::connections` at a time. A connection beyond
//! that number replaces the one that has waited for a request for the longest time, so that clients
//! who hold connections open and say nothing cannot shut others out. Only GET and HEAD are served,
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
