//! A bucket for each route, in a table that never grows.
//!
//! A route is known by a hash of its name that nobody outside can steer, and has one of eight places, in two
//! groups. A route that is new takes one that is free, or one whose bucket is full: that route is as good as
//! one that was never seen. Where none is, it shares a last bucket with all others that found none. So
//! whoever makes up names gets that bucket, and takes nothing from routes that are busy. No lock is taken.

use crate::{
    clock::Ticks,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    util::hash::Hash,
};

use super::bucket::Bucket;

/// The buckets of routes.
#[derive(Debug)]
pub(super) struct Routes {
    groups: Box<[Group]>, // Their number is a power of two.
    /// Of all that found no place.
    rest: Bucket,
}

/// Where a route was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) bucket: &'a Bucket,
    /// Whether it had its place before.
    pub(super) is_known: bool,
}

/// Four places: a cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Group([Place; 4]);

#[derive(Debug, Default)]
struct Place {
    key: AtomicU64, // Zero: nobody's.
    bucket: Bucket,
}

/// The groups of a table: 2,048 places in 32 KB. Of 1,000 routes none finds its places taken, in 79 of 80
/// tables; of 1,400, three. Arbitrary: several times the routes of a large service.
const GROUPS: usize = 512;

/// The bytes of a name that are looked at. Arbitrary: a name that differs from others only beyond them is
/// one that nobody made for people.
const NAME_BYTES: usize = 256;

impl Routes {
    pub(super) fn new() -> Self {
        let groups = (0..GROUPS).map(|_| Group::default()).collect();
        Self { groups, rest: Bucket::default() }
    }

    /// The bucket of `route`, which may share it with others.
    #[inline]
    pub(super) fn of(&self, route: &str, now: Ticks) -> Found<'_> {
        let key = key_of(route);
        let group = |bits: u64| &self.groups[bits as usize % self.groups.len()];
        let (first, second) = (group(key >> 32), group(key >> 48));
        let mut places = first.0.iter().chain(&second.0);
        // Relaxed: a key publishes nothing but itself.
        match places.find(|place| place.key.load(Relaxed) == key) {
            Some(place) => Found { bucket: &place.bucket, is_known: true },
            None => {
                let bucket = self.take_place(first, second, key, now);
                Found { bucket, is_known: false }
            }
        }
    }

    /// A place for a route that is new, in the group that has more of them: so few find none before nearly
    /// all are taken. Another thread may take one for it at the same time; if that leaves it with two, one
    /// of them is never found again.
    #[cold]
    fn take_place<'a>(
        &'a self,
        first: &'a Group,
        second: &'a Group,
        key: u64,
        now: Ticks,
    ) -> &'a Bucket {
        let (emptier, fuller) = match first.n_free(now) >= second.n_free(now) {
            true => (first, second),
            false => (second, first),
        };
        for place in emptier.0.iter().chain(&fuller.0).filter(|place| place.is_free(now)) {
            let held = place.key.load(Relaxed);
            match place.key.compare_exchange(held, key, Relaxed, Relaxed) {
                Ok(_) => return &place.bucket,
                Err(other) if other == key => return &place.bucket,
                Err(_) => {}
            }
        }
        &self.rest
    }
}

impl Group {
    fn n_free(&self, now: Ticks) -> usize {
        self.0.iter().filter(|place| place.is_free(now)).count()
    }
}

impl Place {
    /// Whether it is nobody's, or of a route that is as good as one that was never seen.
    fn is_free(&self, now: Ticks) -> bool {
        self.bucket.is_full(now)
    }
}

#[inline]
fn key_of(route: &str) -> u64 {
    let mut hash = Hash::new();
    let bytes = route.as_bytes();
    hash.push(&bytes[..bytes.len().min(NAME_BYTES)]);
    hash.value() | 1
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, ptr, time::Duration};

    use super::*;
    use crate::{
        clock::{self, ManualClock},
        trace::sampler::bucket::{Rate, Taken},
    };

    #[test]
    fn a_route_finds_its_bucket_again_and_nobody_elses() {
        let (now, rate, routes) = (ManualClock::new().now(), Rate::new(1.0, 1.0), Routes::new());
        let names: Vec<_> = (0..700).map(|n| format!("GET /{n}")).collect();
        for name in &names {
            assert!(!routes.of(name, now).is_known);
            assert_eq!(routes.of(name, now).bucket.take(&rate, now), Taken::Scarce, "{name}");
        }
        let buckets: HashSet<_> =
            names.iter().map(|name| ptr::from_ref(routes.of(name, now).bucket)).collect();
        assert_eq!(buckets.len(), names.len());
        assert!(names.iter().all(|name| routes.of(name, now).is_known));
        assert!(!buckets.contains(&ptr::from_ref(&routes.rest)));
    }

    #[test]
    fn a_route_that_misses_no_token_makes_room() {
        let (clock, rate, routes) = (ManualClock::new(), Rate::new(1.0, 1.0), Routes::new());
        let take = |name: &str| routes.of(name, clock.now()).bucket.take(&rate, clock.now());
        (0..100_000).for_each(|n| _ = take(&format!("made up {n}")));
        assert_eq!(take("late"), Taken::Refused, "it shares a bucket");
        clock.advance(Duration::from_secs(1));
        assert_eq!((take("late"), take("later")), (Taken::Scarce, Taken::Scarce));
    }

    #[test]
    fn a_long_name_is_known_by_its_beginning() {
        let (now, routes) = (ManualClock::new().now(), Routes::new());
        let same = |a: &str, b: &str| ptr::eq(routes.of(a, now).bucket, routes.of(b, now).bucket);
        let long = "x".repeat(NAME_BYTES);
        // A bucket of which none was taken is given to the next that comes.
        routes.of(&long, now).bucket.advance(1_000, now);
        assert!(same(&long, &format!("{long}y")) && !same(&long, &long[1..]));
        assert!(same("\u{e9}".repeat(NAME_BYTES).as_str(), "\u{e9}".repeat(NAME_BYTES).as_str()));
    }

    #[test]
    fn threads_that_meet_at_a_route_share_its_bucket() {
        let (now, rate, routes) = (clock::now(), Rate::new(1e-3, 1.0), Routes::new());
        let take =
            |n: usize| routes.of(&n.to_string(), now).bucket.take(&rate, now) != Taken::Refused;
        let taken = std::thread::scope(|scope| {
            let other = scope.spawn(|| (0..1_000).filter(|n| take(*n)).count());
            (0..1_000).filter(|n| take(*n)).count() + other.join().unwrap()
        });
        // Threads that meet at a new route may take a place for it each, and so a token each, once.
        assert!((980..=2_000).contains(&taken), "{taken}");
    }
}
