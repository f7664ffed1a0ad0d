//! From label values to a series: a table of this thread, filled from the family's map on a miss.
//!
//! A look-up hashes the values, finds the entry and compares the contents: no lock, no allocation. An
//! entry pins its series, so its id never belongs to another one. After a removal each thread drops the
//! pins of removed series before its next look-up. Only series below their family's limit are
//! remembered, so the table is bounded by them.

use std::cell::RefCell;

use super::{
    open::{Found, OpenSet, Visit},
    pin::{Pin, removals, removals_to_follow},
};
use crate::{
    cells::guarded,
    label::{decode, strip_value, truncate},
    util::hash::Hash,
};

/// Calls `record` with the id for writing to the series of `set` with these values. The series comes
/// from this thread's table, or else from the family's map.
#[inline]
pub(crate) fn with_series<V, R>(set: &OpenSet, values: V, record: impl FnOnce(u32) -> R) -> R
where
    V: Fn(&mut dyn FnMut(&str)),
{
    let mut record = Some(record);
    // The entry's pin is held meanwhile: only this thread drops its pins.
    let found = TABLE.try_with(|table| {
        let table = table.try_borrow().ok()?;
        if table.forgotten != removals() {
            return None;
        }
        let (id, _) = table.find(set.number(), &values)?;
        record.take().map(|record| record(id))
    });
    match (found, record) {
        (Ok(Some(done)), _) => done,
        (_, Some(record)) => with_series_slow(set, &values, record),
        (_, None) => unreachable!("what was taken was called and has answered"),
    }
}

#[cold]
fn with_series_slow<R>(set: &OpenSet, values: Visit<'_>, record: impl FnOnce(u32) -> R) -> R {
    forget_own_removed();
    let pin = match set.find_or_add(values) {
        Found::Overflow(id) => return record(set.tags().lasting().on(id)),
        Found::Series(pin) => pin,
    };
    let done = record(set.tags().on(pin.series().id));
    // If this thread's table is gone, or busy because an allocator records, each record looks the
    // series up.
    let _ = TABLE.try_with(|table| {
        if let Ok(mut table) = table.try_borrow_mut()
            && table.find(set.number(), values).is_none()
        {
            table.insert(set, values, pin);
        }
    });
    done
}

/// The series of `set` with these values, if this thread remembers it.
pub(crate) fn remembered(set: &OpenSet, values: Visit<'_>) -> Option<Pin> {
    forget_own_removed();
    let find = |table: &RefCell<Table>| {
        let table = table.try_borrow().ok()?;
        let is_current = table.forgotten == removals();
        let (_, pin) = is_current.then(|| table.find(set.number(), values))??;
        Some(pin.clone())
    };
    TABLE.try_with(find).ok().flatten()
}

/// Drops this thread's pins of removed series, before it requests a new one, which may need their
/// place.
fn forget_own_removed() {
    // Guarded, because the last pin of a series whose family is gone takes locks. If this thread is
    // inside already, because its allocator records, it does this later.
    let _ = guarded(|| {
        TABLE.try_with(|table| {
            if let Ok(mut table) = table.try_borrow_mut() {
                table.forget_removed();
            }
        })
    });
}

thread_local! {
    static TABLE: RefCell<Table> = const { RefCell::new(Table::NEW) };
}

/// The series that a thread remembers.
struct Table {
    /// Indexed by the numbers of the open sets.
    sets: Vec<Buckets>,
    /// How many removals it has followed.
    forgotten: u64,
    /// The initial state of each hash, kept here for speed. Unseeded while there are no slots.
    start: Hash,
}

/// The series of one set, in buckets of one cache line. Nine of ten look-ups need only one bucket, so
/// the processor predicts that there is no second.
#[derive(Default)]
struct Buckets {
    /// Empty, or a power of two long.
    buckets: Vec<Bucket>,
    len: usize,
    /// The tag in the ids of the set.
    id_tag: u32,
}

/// A few series, filled from the front; if it is full, a series goes to the next bucket.
#[derive(Clone, Default)]
#[repr(align(64))]
struct Bucket {
    /// Sixteen bits of each hash, which distinguish a series from nearly all others. Without a pin, tag
    /// and id mean nothing.
    tags: u64,
    /// The ids, which lead to the cells: recording need not wait for the cache line of the series,
    /// which has the values to compare.
    ids: [u32; Self::LEN],
    pins: [Option<Pin>; Self::LEN],
}

impl Table {
    const NEW: Self = Self { sets: Vec::new(), forgotten: 0, start: Hash::UNSEEDED };

    #[inline(always)]
    fn find<V: Fn(&mut dyn FnMut(&str)) + ?Sized>(
        &self,
        set: u32,
        values: &V,
    ) -> Option<(u32, &Pin)> {
        self.sets.get(set as usize)?.find(self.hash(values), values)
    }

    /// Hashes the values with a secret seed, so that a caller who chooses label values cannot choose
    /// collisions.
    #[inline(always)]
    fn hash<V: Fn(&mut dyn FnMut(&str)) + ?Sized>(&self, values: &V) -> u64 {
        let mut hash = self.start;
        values(&mut |value| hash.push(truncate(value).as_bytes()));
        hash.value()
    }

    fn insert(&mut self, set: &OpenSet, values: Visit<'_>, pin: Pin) {
        if self.sets.is_empty() {
            self.start = Hash::new();
        }
        let (place, tag) = (set.number() as usize, set.tags().on(0));
        if place >= self.sets.len() {
            self.sets.resize_with(place + 1, Buckets::default);
        }
        let (hash, rehash) = (self.hash(values), rehash(self.start));
        self.sets[place].id_tag = tag;
        self.sets[place].insert(hash, pin, rehash);
    }

    /// Drops the pins of removed series.
    fn forget_removed(&mut self) {
        let removals = removals_to_follow();
        if self.forgotten != removals {
            self.forgotten = removals;
            let rehash = rehash(self.start);
            self.sets.iter_mut().for_each(|set| set.forget_removed(&rehash));
        }
    }
}

impl Buckets {
    #[inline(always)]
    fn find<V>(&self, hash: u64, values: &V) -> Option<(u32, &Pin)>
    where
        V: Fn(&mut dyn FnMut(&str)) + ?Sized,
    {
        let mask = self.buckets.len().checked_sub(1)?;
        let mut place = hash as usize & mask;
        loop {
            let bucket = &self.buckets[place];
            let mut lanes = bucket.lanes(hash);
            while lanes != 0 {
                let lane = (lanes.trailing_zeros() / Bucket::TAG_BITS) as usize % Bucket::LEN;
                if let Some(pin) = &bucket.pins[lane]
                    && holds(pin.series().key(), values)
                {
                    return Some((bucket.ids[lane], pin));
                }
                lanes &= lanes - 1;
            }
            if !bucket.is_full() {
                return None;
            }
            place = (place + 1) & mask;
        }
    }

    fn insert(&mut self, hash: u64, pin: Pin, rehash: impl Fn(&Pin) -> u64) {
        // At most five eighths full, so that few buckets overflow.
        if (self.len + 1) * 8 > self.buckets.len() * Bucket::LEN * 5 {
            self.rebuild((self.buckets.len() * 2).max(4), rehash, |_| true);
        }
        self.place(hash, pin);
    }

    fn place(&mut self, hash: u64, pin: Pin) {
        let mask = self.buckets.len() - 1;
        let mut place = hash as usize & mask;
        while self.buckets[place].is_full() {
            place = (place + 1) & mask;
        }
        self.buckets[place].add(hash, pin, self.id_tag);
        self.len += 1;
    }

    fn forget_removed(&mut self, rehash: impl Fn(&Pin) -> u64) {
        let mut pins = self.buckets.iter().flat_map(|bucket| bucket.pins.iter().flatten());
        if pins.any(|pin| pin.series().is_removed()) {
            let pins = self.buckets.iter().flat_map(|bucket| bucket.pins.iter().flatten());
            let n_left = pins.filter(|pin| !pin.series().is_removed()).count();
            // No larger than needed: a whole family may be gone.
            let room = match n_left {
                0 => 0,
                n => (n * 8).div_ceil(Bucket::LEN * 5).next_power_of_two().max(4),
            };
            self.rebuild(room.min(self.buckets.len()), rehash, |pin| !pin.series().is_removed());
        }
    }

    fn rebuild(&mut self, room: usize, rehash: impl Fn(&Pin) -> u64, keep: impl Fn(&Pin) -> bool) {
        let buckets = std::mem::replace(&mut self.buckets, vec![Bucket::default(); room]);
        self.len = 0;
        for pin in buckets.into_iter().flat_map(|bucket| bucket.pins).flatten().filter(keep) {
            self.place(rehash(&pin), pin);
        }
    }
}

impl Bucket {
    const LEN: usize = 4;
    const TAG_BITS: u32 = 16;

    /// The highest bit of each lane whose tag may be that of this hash. It is right for the lowest such
    /// lane; a lane above it may differ in its lowest bit ("Determine if a word has a zero byte",
    /// Warren, Hacker's Delight).
    #[inline(always)]
    fn lanes(&self, hash: u64) -> u64 {
        const ONES: u64 = 0x0001_0001_0001_0001;
        let differences = self.tags ^ tag(hash).wrapping_mul(ONES);
        differences.wrapping_sub(ONES) & !differences & ONES << (Self::TAG_BITS - 1)
    }

    #[inline(always)]
    fn is_full(&self) -> bool {
        self.pins[Self::LEN - 1].is_some()
    }

    /// Adds a series to a bucket that is not full.
    fn add(&mut self, hash: u64, pin: Pin, id_tag: u32) {
        if let Some(lane) = self.pins.iter().position(Option::is_none) {
            let shift = lane as u32 * Self::TAG_BITS;
            self.tags = self.tags & !(0xffff << shift) | tag(hash) << shift;
            self.ids[lane] = pin.series().id | id_tag;
            self.pins[lane] = Some(pin);
        }
    }
}

/// The hash of the values of a series, with this initial state.
fn rehash(start: Hash) -> impl Fn(&Pin) -> u64 {
    move |pin| {
        let mut hash = start;
        decode(pin.series().key()).for_each(|value| hash.push(value.as_bytes()));
        hash.value()
    }
}

/// Bits that are not used to choose the bucket.
#[inline(always)]
fn tag(hash: u64) -> u64 {
    hash >> (64 - Bucket::TAG_BITS)
}

/// Whether `values` encode to `key`, without encoding them.
#[inline(always)]
fn holds<V: Fn(&mut dyn FnMut(&str)) + ?Sized>(key: &[u8], values: &V) -> bool {
    let mut rest = Some(key);
    values(&mut |value| rest = rest.and_then(|rest| strip_value(rest, value)));
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
    use crate::{cells::Space, metric::tests::open_family, series::Family, snapshot::Kind};

    fn look_up(family: &Family, values: &[&str]) -> u32 {
        let visit = |each: &mut dyn FnMut(&str)| values.iter().for_each(|value| each(value));
        with_series(family.open().unwrap(), visit, |id| id)
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

    #[test]
    fn a_bucket_finds_every_place_of_a_tag_and_a_false_one_only_above() {
        for tags in 0..4_u64.pow(4) {
            let tags =
                [0, 1, 2, 3].map(|lane| [0, 1, 0x8000, 0xffff][(tags >> (2 * lane) & 3) as usize]);
            let packed = tags.iter().rev().fold(0, |packed, tag| packed << 16 | tag);
            let bucket = Bucket { tags: packed, ..Bucket::default() };
            for asked in [0, 1, 0x7fff, 0x8000, 0xfffe, 0xffff] {
                let lanes = bucket.lanes(asked << 48 | 0x1234);
                let is_in = |lane: &usize| lanes >> (16 * lane + 15) & 1 == 1;
                let found: Vec<usize> = (0..4).filter(is_in).collect();
                let same: Vec<usize> = (0..4).filter(|&lane| tags[lane] == asked).collect();
                assert_eq!(found.first(), same.first(), "{tags:x?} {asked:x}");
                assert!(same.iter().all(|lane| found.contains(lane)));
            }
        }
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
