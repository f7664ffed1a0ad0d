//! A token bucket in one word, by the generic cell rate algorithm (ITU-T I.371): the word is the instant at
//! which the bucket will be full. Taking a token moves it on by what one takes to come back, and is refused
//! where that is further ahead than a whole bucket.

use crate::{
    clock::Ticks,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// What buckets of one rate have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rate {
    /// Nanoseconds in which a token comes back. Zero: there are always some. `u64::MAX`: there are none.
    interval: u64,
    /// How many nanoseconds ahead the bucket may be full for there to be a token: one less than a bucket
    /// holds.
    room: u64,
}

impl Rate {
    /// `per_second` tokens a second in the long run, and `burst` at once, at least one. Less than 0 and NaN
    /// are 0.
    pub(super) fn new(per_second: f64, burst: f64) -> Self {
        if per_second.is_nan() || per_second <= 0.0 {
            return Self { interval: u64::MAX, room: 0 };
        }
        // Conversions saturate: what is too large is some centuries.
        let interval = (1e9 / per_second).round();
        let room = (burst.max(1.0) - 1.0) * interval;
        Self {
            interval: (interval as u64).min(u64::MAX / 4),
            room: (room as u64).min(u64::MAX / 4),
        }
    }

    /// Whether there is ever a token.
    pub(super) fn has_any(&self) -> bool {
        self.interval != u64::MAX
    }
}

/// Whether there was a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// There was none.
    Refused,
    /// There was, and less than half of them were left: some may have been refused not long ago.
    Scarce,
    /// There was, and at least half of them were left.
    Ample,
}

/// A bucket that is full at first.
///
/// It is for the clock of the thread that asks. One whose word is of another clock, because a test has put
/// its own in place, is full.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    // Relaxed everywhere: the word publishes nothing but itself.
    full_at: AtomicU64,
}

impl Bucket {
    /// Takes a token if there is one.
    #[inline]
    pub(super) fn take(&self, rate: &Rate, now: Ticks) -> Taken {
        let takes = |ahead: u64| (ahead <= rate.room).then(|| ahead.saturating_add(rate.interval));
        match rate.has_any().then(|| self.change(now, takes)).flatten() {
            None => Taken::Refused,
            Some(before) if before >= rate.room / 2 && rate.interval > 0 => Taken::Scarce,
            Some(_) => Taken::Ample,
        }
    }

    /// Whether there is a token.
    #[inline]
    pub(super) fn has(&self, rate: &Rate, now: Ticks) -> bool {
        rate.has_any() && self.ahead(now) <= rate.room
    }

    /// Takes a token; where there is none, what has come back of the next one.
    #[inline]
    pub(super) fn drain(&self, rate: &Rate, now: Ticks) {
        let most = rate.room.saturating_add(rate.interval);
        self.change(now, |ahead| Some(ahead.saturating_add(rate.interval).min(most)));
    }

    /// Takes what comes back in `nanos`, whether it is there or not.
    #[inline]
    pub(super) fn advance(&self, nanos: u64, now: Ticks) {
        self.change(now, |ahead| Some(ahead.saturating_add(nanos)));
    }

    /// Whether no token is missing: then it is as good as a new one.
    #[inline]
    pub(super) fn is_full(&self, now: Ticks) -> bool {
        self.ahead(now) == 0
    }

    /// How many nanoseconds it takes until it is full.
    #[inline]
    pub(super) fn ahead(&self, now: Ticks) -> u64 {
        ahead(self.full_at.load(Relaxed), now)
    }

    /// Changes how many nanoseconds ahead it is full, unless `change` refuses; what they were before.
    #[inline]
    fn change(&self, now: Ticks, change: impl Fn(u64) -> Option<u64>) -> Option<u64> {
        let mut seen = self.full_at.load(Relaxed);
        loop {
            let before = ahead(seen, now);
            let full_at = now.after(change(before)?).to_raw();
            match self.full_at.compare_exchange_weak(seen, full_at, Relaxed, Relaxed) {
                Ok(_) => return Some(before),
                Err(other) => seen = other, // Another thread took one: it has made progress.
            }
        }
    }
}

#[inline]
fn ahead(full_at: u64, now: Ticks) -> u64 {
    let full_at = Ticks::from_raw(full_at);
    if full_at.is_comparable_with(now) { full_at.nanos_since(now) } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, time::Duration};

    use proptest::prelude::*;

    use super::*;
    use crate::clock::{self, ManualClock};

    fn takes(bucket: &Bucket, rate: &Rate, now: Ticks) -> bool {
        bucket.take(rate, now) != Taken::Refused
    }

    #[test]
    fn a_burst_is_had_at_once_and_then_the_rate() {
        let (clock, rate, bucket) = (ManualClock::new(), Rate::new(10.0, 5.0), Bucket::default());
        let at_once = (0..100).filter(|_| takes(&bucket, &rate, clock.now())).count();
        assert_eq!(at_once, 5);
        let mut taken = 0;
        for _ in 0..1_000 {
            clock.advance(Duration::from_millis(10));
            taken += usize::from(takes(&bucket, &rate, clock.now()));
        }
        assert_eq!(taken, 100);
        clock.advance(Duration::from_secs(3_600));
        assert_eq!((0..100).filter(|_| takes(&bucket, &rate, clock.now())).count(), 5);
    }

    #[test]
    fn a_token_is_scarce_where_less_than_half_are_left() {
        let (now, rate, bucket) =
            (ManualClock::new().now(), Rate::new(1.0, 5.0), Bucket::default());
        let taken: Vec<_> = (0..6).map(|_| bucket.take(&rate, now)).collect();
        use Taken::{Ample, Refused, Scarce};
        assert_eq!(taken, [Ample, Ample, Scarce, Scarce, Scarce, Refused]);
        // Of a bucket that holds one, nobody knows when one was refused.
        assert_eq!(Bucket::default().take(&Rate::new(1.0, 1.0), now), Scarce);
    }

    #[test]
    fn a_rate_may_be_nothing_or_endless() {
        let (now, bucket) = (ManualClock::new().now(), Bucket::default());
        for none in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY] {
            let rate = Rate::new(none, 10.0);
            assert!(!takes(&bucket, &rate, now) && !bucket.has(&rate, now), "{none}");
        }
        for endless in [f64::INFINITY, 1e12] {
            let rate = Rate::new(endless, 1.0);
            assert!((0..1_000).all(|_| bucket.take(&rate, now) == Taken::Ample), "{endless}");
        }
        let (rate, bucket) = (Rate::new(1e-12, f64::INFINITY), Bucket::default());
        assert!(takes(&bucket, &rate, now), "a token in 30,000 years");
    }

    #[test]
    fn a_bucket_that_is_drained_has_a_token_when_one_has_come_back() {
        let (clock, rate, bucket) = (ManualClock::new(), Rate::new(1.0, 3.0), Bucket::default());
        (0..100).for_each(|_| bucket.drain(&rate, clock.now()));
        clock.advance(Duration::from_millis(999));
        assert!(!bucket.has(&rate, clock.now()));
        bucket.drain(&rate, clock.now());
        clock.advance(Duration::from_millis(999));
        assert!(!bucket.has(&rate, clock.now()));
        clock.advance(Duration::from_millis(1));
        assert!(bucket.has(&rate, clock.now()) && !bucket.is_full(clock.now()));
        clock.advance(Duration::from_secs(2));
        assert!(bucket.is_full(clock.now()));
    }

    #[test]
    fn a_bucket_of_another_clock_is_full() {
        let (clock, rate, bucket) = (ManualClock::new(), Rate::new(1.0, 2.0), Bucket::default());
        (0..2).for_each(|_| assert!(takes(&bucket, &rate, clock.now())));
        let real = clock::now();
        assert!((0..2).all(|_| takes(&bucket, &rate, real)) && !takes(&bucket, &rate, real));
        assert!(takes(&bucket, &rate, clock.now()));
    }

    #[test]
    fn two_threads_take_each_token_once() {
        // A bucket of a third of a year, which readings of the real clock are too coarse for.
        let now = ManualClock::new().now();
        let (rate, bucket) = (Rate::new(1e-3, 10_000.0), Bucket::default());
        let both = Barrier::new(2);
        let work = || {
            both.wait();
            (0..20_000).filter(|_| takes(&bucket, &rate, now)).count()
        };
        let taken = std::thread::scope(|scope| {
            let other = scope.spawn(work);
            work() + other.join().unwrap()
        });
        assert_eq!(taken, 10_000);
    }

    proptest! {
        /// The twin counts tokens, in parts of a thousandth of one.
        #[test]
        fn tokens_are_those_of_a_naive_bucket(
            steps in prop::collection::vec((0u64..3_000, 0u32..5), 1..200), burst in 1u64..6,
        ) {
            let (clock, rate) = (ManualClock::new(), Rate::new(1.0, burst as f64));
            let bucket = Bucket::default();
            let mut naive = burst * 1_000;
            for (millis, n) in steps {
                clock.advance(Duration::from_millis(millis));
                naive = (naive + millis).min(burst * 1_000);
                for _ in 0..n {
                    prop_assert_eq!(bucket.has(&rate, clock.now()), naive >= 1_000);
                    prop_assert_eq!(takes(&bucket, &rate, clock.now()), naive >= 1_000);
                    naive = if naive >= 1_000 { naive - 1_000 } else { naive };
                }
                prop_assert_eq!(bucket.is_full(clock.now()), naive == burst * 1_000);
            }
        }
    }
}
