//! Every span, none, and another sampler's word on each.

use super::{
    Candidate, Ours, Sampler, Sampling, consistent, into::IntoSampler, rejection::Rejection,
};

/// Records every span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to say about always")]
pub struct AlwaysOn;

/// Records no span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to say about never")]
pub struct AlwaysOff;

impl Sampler for AlwaysOn {
    #[inline]
    fn sample(&self, span: &Candidate<'_>) -> Sampling {
        consistent::all(span)
    }

    fn is_ours(&self, _: Ours) -> bool {
        true
    }

    fn of_roots(&self, _: Ours) -> Option<bool> {
        Some(true)
    }
}

impl Sampler for AlwaysOff {
    #[inline]
    fn sample(&self, span: &Candidate<'_>) -> Sampling {
        consistent::unknown(Sampling::DROP, span)
    }

    fn is_ours(&self, _: Ours) -> bool {
        true
    }

    fn of_roots(&self, _: Ours) -> Option<bool> {
        Some(false)
    }
}

/// Asks another sampler about every span, whatever was decided about its parent.
///
/// Without it a tracer asks its sampler about roots alone, and decides all others as their parents were:
/// see [`ParentBased`](super::ParentBased). A sampler that is asked about every span breaks traces apart.
/// A ratio of 0.1 drops nine of ten traces that a caller wants to have; and whatever does not go by the
/// trace id alone keeps some spans of a trace and drops others. This is for when that is what you want, and
/// for recording everything, as tests do: `EverySpan::new(AlwaysOn)`.
///
/// # Examples
///
/// ```
/// use bellwether::{export::Memory, trace::{SpanRecord, sampler::{AlwaysOn, EverySpan}}};
///
/// let spans = Memory::<SpanRecord>::new();
/// let builder = bellwether::builder("shop").export(spans.clone());
/// let telemetry = builder.sampler(EverySpan::new(AlwaysOn)).start()?;
///
/// // The caller says that it does not record the trace.
/// let headers = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")];
/// bellwether::span("serve").parent(bellwether::extract(&headers)).enter().end();
/// telemetry.flush(std::time::Duration::from_secs(5));
/// assert_eq!(spans.len(), 1);
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Debug)]
pub struct EverySpan(Box<dyn Sampler>);

impl EverySpan {
    /// Asks `sampler`, or samples each span with a probability.
    #[must_use]
    pub fn new(sampler: impl IntoSampler) -> Self {
        Self(sampler.into_sampler())
    }
}

impl Sampler for EverySpan {
    #[inline]
    fn sample(&self, span: &Candidate<'_>) -> Sampling {
        self.0.sample(span)
    }

    fn is_ours(&self, ours: Ours) -> bool {
        self.0.is_ours(ours)
    }

    fn follows_local(&self, ours: Ours) -> bool {
        self.0.follows_local(ours)
    }

    fn of_roots(&self, ours: Ours) -> Option<bool> {
        self.0.of_roots(ours)
    }

    fn rejection(&self, ours: Ours) -> Rejection {
        self.0.rejection(ours)
    }

    fn minds_parents(&self, _: Ours) -> bool {
        true
    }
}
