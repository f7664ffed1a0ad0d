//! What is kept of a series by who records into it again and again.

use std::fmt;

use crate::{
    cells::{self, current_storage},
    clock::{self, Ticks},
    series::{Family, Found, Pin, Visit, lookup},
};

/// A series that is kept: its id, and where the id may go to another series the right to it.
///
/// Two words, of which the second is zero for the closed sets of statics: binding one of these is for
/// a single record too.
#[derive(Clone)]
pub(crate) struct Handle {
    id: u32,
    pin: Option<Pin>,
}

impl Handle {
    /// The series of `family` with these values, or in a closed set at this place.
    pub(crate) fn of(family: &Family, values: Visit<'_>, index: impl FnOnce() -> usize) -> Self {
        let Some(set) = family.open() else {
            return Self::of_id(family, family.writing_id(index()));
        };
        let found = lookup::remembered(set, values).map(Found::Series);
        match found.unwrap_or_else(|| set.find_or_add(values)) {
            Found::Series(pin) => {
                let id = pin.series().id;
                cells::show(family.space, id);
                if set.idle().is_some() {
                    current_storage().note_bound(family.space, id, clock::now());
                }
                Self { id: set.tags().on(id), pin: Some(pin) }
            }
            Found::Overflow(id) => Self::of_id(family, set.tags().lasting().on(id)),
        }
    }

    /// A series of `family` that is given up with it, if ever.
    pub(super) fn of_id(family: &Family, id: u32) -> Self {
        Self { id, pin: family.pin() }
    }

    /// A series that is never given up.
    #[inline(always)]
    pub(crate) fn lasting(id: u32) -> Self {
        Self { id, pin: None }
    }

    /// What writes to the series.
    #[inline(always)]
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// When its series was made, as far as the handle knows.
    pub(crate) fn made(&self) -> Option<Ticks> {
        self.pin.as_ref().map(|pin| pin.series().started)
    }

    /// What reads it.
    pub(crate) fn series_id(&self) -> u32 {
        cells::series_id(self.id)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("id", &self.id).finish_non_exhaustive()
    }
}
