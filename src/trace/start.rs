//! What a span starts from: the options of its builder, its ids, and the sampling decision.

use std::borrow::Cow;

use super::{SpanKind, sampler::Candidate};
use crate::{
    clock::Ticks,
    context::{SpanContext, SpanId, TraceFlags, TraceId},
    util::random,
};

/// The options of a span's builder.
#[derive(Clone, Debug)]
pub(super) struct Seed {
    pub(super) name: Cow<'static, str>,
    pub(super) kind: SpanKind,
    pub(super) parent: Option<SpanContext>, // None is the current one.
    pub(super) start: Option<Ticks>,        // None is now.
}

/// The ids of a span about to start.
pub(super) struct Ids {
    trace_id: TraceId,
    span_id: SpanId,
    random: u8, // The flag, or 0.
    is_root: bool,
}

/// A span about to start: its context and what was decided about it.
pub(super) struct Start {
    pub(super) context: SpanContext,
    pub(super) parent: SpanId,
    pub(super) parent_is_remote: bool,
    pub(super) is_sampled: bool,
}

impl Ids {
    #[inline(always)] // As `Start::new`.
    pub(super) fn new(parent: &SpanContext) -> Self {
        let is_root = !parent.is_valid();
        let (trace_id, span_id, random) = if is_root {
            let [high, low, span] = random::numbers();
            let trace_id = TraceId::from_halves(high, low);
            // Zeros come once in 2^64 spans.
            let trace_id = if trace_id.is_valid() { trace_id } else { TraceId::random() };
            (trace_id, SpanId::from_u64(span), TraceFlags::RANDOM.to_u8())
        } else {
            let [span] = random::numbers();
            let random = parent.flags().to_u8() & TraceFlags::RANDOM.to_u8();
            (parent.trace_id(), SpanId::from_u64(span), random)
        };
        let span_id = if span_id.is_valid() { span_id } else { SpanId::random() };
        Self { trace_id, span_id, random, is_root }
    }

    /// The span, as a sampler sees it.
    #[inline(always)]
    pub(super) fn candidate<'a>(&self, parent: &'a SpanContext, seed: &'a Seed) -> Candidate<'a> {
        Candidate {
            parent: if self.is_root { &SpanContext::NONE } else { parent },
            trace_id: self.trace_id,
            name: &seed.name,
            kind: seed.kind,
        }
    }
}

impl Start {
    #[inline(always)] // Built where it goes: a copy right after stalls on the stores (bench span).
    pub(super) fn new(ids: Ids, parent: &SpanContext, is_sampled: bool) -> Self {
        let Ids { trace_id, span_id, random, is_root } = ids;
        let flags = TraceFlags::from_u8(random).with_sampled(is_sampled);
        let state = if is_root { Default::default() } else { parent.state().clone() };
        Self {
            context: SpanContext::new(trace_id, span_id, flags, state),
            parent: if is_root { SpanId::INVALID } else { parent.span_id() },
            parent_is_remote: !is_root && parent.is_remote(),
            is_sampled,
        }
    }
}
