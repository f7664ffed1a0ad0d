//! Whether series that can expire were written since somebody last looked: a bit for each.
//!
//! What writes to such a series holds its id with a [tag](Tags), which is beyond every directory. So the
//! bounds check that every record makes fails for it, and on the way that is taken then the bit is set
//! and the record made under the untagged id. All others pay nothing. Histograms need no bit: their
//! counts say whether they were. A counter that keeps exemplars has a tag of the same kind.

use super::{
    budget::Room,
    directory::{Directory, Slots, slot},
    space::{REFUSED, Space},
    word::WrittenWord,
};
use crate::sync::modelled::{Ordering::SeqCst, fence};

/// The bits of tagged ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tags(u32);

impl Tags {
    const EXPIRES: u32 = 1 << 31;
    const EXEMPLARS: u32 = 1 << 30;

    /// How the series of a family are written.
    pub(crate) const fn new(space: Space, expires: bool, exemplars: bool) -> Self {
        let expires = if expires { Self::EXPIRES } else { 0 };
        let exemplars = if exemplars { Self::EXEMPLARS } else { 0 };
        match space {
            Space::Sum => Self(expires | exemplars),
            Space::Gauge => Self(expires),
            Space::Histogram => Self(0),
        }
    }

    /// The tags of a series that never expires.
    pub(crate) const fn lasting(self) -> Self {
        Self(self.0 & !Self::EXPIRES)
    }

    /// What writes to the series `id`.
    #[inline]
    pub(crate) const fn on(self, id: u32) -> u32 {
        id | self.0
    }

    /// The tags of an id that is tagged, and the id of its series.
    #[inline]
    pub(crate) const fn of(id: u32) -> Option<(Self, u32)> {
        const ALL: u32 = Tags::EXPIRES | Tags::EXEMPLARS;
        if id & ALL != 0 && id < REFUSED { Some((Self(id & ALL), id & !ALL)) } else { None }
    }

    pub(crate) const fn expire(self) -> bool {
        self.0 & Self::EXPIRES != 0
    }

    pub(crate) const fn keep_exemplars(self) -> bool {
        self.0 & Self::EXEMPLARS != 0
    }
}

/// The id of the series, if this one is tagged.
#[inline]
pub(crate) const fn untagged(id: u32) -> Option<u32> {
    match Tags::of(id) {
        Some((_, id)) => Some(id),
        None => None,
    }
}

/// The id of the series, whether this one is tagged or not.
#[inline]
pub(crate) const fn series_id(id: u32) -> u32 {
    match untagged(id) {
        Some(id) => id,
        None => id,
    }
}

/// Which series were written since the last look.
#[derive(Debug)]
pub(super) struct Written {
    sums: Directory<WrittenWord>,
    gauges: Directory<WrittenWord>,
}

/// A thread's copies of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct WrittenSlots {
    sums: Slots<WrittenWord>,
    gauges: Slots<WrittenWord>,
}

impl WrittenSlots {
    pub(super) const EMPTY: Self = Self { sums: &[], gauges: &[] };

    pub(super) fn word(self, space: Space, id: u32) -> Option<&'static WrittenWord> {
        match space {
            Space::Sum => slot(self.sums, id / 64),
            Space::Gauge => slot(self.gauges, id / 64),
            Space::Histogram => None,
        }
    }
}

impl Written {
    pub(super) fn new() -> Self {
        Self { sums: Directory::new(), gauges: Directory::new() }
    }

    pub(super) fn slots(&self) -> WrittenSlots {
        WrittenSlots { sums: self.sums.slots(), gauges: self.gauges.slots() }
    }

    /// Notes a write to the series, which follows.
    pub(super) fn mark(&self, space: Space, id: u32) {
        let words = match space {
            Space::Sum => &self.sums,
            Space::Gauge => &self.gauges,
            Space::Histogram => return,
        };
        if let Some(word) = words.reserve(id / 64, Room::unlimited()) {
            mark(word, id);
        }
    }

    /// Whether the series was written since this was last asked.
    pub(super) fn take(&self, space: Space, id: u32) -> bool {
        let word = self.slots().word(space, id);
        word.is_some_and(|word| word.take(id))
    }

    /// Whether the series was written while it was removed.
    pub(super) fn is_marked(&self, space: Space, id: u32) -> bool {
        // Pairs with the fence in `mark`: a write that the removal undid is seen here.
        fence(SeqCst);
        let word = self.slots().word(space, id);
        word.is_some_and(|word| word.has(id))
    }

    pub(super) fn reset(&self) {
        self.sums.reset();
        self.gauges.reset();
    }
}

/// Sets the bit of a series that is about to be written.
pub(super) fn mark(word: &WrittenWord, id: u32) {
    // Loaded first: between two looks the word is written once, and stays in all caches.
    if !word.has(id) {
        word.set(id);
        // Before the write that follows: who removes the series looks for the mark after that.
        fence(SeqCst);
    }
}
