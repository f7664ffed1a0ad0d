//! Dates: instants by the wall clock.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use super::{Ticks, unix_nanos};
use crate::util::date;

/// A date: nanoseconds since the Unix epoch, by the wall clock.
///
/// Dates are for people and for other processes. Time inside the process is measured in [`Ticks`],
/// which no step of the wall clock moves; [`Ticks::timestamp`] is the date of a reading. A date before
/// 1970 becomes the Unix epoch, and a date after 2262 one of that year.
///
/// `Display` writes it in UTC as RFC 3339.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use bellwether::clock::Timestamp;
///
/// let date = Timestamp::from_unix_nanos(1_577_836_800_250_000_000);
/// assert_eq!(date.to_string(), "2020-01-01T00:00:00.25Z");
/// assert_eq!(Timestamp::from(SystemTime::from(date)), date);
/// assert_eq!(date.since(Timestamp::EPOCH), Duration::from_millis(1_577_836_800_250));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(u64); // In [0, i64::MAX].

impl Timestamp {
    /// The beginning of 1970.
    pub const EPOCH: Self = Self(0);

    /// The current date, by the wall clock as it was read within the last second.
    #[must_use]
    pub fn now() -> Self {
        Self::from_unix_nanos(unix_nanos())
    }

    /// The date that is so many nanoseconds after the Unix epoch.
    #[must_use]
    pub const fn from_unix_nanos(nanos: u64) -> Self {
        Self(if nanos > i64::MAX as u64 { i64::MAX as u64 } else { nanos })
    }

    /// The nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this date; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Ticks {
    /// The date of this reading, by the wall clock of that time, within a millisecond.
    ///
    /// The date of a reading stays the same when the wall clock is set. The exception is a step to a time
    /// before that date: the reading then has the date of the step. So no date is in the future, and
    /// later readings never have earlier dates.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_unix_nanos(self.unix_nanos())
    }
}

/// An instant of another process. Compare it only with other such instants, not with readings of this
/// process's clock.
impl From<Timestamp> for Ticks {
    fn from(date: Timestamp) -> Self {
        Self::of_unix_nanos(date.0)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self::from_unix_nanos(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(date: Timestamp) -> Self {
        Self::UNIX_EPOCH + Duration::from_nanos(date.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&date::rfc3339(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_outside_of_the_range_are_its_ends() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Timestamp::from(before), Timestamp::EPOCH);
        let latest = Timestamp::from_unix_nanos(u64::MAX);
        assert_eq!(latest.to_string(), "2262-04-11T23:47:16.854775807Z");
        assert_eq!(Timestamp::EPOCH.since(latest), Duration::ZERO);
    }

    #[test]
    fn a_date_that_was_told_elsewhere_stays_that_date() {
        let date = Timestamp::from_unix_nanos(1_577_836_800_000_000_001);
        assert_eq!(Ticks::from(date).timestamp(), date);
    }
}
