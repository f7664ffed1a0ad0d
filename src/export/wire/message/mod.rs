//! Messages of brokers: what they hold, how records become some, and what becomes of the records of each.
//!
//! ```text
//! batch ──► MessageEncoder ─► payload: head │ prefix, record │ prefix, record │ …   encoder.rs, prefix.rs
//!             the format's encoder writes head and records
//! payload ► Packer ─► messages: id, key, traceparent, body                          packer.rs
//!             the format joins records
//! messages ► send_in_rounds ─► the broker's sender ─► Verdicts ─► Account           rounds.rs, account.rs
//!                                                      what is sent again ◄─┘
//! ```
//!
//! A sender sees bytes alone, also after a spool and a restart. So what it has to know of a record stands before it,
//! in a prefix.

mod account;
mod backend;
mod encoder;
mod formats;
mod json;
mod options;
mod packer;
mod prefix;
mod rounds;
mod signal;
#[cfg(test)]
mod tests;

pub(crate) use backend::message_backend;
pub(crate) use encoder::MessageEncoder;
pub use json::JsonLines;
pub(crate) use options::MessageOptions;
pub(crate) use packer::{Message, Packer};
pub(crate) use rounds::{Verdict, send_in_rounds};
pub(crate) use signal::MessageSignal;

use std::fmt;

use crate::pipeline::Encoder;

/// What the messages of a broker hold: how records are written, and how some of them become one message.
///
/// [`JsonLines`] is one; those of other backends are `otlp::OtlpMessages` and `influx::InfluxMessages`, with these
/// features. It is given to a broker's `format`, for which it is one of all three signals.
///
/// # Examples
///
/// Names of spans, one a line:
///
/// ```
/// use bellwether::{
///     export::message::MessageFormat,
///     pipeline::{Batch, Encoder, Payload},
///     trace::SpanRecord,
/// };
///
/// #[derive(Debug)]
/// struct Names;
///
/// impl Encoder<SpanRecord> for Names {
///     fn encode(&mut self, batch: &Batch<SpanRecord>) -> Payload {
///         Payload::each(batch, |out, span| out.extend_from_slice(span.name().as_bytes()))
///     }
/// }
///
/// impl MessageFormat<SpanRecord> for Names {
///     fn encoder(&self) -> Box<dyn Encoder<SpanRecord>> {
///         Box::new(Names)
///     }
///
///     fn content_type(&self) -> &'static str {
///         "text/plain; charset=utf-8"
///     }
///
///     fn join(&self, _head: &[u8], records: &[&[u8]], message: &mut Vec<u8>) -> bool {
///         message.extend_from_slice(&records.join(&b'\n'));
///         true
///     }
/// }
///
/// let mut message = Vec::new();
/// assert!(Names.join(b"", &[b"checkout", b"pay"], &mut message));
/// assert_eq!(message, b"checkout\npay");
/// ```
pub trait MessageFormat<S>: fmt::Debug + Send + Sync + 'static {
    /// What writes the records of one route. A record without bytes is one that the format cannot express: it is
    /// dropped and counted as rejected.
    fn encoder(&self) -> Box<dyn Encoder<S>>;

    /// The content type of a message.
    fn content_type(&self) -> &'static str;

    /// Appends the message of `records`, of which there is at least one, to `message`: with what is said once for all
    /// of them, the payload's [head](crate::pipeline::Payload::head). The records are those that an
    /// [`encoder`](Self::encoder) wrote, of one batch and in order; none is empty.
    ///
    /// `false` says that they are none of this format, as what another version has left on disk may be. They are
    /// dropped then, and count as rejected.
    fn join(&self, head: &[u8], records: &[&[u8]], message: &mut Vec<u8>) -> bool;
}
