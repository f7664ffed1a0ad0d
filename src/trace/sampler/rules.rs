//! A sampler for each kind of trace.

use super::{
    Candidate, Ours, Sampler, Sampling,
    always::AlwaysOn,
    bucket::{Bucket, Rate},
    condition::SpanCondition,
    consistent,
    into::IntoSampler,
};
use crate::{clock, label::Value, trace::SpanKind};
use std::borrow::Cow;

/// Rules, of which there are none yet: the first that is for a span decides about it.
///
/// # Examples
///
/// ```
/// use bellwether::{
///     export::Memory,
///     trace::{SpanKind, SpanRecord, sampler::{self, RateLimited}},
/// };
///
/// let sampler = sampler::rules()
///     .route("/health", 0.0)
///     .attribute("tenant", "acme", 1.0)
///     .name("checkout*", RateLimited::new(50))
///     .kind(SpanKind::Consumer, RateLimited::new(2).per_route())
///     .otherwise(0.05);
///
/// let spans = Memory::<SpanRecord>::new();
/// let telemetry = bellwether::builder("shop").sampler(sampler).export(spans.clone()).start()?;
/// bellwether::span("GET /health").kind(SpanKind::Server).enter().end();
/// bellwether::span("GET /orders").attribute("tenant", "acme").enter().end();
/// telemetry.flush(std::time::Duration::from_secs(5));
/// assert_eq!(spans.records()[0].name(), "GET /orders");
/// # Ok::<(), bellwether::Error>(())
/// ```
#[must_use]
pub fn rules() -> Rules {
    Rules { rules: Vec::new(), otherwise: Box::new(AlwaysOn), limit: None }
}

/// Rules of which the first that is for a span decides about it, each by a sampler of its own.
///
/// Where a number is given as a sampler, it is a
/// [`ConsistentProbability`](super::ConsistentProbability): what is sampled says with what probability, so
/// that counts of all traces can be estimated though rules sample different shares.
///
/// A [`RateLimited`](super::RateLimited) or an [`Adaptive`](super::Adaptive) sampler of a rule has a rate
/// of its own, for the traces that come to this rule. Made by [`rules`].
#[derive(Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    otherwise: Box<dyn Sampler>,
    limit: Option<(Rate, Bucket)>,
}

#[derive(Debug)]
struct Rule {
    condition: SpanCondition,
    sampler: Box<dyn Sampler>,
}

impl Rules {
    /// Adds a rule for the traces whose route matches `pattern`, as [`SpanCondition::route`] has it: the
    /// attribute `http.route`, or where there is none the name, or the path in it.
    #[must_use]
    pub fn route(self, pattern: impl Into<String>, sampler: impl IntoSampler) -> Self {
        self.when(SpanCondition::route(pattern), sampler)
    }

    /// Adds a rule for the traces whose first span's name matches `pattern`, where `*` stands for any
    /// characters and `?` for one.
    #[must_use]
    pub fn name(self, pattern: impl Into<String>, sampler: impl IntoSampler) -> Self {
        self.when(SpanCondition::name(pattern), sampler)
    }

    /// Adds a rule for the traces whose first span is of this kind.
    #[must_use]
    pub fn kind(self, kind: SpanKind, sampler: impl IntoSampler) -> Self {
        self.when(SpanCondition::kind(kind), sampler)
    }

    /// Adds a rule for the traces whose first span starts with this
    /// [attribute](crate::trace::SpanBuilder::attribute).
    #[must_use]
    pub fn attribute(
        self,
        key: impl Into<Cow<'static, str>>,
        value: impl Into<Value>,
        sampler: impl IntoSampler,
    ) -> Self {
        self.when(SpanCondition::attribute(key, value), sampler)
    }

    /// Adds a rule for the traces whose first span meets the condition.
    #[must_use]
    pub fn when(mut self, condition: SpanCondition, sampler: impl IntoSampler) -> Self {
        self.rules.push(Rule { condition, sampler: sampler.into_sampler() });
        self
    }

    /// Decides about what no rule is for; without it all of that is sampled.
    #[must_use]
    pub fn otherwise(self, sampler: impl IntoSampler) -> Self {
        Self { otherwise: sampler.into_sampler(), ..self }
    }

    /// Samples at most `traces` a second in the long run, of what all rules together sample, and as many, or
    /// one, at once. While these are scarce, a trace does not say with what probability it was sampled:
    /// see [`RateLimited`](super::RateLimited).
    #[must_use]
    pub fn per_second(self, traces: impl Into<f64>) -> Self {
        let traces = traces.into();
        Self { limit: Some((Rate::new(traces, traces), Bucket::default())), ..self }
    }
}

impl Sampler for Rules {
    fn sample(&self, span: &Candidate<'_>) -> Sampling {
        let rule = self.rules.iter().find(|rule| rule.condition.is_met_by(span));
        let sampling = rule.map_or(&self.otherwise, |rule| &rule.sampler).sample(span);
        match &self.limit {
            Some((rate, bucket)) if sampling.is_sampled() => {
                consistent::limited(sampling, span, bucket.take(rate, clock::now()))
            }
            _ => sampling,
        }
    }

    fn is_ours(&self, ours: Ours) -> bool {
        let mut rules = self.rules.iter();
        self.otherwise.is_ours(ours)
            && rules.all(|rule| rule.condition.is_ours() && rule.sampler.is_ours(ours))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        clock::ManualClock,
        context::{SpanContext, TraceId},
        trace::sampler::{AlwaysOff, Probability, RateLimited},
    };

    fn ask(rules: &Rules, name: &str, kind: SpanKind) -> Sampling {
        let name = Cow::Owned(name.to_owned());
        rules.sample(&Candidate::new(&SpanContext::NONE, TraceId::random(), &name, kind))
    }

    #[test]
    fn each_rule_has_a_rate_of_its_own_and_all_together_another() {
        let clock = ManualClock::new();
        let _installed = clock::enter(Some(clock.clone()));
        let rules = rules()
            .name("a", RateLimited::new(3))
            .name("b*", RateLimited::new(2).per_route())
            .otherwise(0.0);
        let n = |rules: &Rules, name: &str| {
            (0..20).filter(|_| ask(rules, name, SpanKind::Internal).is_sampled()).count()
        };
        assert_eq!(["a", "b1", "b2", "c"].map(|name| n(&rules, name)), [3, 2, 2, 0]);
        clock.advance(Duration::from_secs(1));
        let limited = rules.per_second(4);
        assert_eq!(["a", "b1", "b2", "c"].map(|name| n(&limited, name)), [3, 1, 0, 0]);
    }

    #[test]
    fn what_no_rule_is_for_is_sampled() {
        let rules = rules().name("a", AlwaysOff);
        assert_eq!(ask(&rules, "b", SpanKind::Internal), Sampling::SAMPLE);
        assert_eq!(ask(&rules, "a", SpanKind::Internal), Sampling::DROP);
    }

    #[test]
    fn rules_are_ours_if_all_that_is_in_them_is() {
        let of_user = || SpanCondition::holds(|_| true);
        assert!(rules().name("a", 0.5).is_ours(Ours));
        assert!(!rules().when(of_user(), 0.5).is_ours(Ours));
        let inner = rules().when(of_user(), 0.5);
        assert!(!rules().otherwise(inner).is_ours(Ours));
    }

    proptest! {
        /// The twin looks for the first rule by hand. Each has a probability of its own, which tells them
        /// apart.
        #[test]
        fn the_first_rule_that_is_for_a_span_decides(
            wanted in prop::collection::vec(("[ab]{1,2}", any::<bool>(), any::<bool>()), 0..6),
            names in prop::collection::vec(("[ab]{1,2}", any::<bool>()), 1..20),
        ) {
            let kind_of = |is_server| if is_server { SpanKind::Server } else { SpanKind::Client };
            let p = |place: usize| 1.0 - (place + 1) as f64 / 1e9;
            let mut rules = rules().otherwise(1.0);
            for (place, (name, is_server, by_name)) in wanted.iter().enumerate() {
                rules = match by_name {
                    true => rules.name(name.as_str(), p(place)),
                    false => rules.kind(kind_of(*is_server), p(place)),
                };
            }
            for (name, is_server) in names {
                let first = wanted.iter().position(|(wanted, of_server, by_name)| match by_name {
                    true => *wanted == name,
                    false => *of_server == is_server,
                });
                let expected = Probability::new(first.map_or(1.0, p));
                let sampling = ask(&rules, &name, kind_of(is_server));
                // Once in 10^8 a trace is dropped, and says nothing.
                if sampling.is_sampled() {
                    prop_assert_eq!(sampling.state().and_then(Probability::of_state), Some(expected));
                }
            }
        }
    }
}
