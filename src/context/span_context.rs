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
    trace_id: TraceId,
    span_id: SpanId,
    flags: TraceFlags,
    remote: bool,
    state: TraceState,
}

impl SpanContext {
    /// No context.
    pub const NONE: Self = Self {
        trace_id: TraceId::INVALID,
        span_id: SpanId::INVALID,
        flags: TraceFlags::from_u8(0),
        remote: false,
        state: TraceState::EMPTY,
    };

    /// The context of a span of this process.
    #[must_use]
    pub const fn new(
        trace_id: TraceId,
        span_id: SpanId,
        flags: TraceFlags,
        state: TraceState,
    ) -> Self {
        Self { trace_id, span_id, flags, remote: false, state }
    }

    /// The same context, marked as having come from another process.
    #[must_use]
    pub fn into_remote(self) -> Self {
        Self { remote: true, ..self }
    }

    /// The trace.
    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The span.
    #[must_use]
    pub const fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// The flags.
    #[must_use]
    pub const fn flags(&self) -> TraceFlags {
        self.flags
    }

    /// The vendors' entries.
    #[must_use]
    pub const fn state(&self) -> &TraceState {
        &self.state
    }

    /// Whether both ids are valid.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.trace_id.is_valid() && self.span_id.is_valid()
    }

    /// Whether the span is recorded and exported.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.flags.is_sampled()
    }

    /// Whether it came from another process.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        self.remote
    }
}
