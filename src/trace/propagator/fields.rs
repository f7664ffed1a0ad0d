//! What the formats have in common: the first of repeated headers, ids in hex, a caller's span.

use super::Extractor;
use crate::context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState, hex, trim};

/// The first value of the header `name`, without white space around it. Of repeated headers the others
/// are not looked at.
pub(super) fn first<'a>(carrier: &'a (dyn Extractor + 'a), name: &str) -> Option<&'a [u8]> {
    let mut first = None;
    carrier.values(name, &mut |value| first = first.or(Some(value)));
    first.map(trim)
}

/// The trace of 32 lower hex digits, or of 16, which are the lower half. Zero is none.
pub(super) fn trace_id(digits: &[u8]) -> Option<TraceId> {
    let number = match digits.try_into() {
        Ok(digits) => hex::decode16(digits)?.into(),
        Err(_) => hex::decode32(digits.try_into().ok()?)?,
    };
    Some(TraceId::from_u128(number)).filter(|id| id.is_valid())
}

/// The span of 16 lower hex digits. Zero is none.
pub(super) fn span_id(digits: &[u8]) -> Option<SpanId> {
    let number = hex::decode16(digits.try_into().ok()?)?;
    Some(SpanId::from_u64(number)).filter(|id| id.is_valid())
}

/// A caller's span, and whether it is sampled, or `None` if that is for us to decide.
pub(super) fn remote(trace_id: TraceId, span_id: SpanId, sampled: Option<bool>) -> SpanContext {
    let flags = TraceFlags::default().with_sampled(sampled == Some(true));
    let span = SpanContext::new(trace_id, span_id, flags, TraceState::EMPTY).into_remote();
    if sampled.is_none() { span.with_deferred_sampling() } else { span }
}

/// The text of what was written as ASCII.
pub(super) fn text(ascii: &[u8]) -> &str {
    std::str::from_utf8(ascii).unwrap_or_default()
}
