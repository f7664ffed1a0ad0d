//! What keeps a burst near the target: the more traces were sampled of late, the smaller the probability.
//!
//! It counts sampled traces in a bucket that leaks twice the target, so that chance does not touch it. Beyond
//! what leaks in half of its span of time (a second, or as long as the target takes to come to one), each
//! 64th part of that halves the probability, and 57 of them leave nothing of 56 bits.
//!
//! So a bucket holds at most `1/2 + 57/64` spans' worth, and one trace. In any span of time at most that is
//! sampled and what leaks meanwhile: `2 * (1/2 + 57/64 + 1)` = 4.8 times the target, and one.

use crate::{clock::Ticks, trace::sampler::bucket::Bucket};

#[derive(Debug)]
pub(super) struct Brake {
    sampled: Bucket,
    // In nanoseconds.
    per_trace: u64, // How long one takes to leak.
    free: u64,      // So much is held without an effect.
    step: u64,      // So much more halves the probability; not zero.
}

/// So many halvings leave nothing.
pub(super) const STOP: u32 = 57;

impl Brake {
    /// For a target of so many traces a second.
    pub(super) fn new(target: f64) -> Self {
        let span = 1e9 * (1.0 / target).max(1.0); // Infinite for zero: conversions saturate.
        Self {
            sampled: Bucket::default(),
            per_trace: (1e9 / (2.0 * target)) as u64,
            free: (span / 2.0) as u64,
            step: (span / 64.0) as u64,
        }
    }

    /// How often the probability is halved; [`STOP`] at most.
    #[inline]
    pub(super) fn halvings(&self, now: Ticks) -> u32 {
        match self.sampled.ahead(now).saturating_sub(self.free) {
            0 => 0,
            beyond => beyond.div_ceil(self.step).min(STOP.into()) as u32,
        }
    }

    /// Counts a sampled trace.
    #[inline]
    pub(super) fn count(&self, now: Ticks) {
        self.sampled.advance(self.per_trace, now);
    }
}
