//! Where records wait until they are handed to the sink, in order.
//!
//! ```text
//! threads ─ emit ─► shards ─ one is full, or collect() ─► all of them, sorted by time ─► sink
//! ```
//!
//! A thread writes to the shard that it was given, whose lock it mostly finds free. Whoever hands over
//! takes what is in all shards, so that what the sink gets at one time is later than what it got before:
//! but for records that were being made at that moment, lines of all threads are in the order of time.

use std::{cell::Cell, mem, sync::Arc, time::Duration};

use super::{LogRecord, fold, site};
use crate::{
    diagnostics,
    pipeline::Signal as _,
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    util::{catch::catch, per_process::PerProcess},
};

/// Takes records, some at a time and in order.
pub(crate) trait LogSink: Send + Sync {
    /// Takes `records`, which are never none; what is left in the vector is dropped. What is logged inside
    /// is not recorded.
    fn accept(&self, records: &mut Vec<LogRecord>);
}

/// How many shards: more than the threads that run at once on most machines. Arbitrary.
const SHARDS: usize = 16;

/// A shard with so many records, or bytes of them, is handed over.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 256 << 10;

/// A shard holds at most so many while another thread is handing over, and drops what is more.
const MOST: usize = 16 * BATCH;
const MOST_BYTES: usize = 16 * BATCH_BYTES;

/// How long a lock is waited for by those who collect. Holders run processors: these may be slow, and a
/// flush must return.
const PATIENCE: Duration = Duration::from_secs(1);

/// The records of this process. A forked child has none of its parent's.
static GATHERER: PerProcess<Gatherer> = PerProcess::new();

#[derive(Default)]
struct Gatherer {
    shards: [Shard; SHARDS],
    /// Held while records are handed over, so that they stay in order. The locks of shards are taken inside
    /// it, and the sink is called inside it, which must not log: the thread is marked.
    handing_over: Mutex<Vec<LogRecord>>,
    /// Who takes the records. No lock is taken inside it.
    sink: Mutex<Option<Sink>>,
    /// Relaxed: they publish nothing but themselves.
    n_lost: AtomicU64,
    n_reentrant: AtomicU64,
    n_suppressed: AtomicU64,
    n_truncated: AtomicU64,
}

#[derive(Clone)]
struct Sink {
    to: Arc<dyn LogSink>,
    folds: bool,
}

/// On a cache line pair of its own: its lock is another thread's from there on.
#[derive(Default)]
#[repr(align(128))]
struct Shard(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    records: Vec<LogRecord>,
    bytes: usize,
    /// Whether somebody takes what it gets.
    is_open: bool,
}

thread_local! {
    // Constant and without destructors, so that records of destructors and exit hooks come through.
    static SHARD: Cell<usize> = const { Cell::new(usize::MAX) };
    /// Whether this thread is in here: what an allocator or a sink logs meanwhile would wait for itself.
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
}

struct Inside(());

impl Inside {
    fn enter() -> Option<Self> {
        // Not `then_some`: what it is given is made, and dropped, in any case.
        (!IS_INSIDE.replace(true)).then(|| Self(()))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        IS_INSIDE.set(false);
    }
}

/// What became of records that came to no sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogCounts {
    /// Dropped because records came faster than they could be handed over, or when nobody took them any more.
    pub(crate) lost: u64,
    /// Made where a record was just being taken in, as by an allocator that logs.
    pub(crate) reentrant: u64,
    /// Suppressed by the limit of their call site.
    pub(crate) suppressed: u64,
    /// Texts that were cut, and attributes that were dropped.
    pub(crate) truncated: u64,
}

pub(crate) fn counts() -> LogCounts {
    let of = GATHERER.get();
    LogCounts {
        lost: of.n_lost.load(Relaxed),
        reentrant: of.n_reentrant.load(Relaxed),
        suppressed: of.n_suppressed.load(Relaxed),
        truncated: of.n_truncated.load(Relaxed),
    }
}

/// Counts a record that was dropped because it was made inside the making of others.
#[cfg(any(feature = "log", feature = "tracing"))]
pub(crate) fn count_reentrant() {
    GATHERER.get().n_reentrant.fetch_add(1, Relaxed);
}

/// Lets `to` take the records.
pub(super) fn open(to: Arc<dyn LogSink>, folds: bool) {
    let of = GATHERER.get();
    of.set_sink(Some(Sink { to, folds }));
    of.shards.iter().for_each(|shard| shard.0.lock().is_open = true);
}

/// Hands over what is there, for the last time: what comes later is refused, and counted.
pub(super) fn close() {
    let of = GATHERER.get();
    let inside = Inside::enter();
    let mut left = Vec::new();
    of.shards.iter().for_each(|shard| shard.close(&mut left));
    match of.handing_over.try_lock_for(PATIENCE) {
        Some(mut batch) => {
            batch.append(&mut left);
            of.add_suppressed(&mut batch);
            of.hand_over(&mut batch);
        }
        None => of.count_lost(left.len()),
    }
    of.set_sink(None);
    drop(inside);
}

/// Takes a record in. Counts it if there is no room.
pub(super) fn push(record: LogRecord) {
    let of = GATHERER.get();
    let Some(_inside) = Inside::enter() else {
        of.n_reentrant.fetch_add(1, Relaxed);
        return;
    };
    let n_cut = u64::from(record.truncated_texts()) + u64::from(record.dropped_attributes());
    if n_cut > 0 {
        of.n_truncated.fetch_add(n_cut, Relaxed);
    }
    match of.shards[shard()].push(record) {
        Pushed::Waits => {}
        Pushed::IsFull => of.hand_over_if_free(),
        Pushed::Refused(record) => {
            drop(record);
            of.count_lost(1);
        }
    }
}

/// Hands over what is there, and what stands for the records that were suppressed.
pub(super) fn collect() {
    let of = GATHERER.get();
    let Some(_inside) = Inside::enter() else { return };
    let Some(mut batch) = of.handing_over.try_lock_for(PATIENCE) else { return };
    of.add_suppressed(&mut batch);
    of.hand_over(&mut batch);
}

/// The shard of this thread: they take turns.
fn shard() -> usize {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    match SHARD.get() {
        usize::MAX => {
            let shard = NEXT.fetch_add(1, Relaxed) as usize % SHARDS;
            SHARD.set(shard);
            shard
        }
        shard => shard,
    }
}

enum Pushed {
    Waits,
    IsFull,
    /// It is dropped by the caller, outside the lock.
    Refused(LogRecord),
}

impl Shard {
    fn push(&self, record: LogRecord) -> Pushed {
        let weight = record.weight();
        let mut waiting = self.0.lock();
        if !waiting.is_open || waiting.records.len() >= MOST || waiting.bytes + weight > MOST_BYTES
        {
            return Pushed::Refused(record);
        }
        waiting.records.push(record);
        waiting.bytes += weight;
        let is_full = waiting.records.len() >= BATCH || waiting.bytes >= BATCH_BYTES;
        if is_full { Pushed::IsFull } else { Pushed::Waits }
    }

    fn take(&self, to: &mut Vec<LogRecord>) {
        let mut waiting = self.0.lock();
        to.append(&mut waiting.records);
        waiting.bytes = 0;
    }

    /// As [`take`](Self::take), and nothing gets in from here on.
    fn close(&self, to: &mut Vec<LogRecord>) {
        let mut waiting = self.0.lock();
        to.append(&mut waiting.records);
        *waiting = Waiting::default();
    }
}

impl Gatherer {
    fn set_sink(&self, sink: Option<Sink>) {
        let old = mem::replace(&mut *self.sink.lock(), sink);
        drop(old); // Outside the lock: it may be the last that holds the sink.
    }

    fn count_lost(&self, n: usize) {
        self.n_lost.fetch_add(n as u64, Relaxed);
    }

    /// Adds what stands for the records that were suppressed.
    fn add_suppressed(&self, batch: &mut Vec<LogRecord>) {
        for (site, n) in site::suppressed() {
            self.n_suppressed.fetch_add(n, Relaxed);
            batch.push(LogRecord::of_suppressed(site, n));
        }
    }

    /// Hands over unless another thread is at it: the shard has room until that has finished.
    fn hand_over_if_free(&self) {
        if let Some(mut batch) = self.handing_over.try_lock() {
            self.hand_over(&mut batch);
        }
    }

    /// `batch` is that of the lock. It may have records already.
    fn hand_over(&self, batch: &mut Vec<LogRecord>) {
        self.shards.iter().for_each(|shard| shard.take(batch));
        if batch.is_empty() {
            return;
        }
        let sink = self.sink.lock().clone();
        let Some(sink) = sink else {
            self.count_lost(batch.len());
            return batch.clear();
        };
        batch.sort_by_key(LogRecord::observed); // Stable: equal dates stay in order.
        if sink.folds {
            fold::duplicates(batch);
        }
        if let Err(panic) = catch(|| sink.to.accept(batch)) {
            self.count_lost(batch.len());
            diagnostics::report("logs", format_args!("the sink panicked: {panic}"));
        }
        batch.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::LogSeverity;

    #[test]
    fn a_shard_that_nobody_takes_has_a_bound_of_records_and_of_bytes_and_gives_back_what_is_more() {
        let n_kept = |n: usize, body: &dyn Fn() -> String| {
            let shard = Shard::default();
            shard.0.lock().is_open = true;
            let push = |_: &usize| {
                let record = LogRecord::new(LogSeverity::INFO, body());
                !matches!(shard.push(record), Pushed::Refused(_))
            };
            let n_kept = (0..n).filter(push).count();
            let mut taken = Vec::new();
            shard.take(&mut taken);
            assert_eq!(taken.len(), n_kept);
            assert!(push(&0), "there is room again");
            n_kept
        };
        assert_eq!(n_kept(MOST + 10, &String::new), MOST);
        let n_large = n_kept(200, &|| "x".repeat(60_000));
        assert_eq!(n_large, MOST_BYTES / (60_000 + 200)); // A record weighs less than 200 besides.
    }

    #[test]
    fn a_shard_that_is_closed_takes_nothing() {
        let shard = Shard::default();
        let record = || LogRecord::new(LogSeverity::INFO, "late");
        assert!(matches!(shard.push(record()), Pushed::Refused(_)));
        shard.0.lock().is_open = true;
        assert!(matches!(shard.push(record()), Pushed::Waits));
        let mut left = Vec::new();
        shard.close(&mut left);
        assert!(matches!(shard.push(record()), Pushed::Refused(_)) && left.len() == 1);
    }
}
