//! Records that have been exported, to be used again.
//!
//! What a thread fills and a worker frees goes through the allocator twice, and its memory from one
//! core to the other. So the worker lets go of a chunk as a whole, without touching its records, and a
//! thread that needs some takes a chunk: of those that it filled itself the one that was given back last,
//! which its caches still hold.

use crate::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Chunks of records that nobody needs any more.
pub(super) struct Spare<T> {
    /// By the thread that filled them. No lock is taken inside one, and no record dropped. They are only
    /// tried: a forked child may inherit one that nobody there will open.
    shelves: [Mutex<Shelf<T>>; N_SHELVES],
    /// Relaxed: it publishes nothing but itself.
    bytes: AtomicUsize,
}

struct Shelf<T> {
    chunks: Vec<(Vec<T>, usize)>, // With what they weighed.
    /// The fewest chunks since the last trim: so many were not needed.
    n_idle: usize,
}

/// So that a few threads seldom share one. Arbitrary.
const N_SHELVES: usize = 8;

/// The most bytes of all chunks, by what their records weighed, and of one. Together with the room that
/// a record keeps they bound what is held. About what a queue of the default size holds.
const MOST_BYTES: usize = 48 << 20;
const MOST_CHUNK_BYTES: usize = 256 << 10;

impl<T> Spare<T> {
    pub(super) const fn new() -> Self {
        let shelves = [const { Mutex::new(Shelf { chunks: Vec::new(), n_idle: 0 }) }; N_SHELVES];
        Self { shelves, bytes: AtomicUsize::new(0) }
    }

    /// Takes records that the thread of this number filled, and that weighed `bytes`. What is too much to
    /// be kept is dropped.
    pub(super) fn keep(&self, thread: usize, records: Vec<T>, bytes: usize) {
        let held = self.bytes.load(Relaxed);
        if records.is_empty() || bytes > MOST_CHUNK_BYTES || held + bytes > MOST_BYTES {
            return;
        }
        if let Some(mut shelf) = self.shelves[thread % N_SHELVES].try_lock() {
            self.bytes.fetch_add(bytes, Relaxed);
            shelf.chunks.push((records, bytes));
        }
    }

    /// The chunk that was kept last of those that the thread of this number filled, or of others, with
    /// what its records held.
    pub(super) fn take(&self, thread: usize) -> Option<Vec<T>> {
        let shelves = (0..N_SHELVES).map(|n| &self.shelves[(thread + n) % N_SHELVES]);
        let (records, bytes) = shelves.into_iter().find_map(|shelf| shelf.try_lock()?.take())?;
        self.bytes.fetch_sub(bytes, Relaxed);
        Some(records)
    }

    /// Drops half of the chunks that were not needed since the last time. Called about once a second.
    pub(super) fn trim(&self) {
        for shelf in &self.shelves {
            let Some(mut shelf) = shelf.try_lock() else { continue };
            let dropped = shelf.trim();
            drop(shelf); // Before the records are.
            let bytes = dropped.iter().map(|(_, bytes)| bytes).sum();
            self.bytes.fetch_sub(bytes, Relaxed);
        }
    }
}

impl<T> Shelf<T> {
    fn take(&mut self) -> Option<(Vec<T>, usize)> {
        let taken = self.chunks.pop();
        self.n_idle = self.n_idle.min(self.chunks.len());
        taken
    }

    fn trim(&mut self) -> Vec<(Vec<T>, usize)> {
        let dropped = self.chunks.drain(..self.n_idle.div_ceil(2)).collect();
        self.n_idle = self.chunks.len();
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: usize = 3;

    fn all(spare: &Spare<usize>) -> Vec<usize> {
        std::iter::from_fn(|| spare.take(OWN)).flatten().collect()
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_last_comes_first() {
        const MOST: usize = MOST_BYTES / MOST_CHUNK_BYTES;
        let spare = Spare::new();
        spare.keep(OWN, vec![0], MOST_CHUNK_BYTES + 1);
        spare.keep(OWN, Vec::new(), 0);
        (1..=MOST + 3).for_each(|n| spare.keep(OWN, vec![n], MOST_CHUNK_BYTES));
        assert_eq!(all(&spare), (1..=MOST).rev().collect::<Vec<_>>());
        spare.keep(OWN, vec![7], MOST_CHUNK_BYTES);
        assert_eq!(all(&spare), [7]);
    }

    #[test]
    fn a_thread_takes_its_own_first_and_then_those_of_others() {
        let spare = Spare::new();
        for thread in 0..2 * N_SHELVES {
            spare.keep(thread, vec![thread], 1);
        }
        let taken = all(&spare);
        assert_eq!(taken[..2], [OWN + N_SHELVES, OWN]);
        assert_eq!(taken.len(), 2 * N_SHELVES);
    }

    #[test]
    fn what_is_not_needed_goes_the_oldest_first() {
        let spare = Spare::new();
        (0..8).for_each(|n| spare.keep(OWN, vec![n], 1));
        spare.trim(); // Kept since: nobody knows yet whether they are needed.
        for _ in 0..3 {
            let taken = spare.take(OWN).unwrap();
            spare.keep(OWN, taken, 1);
        }
        spare.trim();
        assert_eq!(all(&spare), [7, 6, 5, 4]);
        (0..8).for_each(|n| spare.keep(OWN, vec![n], 1));
        (0..8).for_each(|_| spare.trim());
        assert_eq!(all(&spare), [0; 0]);
        assert_eq!(spare.bytes.load(Relaxed), 0);
    }
}
