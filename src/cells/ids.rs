//! Ids: which numbers stand for which cells, and whose budget pays for them.
//!
//! A registry takes ids in blocks of a chunk, so that each chunk of cells belongs to one registry, and
//! deals them out to its families. What a family gives back goes to the next one of the same kind;
//! when the registry is gone, its blocks go to other registries.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
    sync::{Arc, LazyLock},
};

use super::{
    budget::{Account, Budget},
    busy::busy,
    directory::CHUNK,
    histogram::options::{self, Chosen},
    space::{CHOSEN, DISABLED, REFUSED, Space, TAGGED},
};
use crate::{snapshot::HistogramOptions, sync::Mutex};

/// What the ids of a block stand for.
#[derive(Clone, Debug)]
struct Block {
    account: Arc<Account>,
    /// How the histograms of the block keep their values, where that is not the default.
    chosen: Option<&'static Chosen>,
}

/// All blocks of one kind of cell, by the number of the block.
#[derive(Debug, Default)]
struct Blocks {
    taken: Vec<Option<Block>>,
    /// Neighbouring blocks that registries gave back together, by how many they are, and by the bytes
    /// that their cells take. A chosen histogram's cell stays what it is, so that these are told apart
    /// by their options.
    free: HashMap<(Option<usize>, u32), BTreeSet<Run>>,
}

/// The bytes that the cells of neighbouring blocks take, and the number of the first.
type Run = (u64, u32);

/// A block holds the ids of one chunk of cells.
const BLOCK: u32 = CHUNK as u32;

/// Guards all blocks. Nothing is locked inside it.
static ALL: LazyLock<Mutex<HashMap<(Space, bool), Blocks>>> = LazyLock::new(Mutex::default);

/// The account that pays for the cells of `id`, and how a chosen histogram of that id keeps its values.
pub(crate) fn block_of(space: Space, id: u32) -> Option<(Arc<Account>, Option<&'static Chosen>)> {
    let (space, is_chosen, place) = space.locate(id);
    let all = ALL.lock();
    let block = all.get(&(space, is_chosen))?.taken.get((place / BLOCK) as usize)?.as_ref()?;
    Some((block.account.clone(), block.chosen))
}

/// The ids of one registry.
#[derive(Debug)]
pub(crate) struct Ids {
    budget: Arc<Budget>,
    /// Guards what is dealt out; the lock of all blocks is taken inside it.
    lanes: Mutex<HashMap<(Space, Option<usize>), Lane>>,
}

/// The ids of one kind of cell.
#[derive(Debug, Default)]
struct Lane {
    /// Ids that families gave back, as the first ones of neighbours, by how many these are: nobody
    /// writes their cells, which are as new.
    free: HashMap<u32, Vec<u32>>,
    /// What is left of the newest block.
    rest: Range<u32>,
    /// The first id of neighbouring blocks that were taken together, and how many these are.
    blocks: Vec<(u32, u32)>,
}

impl Ids {
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, lanes: Mutex::default() }
    }

    /// The first of `len` neighbouring ids that no series has, for histograms with these options;
    /// [`DISABLED`] where none are left.
    pub(crate) fn reserve(&self, space: Space, options: HistogramOptions, len: u32) -> u32 {
        let chosen = (space == Space::Histogram).then(|| options::intern(options)).flatten();
        let mut lanes = self.lanes.lock();
        let lane = lanes.entry((space, chosen.map(key_of))).or_default();
        if let Some(first) = lane.free.get_mut(&len).and_then(Vec::pop) {
            return first;
        }
        if lane.rest.len() < len as usize {
            let n_blocks = len.div_ceil(BLOCK);
            let Some(first) = take_blocks(space, chosen, n_blocks, &self.budget) else {
                return DISABLED;
            };
            lane.free.entry(1).or_default().extend(lane.rest.clone());
            lane.blocks.push((first, n_blocks));
            lane.rest = first..first + n_blocks * BLOCK;
        }
        let first = lane.rest.start;
        lane.rest.start += len;
        first
    }

    /// Takes `len` neighbouring ids back, whose cells nobody writes and which are as new.
    pub(crate) fn give_back(&self, space: Space, options: HistogramOptions, first: u32, len: u32) {
        let chosen = (space == Space::Histogram).then(|| options::intern(options)).flatten();
        let mut lanes = self.lanes.lock();
        let lane = lanes.entry((space, chosen.map(key_of))).or_default();
        lane.free.entry(len).or_default().push(first);
    }
}

impl Drop for Ids {
    fn drop(&mut self) {
        let _busy = busy();
        for ((space, _), lane) in self.lanes.get_mut().drain() {
            give_blocks_back(space, &lane.blocks);
        }
    }
}

fn key_of(chosen: &'static Chosen) -> usize {
    std::ptr::from_ref(chosen).addr()
}

/// The first id of `n` neighbouring blocks.
fn take_blocks(
    space: Space,
    chosen: Option<&'static Chosen>,
    n: u32,
    budget: &Arc<Budget>,
) -> Option<u32> {
    let (base, end) = match (space, chosen) {
        (Space::Histogram, None) => (0, CHOSEN),
        (Space::Histogram, Some(_)) => (CHOSEN, REFUSED),
        _ => (0, TAGGED),
    };
    let mut all = ALL.lock();
    let blocks = all.entry((space, chosen.is_some())).or_default();
    let block = |account| Some(Block { account: Arc::new(account), chosen });
    // The lightest: a small registry need not begin with much.
    let free = blocks.free.get_mut(&(chosen.map(key_of), n));
    if let Some((held, number)) = free.and_then(BTreeSet::pop_first) {
        let rest = (1..n).map(|_| Account::new(budget.clone()));
        let accounts = std::iter::once(Account::of_held(budget.clone(), held)).chain(rest);
        for (taken, account) in blocks.taken[number as usize..].iter_mut().zip(accounts) {
            *taken = block(account);
        }
        return Some(base + number * BLOCK);
    }
    let first = u32::try_from(blocks.taken.len()).ok()?.checked_mul(BLOCK)?.checked_add(base)?;
    first.checked_add(n.checked_mul(BLOCK)?).filter(|after| *after < end)?;
    blocks.taken.extend((0..n).map(|_| block(Account::new(budget.clone()))));
    Some(first)
}

fn give_blocks_back(space: Space, runs: &[(u32, u32)]) {
    let mut all = ALL.lock();
    for &(first, n) in runs {
        let (space, is_chosen, place) = space.locate(first);
        let number = place / BLOCK;
        let blocks = all.entry((space, is_chosen)).or_default();
        let taken = blocks.taken.iter_mut().skip(number as usize).take(n as usize);
        let (mut held, mut chosen) = (0, None);
        for block in taken.filter_map(Option::take) {
            held += block.account.close();
            chosen = block.chosen;
        }
        blocks.free.entry((chosen.map(key_of), n)).or_default().insert((held, number));
    }
}
