//! The formats against plain readings of their specifications, and what they have in common.

mod b3;
mod baggage;
mod carriers;
mod composite;
mod datadog;
mod jaeger;
mod ot_trace;
mod request_id;
mod tracestate;
mod xray;

use super::{Extractor, Propagator};
use crate::context::{Context, SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// Headers as bytes, as a client may send them.
type Sent = Vec<(&'static str, Vec<u8>)>;
/// Headers as they go out.
type Written = Vec<(String, String)>;

/// What a caller said about its span, in plain numbers.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    trace: u128,
    span: u64,
    /// `None` if that is for us to decide, and also if nothing was said.
    sampled: Option<bool>,
    state: String,
}

impl Said {
    fn of(context: &Context) -> Self {
        let span = context.span();
        assert!(*span == SpanContext::NONE || span.is_remote());
        Self {
            trace: span.trace_id().to_u128(),
            span: span.span_id().to_u64(),
            sampled: span.decided(),
            state: span.state().as_str().to_owned(),
        }
    }
}

fn said(propagator: &impl Propagator, headers: &[(&'static str, Vec<u8>)]) -> Said {
    Said::of(&propagator.extract(&headers))
}

/// Holds for one header: its value, cut off at any place from either end; with any byte in the place of
/// any of its own, or before it; without any of its bytes; and as it is.
fn each_change_of(value: &str, mut check: impl FnMut(Vec<u8>)) {
    let value = value.as_bytes();
    check(value.to_vec());
    for place in 0..value.len() {
        check(value[..place].to_vec());
        check(value[place..].to_vec());
        check([&value[..place], &value[place + 1..]].concat());
        for byte in 0..=u8::MAX {
            check([&value[..place], &[byte], &value[place + 1..]].concat());
            check([&value[..place], &[byte], &value[place..]].concat());
        }
    }
}

/// `check` gets `headers` with each of their values changed, one change at a time, and each header left
/// out, doubled, and emptied.
fn each_change(headers: &[(&'static str, &str)], mut check: impl FnMut(Sent)) {
    let sent = |headers: &[(&'static str, &str)]| -> Sent {
        headers.iter().map(|(name, value)| (*name, value.as_bytes().to_vec())).collect()
    };
    for (place, &(name, value)) in headers.iter().enumerate() {
        each_change_of(value, |changed| {
            let mut headers = sent(headers);
            headers[place].1 = changed;
            check(headers);
        });
        let mut without = sent(headers);
        without.remove(place);
        check(without.clone());
        for other in ["", value, "1", "0", "garbage"] {
            let mut before = without.clone();
            before.insert(place, (name, other.into()));
            before.insert(place + 1, (name, value.into()));
            check(before);
            let mut behind = sent(headers);
            behind.push((name, other.into()));
            check(behind);
        }
    }
}

/// The header's value as a plain reader has it: the first one, as text without white space around it. What
/// is not UTF-8 is replaced by what is legal nowhere.
fn text_of(headers: &[(&'static str, Vec<u8>)], name: &str) -> Option<String> {
    let (_, value) = headers.iter().find(|(other, _)| *other == name)?;
    Some(String::from_utf8_lossy(value).trim_matches([' ', '\t']).to_owned())
}

/// The number of exactly `n` lower hex digits.
fn hex(text: &str, n: usize) -> Option<u128> {
    let is_digit = |c| matches!(c, '0'..='9' | 'a'..='f');
    let is_legal = text.chars().count() == n && text.chars().all(is_digit);
    is_legal.then(|| u128::from_str_radix(text, 16).unwrap())
}

/// As [`hex`], and not zero.
fn id(text: &str, n: usize) -> Option<u128> {
    hex(text, n).filter(|&number| number != 0)
}

fn context(sampled: bool) -> Context {
    let flags = TraceFlags::default().with_sampled(sampled);
    SpanContext::new(
        TraceId::from_u128(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c),
        SpanId::from_u64(0xb7ad_6b71_6920_3331),
        flags,
        TraceState::EMPTY,
    )
    .into()
}

fn written(propagator: &impl Propagator, context: &Context) -> Written {
    let mut headers = Written::new();
    propagator.inject(context, &mut headers);
    headers
}

/// What goes out in a format comes in again as it was.
fn assert_round_trip(propagator: &impl Propagator, context: &Context) {
    let headers = written(propagator, context);
    let again = propagator.extract(&headers);
    assert_eq!(Said::of(&again), Said::of(&remote(context)), "{propagator:?} {headers:?}");
}

fn remote(context: &Context) -> Context {
    context.clone().with_span(context.span().clone().into_remote())
}

/// Ids with every kind of zeros, sampled and not.
fn contexts() -> impl Iterator<Item = Context> {
    let traces = [1, 0x8448_eb21_1c80_319c, 0x0af7_6519_16cd_43dd << 64 | 7, u128::MAX];
    let both = traces.into_iter().flat_map(|trace| [(trace, 1), (trace, u64::MAX)]);
    both.flat_map(|(trace, span)| {
        [false, true].map(|sampled| {
            let flags = TraceFlags::default().with_sampled(sampled);
            let (trace, span) = (TraceId::from_u128(trace), SpanId::from_u64(span));
            SpanContext::new(trace, span, flags, TraceState::EMPTY).into()
        })
    })
}
