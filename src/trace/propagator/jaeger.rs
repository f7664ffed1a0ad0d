//! `uber-trace-id` (Jaeger's client libraries, "Propagation Format").
//!
//! ```text
//! 0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:01
//! trace id (up to 32)              span id          |  flags: 1 sampled, 2 debug
//!                                                   parent id, which is ignored
//! ```

use super::{
    Extractor, Injector, Propagator,
    debug::{is_debug, with_debug},
    fields::{first, remote, text},
};
use crate::context::{Context, SpanContext, SpanId, TraceId, hex};

/// Jaeger's header `uber-trace-id`
/// ([propagation format](https://www.jaegertracing.io/docs/1.18/client-libraries/#propagation-format)).
///
/// Ids are hex numbers with fewer digits where they begin with zeros. The colons may be written `%3A`, as
/// some of Jaeger's clients do.
///
/// - The format has no way to leave the decision to the receiver: what was left to us, and not decided
///   here, goes out as not sampled.
/// - Debug goes on as debug from the spans that are sampled here. In between it is the entry `b3=d` of the
///   trace state.
/// - Jaeger's headers of baggage, `uberctx-*`, are neither read nor written, nor is `jaeger-debug-id`. For
///   baggage add [`BaggageHeader`](super::BaggageHeader).
///
/// # Examples
///
/// ```
/// use bellwether::trace::propagator::{Jaeger, Propagator};
///
/// let caller = Jaeger.extract(&[("uber-trace-id", "8448eb211c80319c:b7ad6b7169203331:0:1")]);
/// assert_eq!(caller.trace_id().to_string(), "00000000000000008448eb211c80319c");
///
/// let mut outgoing: Vec<(String, String)> = Vec::new();
/// Jaeger.inject(&caller, &mut outgoing);
/// assert_eq!(outgoing[0].1, "00000000000000008448eb211c80319c:b7ad6b7169203331:0:01");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the format leaves no choice")]
pub struct Jaeger;

const HEADER: &str = "uber-trace-id";
const SAMPLED: u128 = 1;
const DEBUG: u128 = 2;
/// The most bytes that are looked at: all fields at their longest, with colons as `%3A`, have 75.
const MAX_BYTES: usize = 128;

impl Propagator for Jaeger {
    fn extract(&self, carrier: &dyn Extractor) -> Context {
        first(carrier, HEADER).and_then(parse).unwrap_or_default().into()
    }

    fn inject(&self, context: &Context, carrier: &mut dyn Injector) {
        let span = context.span();
        if !span.is_valid() {
            return;
        }
        let mut header = *b"00000000000000000000000000000000:0000000000000000:0:00";
        header[..32].copy_from_slice(&hex::encode32(span.trace_id().to_u128()));
        header[33..49].copy_from_slice(&hex::encode16(span.span_id().to_u64()));
        header[53] += u8::from(span.is_sampled()) + 2 * u8::from(is_debug(span));
        carrier.set(HEADER, text(&header));
    }
}

fn parse(header: &[u8]) -> Option<SpanContext> {
    if header.len() > MAX_BYTES {
        return None;
    }
    let (trace_id, rest) = split(header)?;
    let (span_id, rest) = split(rest)?;
    let (_parent_id, flags) = split(rest)?;
    let trace_id = TraceId::from_u128(number(trace_id, 32)?);
    let span_id = SpanId::from_u64(number(span_id, 16)? as u64);
    let flags = number(flags, 2)?;
    if !trace_id.is_valid() || !span_id.is_valid() {
        return None;
    }
    let is_sampled = flags & SAMPLED != 0;
    let span = remote(trace_id, span_id, Some(is_sampled));
    // The flag says something only about what is sampled.
    Some(if is_sampled && flags & DEBUG != 0 { with_debug(span) } else { span })
}

/// What stands before and behind the next colon.
fn split(fields: &[u8]) -> Option<(&[u8], &[u8])> {
    (0..fields.len()).find_map(|place| match &fields[place..] {
        [b':', rest @ ..] | [b'%', b'3', b'A' | b'a', rest @ ..] => Some((&fields[..place], rest)),
        _ => None,
    })
}

/// The number of one to `most` hex digits.
fn number(digits: &[u8], most: usize) -> Option<u128> {
    if digits.is_empty() || digits.len() > most {
        return None;
    }
    let digits = digits.iter().map(|&digit| char::from(digit).to_digit(16));
    digits.into_iter().try_fold(0, |number, digit| Some(number << 4 | u128::from(digit?)))
}
