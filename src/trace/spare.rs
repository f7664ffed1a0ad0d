//! Records that have been exported, to be used again for other spans.
//!
//! What a thread fills and a worker frees goes through the allocator twice, and the memory from one
//! core to the other. So the worker lets go of a chunk as a whole, without touching its records, and a
//! thread that needs some takes a chunk: the one that was given back last, which caches still hold.

use super::SpanRecord;
use crate::sync::Mutex;

/// The most chunks that wait to be used again, and the bytes of one. Together with the room that a
/// record keeps they bound what is held: some 20 MB after spans with much content. Arbitrary.
const MOST_CHUNKS: usize = 32;
const MOST_CHUNK_BYTES: usize = 256 * 1024;

/// No lock is taken inside it, and no record dropped.
static SPARE: Mutex<Vec<Vec<SpanRecord>>> = Mutex::new(Vec::new());

/// Takes records that nobody needs any more, which weighed `bytes`.
pub(super) fn keep(records: Vec<SpanRecord>, bytes: usize) {
    if records.is_empty() || bytes > MOST_CHUNK_BYTES {
        return;
    }
    let mut spare = SPARE.lock();
    if spare.len() < MOST_CHUNKS {
        spare.push(records);
    } else {
        drop(spare); // The records are dropped outside the lock.
    }
}

/// Some records, whose content is that of former spans.
pub(super) fn take() -> Option<Vec<SpanRecord>> {
    SPARE.lock().pop()
}
