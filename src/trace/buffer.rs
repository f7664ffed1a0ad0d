//! The finished spans of a thread until they are handed over, and those that ended threads left.

use std::{cell::Cell, sync::Arc, time::Duration};

use super::{
    SpanRecord,
    finished::{Finished, Writer},
};
use crate::{
    pipeline::Signal as _,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    util::process,
};

/// The most spans of a batch, and their bytes; a span without attributes weighs 128.
pub(super) const BATCH_SPANS: usize = 256;
const BATCH_BYTES: usize = 128 * 1024;
/// The most spans that are open at a time, and recorded: arbitrary, far beyond honest use, and with some
/// attributes each a bound of about 100 MiB for those that are leaked.
const MOST_OPEN: u64 = 1 << 18;
/// After how many more open spans of a thread those of all threads are counted.
const COUNT_EVERY: i64 = 1 << 10;
/// How long a lock of an inherited buffer is tried for. No holder keeps one for a millisecond.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

/// The finished spans of a thread, on the thread's side.
pub(super) struct Buffer {
    writer: Writer<SpanRecord>,
    shared: Arc<Shared>,
    bytes: usize,    // Of the spans that were added since its thread took them.
    generation: u32, // As in `shared`, at hand.
    /// At how many open spans of this thread those of all threads are counted again.
    count_at: Cell<i64>,
}

/// The finished spans of a thread, as others see them.
pub(super) struct Shared {
    finished: Arc<Finished<SpanRecord>>,
    handing_over: HandingOver,
    /// How many more recorded spans have started than ended on the thread, which alone writes it. All
    /// accesses are relaxed: it publishes nothing but itself.
    n_open: AtomicI64,
    generation: u32, // Of the process in which they end.
}

/// Held by a thread while it takes out what is in a buffer and hands it over, so that the spans of a thread
/// are handed over in order; an empty vector for that. It stays with the buffer: another core's would have to
/// come over line by line (bench span). Of the crate's locks, that of the buffer is taken inside it, and
/// whichever the sink takes.
#[derive(Default)]
struct HandingOver(Mutex<Vec<SpanRecord>>);

impl Buffer {
    pub(super) fn new() -> Self {
        let writer = Writer::new(BATCH_SPANS);
        let (finished, generation) = (writer.finished().clone(), process::generation());
        let handing_over = HandingOver::default();
        let shared = Shared { finished, handing_over, n_open: AtomicI64::new(0), generation };
        let count_at = Cell::new(COUNT_EVERY);
        Self { writer, shared: Arc::new(shared), bytes: 0, generation, count_at }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Whether it is that of a thread of the process that this one was forked from, which delivers what
    /// is in it.
    #[inline]
    pub(super) fn is_inherited(&self) -> bool {
        self.generation != process::generation()
    }

    /// Counts a recorded span that starts; `false` if too many are open, so that it may not be recorded.
    /// `n_all` counts those of all threads.
    #[inline(always)]
    pub(super) fn count_start(&self, n_all: impl FnOnce() -> u64) -> bool {
        let n_open = self.shared.n_open.load(Relaxed);
        if n_open >= self.count_at.get() && !self.is_room(n_open, n_all) {
            return false;
        }
        self.shared.n_open.store(n_open + 1, Relaxed);
        true
    }

    /// Whether another span may be open.
    #[cold]
    #[inline(never)]
    fn is_room(&self, n_open: i64, n_all: impl FnOnce() -> u64) -> bool {
        let is_room = n_all() < MOST_OPEN;
        // Spans that end on other threads stay in the count of this one: only the sum says something.
        self.count_at.set(if is_room { n_open + COUNT_EVERY } else { n_open });
        is_room
    }

    /// Counts one that has ended, wherever it started.
    #[inline(always)]
    pub(super) fn count_end(&self) {
        let n_open = self.shared.n_open.load(Relaxed) - 1;
        self.shared.n_open.store(n_open, Relaxed);
        // A thread that ends the spans of others is far below zero, and is to be counted all the same.
        if n_open + 2 * COUNT_EVERY < self.count_at.get() {
            self.count_at.set(n_open + COUNT_EVERY);
        }
    }

    /// Adds a span; whether it must be handed over then. Where there is no room, the span is given back.
    #[inline]
    pub(super) fn push(&mut self, span: SpanRecord) -> Result<bool, SpanRecord> {
        self.bytes += span.weight();
        let is_full = self.writer.push(span)?;
        Ok(is_full || self.bytes >= BATCH_BYTES)
    }

    /// Moves the spans to the end of `to`.
    pub(super) fn take(&mut self, to: &mut Vec<SpanRecord>) {
        self.bytes = 0;
        self.writer.take_all(to);
    }
}

impl Shared {
    /// How many more recorded spans have started than ended on the thread.
    pub(super) fn n_open(&self) -> i64 {
        self.n_open.load(Relaxed)
    }

    /// Hands over what is there, by `hand_over`, for another thread; what was taken out before is handed over
    /// then. The parent of a forked child delivers what it inherited.
    pub(super) fn collect(&self, hand_over: impl FnOnce(&mut Vec<SpanRecord>)) {
        if self.generation != process::generation() {
            return;
        }
        if let Some(mut batch) = self.handing_over.0.try_lock_for(PATIENCE) {
            self.finished.collect(&mut batch);
            if !batch.is_empty() {
                hand_over(&mut batch);
            }
        }
    }

    /// Hands over what `take` moves to a vector, by `hand_over`.
    pub(super) fn hand_over(
        &self,
        take: impl FnOnce(&mut Vec<SpanRecord>),
        hand_over: impl FnOnce(&mut Vec<SpanRecord>),
    ) {
        let mut batch = self.handing_over.0.lock();
        batch.reserve_exact(BATCH_SPANS);
        take(&mut batch);
        hand_over(&mut batch);
    }

    /// Waits for whoever took spans out before and has not handed them over yet.
    pub(super) fn wait_until_handed_over(&self) {
        self.handing_over.wait();
    }
}

/// What ended threads left.
#[derive(Default)]
pub(super) struct Leftovers {
    /// No lock is taken inside it.
    spans: Mutex<Left>,
    handing_over: HandingOver,
}

#[derive(Default)]
struct Left {
    spans: Vec<SpanRecord>,
    generation: u32, // Of the process in which `spans` ended.
}

impl Leftovers {
    /// Takes over the spans that `add` moves to a vector; whether there are many now.
    pub(super) fn append(&self, add: impl FnOnce(&mut Vec<SpanRecord>)) -> bool {
        // With a limit because a forked child may inherit a lock that nobody there will open.
        let Some(mut left) = self.spans.try_lock_for(PATIENCE) else { return false };
        left.forget_parents();
        add(&mut left.spans);
        left.spans.len() >= BATCH_SPANS
    }

    /// Moves the spans to the end of `to`.
    pub(super) fn take(&self, to: &mut Vec<SpanRecord>) {
        if let Some(mut left) = self.spans.try_lock_for(PATIENCE) {
            left.forget_parents();
            to.append(&mut left.spans);
        }
    }

    /// Hands everything over by `hand_over`.
    pub(super) fn hand_over(&self, hand_over: impl FnOnce(&mut Vec<SpanRecord>)) {
        let mut batch = self.handing_over.0.lock();
        self.take(&mut batch);
        hand_over(&mut batch);
    }

    /// As [`Shared::wait_until_handed_over`].
    pub(super) fn wait_until_handed_over(&self) {
        self.handing_over.wait();
    }
}

impl Left {
    /// Drops what ended before a fork: the parent process delivers it.
    fn forget_parents(&mut self) {
        let generation = process::generation();
        if self.generation != generation {
            self.generation = generation;
            self.spans.clear();
        }
    }
}

impl HandingOver {
    fn wait(&self) {
        drop(self.0.try_lock_for(PATIENCE));
    }
}
