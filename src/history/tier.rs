//! The tiers: how often each has an instant, and how long it is kept.

use std::time::Duration;

/// The number of tiers, from each tick to each minute.
pub(super) const TIERS: usize = 3;
/// The tier of every tick.
pub(super) const TICKS: usize = 0;
/// The tier of ten seconds, the finest one with all buckets of histograms.
pub(super) const MARKS: usize = 1;
/// The tier of minutes, in which a gauge has its minimum, maximum and mean.
pub(super) const MINUTES: usize = 2;

pub(super) const INTERVALS: [Duration; TIERS] =
    [Duration::ZERO, Duration::from_secs(10), Duration::from_secs(60)];
pub(super) const KEPT: [Duration; TIERS] =
    [Duration::from_secs(300), Duration::from_secs(3_600), Duration::from_secs(86_400)];
