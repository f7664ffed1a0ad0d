//! The series that an instrument has looked up before, by the attributes as they were given.

use std::{collections::HashMap, hash::Hash as _};

use ::opentelemetry::{KeyValue as TheirKeyValue, Value as TheirValue};
use parking_lot::RwLock;

use crate::{
    metric::bridge::removals,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    util::hash::{BuildHash, Hash},
};

/// The most entries of one instrument, and of all; arbitrary. A look-up beyond goes the long way, and ends
/// in the same series.
const MOST: usize = 4_096;
const MOST_OF_ALL: usize = 65_536;

/// The most bytes of the texts of an entry; arbitrary.
const MOST_BYTES: usize = 1_024;

/// Arbitrary: threads that look up different series seldom meet.
const SHARDS: usize = 8;

/// How many entries there are of all instruments. Relaxed: it publishes nothing but itself.
static N_OF_ALL: AtomicUsize = AtomicUsize::new(0);

/// Handles by attributes. Of two lists with one hash, only the first is kept.
pub(super) struct Cache<B>([RwLock<Shard<B>>; SHARDS]);

struct Shard<B> {
    by_hash: HashMap<u64, Entry<B>, BuildHash>,
    /// How many removals of series it has followed.
    followed: u64,
}

type Entry<B> = (Box<[TheirKeyValue]>, B);

impl<B> Cache<B> {
    pub(super) fn new() -> Self {
        let shard = || RwLock::new(Shard { by_hash: HashMap::default(), followed: 0 });
        Self(std::array::from_fn(|_| shard()))
    }

    /// Calls `record` with the handle of these attributes, if it is known; no other lock is taken inside,
    /// and no code of the user's runs.
    #[inline]
    pub(super) fn with(&self, attributes: &[TheirKeyValue], record: impl FnOnce(&B)) -> bool {
        let hash = hash(attributes);
        let shard = self.shard(hash).read();
        match shard.by_hash.get(&hash) {
            Some((own, handle)) if **own == *attributes => {
                record(handle);
                true
            }
            _ => false,
        }
    }

    /// Keeps the handle of these attributes, if there is room, and drops those of series that were removed:
    /// they would keep the memory of these.
    pub(super) fn keep(
        &self,
        attributes: &[TheirKeyValue],
        handle: B,
        is_removed: impl Fn(&B) -> bool,
    ) {
        if attributes.iter().map(weight).sum::<usize>() > MOST_BYTES {
            return;
        }
        let (hash, removals) = (hash(attributes), removals());
        let mut shard = self.shard(hash).write();
        let mut removed: Vec<(u64, Entry<B>)> = Vec::new();
        if shard.followed != removals {
            shard.followed = removals;
            removed.extend(shard.by_hash.extract_if(|_, (_, handle)| is_removed(handle)));
            N_OF_ALL.fetch_sub(removed.len(), Relaxed);
        }
        let has_room = shard.by_hash.len() < MOST / SHARDS && N_OF_ALL.load(Relaxed) < MOST_OF_ALL;
        if has_room && !shard.by_hash.contains_key(&hash) {
            N_OF_ALL.fetch_add(1, Relaxed);
            shard.by_hash.insert(hash, (attributes.into(), handle));
        }
        drop(shard);
        drop(removed); // Outside the lock: the last handle of a family that is gone frees its series.
    }

    fn shard(&self, hash: u64) -> &RwLock<Shard<B>> {
        &self.0[(hash >> 32) as usize % SHARDS]
    }
}

impl<B> Drop for Cache<B> {
    fn drop(&mut self) {
        let n: usize = self.0.iter_mut().map(|shard| shard.get_mut().by_hash.len()).sum();
        N_OF_ALL.fetch_sub(n, Relaxed);
    }
}

fn hash(attributes: &[TheirKeyValue]) -> u64 {
    let mut hash = Hash::new();
    attributes.iter().for_each(|attribute| attribute.hash(&mut hash));
    hash.value()
}

fn weight(attribute: &TheirKeyValue) -> usize {
    let value = match &attribute.value {
        TheirValue::String(text) => text.as_str().len(),
        TheirValue::Array(_) => MOST_BYTES, // Rare; how much they have is not asked for.
        _ => size_of::<TheirValue>(),
    };
    attribute.key.as_str().len().saturating_add(value)
}
