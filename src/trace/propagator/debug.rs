//! The debug flag of B3 and Jaeger, which a span context has no place for: an entry of the trace state.
//!
//! It is the one that B3 itself has for trace states, its header's value under the key `b3`, with the
//! sampling state alone. So it reaches all spans of the trace in this process, and goes through callers
//! and receivers that know only W3C's headers.

use crate::context::SpanContext;

const KEY: &str = "b3";
const VALUE: &str = "d";

/// With the debug flag.
pub(super) fn with_debug(span: SpanContext) -> SpanContext {
    match span.state().with(KEY, VALUE) {
        Ok(state) => span.with_state(state),
        Err(_) => span,
    }
}

/// Whether it is sampled with the debug flag. What a sampler has refused is no debug trace any more.
pub(super) fn is_debug(span: &SpanContext) -> bool {
    span.is_sampled() && span.state().get(KEY) == Some(VALUE)
}
