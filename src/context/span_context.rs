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

/// The flags, and whether the context came from another process. A whole word: a copy of what was just
/// written in smaller parts waits for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Bits(u64);

impl Bits {
    const SAMPLED: u64 = TraceFlags::SAMPLED.0 as u64;
    const REMOTE: u64 = 1 << 8;

    pub(crate) const NONE: Self = Self(0);

    /// Whether it is a span's of this process, and sampled.
    #[inline(always)]
    pub(crate) const fn is_sampled_here(self) -> bool {
        self.0 & (Self::REMOTE | Self::SAMPLED) == Self::SAMPLED
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

    /// With the sampled flag set or not.
    #[inline(always)]
    pub(crate) const fn with_sampled(self, sampled: bool) -> Self {
        Self { bits: Bits(self.bits.0 & !Bits::SAMPLED | sampled as u64), ..self }
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

    /// The context of a span of this process.
    #[must_use]
    pub const fn new(
        trace_id: TraceId,
        span_id: SpanId,
        flags: TraceFlags,
        state: TraceState,
    ) -> Self {
        Ids::new(trace_id, span_id, flags).with_state(state)
    }

    /// The same context, marked as having come from another process.
    #[must_use]
    pub fn into_remote(self) -> Self {
        Ids { bits: Bits(self.ids.bits.0 | Bits::REMOTE), ..self.ids }.with_state(self.state)
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
