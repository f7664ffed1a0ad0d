//! Exemplars that need more room than a slot beside a cell: with labels of their own, and of sums.
//!
//! They are asked for one by one, by a call that says so or by an instrument that opted in, and then
//! only in sampled spans. So they may cost a lock, which no other record meets: one for each storage.

use std::{collections::HashMap, mem, sync::Arc};

use super::{
    budget::{Account, Room},
    busy::busy,
    ids::block_of,
    space::Space,
};
use crate::{
    snapshot::Exemplar,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// The exemplars of one storage.
#[derive(Debug, Default)]
pub(super) struct Exemplified {
    /// Whether there ever was one: most storages have none, and their readers take no lock.
    is_used: AtomicBool,
    /// By series. The lock of all blocks of ids is taken inside it.
    kept: Mutex<HashMap<(Space, u32), Kept>>,
}

/// The exemplars of one series.
#[derive(Debug, Default)]
struct Kept {
    /// One for each key.
    exemplars: Vec<(u32, Exemplar)>,
    /// For how many the registry's budget has paid.
    n_paid: usize,
    /// Which paid, if any.
    account: Option<Arc<Account>>,
}

/// How many a series has at most; the oldest goes first. As many as a histogram has slots.
const MOST: usize = 64;
/// What the budget pays for one: with its labels, of which each character has at most four bytes.
const BYTES: usize = 768;

impl Exemplified {
    /// Keeps `exemplar` as the newest with its key; `false` if there is no room for it. One that need
    /// not be kept does not wait for others.
    pub(super) fn keep(
        &self,
        series: (Space, u32),
        key: u32,
        exemplar: Exemplar,
        must: bool,
    ) -> bool {
        let kept = if must { Some(self.kept.lock()) } else { self.kept.try_lock() };
        let Some(mut kept) = kept else { return true };
        self.is_used.store(true, Relaxed);
        let Kept { exemplars, n_paid, account } = kept.entry(series).or_default();
        if let Some((_, known)) = exemplars.iter_mut().find(|(known, _)| *known == key) {
            *known = exemplar;
            return true;
        }
        if exemplars.len() == MOST {
            let oldest = (0..MOST).min_by_key(|&place| exemplars[place].1.taken());
            exemplars.swap_remove(oldest.unwrap_or_default());
        }
        if exemplars.len() == *n_paid {
            if account.is_none() {
                let (space, id) = series;
                *account = block_of(space, id).map(|(account, _)| account);
            }
            let room = account.as_deref().map_or(Room::unlimited(), Room::own);
            if !room.take(BYTES) {
                return false;
            }
            *n_paid += 1;
        }
        exemplars.push((key, exemplar));
        true
    }

    /// The exemplars of a series that lead to something, in no order.
    pub(super) fn of(&self, space: Space, id: u32) -> Vec<Exemplar> {
        // Relaxed: what is kept is found under the lock.
        if !self.is_used.load(Relaxed) {
            return Vec::new();
        }
        let _busy = busy();
        let kept = self.kept.lock();
        let exemplars = kept.get(&(space, id)).into_iter().flat_map(|kept| &kept.exemplars);
        let exemplars: Vec<_> = exemplars.map(|(_, exemplar)| exemplar.clone()).collect();
        drop(kept); // Whether a trace is exported is asked outside of the lock.
        exemplars.into_iter().filter_map(Exemplar::exported).collect()
    }

    /// All there are, by series.
    pub(super) fn all(&self) -> HashMap<(Space, u32), Vec<Exemplar>> {
        if !self.is_used.load(Relaxed) {
            return HashMap::new();
        }
        let _busy = busy();
        let kept = self.kept.lock();
        let exemplars = |kept: &Kept| kept.exemplars.iter().map(|(_, one)| one.clone()).collect();
        let mut all: HashMap<_, Vec<Exemplar>> =
            kept.iter().map(|(series, kept)| (*series, exemplars(kept))).collect();
        drop(kept); // As in `of`.
        for exemplars in all.values_mut() {
            *exemplars = mem::take(exemplars).into_iter().filter_map(Exemplar::exported).collect();
        }
        all
    }

    /// Forgets those of a series, and puts back what was paid for them.
    pub(super) fn forget(&self, space: Space, id: u32) {
        if self.is_used.load(Relaxed) {
            let kept = self.kept.lock().remove(&(space, id));
            drop(kept); // Outside the lock.
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(account) = &self.account {
            account.put_back(self.n_paid * BYTES);
        }
    }
}
