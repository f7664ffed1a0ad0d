//! A measurement kept beside its bucket, with the trace it was made in.

use crate::{
    clock::Ticks,
    context::{SpanId, TraceId},
};

/// One measurement of a sampled span: the way from a bucket of a histogram to a trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exemplar {
    pub(crate) value: f64,
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) taken: Ticks,
}

impl Exemplar {
    /// The value that was recorded.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.value
    }

    /// The trace that it was recorded in.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The span that it was recorded in.
    #[must_use]
    pub fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// When it was recorded.
    #[must_use]
    pub fn taken(&self) -> Ticks {
        self.taken
    }
}
