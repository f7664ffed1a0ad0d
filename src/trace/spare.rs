//! Records that have been exported, to be used again.
//!
//! What a thread fills and a worker frees goes through the allocator twice, and its memory from one
//! core to the other. So the worker lets go of a chunk as a whole, without touching its records, and a
//! thread that needs some takes a part of a chunk: of those that it filled itself the one that was given
//! back last, of which its caches hold most.

use crate::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

/// Chunks of records that nobody needs any more.
pub(super) struct Spare<T> {
    /// By the thread that filled them. No lock is taken inside one, and no record dropped. They are only
    /// tried, for some microseconds: a forked child may inherit one that nobody there will open.
    shelves: [Mutex<Shelf<T>>; N_SHELVES],
    /// Relaxed, as `is_open`: they publish nothing but themselves.
    bytes: AtomicUsize,
    is_open: AtomicBool,
}

struct Shelf<T> {
    chunks: Vec<Chunk<T>>,
    /// The fewest chunks since the last trim: so many were not needed.
    n_idle: usize,
}

struct Chunk<T> {
    records: Vec<T>, // Never empty.
    bytes: usize,
}

/// So that a few threads seldom share one. Arbitrary.
const N_SHELVES: usize = 8;

/// The most records that a thread takes at once, and so keeps while it makes no spans. Arbitrary.
const TAKEN: usize = 32;

/// The most bytes of all chunks, by what their records weighed, and of one. About what a queue of the
/// default size holds. Threads hold [`TAKEN`] records each besides.
const MOST_BYTES: usize = 48 << 20;
const MOST_CHUNK_BYTES: usize = 256 << 10;

impl<T> Spare<T> {
    pub(super) const fn new() -> Self {
        let shelves = [const { Mutex::new(Shelf { chunks: Vec::new(), n_idle: 0 }) }; N_SHELVES];
        Self { shelves, bytes: AtomicUsize::new(0), is_open: AtomicBool::new(false) }
    }

    /// Keeps records from now on, or keeps none any more.
    pub(super) fn open(&self, is_open: bool) {
        self.is_open.store(is_open, Relaxed);
        if !is_open {
            self.drop_chunks(|shelf| shelf.chunks.len());
        }
    }

    /// Takes records that the thread of this number filled, and that weighed `bytes`. What is too much to
    /// be kept is dropped.
    pub(super) fn keep(&self, thread: usize, records: Vec<T>, bytes: usize) {
        let held = self.bytes.load(Relaxed);
        let is_too_much = bytes > MOST_CHUNK_BYTES || held + bytes > MOST_BYTES;
        if records.is_empty() || is_too_much || !self.is_open.load(Relaxed) {
            return;
        }
        if let Some(mut shelf) = open(&self.shelves[thread % N_SHELVES]) {
            self.bytes.fetch_add(bytes, Relaxed);
            shelf.chunks.push(Chunk { records, bytes });
        }
    }

    /// Moves some records to `to`, with what they held: of the chunk that was kept last of those that the
    /// thread of this number filled, or of others.
    pub(super) fn take(&self, thread: usize, to: &mut Vec<T>) {
        to.reserve(TAKEN);
        let mut shelves = (0..N_SHELVES).map(|n| &self.shelves[(thread + n) % N_SHELVES]);
        let taken = shelves.find_map(|shelf| open(shelf)?.take(to));
        if let Some((bytes, emptied)) = taken {
            self.bytes.fetch_sub(bytes, Relaxed);
            drop(emptied); // Outside the lock.
        }
    }

    /// Drops half of the chunks that were not needed since the last time. Called about once a second.
    pub(super) fn trim(&self) {
        self.drop_chunks(|shelf| shelf.n_idle.div_ceil(2));
    }

    /// Drops as many chunks of each shelf as this says, the oldest first.
    fn drop_chunks(&self, n: impl Fn(&Shelf<T>) -> usize) {
        for shelf in &self.shelves {
            let Some(mut shelf) = shelf.try_lock() else { continue };
            let n = n(&shelf);
            let dropped: Vec<_> = shelf.chunks.drain(..n).collect();
            shelf.n_idle = shelf.chunks.len();
            drop(shelf); // Before the records are.
            self.bytes.fetch_sub(dropped.iter().map(|chunk| chunk.bytes).sum(), Relaxed);
        }
    }
}

/// Locks a shelf, which others hold for less time than it is tried for.
fn open<T>(shelf: &Mutex<Shelf<T>>) -> Option<MutexGuard<'_, Shelf<T>>> {
    (0..1_000).find_map(|_| {
        let locked = shelf.try_lock();
        if locked.is_none() {
            std::hint::spin_loop();
        }
        locked
    })
}

impl<T> Shelf<T> {
    /// What the moved records weigh, and the chunk if it is empty now.
    fn take(&mut self, to: &mut Vec<T>) -> Option<(usize, Option<Chunk<T>>)> {
        let chunk = self.chunks.last_mut()?;
        let rest = chunk.records.len().saturating_sub(TAKEN);
        let bytes = chunk.bytes - chunk.bytes * rest / chunk.records.len();
        to.extend(chunk.records.drain(rest..));
        chunk.bytes -= bytes;
        let emptied = if rest == 0 { self.chunks.pop() } else { None };
        self.n_idle = self.n_idle.min(self.chunks.len());
        Some((bytes, emptied))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: usize = 3;

    fn opened() -> Spare<usize> {
        let spare = Spare::new();
        spare.open(true);
        spare
    }

    /// What is taken, in turn.
    fn all(spare: &Spare<usize>) -> Vec<usize> {
        let mut all = Vec::new();
        loop {
            let before = all.len();
            spare.take(OWN, &mut all);
            if all.len() == before {
                return all;
            }
        }
    }

    #[test]
    fn a_thread_takes_a_few_of_a_chunk_and_its_bytes_add_up() {
        let spare = opened();
        spare.keep(OWN, (0..100).collect(), 1_003);
        let mut taken = Vec::new();
        spare.take(OWN, &mut taken);
        assert_eq!(taken, (68..100).collect::<Vec<_>>());
        assert_eq!(all(&spare).len(), 68);
        assert_eq!(spare.bytes.load(Relaxed), 0);
    }

    #[test]
    fn one_that_is_not_open_keeps_nothing() {
        let spare = opened();
        spare.keep(OWN, vec![1], 1);
        spare.open(false);
        spare.keep(OWN, vec![2], 1);
        assert_eq!((all(&spare), spare.bytes.load(Relaxed)), (vec![], 0));
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_last_comes_first() {
        const MOST: usize = MOST_BYTES / MOST_CHUNK_BYTES;
        let spare = opened();
        spare.keep(OWN, vec![0], MOST_CHUNK_BYTES + 1);
        spare.keep(OWN, Vec::new(), 0);
        (1..=MOST + 3).for_each(|n| spare.keep(OWN, vec![n], MOST_CHUNK_BYTES));
        assert_eq!(all(&spare), (1..=MOST).rev().collect::<Vec<_>>());
        spare.keep(OWN, vec![7], MOST_CHUNK_BYTES);
        assert_eq!(all(&spare), [7]);
    }

    #[test]
    fn a_thread_takes_its_own_first_and_then_those_of_others() {
        let spare = opened();
        for thread in 0..2 * N_SHELVES {
            spare.keep(thread, vec![thread], 1);
        }
        let taken = all(&spare);
        assert_eq!(taken[..2], [OWN + N_SHELVES, OWN]);
        assert_eq!(taken.len(), 2 * N_SHELVES);
    }

    #[test]
    fn what_is_not_needed_goes_the_oldest_first() {
        let spare = opened();
        (0..8).for_each(|n| spare.keep(OWN, vec![n], 1));
        spare.trim(); // Kept since: nobody knows yet whether they are needed.
        for _ in 0..3 {
            let mut taken = Vec::new();
            spare.take(OWN, &mut taken);
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
