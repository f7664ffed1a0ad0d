//! How long to wait before a batch is tried again: exponential backoff with full jitter.
//!
//! The n-th delay is drawn evenly from zero to `initial * 2^n`, at most `max`. So clients that a
//! backend turned away together do not come back together (Brooker, "Exponential Backoff And Jitter").

use std::time::{Duration, Instant};

use super::answer::Decision;

/// How a batch is tried again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Retry {
    /// The first delay is drawn from zero to this; one second by default, so that many clients that a backend
    /// has turned away at once do not come back at once.
    pub initial: Duration,
    /// No delay is longer, except one that the backend asked for; 5 s by default.
    pub max: Duration,
    /// A batch that fails when this long has passed since the first attempt is dropped, with the
    /// reason `retries_exhausted`; 5 min by default. With zero there is one attempt.
    pub max_elapsed: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(5),
            max_elapsed: Duration::from_secs(300),
        }
    }
}

/// The longest delay that a backend may ask for; a longer one is cut to this.
pub(super) const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// The attempts of one batch.
#[derive(Debug)]
pub(super) struct Attempts {
    retry: Retry,
    began: Instant,
    failed: u32,
    of: AttemptsOf,
}

/// What is attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AttemptsOf {
    /// A batch of the queue.
    Batch,
    /// A load that its lender has back after a failure.
    Loan,
    /// What is said after the last batch: it is not of the queue, and not counted.
    Farewell,
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delay {
    pub(super) length: Duration,
    /// The delay that the backend asked for; a flush does not shorten it.
    pub(super) at_least: Duration,
}

impl Attempts {
    pub(super) fn new(retry: Retry, began: Instant) -> Self {
        Self { retry, began, failed: 0, of: AttemptsOf::Batch }
    }

    /// An attempt after which whoever asked for it has the rest back.
    #[cfg(all(feature = "spool", unix))]
    pub(super) fn single(retry: Retry, began: Instant) -> Self {
        let once = Retry { max_elapsed: Duration::ZERO, ..retry };
        Self { of: AttemptsOf::Loan, ..Self::new(once, began) }
    }

    /// The attempts to say what is to be said after the last batch.
    pub(super) fn farewell(retry: Retry, began: Instant) -> Self {
        Self { of: AttemptsOf::Farewell, ..Self::new(retry, began) }
    }

    pub(super) fn are_single(&self) -> bool {
        self.of == AttemptsOf::Loan
    }

    /// Whether they are for records of the queue.
    pub(super) fn are_counted(&self) -> bool {
        self.of != AttemptsOf::Farewell
    }

    /// How many attempts failed, each followed by a delay.
    pub(super) fn n_failed(&self) -> u32 {
        self.failed
    }

    /// Notes that something was delivered at `now`: the time for the rest begins again.
    pub(super) fn progress(&mut self, now: Instant) {
        self.began = now;
    }

    /// The delay after an attempt that was ended early. Such an attempt says nothing about the
    /// backend.
    pub(super) fn cut(&mut self, decision: Decision, random: u64) -> Option<Delay> {
        let began = self.began;
        self.fail(decision, began, random).or(match decision {
            // The only attempt was ended early, so it does not count.
            Decision::Retry { .. } => {
                Some(Delay { length: Duration::ZERO, at_least: Duration::ZERO })
            }
            Decision::Reject | Decision::Partial | Decision::Cut => None,
        })
    }

    /// The delay after one more failure at `now`; `None` when the time of the batch is over. `random`
    /// is a new number each time, drawn from its whole range.
    pub(super) fn fail(&mut self, decision: Decision, now: Instant, random: u64) -> Option<Delay> {
        let Decision::Retry { after } = decision else { return None };
        if now.saturating_duration_since(self.began) >= self.retry.max_elapsed {
            return None;
        }
        let jittered = self.backoff(self.failed, random);
        self.failed = self.failed.saturating_add(1);
        let at_least = after.unwrap_or_default().min(MAX_RETRY_AFTER);
        Some(Delay { length: jittered.max(at_least), at_least })
    }

    /// How long to wait after so many failures in a row.
    pub(super) fn backoff(&self, failures: u32, random: u64) -> Duration {
        let ceiling = 2u32
            .checked_pow(failures)
            .and_then(|factor| self.retry.initial.checked_mul(factor))
            .unwrap_or(self.retry.max)
            .min(self.retry.max);
        // 53 bits: exact in an f64, and below 1.
        let share = (random >> 11) as f64 / (1u64 << 53) as f64;
        ceiling.mul_f64(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const RETRY: Decision = Decision::Retry { after: None };

    fn after(delay: Duration) -> Decision {
        Decision::Retry { after: Some(delay) }
    }

    #[test]
    fn ceilings_double_up_to_the_maximum_and_never_overflow() {
        let (retry, now) = (Retry::default(), clock::real_instant());
        let mut attempts = Attempts::new(retry.clone(), now);
        let delays: Vec<u128> = (0..40)
            .filter_map(|_| attempts.fail(RETRY, now, u64::MAX))
            .map(|delay| (delay.length.as_secs_f64() * 1000.0).round() as u128)
            .collect();
        assert_eq!(delays[..4], [1000, 2000, 4000, 5000]);
        assert!(delays[4..].iter().all(|&delay| delay == 5000) && delays.len() == 40);
    }

    #[test]
    fn jitter_reaches_from_zero_to_the_ceiling() {
        let (retry, now) = (Retry::default(), clock::real_instant());
        let delay =
            |random| Attempts::new(retry.clone(), now).fail(RETRY, now, random).unwrap().length;
        assert_eq!(delay(0), Duration::ZERO);
        assert_eq!(delay(1 << 63), Duration::from_millis(500));
        assert!(delay(u64::MAX) <= Duration::from_secs(1));
    }

    #[test]
    fn what_the_backend_asks_for_is_honoured_up_to_a_minute() {
        let (retry, now) = (Retry::default(), clock::real_instant());
        let mut attempts = Attempts::new(retry.clone(), now);
        for (asked, length) in [(3, 3), (60, 60), (61, 60), (u64::MAX, 60)] {
            let delay = attempts.fail(after(Duration::from_secs(asked)), now, u64::MAX).unwrap();
            let length = Duration::from_secs(length);
            assert_eq!(delay, Delay { length, at_least: length });
        }
        let none = attempts.fail(after(Duration::ZERO), now, u64::MAX).unwrap();
        assert!(none.at_least.is_zero() && none.length > Duration::ZERO);
    }

    #[test]
    fn a_batch_has_its_time_and_a_rejection_none() {
        let (retry, began) = (Retry::default(), clock::real_instant());
        let mut attempts = Attempts::new(retry.clone(), began);
        let at = |seconds| began + Duration::from_secs(seconds);
        assert!(attempts.fail(RETRY, at(299), 0).is_some());
        assert_eq!(attempts.fail(RETRY, at(300), 0), None);
        assert_eq!(attempts.fail(Decision::Reject, at(0), 0), None);
    }

    #[test]
    #[cfg(all(feature = "spool", unix))]
    fn a_single_attempt_is_not_followed_by_another_unless_it_was_ended_early() {
        let now = clock::real_instant();
        let mut attempts = Attempts::single(Retry::default(), now);
        assert!(attempts.are_single() && !Attempts::new(Retry::default(), now).are_single());
        assert_eq!(attempts.fail(RETRY, now, 1), None);
        let at_once = Delay { length: Duration::ZERO, at_least: Duration::ZERO };
        assert_eq!(attempts.cut(RETRY, 1), Some(at_once));
    }

    #[test]
    fn extreme_settings_do_not_panic() {
        let retry =
            Retry { initial: Duration::MAX, max: Duration::MAX, max_elapsed: Duration::MAX };
        let now = clock::real_instant();
        let mut attempts = Attempts::new(retry.clone(), now);
        for random in [0, 1, u64::MAX] {
            assert!(attempts.fail(RETRY, now, random).is_some());
        }
    }
}
