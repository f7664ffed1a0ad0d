//! The series that a thread's requests were recorded into before, found again without a look at their
//! labels.
//!
//! A request of a server has three series with the same labels, and nearly each request is as one before:
//! its route is a text that lives for ever, so that its address says which it is. A thread keeps the
//! handles of such requests. They pin their series, so after a removal it drops them all before it records
//! the next one, as `series/lookup.rs` does.

use std::cell::RefCell;

use super::{HttpExchange, HttpServer, Method, http::Exchanges};
use crate::{label::Labels, metric::BoundHistogram, series::removals};

impl HttpServer {
    /// As [`record`](Self::record), for a route that lives for ever: in most cases without a look at the
    /// labels.
    #[inline]
    pub(crate) fn record_again(&'static self, route: &'static str, over: &HttpExchange<'_>) {
        let &HttpExchange { method, status, error, .. } = over;
        if error.is_some() {
            return self.record(route, over);
        }
        let bundle = std::ptr::from_ref(self).addr();
        let key = Key { bundle, route, method, status };
        if !record(&key, over) {
            self.record_first(&key, over);
        }
    }

    #[cold]
    #[inline(never)]
    fn record_first(&'static self, key: &Key, over: &HttpExchange<'_>) {
        let bind = || Kept::of(&self.exchanges, self.labels(key.route, over), over);
        if !record_bound(key, over, bind) {
            self.record(key.route, over);
        }
    }
}

/// The series of some requests: the duration, and the sizes that they gave so far.
#[derive(Debug)]
struct Kept {
    duration: BoundHistogram,
    request_size: Option<BoundHistogram>,
    response_size: Option<BoundHistogram>,
}

impl Kept {
    fn of<L: Labels + Copy>(exchanges: &Exchanges<L>, labels: L, over: &HttpExchange<'_>) -> Self {
        Self {
            duration: exchanges.duration.bind(labels),
            request_size: over.request_bytes.map(|_| exchanges.request_size.bind(labels)),
            response_size: over.response_bytes.map(|_| exchanges.response_size.bind(labels)),
        }
    }

    /// Records the request; `false`, and nothing is recorded, if a size has no series yet.
    #[inline]
    fn record(&self, over: &HttpExchange<'_>) -> bool {
        let sizes =
            [(&self.request_size, over.request_bytes), (&self.response_size, over.response_bytes)];
        if sizes.iter().any(|(series, bytes)| series.is_none() && bytes.is_some()) {
            return false;
        }
        self.duration.record_time(over.seconds);
        for (series, bytes) in sizes {
            if let (Some(series), Some(bytes)) = (series, bytes) {
                series.record_time(bytes as f64);
            }
        }
        true
    }

    /// Whether none of them is an overflow series, or nothing at all: which those are may change.
    fn are_own(&self) -> bool {
        let sizes = [&self.request_size, &self.response_size];
        self.duration.is_own() && sizes.into_iter().flatten().all(BoundHistogram::is_own)
    }

    /// Adds the series of `other` that it does not have.
    fn add(&mut self, other: Self) {
        self.request_size = self.request_size.take().or(other.request_size);
        self.response_size = self.response_size.take().or(other.response_size);
    }
}

/// What distinguishes the requests of a thread that end without an error of their own.
#[derive(Clone, Copy, Debug)]
struct Key {
    /// The address of the static that records.
    bundle: usize,
    route: &'static str,
    method: Method,
    status: Option<u16>,
}

impl Key {
    /// Whether both say the same: one text at two places counts as two.
    #[inline]
    fn is(&self, other: &Self) -> bool {
        self.route.as_ptr() == other.route.as_ptr()
            && self.route.len() == other.route.len()
            && (self.bundle, self.method, self.status) == (other.bundle, other.method, other.status)
    }

    #[inline]
    fn hash(&self) -> usize {
        let parts = u64::from(self.status.unwrap_or_default()) << 8 | self.method as u64;
        let places = self.route.as_ptr().addr() as u64 ^ (self.bundle as u64).rotate_left(32);
        let mixed = (places ^ parts << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15); // The golden ratio.
        (mixed >> 48) as usize // The upper bits depend on all of them.
    }
}

/// Arbitrary: as many kinds of requests as few services have. What finds no place is looked up by its
/// labels.
const PLACES: usize = 256;

/// How many places are looked at for one key.
const PROBES: usize = 4;

/// What a thread keeps.
struct Recent {
    /// Empty, or all of them.
    places: Vec<Option<Box<(Key, Kept)>>>,
    /// How many removals of series it has followed.
    followed: u64,
}

thread_local! {
    static RECENT: RefCell<Recent> =
        const { RefCell::new(Recent { places: Vec::new(), followed: 0 }) };
}

/// Records a request by the handles that are kept for `key`; `false` if not all that it needs are.
#[inline]
fn record(key: &Key, over: &HttpExchange<'_>) -> bool {
    let recorded = RECENT.try_with(|recent| {
        let recent = recent.try_borrow().ok()?;
        let is_current = recent.followed == removals();
        Some(is_current && recent.find(key)?.record(over))
    });
    recorded.ok().flatten().unwrap_or(false)
}

/// Keeps the handles that `bind` finds for `key`, and records the request by them; `false` if there is no
/// room for more of them.
fn record_bound(key: &Key, over: &HttpExchange<'_>, bind: impl FnOnce() -> Kept) -> bool {
    let followed = removals(); // Before they are bound, so that no removal is missed.
    if !with(|recent| recent.follow(followed) && recent.place(key).is_some()) {
        return false;
    }
    let series = bind();
    series.record(over);
    if series.are_own() {
        with(|recent| recent.followed == followed && recent.keep(key, series));
    }
    true
}

/// `false` where this thread's table is gone, or busy because an allocator records.
fn with(change: impl FnOnce(&mut Recent) -> bool) -> bool {
    let changed =
        RECENT.try_with(|recent| recent.try_borrow_mut().is_ok_and(|mut it| change(&mut it)));
    changed.unwrap_or(false)
}

impl Recent {
    #[inline]
    fn find(&self, key: &Key) -> Option<&Kept> {
        let first = key.hash();
        (0..PROBES).find_map(|probe| {
            let place = self.places.get(first.wrapping_add(probe) % PLACES)?.as_ref()?;
            place.0.is(key).then_some(&place.1)
        })
    }

    /// Drops all handles if there were removals since.
    fn follow(&mut self, removals: u64) -> bool {
        if self.followed != removals {
            self.followed = removals;
            self.places.fill_with(|| None);
        }
        self.places.resize_with(PLACES, || None);
        true
    }

    /// The place of `key`, or one that is free for it.
    fn place(&mut self, key: &Key) -> Option<&mut Option<Box<(Key, Kept)>>> {
        let first = key.hash();
        let mut places = (0..PROBES).map(|probe| first.wrapping_add(probe) % PLACES);
        let place = places.find(|&place| {
            let kept = self.places.get(place).and_then(Option::as_ref);
            kept.is_none_or(|kept| kept.0.is(key))
        });
        self.places.get_mut(place?)
    }

    fn keep(&mut self, key: &Key, series: Kept) -> bool {
        match self.place(key) {
            Some(Some(kept)) => kept.1.add(series),
            Some(free) => *free = Some(Box::new((*key, series))),
            None => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        metric::Histogram,
        testing::{self, Scope},
    };

    static SERVER: HttpServer = HttpServer::new();

    const DURATION: &str = "http.server.request.duration";
    const REQUEST_SIZE: &str = "http.server.request.body.size";
    const RESPONSE_SIZE: &str = "http.server.response.body.size";

    fn over(status: u16) -> HttpExchange<'static> {
        HttpExchange {
            method: Method::Get,
            status: Some(status),
            error: None,
            seconds: 0.5,
            request_bytes: None,
            response_bytes: None,
        }
    }

    fn key(route: &'static str) -> Key {
        Key {
            bundle: std::ptr::from_ref(&SERVER).addr(),
            route,
            method: Method::Get,
            status: Some(200),
        }
    }

    fn count(scope: &Scope, name: &str, route: &str, status: &str, error: &str) -> Option<f64> {
        let labels = [
            ("http.request.method", "GET"),
            ("url.scheme", "http"),
            ("http.route", route),
            ("http.response.status_code", status),
            ("error.type", error),
        ];
        let snapshot = scope.snapshot();
        Some(snapshot.value(name, &labels)?.as_histogram()?.count() as f64)
    }

    #[test]
    fn what_is_found_again_lands_where_a_look_at_the_labels_leads() {
        let scope = testing::scope();
        for n in 1..=3 {
            SERVER.record_again("/again", &over(200));
            SERVER.record_again("/again", &over(503));
            SERVER.record("/again", &over(200));
            let failed = HttpExchange { error: Some("io"), ..over(200) };
            SERVER.record_again("/again", &failed);
            assert_eq!(count(&scope, DURATION, "/again", "200", ""), Some(2.0 * f64::from(n)));
            assert_eq!(count(&scope, DURATION, "/again", "503", "503"), Some(f64::from(n)));
            assert_eq!(count(&scope, DURATION, "/again", "200", "io"), Some(f64::from(n)));
        }
        assert!(record(&key("/again"), &over(200)));
    }

    #[test]
    fn a_size_that_some_requests_have_is_recorded_of_those() {
        let scope = testing::scope();
        let sizes = [(None, None), (Some(1), None), (None, Some(2)), (Some(3), Some(4))];
        for (request_bytes, response_bytes) in sizes.into_iter().chain(sizes) {
            let over = HttpExchange { request_bytes, response_bytes, ..over(200) };
            SERVER.record_again("/sizes", &over);
        }
        for (name, n) in [(DURATION, 8.0), (REQUEST_SIZE, 4.0), (RESPONSE_SIZE, 4.0)] {
            assert_eq!(count(&scope, name, "/sizes", "200", ""), Some(n), "{name}");
        }
        let whole = HttpExchange { request_bytes: Some(1), response_bytes: Some(1), ..over(200) };
        assert!(record(&key("/sizes"), &whole), "both sizes are kept beside each other");
    }

    #[test]
    fn a_removal_is_followed_before_the_next_record() {
        let scope = testing::scope();
        SERVER.record_again("/removed", &over(200));
        let labels = || SERVER.labels("/removed", &over(200));
        assert!(record(&key("/removed"), &over(200)));
        assert!(SERVER.exchanges.duration.remove(labels()));
        assert!(!record(&key("/removed"), &over(200)), "no handle is used after a removal");
        assert_eq!(count(&scope, DURATION, "/removed", "200", ""), None);
        SERVER.record_again("/removed", &over(200));
        assert_eq!(count(&scope, DURATION, "/removed", "200", ""), Some(1.0));
    }

    #[test]
    fn requests_of_more_kinds_than_there_are_places_are_recorded_all_the_same() {
        let scope = testing::scope();
        let routes: Vec<&'static str> =
            (0..2 * PLACES).map(|n| &*String::leak(format!("/many/{n}"))).collect();
        for _ in 0..2 {
            routes.iter().for_each(|route| SERVER.record_again(route, &over(200)));
        }
        let is_kept = |route: &&'static str| record(&key(route), &over(200));
        let kept: Vec<bool> = routes.iter().map(is_kept).collect();
        let n_kept = kept.iter().filter(|kept| **kept).count();
        assert!((PLACES / 2..=PLACES).contains(&n_kept), "{n_kept}");
        for (route, was_kept) in routes.into_iter().zip(kept) {
            // What another test records meanwhile may take a place.
            let n = [was_kept, is_kept(&route)].into_iter().filter(|kept| *kept).count();
            assert_eq!(count(&scope, DURATION, route, "200", ""), Some(2.0 + n as f64));
        }
    }

    #[test]
    fn a_handle_of_the_overflow_series_is_not_one_to_keep() {
        static SIZE: Histogram<Route> = Histogram::new("recent.size", "Sizes").series_limit(1);
        #[derive(bellwether_macros::Labels, Clone, Copy)]
        struct Route {
            route: &'static str,
        }
        let _scope = testing::scope();
        let duration = || SIZE.bind(Route { route: "/first" });
        let beyond = || Some(SIZE.bind(Route { route: "/second" }));
        assert!(Kept { duration: duration(), request_size: None, response_size: None }.are_own());
        for (request_size, response_size) in [(beyond(), None), (None, beyond())] {
            assert!(!Kept { duration: duration(), request_size, response_size }.are_own());
        }
    }
}
