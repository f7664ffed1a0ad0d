//! Handles: what a recorder keeps of a series, to record into it repeatedly.

use std::fmt;

use crate::{
    cells::{self, current_storage},
    clock::{self, Ticks},
    series::{Family, Found, OpenSet, Pin, Visit, lookup},
};

/// A handle to a series: its id, and a pin if the id could otherwise go to another series.
///
/// It is two words; the second is zero for the closed sets of statics. So binding one of these is cheap
/// enough for a single record.
#[derive(Clone)]
pub(crate) struct Handle {
    id: u32,
    pin: Option<Pin>,
}

impl Handle {
    /// The series of `family` with these values; in a closed set, the one at this index.
    pub(crate) fn of(family: &Family, values: Visit<'_>, index: impl FnOnce() -> usize) -> Self {
        let Some(set) = family.open() else {
            return Self::of_id(family, family.writing_id(index()));
        };
        let found = lookup::remembered(set, values).map(Found::Series);
        Self::of_found(family, set, found.unwrap_or_else(|| set.find_or_add(values)))
    }

    /// The series of `family` with these labels, whose keys may be any.
    pub(super) fn of_labels(family: &Family, labels: &[(&str, &str)]) -> Self {
        match family.open() {
            Some(set) => Self::of_found(family, set, set.find_or_add_labels(labels)),
            None => Self::of_id(family, family.writing_id(0)),
        }
    }

    fn of_found(family: &Family, set: &OpenSet, found: Found) -> Self {
        match found {
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

    /// The series of `family` with this id; pinned by the handle if the family can be removed.
    pub(super) fn of_id(family: &Family, id: u32) -> Self {
        Self { id, pin: family.pin() }
    }

    /// A series that is never removed.
    #[inline(always)]
    pub(crate) fn lasting(id: u32) -> Self {
        Self { id, pin: None }
    }

    /// The id for writing to the series.
    #[inline(always)]
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// When its series was created, as far as the handle knows.
    pub(crate) fn made(&self) -> Option<Ticks> {
        self.pin.as_ref().map(|pin| pin.series().started)
    }

    /// Whether it leads to a series of its own, and not to the overflow series or nowhere.
    #[cfg(feature = "tower")]
    pub(super) fn is_own(&self) -> bool {
        self.pin.as_ref().is_some_and(|pin| !crate::series::is_disabled(pin.series().id))
    }

    /// The pin of its series, or of the family if it is the overflow series.
    #[cfg(any(feature = "metrics", feature = "opentelemetry"))]
    pub(super) fn pin(&self) -> Option<&Pin> {
        self.pin.as_ref()
    }

    /// The id for reading the series.
    pub(crate) fn series_id(&self) -> u32 {
        cells::series_id(self.id)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("id", &self.id).finish_non_exhaustive()
    }
}
