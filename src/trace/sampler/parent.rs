//! The parent's decision, and another sampler's where there is no parent.

use super::{Candidate, Ours, Sampler, Sampling};

/// Decides as the parent was decided, and by another sampler where there is no parent, or one that
/// leaves the decision to this process.
///
/// What a parent's flag means is a sampler of its own in each of four cases, so that, say, remote
/// callers may be believed only up to a ratio.
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
    pub fn new(root: impl Sampler) -> Self {
        Self {
            root: Box::new(root),
            remote_sampled: None,
            remote_not_sampled: None,
            local_sampled: None,
            local_not_sampled: None,
        }
    }

    /// Decides spans whose parent is of another process and sampled; by default all.
    #[must_use]
    pub fn remote_sampled(self, sampler: impl Sampler) -> Self {
        Self { remote_sampled: Some(Box::new(sampler)), ..self }
    }

    /// Decides spans whose parent is of another process and not sampled; by default none.
    #[must_use]
    pub fn remote_not_sampled(self, sampler: impl Sampler) -> Self {
        Self { remote_not_sampled: Some(Box::new(sampler)), ..self }
    }

    /// Decides spans whose parent is of this process and sampled; by default all.
    #[must_use]
    pub fn local_sampled(self, sampler: impl Sampler) -> Self {
        Self { local_sampled: Some(Box::new(sampler)), ..self }
    }

    /// Decides spans whose parent is of this process and not sampled; by default none.
    #[must_use]
    pub fn local_not_sampled(self, sampler: impl Sampler) -> Self {
        Self { local_not_sampled: Some(Box::new(sampler)), ..self }
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
            Some(delegate) => delegate.sample(span),
            None if !is_sampled && parent.ids().is_recorded() => Sampling::RECORD,
            None => Sampling::from_sampled(is_sampled),
        }
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
}
