//! A bounded set of texts, each with a permanent place: this turns open strings into a closed set.
//!
//! ```text
//! text ─ hash ─► slots: 0, or a place plus one ─► entries: hash and text
//! ```
//!
//! A look-up walks the slots from that of the hash on, without a lock. Texts are added under a lock and
//! never removed. There are twice as many slots as places, so a walk soon meets an empty one. Both
//! tables are arrays of zeros in the interner itself: a static costs no memory until it is used.

use std::{cell::Cell, fmt, sync::OnceLock};

use super::truncate;
use crate::{
    sync::{
        Mutex,
        atomic::{
            AtomicU32, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    util::hash,
};

/// At most `LIMIT` different texts, each with a permanent place below `LIMIT`.
///
/// First come, first served: once it is full, unknown texts get no place. A text is cut at a character
/// boundary so that it has at most [`MAX_VALUE_BYTES`](super::MAX_VALUE_BYTES) bytes. No text is ever
/// removed.
///
/// `#[label(intern = 64)]` on a field of [`Labels`](super::Labels) has one. Used directly, it turns a
/// text into a number that needs only one look-up:
///
/// # Examples
///
/// ```
/// use std::borrow::Cow;
/// use bellwether::label::{Interner, LabelValue};
///
/// static TENANTS: Interner<100> = Interner::new();
///
/// #[derive(Clone, Copy)]
/// struct Tenant(usize);
///
/// impl Tenant {
///     fn new(name: &str) -> Self {
///         Self(TENANTS.place(name).unwrap_or(100))
///     }
/// }
///
/// impl LabelValue for Tenant {
///     const CARDINALITY: Option<usize> = Some(101);
///
///     fn index(&self) -> usize {
///         self.0
///     }
///
///     fn visit(&self, each: &mut dyn FnMut(&str)) {
///         each(TENANTS.text(self.0).unwrap_or("other"));
///     }
///
///     fn at(index: usize) -> Cow<'static, str> {
///         TENANTS.text(index).unwrap_or("other").into()
///     }
/// }
///
/// let acme = Tenant::new("acme");
/// assert_eq!(acme.index(), 0);
/// assert_eq!(Tenant::at(0), "acme");
/// ```
pub struct Interner<const LIMIT: usize> {
    // Invariant: a slot is written once, after the entry that it names. Walks rely on this.
    slots: [[AtomicU32; 2]; LIMIT],
    entries: [OnceLock<Entry>; LIMIT],
    n_taken: AtomicU32,
    /// Guards adding: only its holder writes any of the above. No lock is taken inside it, and nothing
    /// is allocated.
    adding: Mutex<()>,
}

struct Entry {
    hash: u64,
    text: Box<str>,
}

impl<const LIMIT: usize> Interner<LIMIT> {
    /// An empty set.
    ///
    /// # Panics
    ///
    /// Panics unless `LIMIT` is in 1..=65,535. In a static, this is a compile error.
    #[must_use]
    pub const fn new() -> Self {
        assert!(LIMIT >= 1 && LIMIT <= 65_535, "an interner has 1 to 65,535 places");
        Self {
            slots: [const { [AtomicU32::new(0), AtomicU32::new(0)] }; LIMIT],
            entries: [const { OnceLock::new() }; LIMIT],
            n_taken: AtomicU32::new(0),
            adding: Mutex::new(()),
        }
    }

    /// Returns the place of `text`, and gives it one if it has none; `None` if all are taken.
    ///
    /// Allocates and takes a lock only for a new text while there is room. If that allocation itself
    /// adds a new text, because the allocator records, that text gets no place this time. Each `None`
    /// is counted, over all interners of the process, in `telemetry.labels.overflowed`.
    #[inline]
    pub fn place(&self, text: &str) -> Option<usize> {
        let text = truncate(text);
        let hash = hash::text(text);
        // Acquire, and before the walk: a thread that sees a full set then sees all of its texts.
        let is_full = self.n_taken.load(Acquire) as usize == LIMIT;
        match self.find(hash, text) {
            Ok(place) => Some(place),
            Err(_) if is_full => placeless(),
            Err(_) => self.add(hash, text).or_else(placeless),
        }
    }

    /// The text at `place`, if one has it.
    pub fn text(&self, place: usize) -> Option<&str> {
        let entry = self.entries.get(place)?;
        let known = entry.get().or_else(|| {
            // A place may arrive here before its text, through a cell that was only written relaxed.
            // The lock was released after the text was there.
            drop(self.adding.lock());
            entry.get()
        });
        known.map(|entry| &*entry.text)
    }

    /// How many texts have a place.
    pub fn len(&self) -> usize {
        self.n_taken.load(Relaxed) as usize
    }

    /// Whether no text has a place.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of `text`; if it has none, the slot where it can be added.
    #[inline]
    fn find(&self, hash: u64, text: &str) -> Result<usize, Option<&AtomicU32>> {
        let slots = self.slots.as_flattened();
        // The upper bits select the slot, by scaling, because the number of slots is not a power of
        // two.
        let start = ((u128::from(hash) * slots.len() as u128) >> 64) as usize;
        for slot in slots[start..].iter().chain(&slots[..start]) {
            // Acquire: the entry is visible once its place is.
            let Some(place) = slot.load(Acquire).checked_sub(1) else { return Err(Some(slot)) };
            let entry = self.entries[place as usize].get();
            if entry.is_some_and(|entry| entry.hash == hash && *entry.text == *text) {
                return Ok(place as usize);
            }
        }
        Err(None) // Not reached: half of the slots are empty.
    }

    #[cold]
    fn add(&self, hash: u64, text: &str) -> Option<usize> {
        let _turn = Turn::take()?;
        let entry = Entry { hash, text: text.into() };
        let _adding = self.adding.lock();
        let slot = match self.find(hash, text) {
            Ok(place) => return Some(place), // Another thread was faster.
            Err(slot) => slot?,
        };
        let place = self.n_taken.load(Relaxed);
        self.entries.get(place as usize)?.set(entry).ok()?;
        slot.store(place + 1, Release);
        // Release: pairs with the load in `place`.
        self.n_taken.store(place + 1, Release);
        Some(place as usize)
    }
}

impl<const LIMIT: usize> Default for Interner<LIMIT> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const LIMIT: usize> fmt::Debug for Interner<LIMIT> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interner").field("len", &self.len()).field("limit", &LIMIT).finish()
    }
}

/// How often a text had no place, in any interner of the process. It has its own cache line, so that
/// look-ups of known texts do not wait for those that count.
static PLACELESS: Lonely = Lonely(AtomicU64::new(0));

#[repr(align(128))]
struct Lonely(AtomicU64);

/// Counts one look-up of a text that has no place; returns `None`.
#[cold]
fn placeless() -> Option<usize> {
    PLACELESS.0.fetch_add(1, Relaxed);
    None
}

/// How many look-ups of texts ended without a place.
pub(crate) fn n_placeless() -> u64 {
    PLACELESS.0.load(Relaxed)
}

/// This thread's turn to add, which it can have only once: otherwise an allocator that records would
/// allocate endlessly, to add what it allocates.
struct Turn;

thread_local! {
    static IS_ADDING: Cell<bool> = const { Cell::new(false) };
}

impl Turn {
    fn take() -> Option<Self> {
        // Not `then_some`: what it is given is made, and dropped, in any case.
        (!IS_ADDING.replace(true)).then(|| Self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        IS_ADDING.set(false);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{HashMap, HashSet},
        sync::Barrier,
    };

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_thread_has_one_turn_at_a_time_however_often_it_asks() {
        let turn = Turn::take();
        assert!(turn.is_some() && Turn::take().is_none() && Turn::take().is_none());
        drop(turn);
        assert!(Turn::take().is_some());
    }

    proptest! {
        #[test]
        fn matches_a_map_that_takes_the_first_texts(
            texts in prop::collection::vec("[ab\u{0}é]{0,3}", 0..200),
        ) {
            let interner = Interner::<20>::new();
            let mut naive: HashMap<&str, usize> = HashMap::new();
            for text in &texts {
                let next = naive.len();
                if next < 20 {
                    naive.entry(text).or_insert(next);
                }
                prop_assert_eq!(interner.place(text), naive.get(text.as_str()).copied());
            }
            prop_assert_eq!(interner.len(), naive.len());
            for (text, place) in naive {
                prop_assert_eq!(interner.text(place), Some(text));
            }
        }
    }

    #[test]
    fn a_long_text_is_cut_and_its_place_is_that_of_what_is_left() {
        let interner = Interner::<2>::new();
        let long = "é".repeat(10_000);
        assert_eq!(interner.place(&long), Some(0));
        assert_eq!(interner.text(0), Some(truncate(&long)));
        assert_eq!(interner.place(truncate(&long)), Some(0));
        assert_eq!(interner.text(1), None);
        assert_eq!(interner.text(2), None);
    }

    #[test]
    fn threads_that_race_for_the_places_agree_on_them() {
        let interner = Interner::<50>::new();
        let start = Barrier::new(8);
        let race = |thread: usize| -> HashMap<String, Option<usize>> {
            start.wait();
            let texts = (0..100).map(|n| ((n * 7 + thread * 13) % 100).to_string());
            texts.map(|text| (text.clone(), interner.place(&text))).collect()
        };
        let seen: Vec<_> = std::thread::scope(|scope| {
            let race = &race;
            let threads: Vec<_> = (0..8).map(|thread| scope.spawn(move || race(thread))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let places: HashSet<usize> = seen[0].values().copied().flatten().collect();
        assert_eq!(places, (0..50).collect());
        for (text, place) in seen.iter().flatten() {
            assert_eq!(interner.place(text), *place, "{text}");
            assert_eq!(place.and_then(|place| interner.text(place)), place.map(|_| text.as_str()));
        }
    }

    #[test]
    fn a_text_without_a_place_is_counted() {
        let interner = Interner::<1>::new();
        interner.place("a");
        let before = n_placeless();
        assert_eq!([interner.place("b"), interner.place("b")], [None; 2]);
        assert!(n_placeless() >= before + 2, "other tests count too");
    }

    #[test]
    fn an_allocator_that_adds_while_a_text_is_added_gets_no_place() {
        let interner = Interner::<2>::new();
        let turn = Turn::take();
        assert_eq!(interner.place("from within"), None);
        drop(turn);
        assert_eq!(interner.place("from without"), Some(0));
    }
}
