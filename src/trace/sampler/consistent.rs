//! A share of all traces, with its probability in the trace state.

use super::{
    Candidate, Ours, Sampler, Sampling,
    bucket::Taken,
    probability::{self, Probability},
    rejection::Rejection,
};
use crate::context::TraceState;

/// Samples a share of all traces by their [random bits](Candidate::randomness), and puts the probability into
/// the trace state (`ot=th:…`), so that counts can be worked out from what was sampled
/// ([`SpanRecord::probability`](crate::trace::SpanRecord::probability)).
///
/// This is OpenTelemetry's consistent probability sampling: a trace that one service samples with some
/// probability, every other service samples with the same or a larger one. The trace state goes out in
/// headers. Where a number is given as a sampler, it is this one.
///
/// Callers that do not make trace ids from random bits (the random flag of `traceparent` is not set) are
/// sampled by the same bits of their ids nevertheless.
///
/// # Examples
///
/// ```
/// use bellwether::{export::Memory, trace::{SpanRecord, sampler::ConsistentProbability}};
///
/// let spans = Memory::<SpanRecord>::new();
/// let builder = bellwether::builder("shop").export(spans.clone());
/// let telemetry = builder.sampler(ConsistentProbability::new(0.25)).start()?; // Or `0.25`.
/// for _ in 0..1_000 {
///     bellwether::span("visit").enter().end();
/// }
/// telemetry.flush(std::time::Duration::from_secs(5));
/// let counts = spans.records().into_iter().filter_map(|span| span.probability());
/// let estimate: f64 = counts.map(|probability| probability.adjusted_count()).sum();
/// assert!((700.0..1_300.0).contains(&estimate));
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConsistentProbability {
    probability: Probability,
    of_roots: TraceState, // What a sampled root has.
}

impl ConsistentProbability {
    /// Samples with the probability `p`; less than 0 and NaN are 0, more than 1 is 1.
    #[must_use]
    pub fn new(p: f64) -> Self {
        Self::of(Probability::new(p))
    }

    /// Samples with this probability.
    #[must_use]
    pub fn of(probability: Probability) -> Self {
        let of_roots = match probability {
            Probability::ZERO => TraceState::EMPTY, // There is no such root.
            _ => probability.write(&TraceState::EMPTY),
        };
        Self { probability, of_roots }
    }

    /// The probability, as near to what was asked for as 56 bits are.
    #[must_use]
    pub fn probability(&self) -> Probability {
        self.probability
    }
}

impl Sampler for ConsistentProbability {
    #[inline]
    fn sample(&self, span: &Candidate<'_>) -> Sampling {
        if self.probability.accepts(span.randomness()) && span.parent().state().is_empty() {
            return Sampling::SAMPLE.with_state(self.of_roots.clone());
        }
        decide(self.probability, span)
    }

    fn is_ours(&self, _: Ours) -> bool {
        true
    }

    fn of_roots(&self, _: Ours) -> Option<bool> {
        // What samples all says so of each.
        (self.probability == Probability::ZERO).then_some(false)
    }

    fn rejection(&self, _: Ours) -> Rejection {
        match self.probability {
            Probability::ZERO => Rejection::NONE,
            other => Rejection::below(other.threshold()),
        }
    }
}

/// The decision of `probability`, which a sampled span says and one that is not does not.
#[inline]
pub(super) fn decide(probability: Probability, span: &Candidate<'_>) -> Sampling {
    let state = span.parent().state();
    if probability.accepts(span.randomness()) {
        return Sampling::SAMPLE.with_state(probability.write(state));
    }
    unknown(Sampling::DROP, span)
}

/// The decision to sample, which is said only where another one was said before.
#[inline]
pub(super) fn all(span: &Candidate<'_>) -> Sampling {
    match probability::is_said(span.parent().state()) {
        true => decide(Probability::ONE, span),
        false => Sampling::SAMPLE,
    }
}

/// `sampling` for a span that is decided as its parent was: what the parent's state says is kept if it goes
/// with that.
#[inline]
pub(super) fn kept(sampling: Sampling, span: &Candidate<'_>) -> Sampling {
    let state = span.parent().state();
    if state.is_empty() {
        return sampling;
    }
    let goes_with = |said: Probability| said.accepts(span.randomness()) == sampling.is_sampled();
    if Probability::of_state(state).is_some_and(goes_with) {
        return sampling;
    }
    unknown(sampling, span)
}

/// `sampling` if a bucket had a token for it.
#[inline]
pub(super) fn limited(sampling: Sampling, span: &Candidate<'_>, taken: Taken) -> Sampling {
    match taken {
        Taken::Ample => sampling,
        Taken::Scarce => unknown(sampling, span),
        Taken::Refused => unknown(Sampling::DROP, span),
    }
}

/// `sampling` for a span of which the probability is not known: its state does not have what was said
/// before.
#[inline]
pub(super) fn unknown(sampling: Sampling, span: &Candidate<'_>) -> Sampling {
    let state = sampling.state().unwrap_or(span.parent().state());
    if !probability::is_said(state) {
        return sampling;
    }
    let state = probability::erase(state);
    sampling.with_state(state)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        context::{SpanContext, SpanId, TraceFlags, TraceId},
        trace::{
            SpanKind,
            sampler::{AlwaysOff, AlwaysOn, TraceIdRatio},
        },
    };

    /// What `sampler` says about a span below a parent of this process.
    fn ask(sampler: &dyn Sampler, id: TraceId, flags: TraceFlags, state: &str) -> (bool, String) {
        let state = TraceState::parse(state).unwrap();
        let parent = SpanContext::new(id, SpanId::random(), flags, state);
        let name = Cow::Borrowed("");
        let sampling = sampler.sample(&Candidate::new(&parent, id, &name, SpanKind::Internal));
        let state = sampling.state().unwrap_or(parent.state()).as_str().to_owned();
        (sampling.is_sampled(), state)
    }

    #[test]
    fn a_span_says_its_own_probability_and_not_its_parents() {
        let id = TraceId::from_u128(1 << 64 | 0xc0_0000_0000_0000);
        let asked = |sampler: &dyn Sampler, state| ask(sampler, id, TraceFlags::SAMPLED, state);
        let own = ConsistentProbability::new(0.5);
        assert_eq!(asked(&own, "ot=th:c,a=1"), (true, "ot=th:8,a=1".into()));
        assert_eq!(asked(&own, "a=1"), (true, "ot=th:8,a=1".into()));
        assert_eq!(
            asked(&own, "ot=rv:70000000000000;th:0"),
            (false, "ot=rv:70000000000000".into())
        );
        assert_eq!(asked(&AlwaysOn, "ot=th:c"), (true, "ot=th:0".into()));
        assert_eq!(asked(&AlwaysOn, "a=1"), (true, "a=1".into()));
        assert_eq!(asked(&AlwaysOff, "ot=th:c,a=1"), (false, "a=1".into()));
        // Another choice of ids, which a threshold cannot say.
        assert_eq!(asked(&TraceIdRatio::new(1.0), "ot=th:c,a=1"), (true, "a=1".into()));
    }

    proptest! {
        #[test]
        fn a_larger_probability_samples_whatever_a_smaller_one_does(
            low in any::<u64>(), p in 0.0..=1.0, q in 0.0..=1.0,
        ) {
            let (p, q) = if p <= q { (p, q) } else { (q, p) };
            let id = TraceId::from_u128(1 << 64 | u128::from(low));
            let asked = |p| ask(&ConsistentProbability::new(p), id, TraceFlags::default(), "").0;
            prop_assert!(!asked(p) || asked(q));
        }
    }
}
