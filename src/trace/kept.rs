//! The events and the links of a record, which keeps the memory of former ones.

use std::{fmt, mem};

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
pub(super) struct Kept<T> {
    items: Vec<T>, // Those from `len` on are spent.
    len: usize,
    /// For how many attributes the spent ones have room.
    spare_room: u32,
    /// Whether any of them may own memory, spent ones too: if none does, they are neither weighed nor
    /// dropped one by one.
    owns: bool,
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
    pub(super) const EMPTY: Self = Self { items: Vec::new(), len: 0, spare_room: 0, owns: false };

    /// The span's own.
    #[inline]
    pub(super) fn as_slice(&self) -> &[T] {
        self.items.get(..self.len).unwrap_or(&self.items)
    }

    /// A further one, without attributes. The rest may be a former one's, and is to be set.
    #[inline]
    pub(super) fn add(&mut self) -> &mut T {
        self.owns = true;
        self.add_bare()
    }

    /// As [`add`](Self::add), for one that is to own nothing.
    #[inline]
    pub(super) fn add_bare(&mut self) -> &mut T {
        if self.len == self.items.len() {
            self.items.push(T::empty());
        }
        self.len += 1;
        let added = &mut self.items[self.len - 1];
        self.spare_room -= room_of(added.attributes());
        added
    }

    /// Memory for the attributes of a further one: empty, with room if there is some.
    pub(super) fn take_room(&mut self) -> Vec<KeyValue> {
        let room = self.items.get_mut(self.len).map(|spent| mem::take(spent.attributes()));
        let room = room.unwrap_or_default();
        self.spare_room -= room_of(&room);
        room
    }

    pub(super) fn push(&mut self, item: T) {
        *self.add() = item;
    }

    /// Keeps those for which `keep` is true. What is spent is given up.
    pub(super) fn retain(&mut self, keep: impl FnMut(&mut T) -> bool) {
        self.items.truncate(self.len);
        (self.spare_room, self.owns) = (0, true); // They may be changed.
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
        self.len = 0;
        if self.owns {
            self.clear_each();
        }
    }

    #[cold] // Not that it were rare: the way past it is to stay short.
    #[inline(never)]
    fn clear_each(&mut self) {
        self.spare_room = 0;
        for spent in &mut self.items {
            spent.clear();
            let room = self.spare_room.saturating_add(room_of(spent.attributes()));
            match room <= MOST_SPARE_ROOM as u32 {
                true => self.spare_room = room,
                false => *spent.attributes() = Vec::new(),
            }
        }
        self.owns = self.spare_room > 0;
    }

    /// The bytes that they have on the heap, with what is reserved.
    pub(super) fn weight(&self) -> usize {
        let own = if self.owns { self.as_slice().iter().map(T::weight).sum() } else { 0 };
        let reserved = self.items.capacity() * size_of::<T>();
        own + reserved + self.spare_room as usize * size_of::<KeyValue>()
    }
}

/// How many attributes there is memory for; of spent ones that is little.
fn room_of(attributes: &Vec<KeyValue>) -> u32 {
    u32::try_from(attributes.capacity()).unwrap_or(u32::MAX)
}

impl<T: Part + fmt::Debug> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

/// Without what is spent.
impl<T: Part> Clone for Kept<T> {
    fn clone(&self) -> Self {
        let items = self.as_slice().to_vec();
        Self { len: items.len(), items, spare_room: 0, owns: self.owns }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Act {
        /// Room is taken, filled with so many attributes, and added.
        Add(usize),
        AddBare,
        Push(usize),
        /// Room is taken and never used.
        TakeRoom,
        /// Those whose number of attributes is even stay.
        Retain,
        Clone,
        Clear,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0usize..40).prop_map(Act::Add),
            Just(Act::AddBare),
            (0usize..9).prop_map(Act::Push),
            Just(Act::TakeRoom),
            Just(Act::Retain),
            Just(Act::Clone),
            Just(Act::Clear),
        ]
    }

    /// The name of events that own nothing.
    const BARE: &str = "bare";

    fn some(n: usize) -> Vec<KeyValue> {
        vec![KeyValue::new("k", 1); n]
    }

    fn room(events: &[Event]) -> usize {
        events.iter().map(|event| event.attributes.capacity()).sum()
    }

    /// As `act` is done to the twin, which has names and numbers of attributes.
    fn act_on(kept: &mut Kept<Event>, twin: &mut Vec<(String, usize)>, name: String, act: Act) {
        match act {
            Act::Add(attributes) => {
                let mut room = kept.take_room();
                assert!(room.is_empty());
                room.extend(some(attributes));
                let event = kept.add();
                (event.name, event.attributes) = (name.clone().into(), room);
                twin.push((name, attributes));
            }
            Act::AddBare => {
                kept.add_bare().name = BARE.into();
                twin.push((BARE.to_owned(), 0));
            }
            Act::Push(attributes) => {
                kept.push(Event::new(name.clone(), Ticks::ORIGIN, some(attributes)));
                twin.push((name, attributes));
            }
            Act::TakeRoom => drop(kept.take_room()),
            Act::Retain => {
                kept.retain(|event| event.attributes.len() % 2 == 0);
                twin.retain(|(_, attributes)| attributes % 2 == 0);
            }
            Act::Clone => *kept = kept.clone(),
            Act::Clear => {
                kept.clear();
                twin.clear();
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_spent_is_not_seen_and_its_room_is_weighed_and_bounded(
            acts in prop::collection::vec(act(), 0..60),
        ) {
            let (mut kept, mut twin) = (Kept::EMPTY, Vec::new());
            for (n, act) in acts.into_iter().enumerate() {
                act_on(&mut kept, &mut twin, n.to_string(), act);
                let seen = |event: &Event| (event.name().to_owned(), event.attributes().len());
                prop_assert_eq!(&kept.as_slice().iter().map(seen).collect::<Vec<_>>(), &twin);
                let weight = kept.items.capacity() * size_of::<Event>()
                    + room(&kept.items) * size_of::<KeyValue>()
                    + twin.iter().filter(|(name, _)| name != BARE).map(|(name, _)| name.len()).sum::<usize>();
                prop_assert_eq!(kept.weight(), weight);
                let spent = &kept.items[kept.len..];
                prop_assert!(room(spent) <= MOST_SPARE_ROOM && spent.len() <= MOST_SPARE_ROOM);
            }
        }
    }

    #[test]
    fn a_further_event_has_the_room_of_a_former_one() {
        let mut kept = Kept::<Event>::EMPTY;
        kept.push(Event::new("long", Ticks::ORIGIN, Vec::with_capacity(MOST_SPARE_ROOM + 1)));
        kept.push(Event::new("short", Ticks::ORIGIN, Vec::with_capacity(5)));
        kept.clear();
        assert_eq!((kept.take_room().capacity(), kept.add().attributes.capacity()), (0, 0));
        assert_eq!(kept.take_room().capacity(), 5);
    }
}
