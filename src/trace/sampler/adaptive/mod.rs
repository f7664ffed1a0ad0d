//! About so many traces a second, whatever the load is.
//!
//! ```text
//! a trace begins ─► is its route's floor due? ─ yes ─────────────► sampled, with probability 1
//!                          │ no
//!                          ▼
//!                   the common probability, once a second: what floors leave of the target,
//!                          │                               by the traces of the last ten seconds
//!                          ▼
//!                   halved by the brake, where more were sampled than planned ─► by the random bits
//! ```
//!
//! Each step knows only of traces before this one and never looks at its random bits before they decide. So
//! the probability that a sampled trace says is the one with which it was sampled, and the sum of the
//! adjusted counts estimates the number of all traces without bias: also of each route, and of a burst.

mod brake;
mod floor;
mod plan;
#[cfg(test)]
mod tests;

use super::{Candidate, Ours, Sampler, Sampling, consistent, probability::Probability};
use crate::clock;
use brake::Brake;
use floor::Floor;
use plan::Plan;

/// Samples about so many traces a second, whatever the load is, and some of each route.
///
/// **The target** is for all routes together. Once a second a probability is worked out that all traces have
/// in common: a rise of the load is followed within a second, a fall within ten. Below the target every trace
/// is sampled.
///
/// **The floor** is for each [route](Candidate::route), so that a rare one is not lost beside a busy one:
/// at least so many of its traces a minute, or all if there are fewer. Up to five are saved up while a
/// route is quiet. Floors take half of the target at most, and those of routes that were not seen before
/// another quarter; where that is not enough for all routes, they share it. About 1,000 routes have a floor
/// of their own, in 32 KB; further ones share one.
///
/// **In a burst** the probability is halved again and again as traces are sampled. Any second holds at most
/// five times the target and one, however many traces begin; with a target below one, any span of time in
/// which it comes to one. A burst of a thousand times the load has less than four times the target.
///
/// **Counts** stay right: the trace state says with what probability each trace was sampled (`ot=th:…`), as
/// [`ConsistentProbability`](super::ConsistentProbability) does, also those of a burst and of a floor
/// ([`SpanRecord::probability`](crate::trace::SpanRecord::probability)).
///
/// No lock is waited for.
///
/// # Examples
///
/// ```
/// use bellwether::trace::sampler::Adaptive;
///
/// let sampler = Adaptive::per_second(50).floor_per_minute(2);
/// let builder = bellwether::builder("shop").sampler(sampler);
/// # let _ = builder;
/// ```
#[derive(Debug)]
pub struct Adaptive {
    target: f64, // Traces a second, at least zero.
    floor: Option<Floor>,
    plan: Plan,
    brake: Brake,
}

impl Adaptive {
    /// A target of so many traces a second, with a floor of one a minute; less than 0 and NaN are 0.
    #[must_use]
    pub fn per_second(target: impl Into<f64>) -> Self {
        let target = target.into().max(0.0); // The other operand for NaN.
        let adaptive =
            Self { target, floor: None, plan: Plan::new(target), brake: Brake::new(target) };
        adaptive.floor_per_minute(1)
    }

    /// Samples at least so many traces a minute of each route; with zero it has no floor.
    #[must_use]
    pub fn floor_per_minute(self, traces: impl Into<f64>) -> Self {
        let traces = traces.into();
        Self { floor: (traces > 0.0).then(|| Floor::new(traces, self.target)), ..self }
    }
}

impl Adaptive {
    /// The probability with which a trace is sampled that begins now, and whether it is.
    #[inline]
    fn decide(&self, span: &Candidate<'_>) -> (Probability, bool) {
        if self.target == 0.0 {
            return (Probability::ZERO, false);
        }
        let now = clock::now();
        self.plan.count(now);
        let route = self.floor.as_ref().map(|floor| floor.route(span.route(), now));
        let halvings = self.brake.halvings(now);
        if halvings < brake::STOP
            && let Some(route) = &route
            && route.grant()
        {
            self.plan.count_grant();
            self.brake.count(now);
            return (Probability::ONE, true);
        }
        let probability = self.plan.probability().halved(halvings);
        let is_sampled = probability.accepts(span.randomness());
        if is_sampled {
            self.brake.count(now);
            route.iter().for_each(|route| route.count());
        }
        (probability, is_sampled)
    }
}

impl Sampler for Adaptive {
    fn sample(&self, span: &Candidate<'_>) -> Sampling {
        consistent::decide(self.decide(span).0, span)
    }

    fn is_ours(&self, _: Ours) -> bool {
        true
    }

    fn of_roots(&self, _: Ours) -> Option<bool> {
        (self.target == 0.0).then_some(false)
    }
}
