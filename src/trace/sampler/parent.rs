//! The parent's decision, and another sampler's where there is no parent.

use super::{
    Candidate, Ours, Sampler, Sampling, consistent, into::IntoSampler, probability::Probability,
    rejection::Rejection,
};

/// Decides as the parent was decided, and by another sampler where there is no parent, or one that
/// leaves the decision to this process.
///
/// Telemetry and tracers put it around every sampler that they are given, unless that is one already. A ratio
/// that is asked about children drops spans in the middle of traces that were sampled, and callers find their
/// traces torn; [`EverySpan`](super::EverySpan) has that for those who want it.
///
/// What a parent's flag means is a sampler of its own in each of four cases, so that, say, remote
/// callers may be believed only up to a ratio.
///
/// The trace state of the parent is the span's too. If a remote one says a probability that does not go with
/// the flag (`ot=th:…` rejects the trace, but it is sampled, or the other way round), nobody knows the
/// probability, and the span's state has none (OpenTelemetry's "TraceState: Probability Sampling", "General
/// requirements").
///
/// # Examples
///
/// ```
/// use bellwether::trace::sampler::{ParentBased, TraceIdRatio};
///
/// let sampler = ParentBased::new(TraceIdRatio::new(0.05)).remote_sampled(TraceIdRatio::new(0.5));
/// # let _ = sampler;
/// ```
#[derive(Debug)]
pub struct ParentBased {
    root: Box<dyn Sampler>,
    // None is the default: the decision is the flag.
    remote_sampled: Option<Box<dyn Sampler>>,
    remote_not_sampled: Option<Box<dyn Sampler>>,
    local_sampled: Option<Box<dyn Sampler>>,
    local_not_sampled: Option<Box<dyn Sampler>>,
}

impl ParentBased {
    /// Decides roots by `root`, and spans with a parent by the parent's flag.
    #[must_use]
    pub fn new(root: impl IntoSampler) -> Self {
        Self::of(root.into_sampler())
    }

    pub(in crate::trace) fn of(root: Box<dyn Sampler>) -> Self {
        Self {
            root,
            remote_sampled: None,
            remote_not_sampled: None,
            local_sampled: None,
            local_not_sampled: None,
        }
    }

    /// Decides spans whose parent is of another process and sampled; by default all.
    #[must_use]
    pub fn remote_sampled(self, sampler: impl IntoSampler) -> Self {
        Self { remote_sampled: Some(sampler.into_sampler()), ..self }
    }

    /// Decides spans whose parent is of another process and not sampled; by default none.
    #[must_use]
    pub fn remote_not_sampled(self, sampler: impl IntoSampler) -> Self {
        Self { remote_not_sampled: Some(sampler.into_sampler()), ..self }
    }

    /// Decides spans whose parent is of this process and sampled; by default all.
    #[must_use]
    pub fn local_sampled(self, sampler: impl IntoSampler) -> Self {
        Self { local_sampled: Some(sampler.into_sampler()), ..self }
    }

    /// Decides spans whose parent is of this process and not sampled; by default none.
    #[must_use]
    pub fn local_not_sampled(self, sampler: impl IntoSampler) -> Self {
        Self { local_not_sampled: Some(sampler.into_sampler()), ..self }
    }
}

impl Sampler for ParentBased {
    fn sample(&self, span: &Candidate<'_>) -> Sampling {
        let parent = span.parent;
        let Some(is_sampled) = parent.decided() else {
            return self.root.sample(span);
        };
        let delegate = match (parent.is_remote(), is_sampled) {
            (true, true) => &self.remote_sampled,
            (true, false) => &self.remote_not_sampled,
            (false, true) => &self.local_sampled,
            (false, false) => &self.local_not_sampled,
        };
        match delegate {
            Some(delegate) if is_sampled => below_sampled(delegate.sample(span), span),
            Some(delegate) => delegate.sample(span),
            None if !is_sampled && parent.ids().is_recorded() => Sampling::RECORD,
            None => consistent::kept(Sampling::from_sampled(is_sampled), span),
        }
    }

    fn minds_parents(&self, _: Ours) -> bool {
        true
    }

    fn is_ours(&self, ours: Ours) -> bool {
        let remote = [&self.remote_sampled, &self.remote_not_sampled];
        let local = [&self.local_sampled, &self.local_not_sampled];
        let given = remote.into_iter().chain(local).flatten();
        given.chain([&self.root]).all(|sampler| sampler.is_ours(ours))
    }

    fn follows_local(&self, _: Ours) -> bool {
        self.local_sampled.is_none() && self.local_not_sampled.is_none()
    }

    fn of_roots(&self, ours: Ours) -> Option<bool> {
        self.root.of_roots(ours)
    }

    fn rejection(&self, ours: Ours) -> Rejection {
        self.root.rejection(ours)
    }
}

/// What a sampler says that was asked only because the parent is sampled: the smaller of the two
/// probabilities holds, as both look at the same random bits.
fn below_sampled(sampling: Sampling, span: &Candidate<'_>) -> Sampling {
    let state = span.parent().state();
    let Some(own) = sampling.state().and_then(Probability::of_state) else { return sampling };
    let said = Probability::of_state(state).filter(|said| said.accepts(span.randomness()));
    match said {
        Some(parents) => {
            let state = parents.min(own).write(state);
            sampling.with_state(state)
        }
        None => consistent::unknown(sampling, span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState},
        trace::{
            SpanKind,
            sampler::{AlwaysOff, AlwaysOn, TraceIdRatio},
        },
    };

    fn parent(remote: bool, sampled: bool) -> SpanContext {
        let flags = TraceFlags::default().with_sampled(sampled);
        let context =
            SpanContext::new(TraceId::random(), SpanId::random(), flags, TraceState::EMPTY);
        if remote { context.into_remote() } else { context }
    }

    fn is_sampled(sampler: &ParentBased, parent: &SpanContext) -> bool {
        let (trace_id, name) = (TraceId::random(), "".into());
        let span = Candidate::new(parent, trace_id, &name, SpanKind::Internal);
        sampler.sample(&span).is_sampled()
    }

    #[test]
    fn a_parents_flag_is_obeyed_and_a_root_asks_the_root_sampler() {
        for on in [true, false] {
            let sampler = ParentBased::new(TraceIdRatio::new(if on { 1.0 } else { 0.0 }));
            assert_eq!(is_sampled(&sampler, &SpanContext::NONE), on);
            for remote in [true, false] {
                assert!(is_sampled(&sampler, &parent(remote, true)));
                assert!(!is_sampled(&sampler, &parent(remote, false)));
            }
        }
    }

    #[test]
    fn each_case_can_have_a_sampler_of_its_own() {
        let inverted = ParentBased::new(AlwaysOn)
            .remote_sampled(AlwaysOff)
            .remote_not_sampled(AlwaysOn)
            .local_sampled(AlwaysOff)
            .local_not_sampled(AlwaysOn);
        for remote in [true, false] {
            assert!(!is_sampled(&inverted, &parent(remote, true)));
            assert!(is_sampled(&inverted, &parent(remote, false)));
        }
    }

    /// A caller's trace with the low bits 7, and what becomes of its state.
    fn state_of_child(flags: u8, state: &str) -> String {
        let trace_id = TraceId::from_u128(1 << 100 | 7);
        let (flags, state) = (TraceFlags::from_u8(flags), TraceState::parse(state).unwrap());
        let caller = SpanContext::new(trace_id, SpanId::random(), flags, state).into_remote();
        let name = "".into();
        let span = Candidate::new(&caller, trace_id, &name, SpanKind::Server);
        let sampling = ParentBased::new(AlwaysOff).sample(&span);
        assert_eq!(sampling.is_sampled(), flags.is_sampled());
        sampling.state().unwrap_or(caller.state()).as_str().to_owned()
    }

    #[test]
    fn a_callers_probability_is_kept_if_it_goes_with_the_flag() {
        for (flags, state, expected) in [
            (1, "ot=th:0,a=1", "ot=th:0,a=1"),
            (1, "a=1,ot=rv:80000000000000;th:8", "a=1,ot=rv:80000000000000;th:8"),
            (1, "ot=th:8,a=1", "a=1"), // It would have been rejected.
            (1, "a=1,ot=rv:70000000000000;th:8", "ot=rv:70000000000000,a=1"),
            (1, "ot=th:xyz;p:1,a=1", "ot=p:1,a=1"),
            (1, "ot=p:1,a=1", "ot=p:1,a=1"),
            (0, "ot=th:8,a=1", "ot=th:8,a=1"),
            (0, "ot=th:0,a=1", "a=1"), // It would have been sampled.
            (1, "", ""),
        ] {
            assert_eq!(state_of_child(flags, state), expected, "{flags} {state}");
        }
    }

    #[test]
    fn of_a_callers_probability_and_our_own_the_smaller_holds() {
        let trace_id = TraceId::from_u128(1 << 100 | 0xf0_0000_0000_0000);
        let name = "".into();
        for (of_caller, own, expected) in [
            ("ot=th:8", 0.25, "ot=th:c"),
            ("ot=th:c", 0.5, "ot=th:c"),
            ("ot=th:c", 1.0, "ot=th:c"),
            ("ot=th:f8", 0.5, ""), // It would have been rejected.
            ("", 0.5, ""),         // With what probability the caller samples is not known.
        ] {
            let state = TraceState::parse(of_caller).unwrap();
            let context = SpanContext::new(trace_id, SpanId::random(), TraceFlags::SAMPLED, state);
            let caller = context.into_remote();
            let span = Candidate::new(&caller, trace_id, &name, SpanKind::Server);
            let sampling = ParentBased::new(AlwaysOff).remote_sampled(own).sample(&span);
            let state = sampling.state().unwrap_or(caller.state());
            assert!(sampling.is_sampled());
            assert_eq!(state.as_str(), expected, "{of_caller} and {own}");
        }
    }
}
