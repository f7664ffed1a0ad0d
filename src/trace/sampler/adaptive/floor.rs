//! What each route has at least.
//!
//! A route has a bucket of tokens. A trace that finds one is sampled for certain; each that is sampled anyway
//! takes one too, so that a route which gets its floor from the common probability takes nothing from the
//! others.

use crate::{
    clock::Ticks,
    trace::sampler::{
        bucket::{Bucket, Rate, Taken},
        routes::{Found, Routes},
    },
};

#[derive(Debug)]
pub(super) struct Floor {
    rate: Rate, // Of a route.
    routes: Routes,
    /// Of all routes together, by whether they were seen before: names that are made up for each trace are
    /// not, and leave the floors of the others alone.
    of_known: (Rate, Bucket),
    of_new: (Rate, Bucket),
}

/// How many tokens a route may save up. With fewer, traces that come at random lose too much of a floor
/// that they just reach (a queue of five places loses a tenth); more would let new routes take all at once.
const SAVED: f64 = 5.0;

/// What the floors of routes that were seen before may take of the target, and those of others. The rest is
/// left to the common probability, without which there would be no estimate of the whole.
const SHARES: [f64; 2] = [0.5, 0.25];

/// A route that a trace is of.
pub(super) struct Route<'a> {
    floor: &'a Floor,
    found: Found<'a>,
    now: Ticks,
}

impl Floor {
    pub(super) fn new(per_minute: f64, target: f64) -> Self {
        let [of_known, of_new] = SHARES.map(|share| {
            let per_second = share * target;
            (Rate::new(per_second, per_second), Bucket::default())
        });
        Self { rate: Rate::new(per_minute / 60.0, SAVED), routes: Routes::new(), of_known, of_new }
    }

    #[inline]
    pub(super) fn route(&self, name: &str, now: Ticks) -> Route<'_> {
        Route { floor: self, found: self.routes.of(name, now), now }
    }
}

impl Route<'_> {
    /// Whether the floor is due; then a token is taken.
    #[inline]
    pub(super) fn grant(&self) -> bool {
        let Floor { rate, of_known, of_new, .. } = self.floor;
        let (rate_of_all, all) = if self.found.is_known { of_known } else { of_new };
        // In this order, so that a route keeps its token where all together have none.
        self.found.bucket.has(rate, self.now)
            && all.take(rate_of_all, self.now) != Taken::Refused
            && self.found.bucket.take(rate, self.now) != Taken::Refused
    }

    /// Counts a trace that was sampled anyway.
    #[inline]
    pub(super) fn count(&self) {
        self.found.bucket.drain(&self.floor.rate, self.now);
    }
}
