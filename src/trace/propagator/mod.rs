//! The context in the headers of requests: read from incoming ones, written to outgoing ones.

mod carrier;
#[cfg(feature = "http")]
mod http;
mod w3c;

pub use w3c::{extract, inject, inject_context};

/// Incoming headers, of which values are read by name.
///
/// Names are matched without regard to case. Implemented for maps and lists of pairs, and with the
/// feature `http` for `http::HeaderMap`.
pub trait Extractor {
    /// Calls `each` with every value of the header `name`, which is lower case, in their order.
    fn values<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a [u8]));
}

/// Outgoing headers.
///
/// Names are matched without regard to case. Implemented for maps and lists of pairs, and with the
/// feature `http` for `http::HeaderMap`.
pub trait Injector {
    /// Makes `value` the only value of the header `name`, which is lower case.
    fn set(&mut self, name: &'static str, value: &str);

    /// Takes the header `name`, which is lower case, away.
    fn remove(&mut self, name: &'static str);
}
