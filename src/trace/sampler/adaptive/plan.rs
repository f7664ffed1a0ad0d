//! The common probability, worked out once a second from what was counted in the last ten.

use std::cell::Cell;

use crate::{
    clock::Ticks,
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    trace::sampler::probability::Probability,
};

const SECOND: u64 = 1_000_000_000;

/// How many seconds are looked at. Arbitrary: long enough that chance evens out, short enough that a load
/// that has fallen is soon sampled as it is.
const SECONDS: usize = 10;

#[derive(Debug)]
pub(super) struct Plan {
    target: f64,
    // Relaxed everywhere: each of these publishes nothing but itself.
    threshold: AtomicU64, // Of the probability.
    due: AtomicU64,       // The reading at which the next plan is due.
    arrivals: Stripes,
    grants: AtomicU64, // Traces that were sampled for a floor.
    /// Guards what was counted. Nobody waits for it, and no lock is taken inside it.
    past: Mutex<Past>,
}

#[derive(Debug, Default)]
struct Past {
    since: Option<Ticks>, // The beginning of the second that is being counted.
    arrivals: u64,        // All there were until then.
    grants: u64,
    seconds: Vec<Second>, // At most SECONDS, the oldest first.
}

/// What there was in a second.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    arrivals: f64,
    grants: f64,
}

impl Plan {
    pub(super) fn new(target: f64) -> Self {
        Self {
            target,
            threshold: AtomicU64::new(Probability::ONE.threshold()),
            due: AtomicU64::new(0),
            arrivals: Stripes::default(),
            grants: AtomicU64::new(0),
            past: Mutex::new(Past {
                seconds: Vec::with_capacity(SECONDS), // So that no trace allocates.
                ..Past::default()
            }),
        }
    }

    /// Counts a trace that begins, and plans anew where that is due.
    #[inline]
    pub(super) fn count(&self, now: Ticks) {
        let due = Ticks::from_raw(self.due.load(Relaxed));
        // A clock that a test has put in place begins anew.
        if now >= due || !now.is_comparable_with(due) {
            self.renew(now);
        }
        self.arrivals.add_one();
    }

    #[cfg(test)]
    pub(super) fn n_arrivals(&self) -> u64 {
        self.arrivals.sum()
    }

    /// Counts a trace that is sampled for a floor.
    #[inline]
    pub(super) fn count_grant(&self) {
        self.grants.fetch_add(1, Relaxed);
    }

    /// The probability that all traces have in common.
    #[inline]
    pub(super) fn probability(&self) -> Probability {
        Probability::of_threshold(self.threshold.load(Relaxed))
    }

    #[cold]
    #[inline(never)]
    fn renew(&self, now: Ticks) {
        // If it is locked, another thread is at it.
        let Some(mut past) = self.past.try_lock() else { return };
        let (arrivals, grants) = (self.arrivals.sum(), self.grants.load(Relaxed));
        let since = past.since.filter(|since| since.is_comparable_with(now)).unwrap_or(now);
        let n = now.nanos_since(since) / SECOND;
        if n > 0 {
            // What was counted came in the first of these seconds, or the next one would not be due yet.
            past.end_second(arrivals, grants);
            (1..n.min(SECONDS as u64)).for_each(|_| past.push(Second::default()));
            let p = past.probability(self.target);
            self.threshold.store(Probability::new(p).threshold(), Relaxed);
        } else if past.since != Some(since) {
            (past.arrivals, past.grants) = (arrivals, grants);
        }
        // After a long rest seconds begin anew.
        let since = if n < SECONDS as u64 { since.after(n * SECOND) } else { now };
        past.since = Some(since);
        self.due.store(since.after(SECOND).to_raw(), Relaxed);
    }
}

impl Past {
    /// Notes a second, of what was counted until its end.
    fn end_second(&mut self, arrivals: u64, grants: u64) {
        let [of_arrivals, of_grants] = [(arrivals, self.arrivals), (grants, self.grants)]
            .map(|(now, before)| now.saturating_sub(before) as f64);
        (self.arrivals, self.grants) = (arrivals, grants);
        // A load that has risen beyond what is chance (four standard deviations) is followed at once, and
        // what was before it forgotten. One that falls is no danger.
        let mean = self.mean().arrivals;
        if of_arrivals > mean + 4.0 * mean.sqrt() + 4.0 {
            self.seconds.clear();
        }
        self.push(Second { arrivals: of_arrivals, grants: of_grants });
    }

    fn push(&mut self, second: Second) {
        if self.seconds.len() == SECONDS {
            self.seconds.remove(0);
        }
        self.seconds.push(second);
    }

    fn mean(&self) -> Second {
        let n = self.seconds.len().max(1) as f64;
        let sum = |part: fn(&Second) -> f64| self.seconds.iter().map(part).sum::<f64>() / n;
        Second { arrivals: sum(|second| second.arrivals), grants: sum(|second| second.grants) }
    }

    /// With what probability those that get no grant are to be sampled.
    fn probability(&self, target: f64) -> f64 {
        let Second { arrivals, grants } = self.mean();
        let (left, others) = ((target - grants).max(target / 4.0), arrivals - grants);
        // Not zero, or what is not sampled would stand for nothing.
        if left < others { (left / others).max(f64::EPSILON) } else { 1.0 }
    }
}

/// A count that threads add to without waiting for each other's cache lines, as far as there are stripes.
#[derive(Debug, Default)]
struct Stripes([Stripe; N_STRIPES]);

#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe(AtomicU64);

/// Arbitrary: on more cores some share one.
const N_STRIPES: usize = 8;

thread_local! {
    // Without a destructor, so that traces may begin in every destructor and exit hook.
    static STRIPE: Cell<usize> = const { Cell::new(usize::MAX) };
}

impl Stripes {
    #[inline]
    fn add_one(&self) {
        let mut stripe = STRIPE.get();
        if stripe == usize::MAX {
            stripe = next_stripe();
        }
        self.0[stripe % N_STRIPES].0.fetch_add(1, Relaxed);
    }

    fn sum(&self) -> u64 {
        self.0.iter().map(|stripe| stripe.0.load(Relaxed)).sum()
    }
}

#[cold]
fn next_stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let stripe = NEXT.fetch_add(1, Relaxed) % N_STRIPES;
    STRIPE.set(stripe);
    stripe
}
