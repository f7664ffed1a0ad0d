//! A cache: whether it pays, and what it holds.

use bellwether_macros::Labels;

use super::{Begun, Bound, set};
use crate::metric::{
    BoundCounter, BoundHistogram, BoundUpDownCounter, Counter, Histogram, Unit, UpDownCounter,
    Window,
};

/// A cache, by its name.
///
/// Records `cache.lookups` by `cache.result` (`hit`, `miss` or `error`), `cache.evictions` by
/// `cache.eviction.cause`, `cache.entries` and `cache.size` (bytes), and, if look-ups are timed,
/// `cache.lookup.duration`, all by `cache.name`. OpenTelemetry has no convention for caches.
///
/// # What to alert on
///
/// The cache no longer pays (a process that has just started is cold: hence the half hour):
///
/// ```promql
/// sum by (cache_name) (rate(cache_lookups_total{cache_result="hit"}[30m]))
///   / sum by (cache_name) (rate(cache_lookups_total{cache_result=~"hit|miss"}[30m])) < 0.8
/// ```
///
/// It is too small: entries are evicted about as fast as they come in, though they are wanted.
///
/// ```promql
/// sum by (cache_name) (rate(cache_evictions_total{cache_eviction_cause="size"}[5m]))
///   / sum by (cache_name) (rate(cache_lookups_total{cache_result="miss"}[5m])) > 0.9
/// ```
///
/// A cache across the network fails or is slow:
///
/// ```promql
/// sum by (cache_name) (rate(cache_lookups_total{cache_result="error"}[5m])) > 0
///
/// histogram_quantile(0.99,
///   sum by (le, cache_name) (rate(cache_lookup_duration_seconds_bucket[5m]))) > 0.01
/// ```
///
/// # Examples
///
/// ```
/// use bellwether::{bundle::{Cache, EvictionCause}, testing};
///
/// static USERS: Cache = Cache::new("users");
///
/// let scope = testing::scope();
/// let earlier = scope.snapshot();
/// USERS.miss();
/// USERS.inserted(512);
/// USERS.hit();
/// USERS.lookup().hit(); // Timed.
/// USERS.evicted(EvictionCause::Expired, 512);
///
/// assert_eq!((USERS.entries(), USERS.bytes()), (0, 0));
/// let window = scope.snapshot().since(&earlier);
/// assert_eq!(USERS.hit_ratio(&window), Some(2.0 / 3.0));
/// ```
#[derive(Debug)]
pub struct Cache {
    name: &'static str,
    lookups: Counter<Looked>,
    duration: Histogram<Looked>,
    evictions: Counter<Evicted>,
    entries: UpDownCounter<Named>,
    bytes: UpDownCounter<Named>,
    bound: Bound<Series>,
}

/// Why an entry left a cache.
#[derive(Labels, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[label(name = "cache.eviction.cause")]
#[non_exhaustive]
pub enum EvictionCause {
    /// There was no room.
    Size,
    /// It was too old, or was not used for too long.
    Expired,
    /// A newer value replaced it.
    Replaced,
    /// It was removed on purpose.
    Explicit,
}

/// A look-up under way: its time is recorded when it ends. Dropped without a result, it is an error.
#[derive(Debug)]
#[must_use = "a look-up that is dropped without a result is an error"]
pub struct Lookup {
    series: &'static Series,
    begun: Begun,
    result: CacheResult,
}

impl Cache {
    /// A cache for a static, by its name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            lookups: Counter::new("cache.lookups", "Look-ups in the cache, by result")
                .unit(Unit::new("{lookup}")),
            duration: Histogram::new("cache.lookup.duration", "Time to look up, by result")
                .unit(Unit::Seconds),
            evictions: Counter::new("cache.evictions", "Entries that left the cache, by cause")
                .unit(Unit::new("{entry}")),
            entries: UpDownCounter::new("cache.entries", "Entries in the cache")
                .unit(Unit::new("{entry}")),
            bytes: UpDownCounter::new("cache.size", "Size of the entries in the cache")
                .unit(Unit::Bytes),
            bound: Bound::new(),
        }
    }

    /// Counts a look-up that found its entry.
    pub fn hit(&self) {
        self.series().lookups[CacheResult::Hit as usize].inc();
    }

    /// Counts a look-up that found nothing.
    pub fn miss(&self) {
        self.series().lookups[CacheResult::Miss as usize].inc();
    }

    /// Begins a look-up that is timed.
    pub fn lookup(&self) -> Lookup {
        Lookup { series: self.series(), begun: Begun::now(), result: CacheResult::Error }
    }

    /// Counts an entry of so many bytes; 0 if sizes are not known.
    pub fn inserted(&self, bytes: u64) {
        let series = self.series();
        series.entries.inc();
        series.bytes.add(bytes.cast_signed());
    }

    /// Counts an entry that left, with as many bytes as it was inserted with.
    pub fn evicted(&self, cause: EvictionCause, bytes: u64) {
        let series = self.series();
        series.evictions[cause as usize].inc();
        series.entries.dec();
        series.bytes.add(bytes.cast_signed().wrapping_neg());
    }

    /// Counts an entry that left a cache whose size is [set](Self::set_size).
    pub fn note_eviction(&self, cause: EvictionCause) {
        self.series().evictions[cause as usize].inc();
    }

    /// Sets the size of a cache that counts by itself, instead of [`inserted`](Self::inserted) and
    /// [`evicted`](Self::evicted).
    pub fn set_size(&self, entries: u64, bytes: u64) {
        let series = self.series();
        set(&series.entries, entries);
        set(&series.bytes, bytes);
    }

    /// How many entries there are, in the scope of this thread.
    #[must_use]
    pub fn entries(&self) -> i64 {
        self.series().entries.value()
    }

    /// How many bytes the entries have, in the scope of this thread.
    #[must_use]
    pub fn bytes(&self) -> i64 {
        self.series().bytes.value()
    }

    /// The share of hits among the hits and misses of a window; `None` if there were none.
    #[must_use]
    pub fn hit_ratio(&self, window: &Window) -> Option<f64> {
        let count = |result| {
            let labels = [("cache.name", self.name), ("cache.result", result)];
            window.increase("cache.lookups", &labels).unwrap_or(0.0)
        };
        let (hits, misses) = (count("hit"), count("miss"));
        (hits + misses > 0.0).then(|| hits / (hits + misses))
    }

    fn series(&self) -> &'static Series {
        let cache = self.name;
        self.bound.get(|| Series {
            lookups: CacheResult::ALL.map(|result| self.lookups.bind(Looked { cache, result })),
            durations: CacheResult::ALL.map(|result| self.duration.bind(Looked { cache, result })),
            evictions: EvictionCause::ALL
                .map(|cause| self.evictions.bind(Evicted { cache, cause })),
            entries: self.entries.bind(Named { cache }),
            bytes: self.bytes.bind(Named { cache }),
        })
    }
}

impl Lookup {
    /// Ends it: the entry was found.
    pub fn hit(mut self) {
        self.result = CacheResult::Hit;
    }

    /// Ends it: there is no such entry.
    pub fn miss(mut self) {
        self.result = CacheResult::Miss;
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        let result = self.result as usize;
        self.series.lookups[result].inc();
        self.series.durations[result].record(self.begun.seconds());
    }
}

impl EvictionCause {
    const ALL: [Self; 4] = [Self::Size, Self::Expired, Self::Replaced, Self::Explicit];
}

/// The series of one cache.
#[derive(Debug)]
struct Series {
    lookups: [BoundCounter; CacheResult::ALL.len()],
    durations: [BoundHistogram; CacheResult::ALL.len()],
    evictions: [BoundCounter; EvictionCause::ALL.len()],
    entries: BoundUpDownCounter,
    bytes: BoundUpDownCounter,
}

/// The result of a look-up.
#[derive(Labels, Clone, Copy, Debug)]
enum CacheResult {
    Hit,
    Miss,
    Error,
}

impl CacheResult {
    const ALL: [Self; 3] = [Self::Hit, Self::Miss, Self::Error];
}

#[derive(Labels, Debug)]
struct Named {
    #[label(name = "cache.name")]
    cache: &'static str,
}

#[derive(Labels, Debug)]
struct Looked {
    #[label(name = "cache.name")]
    cache: &'static str,
    #[label(name = "cache.result")]
    result: CacheResult,
}

#[derive(Labels, Debug)]
struct Evicted {
    #[label(name = "cache.name")]
    cache: &'static str,
    #[label(name = "cache.eviction.cause")]
    cause: EvictionCause,
}

#[cfg(test)]
mod tests {
    use std::{panic, time::Duration};

    use super::*;
    use crate::testing;

    static CACHE: Cache = Cache::new("test");
    static OTHER: Cache = Cache::new("other");

    fn result(result: &'static str) -> [(&'static str, &'static str); 2] {
        [("cache.name", "test"), ("cache.result", result)]
    }

    #[test]
    fn hits_and_misses_are_counted_and_their_ratio_is_of_the_window() {
        let scope = testing::scope();
        CACHE.miss();
        let earlier = scope.snapshot();
        assert_eq!(CACHE.hit_ratio(&earlier.since(&earlier)), None);
        (0..3).for_each(|_| CACHE.hit());
        CACHE.miss();
        OTHER.miss();
        drop(CACHE.lookup());
        assert_eq!(CACHE.hit_ratio(&scope.snapshot().since(&earlier)), Some(0.75));
        scope.assert_value("cache.lookups", &result("hit"), 3.0);
        scope.assert_value("cache.lookups", &result("miss"), 2.0);
        scope.assert_value("cache.lookups", &result("error"), 1.0);
    }

    #[test]
    fn a_timed_lookup_is_counted_once_with_its_time() {
        let scope = testing::scope();
        let lookup = CACHE.lookup();
        scope.advance(Duration::from_millis(500));
        lookup.hit();
        CACHE.lookup().miss();
        let panicking = panic::catch_unwind(|| {
            let _lookup = CACHE.lookup();
            panic::resume_unwind(Box::new(()));
        });
        assert!(panicking.is_err());
        for end in ["hit", "miss", "error"] {
            scope.assert_value("cache.lookups", &result(end), 1.0);
            scope.assert_value("cache.lookup.duration", &result(end), 1.0);
        }
        let snapshot = scope.snapshot();
        let hits = snapshot.value("cache.lookup.duration", &result("hit")).unwrap();
        assert_eq!(hits.as_histogram().unwrap().sum(), 0.5);
    }

    #[test]
    fn the_size_follows_what_comes_and_goes() {
        let scope = testing::scope();
        [100, 200, 300].into_iter().for_each(|bytes| CACHE.inserted(bytes));
        CACHE.evicted(EvictionCause::Size, 200);
        assert_eq!((CACHE.entries(), CACHE.bytes()), (2, 400));
        CACHE.set_size(7, 1_000);
        assert_eq!((CACHE.entries(), CACHE.bytes()), (7, 1_000));
        CACHE.note_eviction(EvictionCause::Replaced);
        assert_eq!(CACHE.entries(), 7);
        for cause in ["size", "replaced"] {
            let labels = [("cache.name", "test"), ("cache.eviction.cause", cause)];
            scope.assert_value("cache.evictions", &labels, 1.0);
        }
        scope.assert_value("cache.size", &[("cache.name", "test")], 1_000.0);
    }
}
