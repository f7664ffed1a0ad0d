//! Instruments that were refused, because they clash with another: what they would have recorded is
//! counted by their names.
//!
//! Each has an id of its own, beyond every table, which its series and handles have too. So a record
//! fails the check that every record makes, and on the way that is taken then the id says whose it was.

use super::{
    BoundCounter, Counter, Unit,
    cell::DISABLED,
    instrument::Descriptor,
    stats::{self, Rejection},
};
use crate::sync::Mutex;

/// How many are told apart; arbitrary, and more than a program has by mistake.
const MOST: usize = 1_024;

/// The first of their ids; [`DISABLED`] is that of all others.
const FIRST: u32 = DISABLED - MOST as u32;

const NAME: &str = "telemetry.instruments.refused";

static REFUSED: Counter<Refused> = Counter::new(
    NAME,
    "Measurements that were not recorded since their instrument lost a conflict",
)
.unit(Unit::new("{measurement}"))
.series_limit(MOST);

#[derive(bellwether_macros::Labels)]
struct Refused {
    instrument: &'static str,
    /// Where in the source it is: of one name there may be several.
    place: String,
}

/// The counts, in the order of the ids. Nothing is locked inside it, and nothing recorded.
static COUNTS: Mutex<Vec<&'static BoundCounter>> = Mutex::new(Vec::new());

/// Whether the id is that of something that records into nothing, or of nobody.
#[inline(always)]
pub(crate) const fn is_disabled(id: u32) -> bool {
    id >= FIRST
}

/// An id for an instrument that was just refused, whose count is shown from here on.
pub(super) fn id_for(descriptor: &Descriptor) -> u32 {
    // The count of what is refused would count its own without end.
    if descriptor.name == NAME {
        return DISABLED;
    }
    let refused = Refused { instrument: descriptor.name, place: descriptor.place.to_string() };
    let count = REFUSED.bind(refused);
    let mut counts = COUNTS.lock();
    if counts.len() == MOST {
        return DISABLED;
    }
    counts.push(Box::leak(Box::new(count)));
    FIRST + counts.len() as u32 - 1
}

/// Counts a measurement for the series `id`, which is disabled.
#[cold]
pub(super) fn count(id: u32) {
    stats::reject(Rejection::Disabled);
    let place = id.checked_sub(FIRST).map(|place| place as usize);
    let count = place.and_then(|place| COUNTS.lock().get(place).copied());
    if let Some(count) = count {
        count.inc_if_enabled();
    }
}
