//! Loads of all kinds under a manual clock: targets, floors and bounds hold, and counts can be estimated.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use super::*;
use crate::{
    clock::{self, ManualClock},
    context::{SpanContext, TraceId},
    trace::SpanKind,
    util::random,
};

/// A sampler, its clock, and what became of the traces that began.
struct World {
    sampler: Adaptive,
    clock: ManualClock,
    _installed: clock::Entered,
    routes: BTreeMap<&'static str, Route>,
    /// When each trace was sampled, in seconds.
    sampled: Vec<f64>,
    seconds: f64,
}

/// The traces of a route.
#[derive(Clone, Copy, Debug, Default)]
struct Route {
    began: u64,
    sampled: u64,
    estimate: f64, // The sum of the adjusted counts.
    variance: f64, // Of the estimate, by the probability of each trace that began.
    largest: f64,  // Adjusted count.
}

impl World {
    fn new(sampler: Adaptive) -> Self {
        let clock = ManualClock::new();
        let installed = clock::enter(Some(clock.clone()));
        let (routes, sampled) = (BTreeMap::new(), Vec::new());
        Self { sampler, clock, _installed: installed, routes, sampled, seconds: 0.0 }
    }

    fn begin(&mut self, name: &'static str) -> bool {
        let (id, of_name) = (TraceId::random(), Cow::Borrowed(name));
        let span = Candidate::new(&SpanContext::NONE, id, &of_name, SpanKind::Server);
        let (probability, is_sampled) = self.sampler.decide(&span);
        let sampling = consistent::decide(probability, &span);
        assert_eq!(sampling.is_sampled(), is_sampled);
        let route = self.routes.entry(name).or_default();
        route.began += 1;
        if probability > Probability::ZERO {
            route.variance += probability.adjusted_count() - 1.0;
            route.largest = route.largest.max(probability.adjusted_count());
        }
        if is_sampled {
            let said = sampling.state().and_then(Probability::of_state).unwrap();
            route.sampled += 1;
            route.estimate += said.adjusted_count();
            self.sampled.push(self.seconds);
        }
        is_sampled
    }

    fn advance(&mut self, seconds: f64) {
        self.clock.advance(Duration::from_secs_f64(seconds));
        self.seconds += seconds;
    }

    /// Begins so many traces a second of each route, at random, for some seconds; the number sampled.
    fn run(&mut self, seconds: f64, load: &[(&'static str, f64)]) -> usize {
        let (n, end) = (self.sampled.len(), self.seconds + seconds);
        let total: f64 = load.iter().map(|(_, rate)| rate).sum();
        loop {
            // Traces that begin at random come after exponential times.
            let wait = if total > 0.0 { -(1.0 - uniform()).ln() / total } else { f64::INFINITY };
            if self.seconds + wait >= end {
                self.advance(end - self.seconds);
                return self.sampled.len() - n;
            }
            self.advance(wait);
            let mut at = uniform() * total;
            let drawn = load.iter().find(|(_, rate)| {
                at -= rate;
                at < 0.0
            });
            self.begin(drawn.unwrap_or(&load[0]).0);
        }
    }

    /// The most traces that were sampled within any span of so many seconds.
    fn most_within(&self, seconds: f64) -> usize {
        let (mut most, mut first) = (0, 0);
        for (last, at) in self.sampled.iter().enumerate() {
            while self.sampled[first] < at - seconds {
                first += 1;
            }
            most = most.max(last + 1 - first);
        }
        most
    }

    fn sampled_of(&self, route: &str) -> u64 {
        self.routes[route].sampled
    }

    /// Each route's estimate is within five standard deviations, and the worth of the rarest trace: one of
    /// those may be most of the variance.
    fn assert_unbiased(&self) {
        for (name, route) in &self.routes {
            let off = (route.estimate - route.began as f64).abs();
            let most = 5.0 * route.variance.sqrt() + route.largest.max(1.0);
            assert!(off <= most, "{name}: off by {off:.0} > {most:.0}, {route:?}");
        }
    }
}

/// From 0 to 1, without 1.
fn uniform() -> f64 {
    let [number] = random::numbers();
    (number >> 11) as f64 / (1u64 << 53) as f64
}

/// Within five standard deviations of a count, and so many hundredths of it.
#[track_caller]
fn assert_near(n: usize, expected: f64, hundredths: f64) {
    let most = 5.0 * expected.sqrt() + hundredths / 100.0 * expected;
    assert!((n as f64 - expected).abs() <= most, "{n} is not {expected} +- {most:.1}");
}

#[test]
fn a_steady_load_is_sampled_at_the_target() {
    for (target, load) in [(50.0, 2_000.0), (1.0, 100.0), (0.2, 50.0)] {
        let mut world = World::new(Adaptive::per_second(target).floor_per_minute(0));
        world.run(20.0, &[("a", load)]);
        let seconds = 200.0 / target;
        // With a small target, chance alone brings traces close together, which the brake keeps apart.
        let hundredths = if target > 10.0 { 2.0 } else { 15.0 };
        assert_near(world.run(seconds, &[("a", load)]), 200.0, hundredths);
        world.assert_unbiased();
    }
}

#[test]
fn a_load_below_the_target_is_sampled_whole() {
    let mut world = World::new(Adaptive::per_second(100));
    world.run(60.0, &[("a", 40.0), ("b", 10.0)]);
    let routes: Vec<_> =
        world.routes.values().map(|it| (it.began, it.sampled, it.estimate)).collect();
    assert!(routes.iter().all(|(began, sampled, _)| began == sampled), "{routes:?}");
    assert!(routes.iter().all(|(began, _, estimate)| *began as f64 == *estimate), "{routes:?}");
}

#[test]
fn a_rise_is_followed_within_seconds_and_a_fall_within_ten() {
    let mut world = World::new(Adaptive::per_second(20));
    world.run(20.0, &[("a", 100.0)]);
    let rise = world.run(2.0, &[("a", 10_000.0)]);
    assert!(rise < 2 * 5 * 20, "{rise}");
    assert_near(world.run(20.0, &[("a", 10_000.0)]), 400.0, 2.0);
    world.run(12.0, &[("a", 100.0)]);
    assert_near(world.run(20.0, &[("a", 100.0)]), 400.0, 5.0);
    world.assert_unbiased();
}

#[test]
fn a_load_that_comes_and_goes_is_sampled_at_the_target_on_the_whole() {
    let mut world = World::new(Adaptive::per_second(20));
    let mut sampled = 0;
    for _ in 0..60 {
        sampled += world.run(1.0, &[("a", 5_000.0)]);
        sampled += world.run(1.0, &[]);
    }
    assert!((1_200..3_600).contains(&sampled), "{sampled} in 120 seconds");
    assert!(world.most_within(1.0) <= 101);
    world.assert_unbiased();
}

#[test]
fn no_second_holds_more_than_five_times_the_target_and_one() {
    for target in [0.5, 1.0, 3.0, 10.0, 100.0, 1_000.0] {
        let mut world = World::new(Adaptive::per_second(target));
        let span = f64::max(1.0, 1.0 / target);
        world.run(3.0 * span, &[("a", 2.0 * target)]);
        // Everything at once, without a plan for it.
        (0..300_000).for_each(|_| _ = world.begin("b"));
        world.run(2.0 * span, &[("a", 5_000.0 * target.min(10.0))]);
        let most = world.most_within(span);
        assert!(most as f64 <= 5.0 * f64::max(target, 1.0) + 1.0, "{most} at {target}");
    }
}

#[test]
fn a_burst_of_a_thousand_times_the_load_has_less_than_four_times_the_target() {
    let mut world = World::new(Adaptive::per_second(50).floor_per_minute(0));
    world.run(20.0, &[("a", 100.0)]);
    let before = world.sampled.len();
    for _ in 0..100_000 {
        world.begin("a");
        world.advance(1e-5);
    }
    let burst = world.sampled.len() - before;
    assert!((100..200).contains(&burst), "{burst}");
    world.assert_unbiased();
}

#[test]
fn a_flood_is_estimated_without_bias() {
    // One flood has few sampled traces, of which some stand for many: it is the mean that tells. With a
    // smaller target than this, one trace may stand for so many that 400 floods do not even out.
    let estimates: Vec<f64> = (0..400)
        .map(|_| {
            let mut world = World::new(Adaptive::per_second(64).floor_per_minute(0));
            (0..2_000).for_each(|_| _ = world.begin("a"));
            world.routes["a"].estimate
        })
        .collect();
    let n = estimates.len() as f64;
    let mean = estimates.iter().sum::<f64>() / n;
    let variance = estimates.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let most = 5.0 * (variance / n).sqrt();
    assert!((mean - 2_000.0).abs() < most && most < 400.0, "{mean:.0} +- {most:.0}");
}

#[test]
fn a_rare_route_has_its_floor_beside_a_busy_one() {
    // Three a minute: of "rare" there are two, of "equal" three, of "some" sixty.
    let mut world = World::new(Adaptive::per_second(5).floor_per_minute(3));
    let load = [("busy", 150.0), ("some", 1.0), ("equal", 0.05), ("rare", 2.0 / 60.0)];
    world.run(3_600.0, &load);
    let sampled = world.run(3_600.0, &load);
    // A queue with five places loses next to nothing of two thirds, and a tenth of all that it can take.
    let (rare, began) = (world.sampled_of("rare"), world.routes["rare"].began);
    assert!(rare as f64 >= 0.85 * began as f64, "{rare} of {began}");
    let equal = world.sampled_of("equal");
    assert!((250..=450).contains(&equal), "{equal} in two hours");
    let some = world.sampled_of("some");
    assert!((355..600).contains(&some), "{some} in two hours");
    assert_near(sampled, 5.0 * 3_600.0, 3.0);
    world.assert_unbiased();
}

#[test]
fn floors_that_are_more_than_the_target_share_it() {
    let names: Vec<&'static str> = (0..200).map(|n| &*format!("route {n}").leak()).collect();
    let load: Vec<_> = names.iter().map(|name| (*name, 5.0)).collect();
    // They would be 200 a second.
    let mut world = World::new(Adaptive::per_second(20).floor_per_minute(60));
    world.run(30.0, &load);
    let before = world.routes.clone();
    assert_near(world.run(300.0, &load), 6_000.0, 5.0);
    // Thirty each, if luck were even.
    let least = names.iter().map(|name| world.sampled_of(name) - before[name].sampled).min();
    assert!(least.unwrap() >= 3, "{least:?}");
}

#[test]
fn made_up_routes_take_no_more_than_the_target() {
    let names: Vec<&'static str> = (0..100_000).map(|n| &*format!("made up {n}").leak()).collect();
    let mut world = World::new(Adaptive::per_second(20).floor_per_minute(6));
    world.run(30.0, &[("real", 1.0)]);
    let (before, real) = (world.sampled.len(), world.sampled_of("real"));
    for name in &names {
        world.begin(name);
        world.advance(1e-3);
        if uniform() < 1e-3 {
            world.begin("real");
        }
    }
    let sampled = world.sampled.len() - before;
    assert!(sampled < 100 * 20 * 13 / 10, "{sampled} in 100 seconds");
    assert!(world.most_within(1.0) <= 101);
    // A hundred seconds with a trace each: the floor is ten, and three fifths of them the worst of luck.
    assert!(world.sampled_of("real") - real >= 4, "{}", world.sampled_of("real") - real);
    let estimate: f64 = world.routes.values().map(|route| route.estimate).sum();
    let variance: f64 = world.routes.values().map(|route| route.variance).sum();
    let began: u64 = world.routes.values().map(|route| route.began).sum();
    assert!((estimate - began as f64).abs() < 5.0 * variance.sqrt(), "{estimate} of {began}");
}

#[test]
fn targets_beyond_the_ends_are_nothing_and_everything() {
    for none in [0.0, -1.0, f64::NAN] {
        let mut world = World::new(Adaptive::per_second(none));
        assert_eq!(world.run(5.0, &[("a", 100.0)]), 0, "{none}");
        assert_eq!(world.sampler.of_roots(Ours), Some(false));
    }
    for all in [f64::INFINITY, 1e15] {
        let mut world = World::new(Adaptive::per_second(all));
        world.run(5.0, &[("a", 1_000.0)]);
        assert_eq!(world.routes["a"].began, world.sampled_of("a"), "{all}");
    }
}

#[test]
fn a_clock_that_a_test_puts_in_place_begins_anew() {
    let sampler = Adaptive::per_second(10);
    let name = Cow::Borrowed("a");
    let ask = || {
        let id = TraceId::random();
        let span = Candidate::new(&SpanContext::NONE, id, &name, SpanKind::Server);
        sampler.sample(&span).is_sampled()
    };
    assert!(ask());
    let clock = ManualClock::new();
    let installed = clock::enter(Some(clock.clone()));
    let mut sampled = 0;
    for _ in 0..30_000 {
        clock.advance(Duration::from_millis(1));
        sampled += usize::from(ask());
    }
    assert!((150..600).contains(&sampled), "{sampled}");
    drop(installed);
    ask();
}

#[test]
fn threads_count_every_trace_and_keep_within_the_bound() {
    let sampler = Adaptive::per_second(10);
    let sample = || {
        let clock = ManualClock::new();
        let _installed = clock::enter(Some(clock));
        let ask = |n: usize| {
            let (id, name) = (TraceId::random(), Cow::Owned(format!("route {}", n % 100)));
            let span = Candidate::new(&SpanContext::NONE, id, &name, SpanKind::Server);
            sampler.sample(&span).is_sampled()
        };
        (0..50_000).filter(|n| ask(*n)).count()
    };
    let sampled = std::thread::scope(|scope| {
        let other = scope.spawn(sample);
        sample() + other.join().unwrap()
    });
    // All at one instant; and each of two threads may sample one that the other has not counted yet.
    assert!((10..=53).contains(&sampled), "{sampled}");
    assert_eq!(sampler.plan.n_arrivals(), 100_000);
}
