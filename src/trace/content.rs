//! What a record holds beside what every span has. It stays when the record is used again, for the memory
//! that it has, and is not looked at where the span has nothing of it.

use std::{borrow::Cow, mem};

use super::{
    kept::{Kept, MOST_SPARE_ROOM, texts_of},
    limits::Cuts,
    parts::{Event, Link, Status},
};
use crate::label::{KeyValue, owned_bytes};

/// The attributes and the events of a span: one cache line, and what it points to.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct Content {
    pub(super) attributes: Vec<KeyValue>,
    pub(super) events: Kept<Event>,
}

const _: () = assert!(size_of::<Content>() == 64);

impl Content {
    pub(super) const EMPTY: Self = Self { attributes: Vec::new(), events: Kept::EMPTY };

    /// Drops what it holds. The room for more stays, if it is not too much. `owns_attributes` is whether an
    /// attribute may own memory.
    #[inline(always)]
    pub(super) fn clear(&mut self, owns_attributes: bool) {
        if owns_attributes || self.attributes.capacity() > MOST_SPARE_ROOM {
            self.drop_attributes();
        } else {
            self.attributes.drain(..).for_each(mem::forget); // Which have nothing to drop.
        }
        self.events.clear();
    }

    #[cold] // Not that it were rare: the way past it is to stay short.
    #[inline(never)]
    fn drop_attributes(&mut self) {
        self.attributes.clear();
        if self.attributes.capacity() > MOST_SPARE_ROOM {
            self.attributes = Vec::new();
        }
    }

    /// The bytes of it with what is reserved.
    #[inline]
    pub(super) fn weight(&self, owns_attributes: bool) -> usize {
        let texts = if owns_attributes { texts_of(&self.attributes) } else { 0 };
        let reserved = self.attributes.capacity() * size_of::<KeyValue>();
        size_of::<Self>() + ALIGNED_COST + reserved + texts + self.events.weight()
    }
}

/// What an allocation that begins at a cache line costs besides its bytes: glibc finds it within 64 bytes more,
/// and stores 16 beside it. A queue that did not count this would hold half as much again as it may.
pub(super) const ALIGNED_COST: usize = 64 + 16;

/// What few spans have.
#[derive(Clone, Debug)]
pub(super) struct Rare {
    /// What an erroneous span's status is; an error, whatever the span's status.
    pub(super) error: Status,
    pub(super) links: Kept<Link>,
    /// What was beyond the limits; of attributes, those of the span itself.
    pub(super) cuts: Cuts,
}

pub(super) static UNDESCRIBED: Status = Status::Error(Cow::Borrowed(""));

impl Rare {
    pub(super) fn new() -> Self {
        Self { error: UNDESCRIBED.clone(), links: Kept::EMPTY, cuts: Cuts::NONE }
    }

    /// Drops what it holds. The room for more stays.
    #[cold]
    #[inline(never)]
    pub(super) fn clear(&mut self) {
        self.error = UNDESCRIBED.clone();
        self.links.clear();
        self.cuts = Cuts::NONE;
    }

    /// The bytes of it with what is reserved.
    pub(super) fn weight(&self) -> usize {
        let description = match &self.error {
            Status::Error(description) => owned_bytes(description),
            _ => 0,
        };
        size_of::<Self>() + description + self.links.weight()
    }
}
