//! Instruments that were refused because of a conflict: what they would have recorded is counted by
//! their names.
//!
//! Each has an id of its own, beyond every table; its series and handles have this id too. So a record
//! fails the check that every record makes, and on the slow path the id identifies the instrument.

use std::{borrow::Cow, panic::Location};

use super::descriptor::Descriptor;
use crate::{
    cells::{DISABLED, FIRST_REFUSED, Rejection, busy, tally},
    sync::Mutex,
};

/// The first of their ids; [`DISABLED`] is the id of all others.
const FIRST: u32 = FIRST_REFUSED;

/// How many are counted separately. Arbitrary: more than a program has by mistake.
const MOST: usize = (DISABLED - FIRST) as usize;

/// The name of such an instrument in the source, and its place: several may have one name.
pub(crate) type Refused = (Cow<'static, str>, &'static Location<'static>);

/// The refused instruments, in the order of their ids. No lock is taken inside it.
static REFUSED: Mutex<Vec<Refused>> = Mutex::new(Vec::new());

/// Whether the id belongs to an instrument that records into nothing, or to none.
#[inline(always)]
pub(crate) const fn is_disabled(id: u32) -> bool {
    id >= FIRST
}

/// An id for an instrument that was just refused; its count is shown from now on.
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

/// All refused instruments, by their numbers.
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
