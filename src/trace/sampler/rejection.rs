//! Which roots a sampler rejects by their trace ids alone, so that it need not be asked about them.

use crate::context::TraceId;

/// Rejects the roots whose trace id's low word, flipped and shifted, is below a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    flip: u64,
    shift: u32, // Less than 64.
    limit: u64, // Zero: it rejects none.
}

impl Rejection {
    pub(super) const NONE: Self = Self { flip: 0, shift: 0, limit: 0 };

    /// Of the ids whose low 56 bits are below `threshold`, which is less than 2^56.
    pub(super) const fn below(threshold: u64) -> Self {
        Self { flip: 0, shift: 8, limit: threshold << 8 }
    }

    /// Of the ids whose low 64 bits without the last are at least `bound`, which is from 1 to 2^63.
    pub(super) const fn from_half(bound: u64) -> Self {
        // Half of a number is at least `bound` where half of what it lacks is less than what `bound` lacks.
        Self { flip: u64::MAX, shift: 0, limit: (1u64 << 63).wrapping_sub(bound) << 1 }
    }

    #[inline(always)]
    pub(in crate::trace) const fn rejects(self, trace_id: TraceId) -> bool {
        let low = trace_id.to_u128() as u64;
        (low ^ self.flip) << self.shift < self.limit
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::{
        context::SpanContext,
        trace::{
            SpanKind,
            sampler::{
                Candidate, ConsistentProbability, IntoSampler, Ours, ParentBased, RateLimited,
                Sampler, TraceIdRatio,
            },
        },
    };

    #[test]
    fn what_is_rejected_beforehand_is_what_the_sampler_drops() {
        let edges =
            [0, 1, 2, u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1, (1 << 56) - 1, 1 << 55];
        let ids: Vec<_> = (0..2_000).map(|_| TraceId::random()).collect();
        let edges = edges.map(|low| TraceId::from_u128(1 << 64 | u128::from(low)));
        for p in [0.0, 1e-18, 1e-9, 0.001, 0.05, 1.0 / 3.0, 0.5, 0.999, 1.0 - 1e-16, 1.0] {
            let samplers: [Box<dyn Sampler>; 4] = [
                Box::new(TraceIdRatio::new(p)),
                Box::new(ConsistentProbability::new(p)),
                ParentBased::new(p).into_sampler(),
                Box::new(RateLimited::new(1e12).of(TraceIdRatio::new(p))),
            ];
            for sampler in samplers {
                for &id in ids.iter().chain(&edges) {
                    let name = Cow::Borrowed("");
                    let root = Candidate::new(&SpanContext::NONE, id, &name, SpanKind::Internal);
                    let is_sampled = sampler.sample(&root).is_sampled();
                    let is_rejected = sampler.rejection(Ours).rejects(id);
                    let of_roots = sampler.of_roots(Ours);
                    let known = if is_rejected { Some(false) } else { of_roots };
                    assert_eq!(known.unwrap_or(true), is_sampled, "{sampler:?} {id}");
                }
            }
        }
    }
}
