//! The part of a span that crosses a process boundary.

use super::{SpanId, TraceId, TraceState};

/// The flags of a span context (W3C Trace Context Level 2, section 3.2.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct TraceFlags(u8);

impl TraceFlags {
    /// The span is recorded and exported.
    pub const SAMPLED: Self = Self(1);
    /// The right-most 56 bits of the trace id are random.
    pub const RANDOM: Self = Self(2);

    /// The flags of these bits, unknown ones kept.
    #[must_use]
    pub const fn from_u8(bits: u8) -> Self {
        Self(bits)
    }

    /// The bits.
    #[must_use]
    pub const fn to_u8(self) -> u8 {
        self.0
    }

    /// Whether the sampled flag is set.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.0 & Self::SAMPLED.0 != 0
    }

    /// The flags with the sampled flag set or not.
    #[must_use]
    pub const fn with_sampled(self, sampled: bool) -> Self {
        if sampled { Self(self.0 | Self::SAMPLED.0) } else { Self(self.0 & !Self::SAMPLED.0) }
    }
}

/// Which span of which trace, and what travels with it.
///
/// Some callers name no span: what they say is about the trace that is to begin, a
/// [decision](Self::decision) or its id alone. A span that is started with such a context as its parent is
/// a root that follows it.
///
/// The default, [`NONE`](Self::NONE), is the absence of a context.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct SpanContext {
    ids: Ids,
    state: TraceState,
}

/// A context without its trace state, which most have not: what is copied when a span starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Ids {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) bits: Bits,
}

/// The flags, and what is known of the context besides. A whole word: a copy of what was just written in
/// smaller parts waits for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Bits(u64);

impl Bits {
    const SAMPLED: u64 = TraceFlags::SAMPLED.0 as u64;
    const REMOTE: u64 = 1 << 8;
    /// Its span is recorded, sampled or not. Only of spans of this process.
    const RECORDED: u64 = 1 << 9;
    /// Whether it is sampled is for the receiver to decide. Only of remote contexts.
    const DEFERRED: u64 = 1 << 10;
    /// A tail sampler decides whether its span is exported. Only of spans of this process.
    const HELD: u64 = 1 << 11;
    /// What a child in this process has of its parent's.
    const INHERITED: u64 =
        Self::SAMPLED | Self::RECORDED | Self::HELD | TraceFlags::RANDOM.0 as u64;

    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// As it is kept where half a word is enough: no bit is beyond.
    #[inline(always)]
    pub(crate) const fn to_u32(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    pub(crate) const fn from_u32(bits: u32) -> Self {
        Self(bits as u64)
    }

    /// Whether it is a span's of this process that is, or may be, exported.
    #[inline(always)]
    pub(crate) const fn may_be_exported(self) -> bool {
        self.0 & Self::REMOTE == 0 && self.0 & (Self::SAMPLED | Self::HELD) != 0
    }
}

impl Ids {
    /// Those of no context.
    pub(crate) const NONE: Self =
        Self::new(TraceId::INVALID, SpanId::INVALID, TraceFlags::from_u8(0));

    /// Those of a span of this process.
    #[inline(always)]
    pub(crate) const fn new(trace_id: TraceId, span_id: SpanId, flags: TraceFlags) -> Self {
        Self { trace_id, span_id, bits: Bits(flags.0 as u64) }
    }

    #[inline(always)]
    pub(crate) const fn flags(&self) -> TraceFlags {
        TraceFlags(self.bits.0 as u8)
    }

    /// With the bits of what was decided: whether its span is recorded, sampled, and held for a tail
    /// sampler.
    #[inline(always)]
    pub(crate) const fn decided(self, recorded: bool, sampled: bool, held: bool) -> Self {
        let bits = self.bits.0 & !(Bits::SAMPLED | Bits::RECORDED | Bits::HELD);
        let recorded_bits = recorded as u64 * Bits::RECORDED + held as u64 * Bits::HELD;
        Self { bits: Bits(bits | sampled as u64 | recorded_bits), ..self }
    }

    /// Those of a child of this span, which is decided as this one.
    #[inline(always)]
    pub(crate) const fn child(self, span_id: SpanId) -> Self {
        Self { span_id, bits: Bits(self.bits.0 & Bits::INHERITED), ..self }
    }

    /// Whether its span is recorded, if it is one of this process.
    #[inline(always)]
    pub(crate) const fn is_recorded(&self) -> bool {
        self.bits.0 & Bits::RECORDED != 0
    }

    /// Whether it came from another process.
    #[inline(always)]
    pub(crate) const fn is_remote(&self) -> bool {
        self.bits.0 & Bits::REMOTE != 0
    }

    /// Whether both ids are valid.
    #[inline(always)]
    pub(crate) const fn is_valid(&self) -> bool {
        self.trace_id.is_valid() && self.span_id.is_valid()
    }

    /// With the trace state of their trace.
    #[inline(always)]
    pub(crate) const fn with_state(self, state: TraceState) -> SpanContext {
        SpanContext { ids: self, state }
    }
}

impl SpanContext {
    /// No context.
    pub const NONE: Self = Self { ids: Ids::NONE, state: TraceState::EMPTY };

    /// The context of a span of this process, which is recorded if it is sampled. That of another process is
    /// made [remote](Self::into_remote).
    #[must_use]
    pub const fn new(
        trace_id: TraceId,
        span_id: SpanId,
        flags: TraceFlags,
        state: TraceState,
    ) -> Self {
        let is_sampled = flags.is_sampled();
        let ids = Ids::new(trace_id, span_id, flags).decided(is_sampled, is_sampled, false);
        ids.with_state(state)
    }

    /// The same context, marked as having come from another process.
    #[must_use]
    pub fn into_remote(self) -> Self {
        let bits = Bits(self.ids.bits.0 & !(Bits::RECORDED | Bits::HELD) | Bits::REMOTE);
        Ids { bits, ..self.ids }.with_state(self.state)
    }

    /// The same context with the sampled flag.
    pub(crate) fn into_sampled(self) -> Self {
        Ids { bits: Bits(self.ids.bits.0 | Bits::SAMPLED), ..self.ids }.with_state(self.state)
    }

    /// The same context, of which the sampled flag says nothing: the receiver is to decide, as B3 has it.
    #[must_use]
    pub fn with_deferred_sampling(self) -> Self {
        let bits = Bits(self.ids.bits.0 & !Bits::SAMPLED | Bits::DEFERRED);
        Ids { bits, ..self.ids }.with_state(self.state)
    }

    /// No span, but the caller's decision about the trace that is to begin, as B3 has it (`b3: 0`).
    #[must_use]
    pub fn decision(sampled: bool) -> Self {
        Self::new(
            TraceId::INVALID,
            SpanId::INVALID,
            TraceFlags::default().with_sampled(sampled),
            TraceState::EMPTY,
        )
        .into_remote()
    }

    /// What was decided: whether it is sampled, or `None` if that is for the receiver to decide. A
    /// context without a span decides nothing, unless a caller sent [just that](Self::decision).
    #[must_use]
    pub fn decided(&self) -> Option<bool> {
        let says = (self.is_valid() || self.is_remote()) && self.ids.bits.0 & Bits::DEFERRED == 0;
        says.then_some(self.is_sampled())
    }

    /// The same context with another trace state.
    #[must_use]
    pub fn with_state(self, state: TraceState) -> Self {
        Self { state, ..self }
    }

    /// Without the trace state.
    #[inline(always)]
    pub(crate) const fn ids(&self) -> Ids {
        self.ids
    }

    /// The trace state alone.
    pub(crate) fn into_state(self) -> TraceState {
        self.state
    }

    /// The trace.
    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        self.ids.trace_id
    }

    /// The span.
    #[must_use]
    pub const fn span_id(&self) -> SpanId {
        self.ids.span_id
    }

    /// The flags.
    #[must_use]
    pub const fn flags(&self) -> TraceFlags {
        self.ids.flags()
    }

    /// The vendors' entries.
    #[must_use]
    pub const fn state(&self) -> &TraceState {
        &self.state
    }

    /// Whether both ids are valid.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.ids.is_valid()
    }

    /// Whether the span is recorded and exported.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.ids.flags().is_sampled()
    }

    /// Whether it came from another process.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        self.ids.is_remote()
    }
}
