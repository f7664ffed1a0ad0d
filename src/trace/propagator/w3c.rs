//! `traceparent` and `tracestate` (W3C Trace Context Level 2).
//!
//! ```text
//! 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03
//! version  trace id (32)              span id (16)     flags: 1 sampled, 2 random
//! ```

use super::{Extractor, Injector, Propagator};
use crate::context::{
    Context, Members, SpanContext, SpanId, TraceFlags, TraceId, TraceState, hex, trim,
};

/// The headers `traceparent` and `tracestate` (W3C Trace Context Level 2).
///
/// A header that is not exactly as the specification has it, or is there twice, is no context. A trace
/// state that is not valid is dropped, and the context kept. Nothing is allocated before everything has
/// been checked, and then only for the trace state. Outgoing headers are of version 00.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the specification leaves no choice")]
pub struct TraceContext;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";
/// The bytes of a header of version 00, and the least of one of a later version.
const LENGTH: usize = 55;

impl Propagator for TraceContext {
    fn extract(&self, carrier: &dyn Extractor) -> Context {
        read(carrier).into()
    }

    fn inject(&self, context: &Context, carrier: &mut dyn Injector) {
        write(context.span(), carrier);
    }
}

/// What the headers say; [`SpanContext::NONE`] if that is nothing valid.
pub(super) fn read<C: Extractor + ?Sized>(carrier: &C) -> SpanContext {
    let mut header = None;
    let mut n_headers = 0;
    carrier.values(TRACEPARENT, &mut |value| {
        header = Some(value);
        n_headers += 1;
    });
    let Some((trace_id, span_id, flags)) = header.filter(|_| n_headers == 1).and_then(parse) else {
        return SpanContext::NONE;
    };
    let mut members = None; // Made only where there is such a header: it has room for 32 members.
    carrier.values(TRACESTATE, &mut |value| members.get_or_insert_with(Members::new).add(value));
    let state = members.and_then(|members| members.finish()).unwrap_or(TraceState::EMPTY);
    SpanContext::new(trace_id, span_id, flags, state).into_remote()
}

/// Writes `span` in version 00; one that is not valid leaves the headers as they are.
pub(super) fn write<C: Injector + ?Sized>(span: &SpanContext, carrier: &mut C) {
    if !span.is_valid() {
        return;
    }
    let header = format(span);
    carrier.set(TRACEPARENT, std::str::from_utf8(&header).unwrap_or_default());
    // A trace state that is there from before would be another trace's.
    if span.state().is_empty() {
        carrier.remove(TRACESTATE);
    } else {
        carrier.set(TRACESTATE, span.state().as_str());
    }
}

fn parse(header: &[u8]) -> Option<(TraceId, SpanId, TraceFlags)> {
    let (fields, rest) = trim(header).split_first_chunk::<LENGTH>()?;
    // Digits are checked eight at a time, so the four of version and flags are padded.
    let &[v0, v1, b'-', .., b'-', f0, f1] = fields else { return None };
    let small = hex::decode8([b'0', b'0', b'0', b'0', v0, v1, f0, f1])?;
    let (version, flags) = ((small >> 8) as u8, small as u8);
    let is_whole = match version {
        0x00 => rest.is_empty(),
        0xff => false,
        // A later version may say more, after another dash.
        _ => rest.first().is_none_or(|&next| next == b'-'),
    };
    if !is_whole || fields[35] != b'-' {
        return None;
    }
    let trace_id = TraceId::from_u128(hex::decode32(fields[3..35].try_into().ok()?)?);
    let span_id = SpanId::from_u64(hex::decode16(fields[36..52].try_into().ok()?)?);
    // Flags that are not known are not passed on (section 3.2.2.5).
    let known = TraceFlags::SAMPLED.to_u8() | TraceFlags::RANDOM.to_u8();
    let flags = TraceFlags::from_u8(flags & known);
    (trace_id.is_valid() && span_id.is_valid()).then_some((trace_id, span_id, flags))
}

fn format(context: &SpanContext) -> [u8; LENGTH] {
    let known = TraceFlags::SAMPLED.to_u8() | TraceFlags::RANDOM.to_u8();
    let mut header = *b"00-00000000000000000000000000000000-0000000000000000-00";
    header[3..35].copy_from_slice(&hex::encode32(context.trace_id().to_u128()));
    header[36..52].copy_from_slice(&hex::encode16(context.span_id().to_u64()));
    header[54] = b'0' + (context.flags().to_u8() & known);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's words, one after the other.
    fn naive(header: &[u8]) -> Option<(TraceId, SpanId, TraceFlags)> {
        let text = std::str::from_utf8(header).ok()?.trim_matches([' ', '\t']);
        let mut fields = text.split('-');
        let mut field = |n_digits: usize| {
            let field = fields.next()?;
            let is_hex = field.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
            (field.len() == n_digits && is_hex).then_some(field)
        };
        let (version, trace, span, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
        if version == "ff" || (version == "00" && fields.next().is_some()) {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).unwrap();
        let span = u64::from_str_radix(span, 16).unwrap();
        if trace == 0 || span == 0 {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).unwrap() & 3;
        Some((TraceId::from_u128(trace), SpanId::from_u64(span), TraceFlags::from_u8(flags)))
    }

    const VALID: [&str; 8] = [
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-12345678901234567890123456789012-1234567890123456-00",
        "00-00000000000000000000000000000001-0000000000000001-ff",
        "00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-02",
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03",
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-what-comes",
        "fe-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-",
        " \t00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\t ",
    ];

    #[test]
    fn every_truncation_agrees_with_the_naive_parser() {
        for header in VALID {
            assert!(parse(header.as_bytes()).is_some(), "{header}");
            for end in 0..=header.len() {
                for piece in [&header[..end], &header[end..]] {
                    assert_eq!(parse(piece.as_bytes()), naive(piece.as_bytes()), "{piece:?}");
                }
            }
        }
    }

    #[test]
    fn every_change_of_one_byte_agrees_with_the_naive_parser() {
        for header in VALID {
            for place in 0..header.len() {
                for byte in 0..=u8::MAX {
                    let mut changed = header.as_bytes().to_vec();
                    changed[place] = byte;
                    // What is not UTF-8 in the part that a later version added is not looked at.
                    let is_tail =
                        place > LENGTH && parse(header.as_bytes()).is_some() && byte > 127;
                    if !is_tail {
                        assert_eq!(parse(&changed), naive(&changed), "{header} {place} {byte}");
                    }
                    changed[place] = header.as_bytes()[place];
                    changed.insert(place, byte);
                    if byte < 128 {
                        assert_eq!(parse(&changed), naive(&changed), "{header} {place} +{byte}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for flags in 0..4 {
            let context = SpanContext::new(
                TraceId::random(),
                SpanId::random(),
                TraceFlags::from_u8(flags),
                TraceState::parse("a=1,b=2").unwrap(),
            );
            let mut headers: Vec<(String, String)> =
                vec![("TraceParent".into(), "old".into()), ("TRACEPARENT".into(), "older".into())];
            write(&context, &mut headers);
            assert_eq!(headers.len(), 2);
            assert_eq!(read(&headers), context.into_remote());
        }
    }

    #[test]
    fn a_stale_trace_state_is_taken_away() {
        let context = SpanContext::new(
            TraceId::random(),
            SpanId::random(),
            TraceFlags::SAMPLED,
            TraceState::EMPTY,
        );
        let mut headers = std::collections::BTreeMap::from([("TraceState".into(), "a=1".into())]);
        write(&context, &mut headers);
        assert_eq!(headers.keys().collect::<Vec<&String>>(), ["traceparent"]);
    }

    #[test]
    fn an_unknown_flag_is_not_passed_on() {
        let context = SpanContext::new(
            TraceId::random(),
            SpanId::random(),
            TraceFlags::from_u8(0xff),
            TraceState::EMPTY,
        );
        assert!(format(&context).ends_with(b"-03"));
    }

    #[test]
    fn two_headers_are_none_and_a_bad_state_is_dropped() {
        let (valid, other) = (VALID[0], VALID[1]);
        assert_eq!(read(&[("traceparent", valid), ("Traceparent", other)]), SpanContext::NONE);
        let context = read(&[("traceparent", valid), ("tracestate", "a=1,B=2")]);
        assert!(context.is_valid() && context.state().is_empty());
        assert_eq!(read(&[("tracestate", "a=1")]), SpanContext::NONE);
    }
}
