//! Where a thread puts what it has finished: written by that thread without a lock, and taken by
//! whoever collects.
//!
//! ```text
//!            taken          len
//!   ├──────────┼─────────────┼──────────────┤
//!    empty       whoever has   the writer's
//!                the lock
//! ```
//!
//! `len` only grows until the writer, with the lock held, has taken everything and begins anew. So a slot
//! below it is the lock's, one from there on the writer's, and the Release store of `len` hands it over.
//! `cargo bench --bench span` shows what a lock would cost in its place, beside the spans.
#![expect(unsafe_code, reason = "a slot is written without a lock, which each span would pay for")]

use std::{sync::Arc, time::Duration};

use crate::sync::modelled::{AtomicU64, Mutex, Ordering, UnsafeCell};

/// What one thread has finished, to be collected.
pub(super) struct Finished<T> {
    slots: Box<[UnsafeCell<Option<T>>]>,
    /// How many slots the writer has filled.
    len: AtomicU64,
    /// How many of these were taken. No lock is taken inside it.
    taken: Mutex<u64>,
}

// SAFETY: a slot is touched by one thread at a time: by the writer before `len` is beyond it, and by
// the holder of the lock afterwards. So sharing it passes items from thread to thread, never references
// to them.
unsafe impl<T: Send> Sync for Finished<T> {}

/// The right to write, of which there is one for each [`Finished`].
pub(super) struct Writer<T> {
    finished: Arc<Finished<T>>,
    len: u64, // As in `finished`: only this changes it.
}

/// How long the lock is tried for: a forked child may inherit one that nobody there will open. No
/// holder keeps it for a millisecond.
const PATIENCE: Duration = Duration::from_millis(100);

impl<T> Writer<T> {
    /// A place for `capacity` items, not zero, until they have to be [taken](Self::take_all).
    pub(super) fn new(capacity: usize) -> Self {
        let slots = (0..capacity).map(|_| UnsafeCell::new(None)).collect();
        let (len, taken) = (AtomicU64::new(0), Mutex::new(0));
        Self { finished: Arc::new(Finished { slots, len, taken }), len: 0 }
    }

    pub(super) fn finished(&self) -> &Arc<Finished<T>> {
        &self.finished
    }

    /// Adds an item; whether it is full then. One that is full refuses more, and gives them back.
    #[inline]
    pub(super) fn push(&mut self, item: T) -> Result<bool, T> {
        let Some(slot) = self.finished.slots.get(self.len as usize) else { return Err(item) };
        slot.with_mut(|slot| {
            // SAFETY: `len` is not beyond the slot, so that only the writer touches it, and `self` is
            // borrowed mutably.
            unsafe { *slot = Some(item) }
        });
        self.len += 1;
        // Release: who sees this length sees the item.
        self.finished.len.store(self.len, Ordering::Release);
        Ok(self.len == self.finished.slots.len() as u64)
    }

    /// Moves everything to the end of `to`, so that there is room again; `false` if the lock was not
    /// to be had.
    pub(super) fn take_all(&mut self, to: &mut Vec<T>) -> bool {
        let Some(mut taken) = self.finished.taken.try_lock_for(PATIENCE) else { return false };
        self.finished.take(&mut taken, to);
        *taken = 0;
        self.len = 0;
        // Relaxed: others read it with the lock held.
        self.finished.len.store(0, Ordering::Relaxed);
        true
    }
}

impl<T> Finished<T> {
    /// Moves everything to the end of `to`.
    pub(super) fn collect(&self, to: &mut Vec<T>) {
        if let Some(mut taken) = self.taken.try_lock_for(PATIENCE) {
            self.take(&mut taken, to);
        }
    }

    /// `taken` is that of this one's lock.
    fn take(&self, taken: &mut u64, to: &mut Vec<T>) {
        // Acquire: pairs with the store in `push`.
        let len = self.len.load(Ordering::Acquire);
        for slot in &self.slots[*taken as usize..len as usize] {
            // SAFETY: `len` is beyond the slot, so that the writer does not touch it before it has
            // had the lock, which this thread holds.
            let item = slot.with_mut(|slot| unsafe { (*slot).take() });
            to.extend(item);
        }
        *taken = len;
    }
}

#[cfg(all(test, not(bellwether_loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_pushed_is_taken_once_and_in_order(
            acts in prop::collection::vec(0u8..8, 0..60), capacity in 1usize..5,
        ) {
            let mut writer = Writer::new(capacity);
            let (mut pushed, mut taken, mut held) = (0, Vec::new(), 0);
            for act in acts {
                match act {
                    0 => prop_assert!(writer.take_all(&mut taken)),
                    1 | 2 => writer.finished().collect(&mut taken),
                    _ => match writer.push(pushed) {
                        Ok(is_full) => {
                            (pushed, held) = (pushed + 1, held + 1);
                            prop_assert_eq!(is_full, held == capacity);
                        }
                        Err(item) => {
                            prop_assert_eq!((item, held), (pushed, capacity));
                            continue;
                        }
                    },
                }
                if act == 0 {
                    held = 0;
                }
                if act < 3 {
                    prop_assert_eq!(&taken, &(0..pushed).collect::<Vec<_>>());
                }
            }
        }
    }

    #[test]
    fn a_thread_that_writes_and_one_that_collects_lose_nothing() {
        const N: u64 = if cfg!(miri) { 200 } else { 100_000 };
        let mut writer = Writer::new(16);
        let finished = writer.finished().clone();
        let (mut by_writer, mut by_collector) = (Vec::new(), Vec::new());
        std::thread::scope(|scope| {
            let writes = scope.spawn(move || {
                for item in 0..N {
                    if writer.push(Box::new(item)) == Ok(true) {
                        assert!(writer.take_all(&mut by_writer));
                    }
                }
                assert!(writer.take_all(&mut by_writer));
                by_writer
            });
            while !writes.is_finished() {
                finished.collect(&mut by_collector);
            }
            by_collector.extend(writes.join().unwrap());
        });
        by_collector.sort();
        assert!(by_collector.into_iter().map(|item| *item).eq(0..N));
    }

    #[test]
    fn what_is_not_taken_is_dropped_with_it() {
        let item = Arc::new(());
        let mut writer = Writer::new(2);
        assert!(writer.push(item.clone()).is_ok());
        drop(writer);
        assert_eq!(Arc::strong_count(&item), 1);
    }
}

#[cfg(all(test, bellwether_loom))]
mod loom_tests {
    use loom::thread;

    use super::*;

    #[test]
    fn a_collector_beside_the_writer_gets_each_item_once() {
        loom::model(|| {
            let mut writer = Writer::new(2);
            let finished = writer.finished().clone();
            let collector = thread::spawn(move || {
                let mut taken = Vec::new();
                finished.collect(&mut taken);
                finished.collect(&mut taken);
                taken
            });
            let mut all = Vec::new();
            for item in 0..3 {
                if writer.push(item) == Ok(true) {
                    assert!(writer.take_all(&mut all));
                }
            }
            assert!(writer.take_all(&mut all));
            all.extend(collector.join().unwrap());
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2]);
        });
    }
}
