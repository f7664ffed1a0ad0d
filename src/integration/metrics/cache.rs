//! The handles of series that were looked up before, so that a macro of the facade finds its own again
//! by the hash that its key has anyway.

use std::{collections::HashMap, sync::Arc};

use ::metrics::Key;
use parking_lot::RwLock;

use super::kind::Kind;
use crate::{
    metric::bridge::{Leads, leads, removals},
    util::hash::BuildHash,
};

/// The most handles of one kind. Arbitrary; a look-up beyond it goes the long way, and ends in the same
/// series.
const MOST: usize = 65_536;

/// The most bytes of the texts of a key that is kept; arbitrary.
const MOST_BYTES: usize = 1_024;

/// Arbitrary: threads that look up different series seldom meet.
const SHARDS: usize = 16;

/// Handles by their keys. Of two keys with one hash, only the first is kept.
pub(super) struct Cache<K: Kind>([RwLock<Shard<K>>; SHARDS]);

struct Shard<K: Kind> {
    by_hash: HashMap<u64, (Key, Arc<K::Handle>), BuildHash>,
    /// How many removals of series it has followed.
    followed: u64,
}

impl<K: Kind> Cache<K> {
    pub(super) fn new() -> Self {
        let shard = || RwLock::new(Shard { by_hash: HashMap::default(), followed: 0 });
        Self(std::array::from_fn(|_| shard()))
    }

    #[inline]
    pub(super) fn get(&self, key: &Key) -> Option<Arc<K::Handle>> {
        let hash = key.get_hash();
        let shard = self.shard(hash).read();
        let (own, handle) = shard.by_hash.get(&hash)?;
        (own == key).then(|| handle.clone())
    }

    /// Keeps the handle of `key`, if there is room, and drops those of series that were removed: they
    /// would keep the memory of these.
    pub(super) fn keep(&self, key: &Key, handle: &Arc<K::Handle>) {
        let labels = key.labels().map(|label| label.key().len() + label.value().len());
        if key.name().len() + labels.sum::<usize>() > MOST_BYTES {
            return;
        }
        let (hash, removals) = (key.get_hash(), removals());
        let mut shard = self.shard(hash).write();
        let mut removed = Vec::new();
        if shard.followed != removals {
            shard.followed = removals;
            let is_removed = |_: &u64, (_, handle): &mut (Key, Arc<K::Handle>)| {
                leads::<K>(K::bound(handle)) == Leads::Removed
            };
            removed.extend(shard.by_hash.extract_if(is_removed));
        }
        if shard.by_hash.len() < MOST / SHARDS {
            shard.by_hash.entry(hash).or_insert_with(|| (key.clone(), handle.clone()));
        }
        drop(shard);
        drop(removed); // Outside the lock: the last handle of a family that is gone frees its series.
    }

    /// How many handles there are.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|shard| shard.read().by_hash.len()).sum()
    }

    fn shard(&self, hash: u64) -> &RwLock<Shard<K>> {
        &self.0[(hash >> 32) as usize % SHARDS]
    }
}
