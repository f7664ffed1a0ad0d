//! A sampler for each kind of trace.

use super::{
    Candidate, Ours, Sampler, Sampling,
    always::AlwaysOn,
    bucket::{Bucket, Rate},
    condition::Condition,
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
/// A [`RateLimited`](super::RateLimited) or an [`Adaptive`](super::Adaptive) sampler of a rule has a rate of its
/// own, for the traces that come to this rule. Made by [`rules`].
#[derive(Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    otherwise: Box<dyn Sampler>,
    limit: Option<(Rate, Bucket)>,
}

#[derive(Debug)]
struct Rule {
    condition: Condition,
    sampler: Box<dyn Sampler>,
}

impl Rules {
    /// Adds a rule for the traces whose route matches `pattern`, as [`Condition::route`] has it: the attribute
    /// `http.route`, or where there is none the name, or the path in it.
    #[must_use]
    pub fn route(self, pattern: impl Into<String>, sampler: impl IntoSampler) -> Self {
        self.when(Condition::route(pattern), sampler)
    }

    /// Adds a rule for the traces whose first span's name matches `pattern`, where `*` stands for any
    /// characters and `?` for one.
    #[must_use]
    pub fn name(self, pattern: impl Into<String>, sampler: impl IntoSampler) -> Self {
        self.when(Condition::name(pattern), sampler)
    }

    /// Adds a rule for the traces whose first span is of this kind.
    #[must_use]
    pub fn kind(self, kind: SpanKind, sampler: impl IntoSampler) -> Self {
        self.when(Condition::kind(kind), sampler)
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
        self.when(Condition::attribute(key, value), sampler)
    }

    /// Adds a rule for the traces whose first span meets the condition.
    #[must_use]
    pub fn when(mut self, condition: Condition, sampler: impl IntoSampler) -> Self {
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
