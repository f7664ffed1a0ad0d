//! The records of open spans that others than their owners can read.
//!
//! The record of an open span belongs to its owner alone, so that nothing is locked when something is set
//! on it. That of a *watched* span is here instead: the owner has one that stands in for it, with the same
//! ids, and comes here for each change. So it can be said which spans are open, and how they stand.
//!
//! ```text
//! start ─► is it watched? ─ no ──► its owner has the record
//!             └ yes ─► the record is kept here; its owner has a stand-in
//!                        ▲ each change, by the owner     │ read by the tick and by flushes
//!                        └ taken back at the end,        ▼ which spans are overdue; copies to be exported
//!                          or given up before, by the tick
//! ```
//!
//! Which spans are watched is said in `watching.rs`.

use std::{array, collections::HashMap, sync::Arc, time::Duration};

use super::{
    SpanRecord,
    buffer::{BATCH_SPANS, PATIENCE},
};
use crate::{clock, context, context::SpanId, sync::Mutex, util::per_process::PerProcess};

/// Those of all tracers. A forked child has none of its parent's.
static WATCHED: PerProcess<Watched> = PerProcess::new();

struct Watched {
    /// By the first bits of their ids. No lock is taken inside one. They are tried for a while only: an
    /// allocator that uses spans may come here again.
    shards: [Mutex<HashMap<SpanId, Kept>>; 1 << SHARD_BITS],
}

/// A record that is kept; `None` once it was taken back. No lock is taken inside it, and none of a shard is
/// held meanwhile. It is tried for a while only, as a shard is: a copy is allocated under it.
type Kept = Arc<Mutex<Option<SpanRecord>>>;

/// So that threads seldom meet. Arbitrary.
const SHARD_BITS: u32 = 5;

impl Default for Watched {
    fn default() -> Self {
        Self { shards: array::from_fn(|_| Mutex::default()) }
    }
}

impl Watched {
    fn shard(&self, id: SpanId) -> &Mutex<HashMap<SpanId, Kept>> {
        &self.shards[(id.to_u64() >> (u64::BITS - SHARD_BITS)) as usize]
    }
}

/// Keeps the record of an open span, or gives it back if the table is not to be had.
pub(super) fn keep(id: SpanId, record: SpanRecord) -> Result<(), SpanRecord> {
    let watched = WATCHED.get();
    let Some(mut shard) = watched.shard(id).try_lock_for(PATIENCE) else { return Err(record) };
    shard.insert(id, Arc::new(Mutex::new(Some(record))));
    Ok(())
}

/// Calls `change` with the record of a watched span; with `None` if it is not kept here, or not to be had.
pub(super) fn with<R>(id: SpanId, change: impl FnOnce(Option<&mut SpanRecord>) -> R) -> R {
    let kept = find(id);
    match kept.as_ref().and_then(|kept| kept.try_lock_for(PATIENCE)) {
        Some(mut record) => change(record.as_mut()),
        None => change(None),
    }
}

/// Takes the record of a watched span out, for its end. One that is not to be had stays.
pub(super) fn take(id: SpanId) -> Option<SpanRecord> {
    let record = find(id)?.try_lock_for(PATIENCE)?.take();
    let shard = WATCHED.get().shard(id).try_lock_for(PATIENCE);
    drop(shard.and_then(|mut shard| shard.remove(&id)));
    record
}

fn find(id: SpanId) -> Option<Kept> {
    WATCHED.get().shard(id).try_lock_for(PATIENCE)?.get(&id).cloned()
}

/// Shows `see` the records of a tracer's watched spans, in no order. It must not use spans.
pub(super) fn each(tracer: u64, mut see: impl FnMut(&SpanRecord)) {
    let _muted = context::mute(); // An allocator that makes spans would come here again.
    for kept in WATCHED.get().shards.iter().flat_map(all_of) {
        if let Some(record) = &*kept.lock()
            && record.body().origin.tracer == tracer
        {
            see(record);
        }
    }
}

/// Hands copies of a tracer's watched spans over, as they stand now; `hand_over` leaves its vector empty.
pub(super) fn copy_each(tracer: u64, mut hand_over: impl FnMut(&mut Vec<SpanRecord>)) {
    let _muted = context::mute(); // As in `each`.
    let (now, mut batch) = (clock::now(), Vec::new());
    for kept in WATCHED.get().shards.iter().flat_map(all_of) {
        let of_tracer = |record: &&SpanRecord| record.body().origin.tracer == tracer;
        batch.extend(kept.lock().as_ref().filter(of_tracer).map(|record| record.as_it_stands(now)));
        if batch.len() >= BATCH_SPANS {
            hand_over(&mut batch); // With nothing locked.
        }
    }
    hand_over(&mut batch);
}

/// Takes out a tracer's watched spans that are older than `age`, and hands them over as they stand;
/// `hand_over` leaves its vector empty. How many there were.
pub(super) fn give_up(
    tracer: u64,
    age: Duration,
    mut hand_over: impl FnMut(&mut Vec<SpanRecord>),
) -> usize {
    let _muted = context::mute(); // As in `each`.
    let (now, mut old) = (clock::now(), Vec::new());
    each(tracer, |record| {
        if now.since(record.start()) > age {
            old.push(record.span_id());
        }
    });
    let (mut n, mut batch) = (0, Vec::new());
    for id in old {
        let Some(record) = take(id) else { continue }; // It has ended meanwhile.
        batch.push(record.as_it_stands(now));
        n += 1;
        if batch.len() >= BATCH_SPANS {
            hand_over(&mut batch);
        }
    }
    hand_over(&mut batch);
    n
}

/// What is in a shard now.
fn all_of(shard: &Mutex<HashMap<SpanId, Kept>>) -> Vec<Kept> {
    let shard = shard.try_lock_for(PATIENCE);
    shard.map(|shard| shard.values().cloned().collect()).unwrap_or_default()
}
