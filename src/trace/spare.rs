//! Records that have been exported, to be used again.
//!
//! What a thread fills and a worker frees goes through the allocator twice, and its memory from one
//! core to the other. So the worker lets go of a chunk as a whole, without touching its records, and a
//! thread that needs some takes a chunk: the one that was given back last, which caches still hold.

use std::mem;

use crate::sync::Mutex;

/// Chunks of records that nobody needs any more.
pub(super) struct Spare<T> {
    /// No lock is taken inside it, and no record dropped.
    kept: Mutex<Kept<T>>,
}

struct Kept<T> {
    chunks: Vec<(Vec<T>, usize)>, // With what they weighed.
    bytes: usize,
    /// The fewest chunks since the last trim: so many were not needed.
    n_idle: usize,
}

/// The most bytes of all chunks, by what their records weighed, and of one. Together with the room that
/// a record keeps they bound what is held. About what a queue of the default size holds.
const MOST_BYTES: usize = 32 << 20;
const MOST_CHUNK_BYTES: usize = 256 << 10;

impl<T> Spare<T> {
    pub(super) const fn new() -> Self {
        Self { kept: Mutex::new(Kept { chunks: Vec::new(), bytes: 0, n_idle: 0 }) }
    }

    /// Takes records that weighed `bytes`. What is too much to be kept is dropped.
    pub(super) fn keep(&self, mut records: Vec<T>, bytes: usize) {
        if records.is_empty() || bytes > MOST_CHUNK_BYTES {
            return;
        }
        let mut kept = self.kept.lock();
        if kept.bytes + bytes <= MOST_BYTES {
            kept.bytes += bytes;
            kept.chunks.push((mem::take(&mut records), bytes));
        }
        drop(kept); // Before the records are.
    }

    /// The chunk that was kept last, with what its records held.
    pub(super) fn take(&self) -> Option<Vec<T>> {
        let mut kept = self.kept.lock();
        let (records, bytes) = kept.chunks.pop()?;
        kept.bytes -= bytes;
        kept.n_idle = kept.n_idle.min(kept.chunks.len());
        Some(records)
    }

    /// Drops half of the chunks that were not needed since the last time. Called about once a second.
    pub(super) fn trim(&self) {
        let mut kept = self.kept.lock();
        let n = kept.n_idle.div_ceil(2);
        let dropped: Vec<_> = kept.chunks.drain(..n).collect();
        kept.bytes -= dropped.iter().map(|(_, bytes)| bytes).sum::<usize>();
        kept.n_idle = kept.chunks.len();
        drop(kept); // Before the records are.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(spare: &Spare<usize>) -> Vec<usize> {
        std::iter::from_fn(|| spare.take()).flatten().collect()
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_last_comes_first() {
        const MOST: usize = MOST_BYTES / MOST_CHUNK_BYTES;
        let spare = Spare::new();
        spare.keep(vec![0], MOST_CHUNK_BYTES + 1);
        spare.keep(Vec::new(), 0);
        (1..=MOST + 3).for_each(|n| spare.keep(vec![n], MOST_CHUNK_BYTES));
        assert_eq!(all(&spare), (1..=MOST).rev().collect::<Vec<_>>());
        spare.keep(vec![7], MOST_CHUNK_BYTES);
        assert_eq!(all(&spare), [7]);
    }

    #[test]
    fn what_is_not_needed_goes_the_oldest_first() {
        let spare = Spare::new();
        (0..8).for_each(|n| spare.keep(vec![n], 1));
        spare.trim(); // Kept since: nobody knows yet whether they are needed.
        for _ in 0..3 {
            let taken = spare.take().unwrap();
            spare.keep(taken, 1);
        }
        spare.trim();
        assert_eq!(all(&spare), [7, 6, 5, 4]);
        (0..8).for_each(|n| spare.keep(vec![n], 1));
        (0..8).for_each(|_| spare.trim());
        assert_eq!(all(&spare), [0; 0]);
    }
}
