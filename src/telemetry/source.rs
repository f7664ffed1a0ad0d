//! The way of a signal's records to its routes: through the processors, then to every pipe.

use std::{cell::Cell, mem};

use crate::{
    context, diagnostics,
    pipeline::{Chunk, Pipe, Processor, Signal},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    util::{catch::catch, process},
};

/// The processors and the pipes of one signal.
pub(super) struct Source<S: Signal> {
    processors: Vec<Box<dyn Processor<S>>>,
    pub(super) pipes: Vec<Pipe<S>>,
    /// All are relaxed: they publish nothing but themselves.
    n_filtered: AtomicU64,
    n_panicked: AtomicU64,
    n_unclaimed: AtomicU64,
    generation: u32, // Of the process that started it.
}

impl<S: Signal> Source<S> {
    pub(super) fn new(processors: Vec<Box<dyn Processor<S>>>, pipes: Vec<Pipe<S>>) -> Self {
        let [n_filtered, n_panicked, n_unclaimed] = [const { AtomicU64::new(0) }; 3];
        let generation = process::generation();
        Self { processors, pipes, n_filtered, n_panicked, n_unclaimed, generation }
    }

    /// Whether records have any effect.
    pub(super) fn is_used(&self) -> bool {
        // In a forked child a queue's lock may be held by a thread that stayed behind.
        !self.pipes.is_empty() && !self.is_inherited()
    }

    /// Whether it is that of the process that this one was forked from.
    pub(super) fn is_inherited(&self) -> bool {
        self.generation != process::generation()
    }

    /// Offers the records to every pipe; they are shared, not copied.
    pub(super) fn offer(&self, records: &mut Vec<S>) {
        if self.is_used() && self.process(records) {
            self.push(records);
        }
    }

    /// Offers what the processors have had to every pipe.
    pub(super) fn push(&self, records: &mut Vec<S>) {
        let chunk: Chunk<S> = mem::take(records).into();
        self.pipes.iter().for_each(|pipe| pipe.push(chunk.clone()));
    }

    /// Lets the processors change `records`; returns whether any are left.
    pub(super) fn process(&self, records: &mut Vec<S>) -> bool {
        if self.processors.is_empty() {
            return !records.is_empty();
        }
        let (_muted, _processing) = (context::mute(), Processing::begin());
        let n = records.len();
        for processor in &self.processors {
            if records.is_empty() {
                break;
            }
            if let Err(panic) = catch(|| processor.process(records)) {
                // Half processed, they may contain what must not be exported.
                let n = mem::take(records).len();
                self.n_panicked.fetch_add(n as u64, Relaxed);
                let text = format_args!("{n} {} dropped: it panicked: {panic}", S::NAME);
                diagnostics::report("processor", text);
                return false;
            }
        }
        records.truncate(n);
        self.n_filtered.fetch_add((n - records.len()) as u64, Relaxed);
        !records.is_empty()
    }

    /// Counts records that no route takes.
    pub(super) fn leave_unclaimed(&self, records: &[S]) {
        self.n_unclaimed.fetch_add(records.len() as u64, Relaxed);
    }

    /// How many records there were that no route takes.
    pub(super) fn n_unclaimed(&self) -> u64 {
        self.n_unclaimed.load(Relaxed)
    }

    /// How many records processors removed, and how many were lost to their panics.
    pub(super) fn dropped(&self) -> [(&'static str, u64); 2] {
        let counts = (self.n_filtered.load(Relaxed), self.n_panicked.load(Relaxed));
        [("filtered", counts.0), ("panic", counts.1)]
    }
}

/// Whether this thread is running a processor: a flush or a shutdown from there would wait for itself.
pub(super) fn is_processing() -> bool {
    IS_PROCESSING.get()
}

struct Processing {
    was: bool,
}

impl Processing {
    fn begin() -> Self {
        Self { was: IS_PROCESSING.replace(true) }
    }
}

impl Drop for Processing {
    fn drop(&mut self) {
        IS_PROCESSING.set(self.was);
    }
}

thread_local! {
    // Has no destructor, so that exit hooks can read it when other thread-locals are gone.
    static IS_PROCESSING: Cell<bool> = const { Cell::new(false) };
}
