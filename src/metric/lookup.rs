//! From label values to a series: a table of the own thread, filled from the family's map on a miss.
//!
//! A look-up hashes the values, finds the entry and compares the contents: no lock, no allocation.
//! An entry pins its series, so that what is found is never another's; after a removal each thread
//! drops the pins of removed series before its next look-up. Only series below their family's limit
//! are remembered, so the table is bounded by them.

use std::cell::RefCell;

use super::{
    family::{Family, Found},
    open::OpenSet,
    series::Pin,
};
use crate::{
    label::{split_value, truncate},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    util::hash::{self, Hash},
};

/// Hands label values over, one after the other; called more than once.
pub(crate) type Visit<'a> = &'a dyn Fn(&mut dyn FnMut(&str));

/// Lets `record` write to the series of `set` with these values: from this thread's table or else
/// from the family's map.
#[inline]
pub(crate) fn with_series<V, R>(
    family: &Family,
    set: &OpenSet,
    values: V,
    record: impl FnOnce(u32) -> R,
) -> R
where
    V: Fn(&mut dyn FnMut(&str)),
{
    let mut record = Some(record);
    // Inside, the entry's pin holds: a thread forgets its own pins and no other's.
    let found = TABLE.try_with(|table| {
        let table = table.try_borrow().ok()?;
        if table.forgotten != REMOVALS.load(Relaxed) {
            return None;
        }
        let id = table.find(family.number, &values)?.series().id;
        record.take().map(|record| record(id))
    });
    match (found, record) {
        (Ok(Some(done)), _) => done,
        (_, Some(record)) => with_series_slow(family, set, &values, record),
        (_, None) => unreachable!("what was taken was called and has answered"),
    }
}

#[cold]
fn with_series_slow<R>(
    family: &Family,
    set: &OpenSet,
    values: Visit<'_>,
    record: impl FnOnce(u32) -> R,
) -> R {
    let pin = match set.find_or_add(family, values) {
        Found::Overflow(id) => return record(id),
        Found::Series(pin) => pin,
    };
    let done = record(pin.series().id);
    // A thread whose table is gone, or busy because an allocator records, looks up every time.
    let _ = TABLE.try_with(|table| {
        if let Ok(mut table) = table.try_borrow_mut() {
            table.forget_removed();
            if table.find(family.number, values).is_none() {
                table.insert(family.number, values, pin);
            }
        }
    });
    done
}

/// The series of `family` with these values, if this thread remembers it.
pub(crate) fn remembered(family: &Family, values: Visit<'_>) -> Option<Pin> {
    let find = |table: &RefCell<Table>| {
        let table = table.try_borrow().ok()?;
        let is_current = table.forgotten == REMOVALS.load(Relaxed);
        is_current.then(|| table.find(family.number, values))?.cloned()
    };
    TABLE.try_with(find).ok().flatten()
}

/// Makes every thread drop its pins of removed series before its next look-up.
pub(crate) fn forget_removed() {
    // Relaxed: a thread that sees it late writes to a series that it still pins.
    REMOVALS.fetch_add(1, Relaxed);
}

/// How often series were removed.
static REMOVALS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static TABLE: RefCell<Table> = const { RefCell::new(Table::NEW) };
}

/// Open addressing, linear probing, at most five eighths full: each further probe is a branch that
/// nobody foresees.
struct Table {
    /// None, or a power of two.
    slots: Vec<Slot>,
    len: usize,
    /// How many removals it has followed.
    forgotten: u64,
    /// Where each hash begins: at hand here. Unseeded while there are no slots.
    start: Hash,
}

/// A place for a series, beside what tells it from nearly all others: one line to fetch.
#[derive(Default)]
struct Slot {
    /// The number of the family, and then a part of the hash.
    mark: u64,
    pin: Option<Pin>,
}

impl Table {
    const NEW: Self = Self { slots: Vec::new(), len: 0, forgotten: 0, start: Hash::UNSEEDED };

    #[inline]
    fn find<V: Fn(&mut dyn FnMut(&str)) + ?Sized>(&self, family: u32, values: &V) -> Option<&Pin> {
        let mask = self.slots.len().checked_sub(1)?;
        let mark = self.mark(family, values);
        let mut place = mark as usize & mask;
        loop {
            let slot = &self.slots[place];
            let pin = slot.pin.as_ref()?;
            if slot.mark == mark && holds(pin.series().key(), values) {
                return Some(pin);
            }
            place = (place + 1) & mask;
        }
    }

    /// A caller who chooses label values must not be able to choose collisions.
    #[inline]
    fn mark<V: Fn(&mut dyn FnMut(&str)) + ?Sized>(&self, family: u32, values: &V) -> u64 {
        let mut hash = self.start.of(family);
        values(&mut |value| hash.push(truncate(value).as_bytes()));
        u64::from(family) << 32 | u64::from(hash.value() as u32)
    }

    fn insert(&mut self, family: u32, values: Visit<'_>, pin: Pin) {
        if self.slots.is_empty() {
            self.start = Hash::new();
        }
        if (self.len + 1) * 8 > self.slots.len() * 5 {
            self.rebuild((self.slots.len() * 2).max(16), |_| true);
        }
        self.place(Slot { mark: self.mark(family, values), pin: Some(pin) });
        self.len += 1;
    }

    fn place(&mut self, slot: Slot) {
        let mask = self.slots.len() - 1;
        let mut place = slot.mark as usize & mask;
        while self.slots[place].pin.is_some() {
            place = (place + 1) & mask;
        }
        self.slots[place] = slot;
    }

    /// Drops the pins of removed series.
    fn forget_removed(&mut self) {
        let removals = REMOVALS.load(Relaxed);
        if self.forgotten != removals {
            self.forgotten = removals;
            self.rebuild(self.slots.len(), |pin| !pin.series().is_removed());
        }
    }

    fn rebuild(&mut self, room: usize, keep: impl Fn(&Pin) -> bool) {
        let mut empty = Vec::new();
        empty.resize_with(room, Slot::default);
        let slots = std::mem::replace(&mut self.slots, empty);
        self.len = 0;
        for slot in slots {
            if slot.pin.as_ref().is_some_and(&keep) {
                self.place(slot);
                self.len += 1;
            }
        }
    }
}

/// Whether `values` encode to `key`, without encoding them.
#[inline]
fn holds<V: Fn(&mut dyn FnMut(&str)) + ?Sized>(key: &[u8], values: &V) -> bool {
    let mut rest = Some(key);
    values(&mut |value| {
        rest = rest.and_then(|rest| {
            let (own, rest) = split_value(rest)?;
            hash::equal(own, truncate(value).as_bytes()).then_some(rest)
        });
    });
    rest.is_some_and(<[u8]>::is_empty)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{HashMap, HashSet},
        thread,
    };

    use proptest::prelude::*;

    use super::*;
    use crate::metric::{Kind, cell::Space, tests::open_family};

    fn look_up(family: &Family, values: &[&str]) -> u32 {
        let visit = |each: &mut dyn FnMut(&str)| values.iter().for_each(|value| each(value));
        with_series(family, family.open().unwrap(), visit, |id| id)
    }

    #[test]
    fn each_list_of_values_has_a_series_of_its_own_on_every_thread() {
        let family = open_family(Kind::Counter, &["a", "b"], 10_000);
        let lists: Vec<[String; 2]> = (0..500).map(|n| [format!("a{n}"), "b".repeat(n)]).collect();
        let all = || lists.iter().map(|[a, b]| look_up(family, &[a, b])).collect::<Vec<_>>();
        let ids = all();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 500);
        assert_eq!(all(), ids);
        assert_eq!(thread::scope(|scope| scope.spawn(all).join().unwrap()), ids);
        let divided_elsewhere = look_up(family, &["a1b", ""]);
        assert!(!ids.contains(&divided_elsewhere));
        let other = open_family(Kind::Counter, &["a", "b"], 10_000);
        assert!(!ids.contains(&look_up(other, &["a1", "b"])));
    }

    #[test]
    fn a_removed_series_is_found_again_and_then_remembered_again() {
        let family = open_family(Kind::Counter, &["a"], 10);
        let id = look_up(family, &["x"]);
        assert!(family.open().unwrap().remove(&|each| each("x"), |_| ()));
        assert_eq!(look_up(family, &["x"]), id, "it was not given up");
        assert_eq!(look_up(family, &["x"]), id);
        assert_eq!(family.space, Space::Sum);
    }

    proptest! {
        #[test]
        fn a_look_up_is_a_map(lists in prop::collection::vec(("[ab]{0,3}", ".{0,40}"), 1..200)) {
            let family = open_family(Kind::Counter, &["a", "b"], 10_000);
            let mut twin: HashMap<(String, String), u32> = HashMap::new();
            for (a, b) in lists {
                let id = look_up(family, &[&a, &b]);
                let n_before = twin.len();
                let known = *twin.entry((a, b)).or_insert(id);
                prop_assert_eq!(known, id);
                let is_new = twin.len() > n_before;
                prop_assert!(!is_new || twin.values().filter(|&&other| other == id).count() == 1);
            }
        }
    }
}
