//! What a span starts from: the options of its builder, its ids, and the sampling decision.

use std::borrow::Cow;

use super::SpanKind;
use crate::{
    clock::Ticks,
    context::{self, Ids, SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    label::KeyValue,
    util::random,
};

/// The options of a span's builder.
#[derive(Clone, Debug)]
pub(super) struct Seed {
    pub(super) name: Cow<'static, str>,
    pub(super) kind: SpanKind,
    pub(super) parent: Option<SpanContext>, // None is the current one.
    pub(super) start: Option<Ticks>,        // None is now.
    pub(super) attributes: Vec<KeyValue>,
}

/// A span about to start: its ids and those of its parent.
#[derive(Clone, Copy)]
pub(super) struct Start {
    /// Not sampled before that is decided.
    pub(super) ids: Ids,
    /// [`Ids::NONE`] for a root.
    pub(super) parent: Ids,
}

impl Start {
    /// A child of `parent`, or a root if that is not valid.
    #[inline(always)]
    pub(super) fn below(parent: Ids) -> Self {
        if !parent.is_valid() {
            return Self::root();
        }
        Self::child(parent, false)
    }

    #[inline(always)]
    pub(super) fn child(parent: Ids, is_sampled: bool) -> Self {
        let [span] = random::numbers();
        let span_id = SpanId::from_u64(span);
        let span_id = if span_id.is_valid() { span_id } else { SpanId::random() };
        let flags = TraceFlags::from_u8(parent.flags().to_u8() & TraceFlags::RANDOM.to_u8());
        let ids = Ids::new(parent.trace_id, span_id, flags).with_sampled(is_sampled);
        Self { ids, parent }
    }

    #[inline(always)]
    fn root() -> Self {
        let [high, low, span] = random::numbers();
        let (trace_id, span_id) = (TraceId::from_halves(high, low), SpanId::from_u64(span));
        // Zeros come once in 2^64 spans.
        let trace_id = if trace_id.is_valid() { trace_id } else { TraceId::random() };
        let span_id = if span_id.is_valid() { span_id } else { SpanId::random() };
        Self { ids: Ids::new(trace_id, span_id, TraceFlags::RANDOM), parent: Ids::NONE }
    }

    /// Its ids when that is decided.
    #[inline(always)]
    pub(super) fn decided(self, is_sampled: bool) -> Self {
        Self { ids: self.ids.with_sampled(is_sampled), ..self }
    }
}

impl Seed {
    /// The ids of the parent, which is the current context if none is set.
    #[inline(always)]
    pub(super) fn parent_ids(&self) -> Ids {
        match &self.parent {
            Some(parent) => parent.ids(),
            None => context::ids(),
        }
    }

    /// The trace state of a span that starts: its parent's.
    pub(super) fn state(&self, start: &Start) -> TraceState {
        match &self.parent {
            _ if start.parent == Ids::NONE => TraceState::EMPTY,
            Some(parent) => parent.state().clone(),
            None => context::state(),
        }
    }
}
