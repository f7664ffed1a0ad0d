//! Instruments that were refused, because they clash with another: what they would have recorded is
//! counted by their names.
//!
//! Each has an id of its own, beyond every table, which its series and handles have too. So a record
//! fails the check that every record makes, and on the way that is taken then the id says whose it was.

use std::{borrow::Cow, panic::Location};

use super::descriptor::Descriptor;
use crate::{
    cells::{DISABLED, FIRST_REFUSED, Rejection, busy, tally},
    sync::Mutex,
};

/// The first of their ids; [`DISABLED`] is that of all others.
const FIRST: u32 = FIRST_REFUSED;

/// How many are counted one by one; arbitrary, and more than a program has by mistake.
const MOST: usize = (DISABLED - FIRST) as usize;

/// What the source calls such an instrument, and where it is: of one name there may be several.
pub(crate) type Refused = (Cow<'static, str>, &'static Location<'static>);

/// Those that were refused, in the order of their ids. Nothing is locked inside it.
static REFUSED: Mutex<Vec<Refused>> = Mutex::new(Vec::new());

/// Whether the id is that of something that records into nothing, or of nobody.
#[inline(always)]
pub(crate) const fn is_disabled(id: u32) -> bool {
    id >= FIRST
}

/// An id for an instrument that was just refused, whose count is shown from here on.
pub(crate) fn id_for(descriptor: &Descriptor) -> u32 {
    let instrument = (descriptor.name.clone(), descriptor.place);
    let _busy = busy();
    let mut refused = REFUSED.lock();
    // Two threads may both find that it is refused.
    if let Some(number) = refused.iter().position(|known| *known == instrument) {
        return FIRST + number as u32;
    }
    if refused.len() == MOST {
        return DISABLED;
    }
    refused.push(instrument);
    FIRST + refused.len() as u32 - 1
}

/// All that were refused, by their numbers.
pub(crate) fn all() -> Vec<Refused> {
    let _busy = busy();
    REFUSED.lock().clone()
}

/// Counts a measurement for the series `id`, which is disabled.
#[cold]
pub(crate) fn count(id: u32) {
    tally(|tally| {
        tally.reject(Rejection::Disabled);
        if let Some(number) = id.checked_sub(FIRST).filter(|&number| number < MOST as u32) {
            tally.refuse(number as usize);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Kind;

    #[test]
    fn an_instrument_that_two_threads_find_refused_has_one_id() {
        let descriptor = Descriptor::new("test.refused.twice", "", Kind::Counter);
        let ids = [(); 2].map(|()| id_for(&descriptor));
        assert_eq!(ids[0], ids[1]);
        assert_eq!(all().iter().filter(|(name, _)| *name == "test.refused.twice").count(), 1);
    }
}
