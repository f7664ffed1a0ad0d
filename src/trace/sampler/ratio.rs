//! A share of all traces, chosen by their ids.

use super::{Candidate, Ours, Sampler, Sampling, consistent, rejection::Rejection};
use crate::context::TraceId;

/// Records a share of all traces, chosen by the low 63 random bits of the trace id, so that every
/// process with the same ratio chooses the same traces.
///
/// The decision is that of opentelemetry_sdk 0.33's `TraceIdRatioBased`, to the id. A sampled trace does not
/// say with what probability it was; [`ConsistentProbability`](super::ConsistentProbability)'s do, by another
/// choice of ids.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TraceIdRatio {
    bound: u64, // In [0, ALL]: ids below it are recorded.
}

/// The number of values of 63 bits.
const ALL: u64 = 1 << 63;

impl TraceIdRatio {
    /// Records the share `ratio`; less than 0 and NaN are 0, more than 1 is 1.
    #[must_use]
    #[expect(clippy::manual_clamp, reason = "a clamped NaN stays one, which max turns into 0")]
    pub fn new(ratio: f64) -> Self {
        // `max` gives the other operand for NaN; the product is at most 2^63, which f64 holds.
        Self { bound: (ratio.max(0.0).min(1.0) * ALL as f64) as u64 }
    }

    #[inline]
    fn chooses(self, trace_id: TraceId) -> bool {
        let low = trace_id.to_u128() as u64;
        low >> 1 < self.bound
    }
}

impl Sampler for TraceIdRatio {
    #[inline]
    fn sample(&self, span: &Candidate<'_>) -> Sampling {
        consistent::unknown(Sampling::from_sampled(self.chooses(span.trace_id)), span)
    }

    fn is_ours(&self, _: Ours) -> bool {
        true
    }

    fn of_roots(&self, _: Ours) -> Option<bool> {
        match self.bound {
            0 => Some(false),
            ALL => Some(true),
            _ => None,
        }
    }

    fn rejection(&self, _: Ours) -> Rejection {
        if self.bound == 0 { Rejection::NONE } else { Rejection::from_half(self.bound) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_sdk::trace::{Sampler as Theirs, ShouldSample as _};

    #[test]
    fn decides_as_opentelemetry_does() {
        let ratios =
            [0.0, 1e-9, 0.001, 0.05, 1.0 / 3.0, 0.5, 0.9, 0.999_999, 1.0, -1.0, 2.0, f64::NAN];
        for ratio in ratios {
            let (ours, theirs) = (TraceIdRatio::new(ratio), Theirs::TraceIdRatioBased(ratio));
            for _ in 0..10_000 {
                let id = TraceId::random();
                let sampled = theirs
                    .should_sample(
                        None,
                        opentelemetry::trace::TraceId::from(id.to_u128()),
                        "name",
                        &opentelemetry::trace::SpanKind::Internal,
                        &[],
                        &[],
                    )
                    .decision
                    == opentelemetry_sdk::trace::SamplingDecision::RecordAndSample;
                assert_eq!(ours.chooses(id), sampled, "{id} at {ratio}");
            }
        }
    }

    #[test]
    fn one_chooses_the_highest_id_too() {
        assert!(TraceIdRatio::new(1.0).chooses(TraceId::from_u128(u128::MAX)));
        assert!(!TraceIdRatio::new(0.0).chooses(TraceId::from_u128(1 << 64)));
    }
}
