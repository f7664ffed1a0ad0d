//! Span contexts, ours and OpenTelemetry's.

use ::opentelemetry::trace::{
    SpanContext as TheirContext, SpanId as TheirSpanId, TraceFlags as TheirFlags,
    TraceId as TheirTraceId, TraceState as TheirState,
};

use crate::{
    context::{Ids, SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    trace,
};

/// The flag of a span of this process that is recorded and not sampled, as a tail sampler may want it.
/// OpenTelemetry's context has no other place for it, and its propagators write the sampled flag alone.
const RECORDED: u8 = 0x80;

/// Of `context`, whose span is recorded or not.
pub(super) fn to_theirs(context: &SpanContext, is_recorded: bool) -> TheirContext {
    if !context.is_valid() {
        return TheirContext::NONE;
    }
    let flags = context.flags().to_u8() & !RECORDED;
    let is_hidden = is_recorded && !context.is_sampled();
    let flags = if is_hidden { flags | RECORDED } else { flags };
    TheirContext::new(
        TheirTraceId::from_bytes(context.trace_id().to_u128().to_be_bytes()),
        TheirSpanId::from_bytes(context.span_id().to_u64().to_be_bytes()),
        TheirFlags::new(flags),
        context.is_remote(),
        state_to_theirs(context.state()),
    )
}

fn state_to_theirs(state: &TraceState) -> TheirState {
    if state.is_empty() {
        return TheirState::NONE;
    }
    state.as_str().parse().unwrap_or_default()
}

pub(super) fn to_ours(theirs: &TheirContext) -> SpanContext {
    if !theirs.is_valid() {
        return SpanContext::NONE;
    }
    let Span { trace, span } = Span::of(theirs);
    let bits = theirs.trace_flags().to_u8();
    let state = match theirs.trace_state() {
        state if *state == TheirState::NONE => TraceState::EMPTY,
        state => TraceState::parse(&state.header()).unwrap_or_default(),
    };
    let flags = |bits| TraceFlags::from_u8(bits);
    if theirs.is_remote() {
        return SpanContext::new(trace, span, flags(bits), state).into_remote();
    }
    let ids = Ids::new(trace, span, flags(bits & !RECORDED));
    let is_sampled = theirs.is_sampled();
    let is_recorded = is_sampled || bits & RECORDED != 0;
    ids.decided(is_recorded, is_sampled, is_recorded && trace::is_held()).with_state(state)
}

/// Which span it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Span {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
}

impl Span {
    pub(super) fn of(theirs: &TheirContext) -> Self {
        Self {
            trace: TraceId::from_u128(u128::from_be_bytes(theirs.trace_id().to_bytes())),
            span: SpanId::from_u64(u64::from_be_bytes(theirs.span_id().to_bytes())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_comes_back_as_it_went() {
        let state = TraceState::parse("rojo=00f067,congo=t61rc").unwrap();
        for flags in 0..4 {
            let flags = TraceFlags::from_u8(flags);
            let local = SpanContext::new(TraceId::random(), SpanId::random(), flags, state.clone());
            assert_eq!(to_ours(&to_theirs(&local, flags.is_sampled())), local);
            let remote = local.clone().into_remote();
            assert_eq!(to_ours(&to_theirs(&remote, false)), remote);
            let theirs = to_theirs(&remote, false);
            assert_eq!(theirs.trace_id().to_string(), remote.trace_id().to_string());
            assert_eq!(theirs.span_id().to_string(), remote.span_id().to_string());
            assert_eq!(theirs.trace_state().header(), state.as_str());
        }
        assert_eq!(to_theirs(&SpanContext::NONE, false), TheirContext::NONE);
        assert_eq!(to_ours(&TheirContext::NONE), SpanContext::NONE);
    }

    #[test]
    fn a_span_that_is_recorded_and_not_sampled_is_still_recorded_when_it_comes_back() {
        let flags = TraceFlags::RANDOM;
        let context =
            SpanContext::new(TraceId::random(), SpanId::random(), flags, TraceState::EMPTY);
        let recorded = to_ours(&to_theirs(&context, true));
        assert!(recorded.ids().is_recorded() && !recorded.is_sampled());
        assert_eq!(recorded.flags(), flags);
        assert!(!to_ours(&to_theirs(&context, false)).ids().is_recorded());
    }
}
