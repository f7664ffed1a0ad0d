//! One series of an open family: its values, its id, and its pins.
//!
//! An id stands for cells in every thread's table, so it may go to another series only when no thread
//! can write to those cells any more. A thread that can write holds a [`Pin`]: in a bound handle, or in
//! its look-up table. A removed series without pins is freed: the thread that notices sets its cells to
//! zero and frees its id. Dropping a pin *releases* what its holder wrote, and [`Series::is_pinned`]
//! *acquires* it, so that no late write follows the zeros. If the family is gone before a pin, the last
//! pin frees the series.

use std::{collections::BTreeMap, fmt, num::NonZeroU8, sync::Arc};

use crate::{
    cells::busy,
    clock::Ticks,
    label,
    sync::{
        Mutex, atomic,
        modelled::{
            AtomicU32,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
};

/// A series of an open family. Snapshots may hold it longer than its family does, for its values.
pub(crate) struct Series {
    pub(crate) id: u32,
    /// The number of pins, with the flags [`REMOVED`], between a removal and the next look-up, and
    /// [`ORPHANED`].
    pins: AtomicU32,
    /// When it was created, which is when its sums began.
    pub(crate) started: Ticks,
    key: Key,
}

/// The right to write to a series' cells: while a pin exists, no other series uses them.
pub(crate) struct Pin(Arc<Series>);

/// Label values in the encoding of `label::encode`. Short ones, which are most, are stored in place.
enum Key {
    /// `len` is the length plus one, so that it is never zero: zero marks a long key.
    Short {
        bytes: [u8; SHORT],
        len: NonZeroU8,
    },
    Long(Box<[u8]>),
}

/// With the length 40 bytes: two labels of 16 bytes each fit. More would be wasted for most series.
const SHORT: usize = 39;

/// A flag in the same word as the pins, which are never that many.
const REMOVED: u32 = 1 << 31;
/// Its family is gone: the last pin frees the series.
const ORPHANED: u32 = 1 << 30;
const PINS: u32 = ORPHANED - 1;

/// What to do when the last pin of an orphan is dropped, by the orphan's address. No lock is taken
/// inside it.
static ORPHANS: Mutex<BTreeMap<usize, End>> = Mutex::new(BTreeMap::new());

type End = Box<dyn FnOnce() + Send>;

impl Series {
    pub(crate) fn new(id: u32, started: Ticks, encoded: &[u8]) -> Self {
        Self { id, pins: AtomicU32::new(0), started, key: Key::new(encoded) }
    }

    /// A pin. The caller holds the family's lock, so that the series is not freed meanwhile.
    pub(crate) fn pin(self: &Arc<Self>) -> Pin {
        if self.pins.fetch_add(1, Relaxed) & REMOVED != 0 {
            self.unmark_removed();
        }
        Pin(self.clone())
    }

    /// Whether any thread may still write to the cells. If not, all writes are visible.
    pub(crate) fn is_pinned(&self) -> bool {
        self.pins.load(Acquire) & PINS > 0
    }

    /// Calls `end` when no thread can write to the cells any more: now, or when the last pin is
    /// dropped, on the thread that drops it. From here on the series must not be pinned.
    pub(crate) fn orphan(self: &Arc<Self>, end: impl FnOnce() + Send + 'static) {
        if self.is_pinned() {
            let (_busy, end): (_, End) = (busy(), Box::new(end));
            ORPHANS.lock().insert(self.place(), end);
            // Another thread may have dropped the last pin meanwhile.
            if self.pins.fetch_or(ORPHANED, AcqRel) & PINS == 0 {
                self.end();
            }
        } else {
            end();
        }
    }

    #[cold]
    fn end(&self) {
        let _busy = busy();
        self.pins.load(Acquire); // Acquires what other threads wrote before they dropped their pins.
        let end = ORPHANS.lock().remove(&self.place());
        end.into_iter().for_each(|end| end());
    }

    fn place(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Makes the threads that remember the series forget it.
    pub(crate) fn mark_removed(&self) {
        self.pins.fetch_or(REMOVED, Relaxed);
    }

    pub(crate) fn unmark_removed(&self) {
        self.pins.fetch_and(!REMOVED, Relaxed);
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.pins.load(Relaxed) & REMOVED != 0
    }

    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        match &self.key {
            Key::Short { bytes, len } => &bytes[..(usize::from(len.get()) - 1).min(SHORT)],
            Key::Long(bytes) => bytes,
        }
    }

    /// About how many bytes it costs besides its cells: itself, its key and its place in the family's
    /// map.
    pub(crate) fn weight(&self) -> usize {
        const PLACE: usize = 16; // A pointer and a control byte, at half to all of the load.
        let long = if let Key::Long(bytes) = &self.key { bytes.len() } else { 0 };
        size_of::<Self>() + 2 * size_of::<usize>() + long + PLACE
    }
}

impl label::Values for Series {
    fn encoded(&self) -> &[u8] {
        self.key()
    }
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Series").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Pin {
    #[inline(always)]
    pub(crate) fn series(&self) -> &Series {
        &self.0
    }
}

impl Clone for Pin {
    fn clone(&self) -> Self {
        // Relaxed: a thread that frees the series sees the pin from which this one is cloned.
        self.0.pins.fetch_add(1, Relaxed);
        Self(self.0.clone())
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let before = self.0.pins.fetch_sub(1, Release);
        if before & (ORPHANED | PINS) == ORPHANED | 1 {
            self.0.end();
        }
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Key {
    fn new(encoded: &[u8]) -> Self {
        let mut bytes = [0; SHORT];
        match bytes.get_mut(..encoded.len()) {
            Some(place) => {
                place.copy_from_slice(encoded);
                Self::Short { bytes, len: NonZeroU8::MIN.saturating_add(encoded.len() as u8) }
            }
            None => Self::Long(encoded.into()),
        }
    }
}

/// How often series were removed. A thread that has not followed all removals drops the pins of removed
/// series before its next look-up.
pub(crate) fn removals() -> u64 {
    REMOVALS.load(Relaxed)
}

/// As [`removals`], for a thread that will follow them: it sees which series were removed.
pub(super) fn removals_to_follow() -> u64 {
    REMOVALS.load(Acquire)
}

/// Makes every thread drop its pins of removed series before its next look-up.
pub(crate) fn forget_removed() {
    // Release: a thread that sees the number also sees the marks. Otherwise it would keep a pin that it
    // should drop, and find it under the number of another set.
    REMOVALS.fetch_add(1, Release);
}

/// Not part of a model. A thread that sees it late writes to a series that it still pins. A thread that
/// uses a set with a reused number has seen the count after the number.
static REMOVALS: atomic::AtomicU64 = atomic::AtomicU64::new(0);

#[cfg(not(bellwether_loom))]
const _: () = assert!(size_of::<Series>() <= 56, "a series costs 56 bytes and a reference count");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_any_length_is_what_was_given() {
        let bytes: Vec<u8> = (0..50).collect();
        for len in 0..=bytes.len() {
            let series = Series::new(7, Ticks::ORIGIN, &bytes[..len]);
            assert_eq!(series.key(), &bytes[..len]);
            assert_eq!(matches!(series.key, Key::Short { .. }), len <= SHORT);
        }
    }

    #[test]
    fn an_orphan_ends_with_its_last_pin_and_at_once_where_there_is_none() {
        let ended = Arc::new(AtomicU32::new(0));
        let end = |series: &Arc<Series>| {
            let ended = ended.clone();
            series.orphan(move || {
                ended.fetch_add(1, Relaxed);
            });
        };
        let series = Arc::new(Series::new(7, Ticks::ORIGIN, b""));
        let (first, second) = (series.pin(), series.pin());
        end(&series);
        drop(first);
        assert_eq!(ended.load(Relaxed), 0);
        drop(second);
        assert_eq!(ended.load(Relaxed), 1);
        end(&Arc::new(Series::new(7, Ticks::ORIGIN, b"")));
        assert_eq!(ended.load(Relaxed), 2);
        assert!(!ORPHANS.lock().contains_key(&series.place()));
    }

    #[test]
    fn a_removal_and_pins_do_not_disturb_each_other() {
        let series = Arc::new(Series::new(7, Ticks::ORIGIN, b""));
        let pin = series.pin();
        series.mark_removed();
        let other = pin.clone();
        drop(pin);
        assert!(series.is_removed() && series.is_pinned());
        drop(other);
        assert!(series.is_removed() && !series.is_pinned());
        let _pin = series.pin();
        assert!(!series.is_removed() && series.is_pinned());
    }
}
