//! So many traces a second and no more.

use super::{
    Candidate, Ours, Sampler, Sampling,
    bucket::{Bucket, Rate},
    consistent,
    into::IntoSampler,
    rejection::Rejection,
    routes::Routes,
};
use crate::clock;

/// Samples at most so many traces a second: all there are up to that rate, or those that another sampler
/// wants.
///
/// It is a token bucket: it holds the tokens of one second, and at least one, so that after a quiet time as
/// many traces are sampled at once. [`burst`](Self::burst) sets another number. No lock is taken.
///
/// What is left of a flood says nothing about the flood: while tokens are scarce (less than half are left),
/// the trace state does not say with what probability a trace was sampled. [`Adaptive`](super::Adaptive)
/// keeps to a rate and says it.
///
/// # Examples
///
/// ```
/// use bellwether::trace::sampler::RateLimited;
///
/// // A tenth of all traces, and not more than 100 a second.
/// let limited = RateLimited::new(100.0).of(0.1);
///
/// // Two a second of each route.
/// let of_each = RateLimited::new(2.0).per_route();
/// # let _ = (limited, of_each);
/// ```
#[derive(Debug)]
pub struct RateLimited {
    per_second: f64,
    rate: Rate,
    inner: Option<Box<dyn Sampler>>,
    buckets: Buckets,
}

#[derive(Debug)]
enum Buckets {
    One(Bucket),
    OfRoutes(Routes),
}

impl RateLimited {
    /// At most `per_second` traces a second in the long run; less than 0 and NaN are 0.
    #[must_use]
    pub fn new(per_second: impl Into<f64>) -> Self {
        let per_second = per_second.into();
        let rate = Rate::new(per_second, per_second);
        Self { per_second, rate, inner: None, buckets: Buckets::One(Bucket::default()) }
    }

    /// At most `traces` at once, at least one.
    #[must_use]
    pub fn burst(self, traces: u32) -> Self {
        Self { rate: Rate::new(self.per_second, traces.into()), ..self }
    }

    /// Limits what `sampler` samples. What that drops takes no token.
    #[must_use]
    pub fn of(self, sampler: impl IntoSampler) -> Self {
        Self { inner: Some(sampler.into_sampler()), ..self }
    }

    /// Has this rate for each [route](Candidate::route), and not for all together.
    ///
    /// About 1,000 routes have one, in 32 KB; a route that has all its tokens makes room for
    /// others. Where there is no room, further routes share one rate: names that strangers make up cost the
    /// others nothing.
    #[must_use]
    pub fn per_route(self) -> Self {
        Self { buckets: Buckets::OfRoutes(Routes::new()), ..self }
    }
}

impl Sampler for RateLimited {
    fn sample(&self, span: &Candidate<'_>) -> Sampling {
        let sampling = match &self.inner {
            Some(inner) => inner.sample(span),
            None => consistent::kept(Sampling::SAMPLE, span),
        };
        if !sampling.is_sampled() {
            return sampling;
        }
        let now = clock::now();
        let bucket = match &self.buckets {
            Buckets::One(bucket) => bucket,
            Buckets::OfRoutes(routes) => routes.of(span.route(), now).bucket,
        };
        consistent::limited(sampling, span, bucket.take(&self.rate, now))
    }

    fn is_ours(&self, ours: Ours) -> bool {
        self.inner.as_ref().is_none_or(|inner| inner.is_ours(ours))
    }

    fn of_roots(&self, ours: Ours) -> Option<bool> {
        let wants_any = self.inner.as_ref().and_then(|inner| inner.of_roots(ours)) != Some(false);
        (!self.rate.has_any() || !wants_any).then_some(false)
    }

    fn rejection(&self, ours: Ours) -> Rejection {
        self.inner.as_ref().map_or(Rejection::NONE, |inner| inner.rejection(ours))
    }
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, time::Duration};

    use super::*;
    use crate::{
        clock::ManualClock,
        context::{SpanContext, TraceId},
        trace::{
            SpanKind,
            sampler::{AlwaysOff, Probability},
        },
    };

    fn ask(sampler: &RateLimited, name: &str) -> Sampling {
        let name = Cow::Owned(name.to_owned());
        let id = TraceId::random();
        sampler.sample(&Candidate::new(&SpanContext::NONE, id, &name, SpanKind::Server))
    }

    fn sampled(sampler: &RateLimited, name: &str, times: usize) -> usize {
        (0..times).filter(|_| ask(sampler, name).is_sampled()).count()
    }

    #[test]
    fn a_second_holds_as_many_as_the_rate_says() {
        let clock = ManualClock::new();
        let _installed = clock::enter(Some(clock.clone()));
        let sampler = RateLimited::new(10.0);
        assert_eq!(sampled(&sampler, "a", 1_000), 10);
        let mut n = 0;
        for _ in 0..100 {
            clock.advance(Duration::from_millis(100));
            n += sampled(&sampler, "a", 50);
        }
        assert_eq!(n, 100);
        assert_eq!(sampled(&RateLimited::new(10.0).burst(3), "a", 50), 3);
        assert_eq!(sampled(&RateLimited::new(0.01), "a", 50), 1);
        assert_eq!(sampled(&RateLimited::new(0.0).burst(3), "a", 50), 0);
    }

    #[test]
    fn what_the_other_sampler_drops_takes_no_token() {
        let clock = ManualClock::new();
        let _installed = clock::enter(Some(clock.clone()));
        let sampler = RateLimited::new(10.0).of(0.5);
        let n = (0..60).filter(|_| ask(&sampler, "a").is_sampled()).count();
        assert_eq!(n, 10); // Of 60, fewer than ten have heads once in ten million runs.
        assert_eq!(sampled(&RateLimited::new(10.0).of(AlwaysOff), "a", 50), 0);
    }

    #[test]
    fn the_probability_is_not_said_where_tokens_are_scarce() {
        let clock = ManualClock::new();
        let _installed = clock::enter(Some(clock.clone()));
        let sampler = RateLimited::new(10.0).of(1.0);
        let said: Vec<_> = (0..10)
            .map(|_| ask(&sampler, "a").state().and_then(Probability::of_state).is_some())
            .collect();
        assert_eq!(said.iter().filter(|said| **said).count(), 5, "{said:?}");
        assert!(said[..5].iter().all(|said| *said));
        clock.advance(Duration::from_secs(1));
        assert!(ask(&sampler, "a").state().and_then(Probability::of_state).is_some());
    }

    #[test]
    fn each_route_has_a_rate_of_its_own() {
        let clock = ManualClock::new();
        let _installed = clock::enter(Some(clock.clone()));
        let sampler = RateLimited::new(2.0).per_route();
        for route in 0..700 {
            assert_eq!(sampled(&sampler, &format!("route {route}"), 5), 2, "{route}");
        }
        clock.advance(Duration::from_secs(1));
        assert_eq!(sampled(&sampler, "route 1", 5), 2);
    }

    #[test]
    fn made_up_routes_share_one_rate_when_there_is_no_room() {
        let clock = ManualClock::new();
        let _installed = clock::enter(Some(clock.clone()));
        let sampler = RateLimited::new(1.0).per_route();
        let busy =
            |n: usize| (0..100).map(|route| sampled(&sampler, &format!("busy {route}"), n)).sum();
        let first: usize = busy(2);
        assert_eq!(first, 100);
        let made_up: usize =
            (0..100_000).map(|n| sampled(&sampler, &format!("made up {n}"), 1)).sum();
        assert!((1_500..=2_048).contains(&made_up), "{made_up}");
        // The busy routes still have their places.
        clock.advance(Duration::from_millis(1_001));
        let again: usize = busy(2);
        assert_eq!(again, 100);
    }
}
