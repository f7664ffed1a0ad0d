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
    /// What was recorded elsewhere, for [`HistogramParts`](super::HistogramParts).
    #[must_use]
    pub const fn new(value: f64, trace_id: TraceId, span_id: SpanId, taken: Ticks) -> Self {
        Self { value, trace_id, span_id, taken }
    }

    /// Why it cannot be of a histogram.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if !(0.0..f64::INFINITY).contains(&self.value) {
            return Some("a value that is negative or no number");
        }
        if !self.trace_id.is_valid() {
            return Some("a trace id of zero");
        }
        (!self.span_id.is_valid()).then_some("a span id of zero")
    }

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

/// Keeps the newest exemplar of each key that values have, sorted by it.
pub(crate) fn keep_newest(exemplars: &mut Vec<Exemplar>, key: impl Fn(f64) -> u32) {
    if exemplars.len() < 2 {
        return;
    }
    // Newest first within a key, so that it is the one that stays.
    exemplars.sort_by_key(|one| (key(one.value), std::cmp::Reverse(one.taken)));
    exemplars.dedup_by_key(|one| key(one.value));
}
