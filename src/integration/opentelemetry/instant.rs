//! Instants that the API gives, by our clock.

use std::time::{Duration, SystemTime};

use crate::clock::{self, Ticks, Timestamp};

/// What was read so shortly ago by the wall clock is now: the API has read it on the way here. Arbitrary, and
/// far below what a date means.
const JUST_NOW: Duration = Duration::from_micros(20);

/// The instant of `date`, and the one of our clock if that is now, which a step of the wall clock does not
/// reach.
pub(super) fn instant(date: SystemTime) -> Ticks {
    match ::opentelemetry::time::now().duration_since(date) {
        Ok(ago) if ago < JUST_NOW => clock::now(),
        _ => Timestamp::from(date).into(),
    }
}
