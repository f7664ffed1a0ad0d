//! How many traces a second callers may have recorded.

use std::sync::Arc;

use super::{
    Candidate, Ours, Sampler, Sampling,
    bucket::{Bucket, Rate},
    consistent,
    rejection::Rejection,
};
use crate::clock;

/// The rate at which callers are heeded that want their traces recorded. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct CallerLimit(Arc<(Rate, Bucket)>);

impl CallerLimit {
    pub(crate) fn new(per_second: f64) -> Self {
        Self(Arc::new((Rate::new(per_second, per_second), Bucket::default())))
    }

    /// `sampler` within the limit.
    pub(crate) fn around(&self, sampler: Box<dyn Sampler>) -> Box<dyn Sampler> {
        Box::new(Limited { sampler, limit: self.clone() })
    }
}

/// A sampler within the limit.
#[derive(Debug)]
struct Limited {
    sampler: Box<dyn Sampler>,
    limit: CallerLimit,
}

impl Sampler for Limited {
    fn sample(&self, span: &Candidate<'_>) -> Sampling {
        let sampling = self.sampler.sample(span);
        let parent = span.parent();
        if !(parent.is_remote() && parent.is_sampled() && sampling.is_sampled()) {
            return sampling;
        }
        let (rate, bucket) = &*self.limit.0;
        consistent::limited(sampling, span, bucket.take(rate, clock::now()))
    }

    fn is_ours(&self, ours: Ours) -> bool {
        self.sampler.is_ours(ours)
    }

    fn follows_local(&self, ours: Ours) -> bool {
        self.sampler.follows_local(ours)
    }

    fn of_roots(&self, ours: Ours) -> Option<bool> {
        self.sampler.of_roots(ours)
    }

    fn rejection(&self, ours: Ours) -> Rejection {
        self.sampler.rejection(ours)
    }

    fn minds_parents(&self, _: Ours) -> bool {
        true
    }
}
