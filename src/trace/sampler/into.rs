//! What may be given where a sampler is asked for.

use super::{Sampler, consistent::ConsistentProbability};

/// A sampler, or a number: the probability with which [`ConsistentProbability`] samples.
///
/// # Examples
///
/// ```
/// use bellwether::trace::sampler::{ParentBased, TraceIdRatio};
///
/// let sampler = ParentBased::new(0.05).remote_sampled(TraceIdRatio::new(0.5));
/// # let _ = sampler;
/// ```
pub trait IntoSampler {
    /// The sampler.
    #[must_use]
    fn into_sampler(self) -> Box<dyn Sampler>;
}

impl<S: Sampler> IntoSampler for S {
    fn into_sampler(self) -> Box<dyn Sampler> {
        Box::new(self)
    }
}

/// The probability: less than 0 and NaN are 0, more than 1 is 1.
impl IntoSampler for f64 {
    fn into_sampler(self) -> Box<dyn Sampler> {
        Box::new(ConsistentProbability::new(self))
    }
}
