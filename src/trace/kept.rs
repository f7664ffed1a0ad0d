//! The events and the links of a record, which keeps the memory of former ones.

use super::parts::{Event, Link};
use crate::{
    clock::Ticks,
    context::SpanContext,
    label::{self, KeyValue},
};

/// The most attributes, events and links that a record has room for when it is used again. Arbitrary.
pub(super) const MOST_SPARE_ROOM: usize = 32;

/// Events or links of a span. Those of former spans stay behind them, empty, for the room that they have
/// for attributes.
#[derive(Debug)]
pub(super) struct Kept<T> {
    items: Vec<T>, // Those from `len` on are spent.
    len: usize,
    /// For how many attributes the spent ones have room.
    spare_room: usize,
}

/// What has attributes, and may be used again.
pub(super) trait Part: Clone {
    fn empty() -> Self;

    /// Drops what it holds. The room for attributes stays.
    fn clear(&mut self);

    fn attributes(&mut self) -> &mut Vec<KeyValue>;

    /// The bytes that it has on the heap.
    fn weight(&self) -> usize;
}

impl<T: Part> Kept<T> {
    pub(super) const EMPTY: Self = Self { items: Vec::new(), len: 0, spare_room: 0 };

    /// The span's own.
    #[inline]
    pub(super) fn as_slice(&self) -> &[T] {
        self.items.get(..self.len).unwrap_or(&self.items)
    }

    /// A further one, which is empty.
    #[inline]
    pub(super) fn add(&mut self) -> &mut T {
        if self.len == self.items.len() {
            self.items.push(T::empty());
        }
        self.len += 1;
        let added = &mut self.items[self.len - 1];
        self.spare_room -= added.attributes().capacity();
        added
    }

    /// Memory for the attributes of a further one: empty, with room if there is some.
    pub(super) fn take_room(&mut self) -> Vec<KeyValue> {
        let room = self.items.get_mut(self.len).map(|spent| std::mem::take(spent.attributes()));
        let room = room.unwrap_or_default();
        self.spare_room -= room.capacity();
        room
    }

    pub(super) fn push(&mut self, item: T) {
        *self.add() = item;
    }

    /// Keeps those for which `keep` is true. What is spent is given up.
    pub(super) fn retain(&mut self, keep: impl FnMut(&mut T) -> bool) {
        self.items.truncate(self.len);
        self.spare_room = 0;
        self.items.retain_mut(keep);
        self.len = self.items.len();
    }

    /// Makes all of them spent, for the next span.
    pub(super) fn clear(&mut self) {
        if self.items.capacity() > MOST_SPARE_ROOM {
            *self = Self::EMPTY;
        }
        if self.len == 0 {
            return;
        }
        (self.len, self.spare_room) = (0, 0);
        for spent in &mut self.items {
            spent.clear();
            let room = spent.attributes().capacity();
            match self.spare_room + room <= MOST_SPARE_ROOM {
                true => self.spare_room += room,
                false => *spent.attributes() = Vec::new(),
            }
        }
    }

    /// The bytes that they have on the heap, with what is reserved.
    pub(super) fn weight(&self) -> usize {
        let own: usize = self.as_slice().iter().map(T::weight).sum();
        let reserved = self.items.capacity() * size_of::<T>();
        own + reserved + self.spare_room * size_of::<KeyValue>()
    }
}

/// Without what is spent.
impl<T: Part> Clone for Kept<T> {
    fn clone(&self) -> Self {
        let items = self.as_slice().to_vec();
        Self { len: items.len(), items, spare_room: 0 }
    }
}

impl Part for Event {
    fn empty() -> Self {
        Self::new("", Ticks::ORIGIN, Vec::new())
    }

    fn clear(&mut self) {
        self.name = "".into();
        self.attributes.clear();
        self.dropped_attributes = 0;
    }

    #[inline]
    fn attributes(&mut self) -> &mut Vec<KeyValue> {
        &mut self.attributes
    }

    fn weight(&self) -> usize {
        label::owned_bytes(&self.name) + weight_of(&self.attributes)
    }
}

impl Part for Link {
    fn empty() -> Self {
        Self::new(SpanContext::NONE, Vec::new())
    }

    fn clear(&mut self) {
        self.context = SpanContext::NONE;
        self.attributes.clear();
        self.dropped_attributes = 0;
    }

    fn attributes(&mut self) -> &mut Vec<KeyValue> {
        &mut self.attributes
    }

    fn weight(&self) -> usize {
        self.context.state().as_str().len() + weight_of(&self.attributes)
    }
}

fn weight_of(attributes: &Vec<KeyValue>) -> usize {
    attributes.capacity() * size_of::<KeyValue>() + texts_of(attributes)
}

/// The bytes of the texts and arrays of `attributes`; static texts weigh nothing.
pub(super) fn texts_of(attributes: &[KeyValue]) -> usize {
    attributes.iter().map(KeyValue::heap_bytes).sum()
}
