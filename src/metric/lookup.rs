//! From label values to a series: a table of the own thread, filled from the family's map on a miss.
//!
//! A look-up hashes the values, finds the entry and compares the contents: no lock, no allocation.
//! Only series below their family's limit are remembered, so the table is bounded by them.

use std::{cell::RefCell, sync::LazyLock};

use crate::label::truncate;

/// Hands label values over, one after the other; called more than once.
pub(crate) type Visit<'a> = &'a dyn Fn(&mut dyn FnMut(&str));

/// Label values as one key, and how many of them were cut.
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) truncated: u64,
}

/// The values, each after its length: no two lists of values have the same key.
pub(crate) fn encode(values: Visit<'_>) -> Encoded {
    let mut encoded = Encoded { bytes: Vec::new(), truncated: 0 };
    values(&mut |value| {
        let kept = truncate(value);
        encoded.truncated += u64::from(kept.len() < value.len());
        encoded.bytes.extend((kept.len() as u16).to_le_bytes());
        encoded.bytes.extend(kept.as_bytes());
    });
    encoded
}

/// The id of the series with these values, from this thread's table or else from `find`, which also
/// says whether it may be remembered.
pub(crate) fn cached(family: u32, values: Visit<'_>, find: impl FnOnce() -> (u32, bool)) -> u32 {
    let hash = hash(family, values);
    let found = TABLE.try_with(|table| table.try_borrow().ok()?.find(hash, family, values));
    if let Ok(Some(id)) = found {
        return id;
    }
    let (id, remember) = find();
    if remember {
        // A thread whose table is gone, or busy because an allocator records, looks up every time.
        let _ = TABLE.try_with(|table| {
            if let Ok(mut table) = table.try_borrow_mut() {
                table.insert(Entry { hash, family, id, key: encode(values).bytes.into() });
            }
        });
    }
    id
}

thread_local! {
    static TABLE: RefCell<Table> = const { RefCell::new(Table { entries: Vec::new(), len: 0 }) };
}

/// Open addressing, linear probing, at most three quarters full.
struct Table {
    entries: Vec<Option<Entry>>, // Invariant: the length is zero or a power of two.
    len: usize,
}

struct Entry {
    hash: u64,
    family: u32,
    id: u32,
    key: Box<[u8]>,
}

impl Table {
    fn find(&self, hash: u64, family: u32, values: Visit<'_>) -> Option<u32> {
        let mask = self.entries.len().checked_sub(1)?;
        let mut place = hash as usize & mask;
        while let Some(entry) = &self.entries[place] {
            if entry.hash == hash && entry.family == family && entry.holds(values) {
                return Some(entry.id);
            }
            place = (place + 1) & mask;
        }
        None
    }

    fn insert(&mut self, entry: Entry) {
        if (self.len + 1) * 4 > self.entries.len() * 3 {
            let room = (self.entries.len() * 2).max(16);
            let old = std::mem::take(&mut self.entries);
            self.entries.resize_with(room, || None);
            old.into_iter().flatten().for_each(|entry| self.place(entry));
        }
        self.place(entry);
        self.len += 1;
    }

    fn place(&mut self, entry: Entry) {
        let mask = self.entries.len() - 1;
        let mut place = entry.hash as usize & mask;
        while self.entries[place].is_some() {
            place = (place + 1) & mask;
        }
        self.entries[place] = Some(entry);
    }
}

impl Entry {
    /// Whether `values` encode to the key, without encoding them.
    fn holds(&self, values: Visit<'_>) -> bool {
        let mut rest = Some(&*self.key);
        values(&mut |value| {
            let value = truncate(value);
            rest = rest
                .and_then(|rest| rest.strip_prefix(&(value.len() as u16).to_le_bytes()))
                .and_then(|rest| rest.strip_prefix(value.as_bytes()));
        });
        rest.is_some_and(<[u8]>::is_empty)
    }
}

/// Multiply and fold, eight bytes at a time, from a random start: a caller who chooses label values
/// must not be able to choose collisions.
fn hash(family: u32, values: Visit<'_>) -> u64 {
    static SEED: LazyLock<u64> = LazyLock::new(|| {
        use std::hash::{BuildHasher as _, RandomState};
        RandomState::new().hash_one(0u8)
    });
    let mut state = fold(*SEED ^ u64::from(family), MULTIPLIER);
    values(&mut |value| {
        let bytes = truncate(value).as_bytes();
        state = fold(state ^ bytes.len() as u64, MULTIPLIER);
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            let word = u64::from_le_bytes(word.try_into().unwrap_or_default());
            state = fold(state ^ word, MULTIPLIER);
        }
        let mut last = [0; 8];
        last[..words.remainder().len()].copy_from_slice(words.remainder());
        state = fold(state ^ u64::from_le_bytes(last), MULTIPLIER);
    });
    state
}

/// 2^64 divided by the golden ratio, odd: spreads neighbouring inputs (Knuth, TAOCP 3, 6.4).
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_up(family: u32, values: &[&str], id: u32) -> u32 {
        cached(family, &|each| values.iter().for_each(|value| each(value)), || (id, true))
    }

    #[test]
    fn remembers_each_list_of_values_for_itself() {
        let lists: Vec<[String; 2]> = (0..500).map(|n| [format!("a{n}"), "b".repeat(n)]).collect();
        for round in [0, 1000] {
            for (n, [a, b]) in lists.iter().enumerate() {
                assert_eq!(look_up(7, &[a, b], round + n as u32), n as u32);
            }
        }
        assert_eq!(look_up(8, &["a1", "b"], 9999), 9999, "another family");
        assert_eq!(look_up(7, &["a1b", ""], 9998), 9998, "the same letters, divided elsewhere");
    }

    #[test]
    fn what_must_not_be_remembered_is_asked_for_again() {
        let values: Visit<'_> = &|each| each("overflow");
        assert_eq!(cached(9, values, || (1, false)), 1);
        assert_eq!(cached(9, values, || (2, false)), 2);
    }
}
