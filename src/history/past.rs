//! The samples of a registry's series, and windows on them.

use std::{fmt, time::Duration};

use super::{
    families::{FamilyRows, Memory, Named},
    sample::Sample,
    store::{RowId, Store, Traits},
    tier::{MARKS, TICKS, TIERS},
};
use crate::{clock::Ticks, label::LabelSet, snapshot::Snapshot};

/// The samples of a registry's series.
pub(crate) struct History {
    pub(super) store: Store,
    pub(super) families: Vec<FamilyRows>, // Sorted by name; several of one name differ in their heads.
    /// The places of the families that were read in place, in the order in which they came last.
    pub(super) order: Vec<usize>,
    pub(super) memory: Memory,
    budget_bytes: usize,
    /// Where the axis of the slots is.
    axis: Option<(Ticks, u64)>,
    started: Ticks,
    state: State,
}

/// Whether it keeps anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Keeping,
    /// So many series are more than the budget holds of a single tick.
    TooMany(usize),
}

/// Where a window begins.
#[derive(Clone, Debug)]
pub(crate) struct Earlier {
    /// All series at the beginning.
    pub(crate) at: Snapshot,
    /// All histograms, with all buckets, at the newest instant at or before it that has these.
    pub(crate) distributions: Snapshot,
}

impl History {
    /// An empty one, which takes at most about `budget_bytes`.
    pub(crate) fn new(budget_bytes: usize) -> Self {
        Self {
            store: Store::new(),
            families: Vec::new(),
            order: Vec::new(),
            memory: Memory::default(),
            budget_bytes,
            axis: None,
            started: Ticks::ORIGIN,
            state: State::Keeping,
        }
    }

    /// Begins a tick.
    pub(super) fn begin(&mut self, taken: Ticks, started: Ticks) {
        // Step by step, so that a refined rate of the clock does not reach back.
        let slot = match self.axis {
            Some((at, slot)) => slot + taken.nanos_since(at),
            None => taken.unix_nanos(),
        };
        (self.axis, self.started) = (Some((taken, slot)), started);
        self.store.begin(taken, slot);
    }

    /// Ends a tick. Answers how many series there are, if that has just become more than the budget
    /// holds: then nothing is kept.
    pub(super) fn finish(&mut self) -> Option<usize> {
        let tick = self.store.tick();
        let is_gone = |family: &&mut FamilyRows| family.seen != tick && !family.has_no_cells;
        for family in self.families.iter_mut().filter(is_gone) {
            family.end(&mut self.store);
        }
        let is_mark = self.store.is_mark();
        self.store.finish();
        if is_mark {
            self.store.trim();
            self.retire();
        }
        self.keep_budget()
    }

    /// A series without cells, such as a rule writes: it has samples only where they are
    /// [added](Self::add).
    #[cfg_attr(not(test), expect(dead_code, reason = "rules that record will write so"))]
    pub(crate) fn series(&mut self, family: Named<'_>, labels: &LabelSet) -> RowId {
        let place = self.find(family, None);
        let family = &mut self.families[place];
        family.has_no_cells = true;
        let found = family.rows.binary_search_by(|&row| self.store.row(row).labels.cmp(labels));
        found.map(|place| family.rows[place]).unwrap_or_else(|place| {
            let traits = Traits {
                form: family.head.form,
                is_sparse: true,
                is_gauge: false,
                has_buckets: false,
            };
            let row = self.store.add_row(labels.clone(), self.started, traits);
            self.store.list(row);
            family.rows.insert(place, row);
            row
        })
    }

    /// Adds a sample of a series without cells at the newest tick, of a sum that began at `start`.
    #[cfg_attr(not(test), expect(dead_code, reason = "rules that record will write so"))]
    pub(crate) fn add(&mut self, row: RowId, start: Ticks, sample: Sample<'_>) {
        self.store.set_start(row, start);
        match sample {
            Sample::Bits(bits) => self.store.add_bits(row, bits),
            Sample::Histogram(layout, cells) => {
                self.store.add_histogram(row, cells.count(), layout, cells);
            }
        }
        self.store.finish_row(row);
    }

    /// Ends a series without cells: from the newest tick on it has no sample, until one is added.
    #[cfg_attr(not(test), expect(dead_code, reason = "rules that record will write so"))]
    pub(crate) fn end(&mut self, row: RowId) {
        self.store.end(row);
        self.store.finish_row(row);
    }

    /// Lets go of rows and families that have nothing left.
    fn retire(&mut self) {
        let tick = self.store.tick();
        let n_families = self.families.len();
        self.families.retain_mut(|family| {
            family.rows.retain(|&row| !self.store.retire(row));
            !family.rows.is_empty() || family.seen == tick
        });
        if self.families.len() < n_families {
            self.order.clear();
        }
    }

    fn keep_budget(&mut self) -> Option<usize> {
        if self.store.weight() <= self.budget_bytes {
            self.state = State::Keeping;
            return None;
        }
        while self.store.weight() > self.budget_bytes {
            if !self.store.give_up() {
                return self.forget();
            }
            self.retire();
        }
        None
    }

    /// Begins with nothing: a single tick of all series is more than the budget.
    fn forget(&mut self) -> Option<usize> {
        let n_series = self.store.n_rows();
        let is_new = self.state == State::Keeping;
        *self = Self { axis: self.axis, started: self.started, ..Self::new(self.budget_bytes) };
        self.state = State::TooMany(n_series);
        is_new.then_some(n_series)
    }

    /// The place of a family that is there at this tick.
    pub(super) fn find(
        &mut self,
        Named { name, help, head, page_bounds }: Named<'_>,
        hint: Option<usize>,
    ) -> usize {
        let is_it = |family: &FamilyRows| family.head == head && family.name == *name;
        let hinted = hint.filter(|&place| self.families.get(place).is_some_and(is_it));
        let place = hinted.unwrap_or_else(|| {
            let first = self.families.partition_point(|family| family.name < *name);
            let same = self.families[first..].iter().take_while(|family| family.name == *name);
            same.clone().position(is_it).map_or_else(
                || {
                    self.families.insert(first, FamilyRows::new(name.clone(), head, page_bounds));
                    self.order.iter_mut().for_each(|place| *place += usize::from(*place >= first));
                    first
                },
                |nth| first + nth,
            )
        });
        let family = &mut self.families[place];
        (family.seen, family.page_bounds) = (self.store.tick(), page_bounds);
        if family.help != *help {
            family.help = help.clone();
        }
        place
    }

    /// Where a window that ends at `later` and is `length` long begins: at the newest instant that is
    /// old enough, in the finest tier that has one, or else at the oldest instant there is. `None`
    /// where nothing is kept.
    pub(crate) fn before(&mut self, later: Ticks, length: Duration) -> Option<Earlier> {
        self.store.settle();
        let tiers = &self.store.tiers;
        let old_enough =
            (TICKS..TIERS).find_map(|tier| Some((tier, tiers[tier].before(later, length)?)));
        let oldest = || {
            let oldest = (TICKS..TIERS).filter_map(|tier| {
                let number = tiers[tier].first();
                Some((tiers[tier].get(number)?.taken, tier, number))
            });
            oldest.min_by_key(|&(taken, ..)| taken).map(|(_, tier, number)| (tier, number))
        };
        let (tier, number) = old_enough.or_else(oldest)?;
        let at = self.at(tier, number)?;
        let distributions = if tier == TICKS { self.distributions(&at) } else { at.clone() };
        Some(Earlier { at, distributions })
    }

    /// All histograms at the newest instant at or before that of `at` that has their buckets; or at the
    /// oldest.
    fn distributions(&self, at: &Snapshot) -> Snapshot {
        let old_enough = (MARKS..TIERS).find_map(|tier| {
            Some((tier, self.store.tiers[tier].before(at.taken(), Duration::ZERO)?))
        });
        let (tier, number) = old_enough.unwrap_or((MARKS, self.store.tiers[MARKS].first()));
        let families = self.families.iter().filter(|family| family.head.kind.is_distribution());
        self.snapshot(tier, number, families).unwrap_or_else(|| at.clone())
    }

    /// All series at an instant of a tier.
    fn at(&self, tier: usize, number: u64) -> Option<Snapshot> {
        self.snapshot(tier, number, self.families.iter())
    }

    fn snapshot<'a>(
        &self,
        tier: usize,
        number: u64,
        families: impl Iterator<Item = &'a FamilyRows>,
    ) -> Option<Snapshot> {
        let taken = self.store.tiers[tier].get(number)?.taken;
        let families = families.filter_map(|family| family.at_instant(tier, number, &self.store));
        Some(Snapshot::new(self.started, taken, families.collect()))
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History")
            .field("series", &self.store.n_rows())
            .field("bytes", &self.store.weight())
            .finish_non_exhaustive()
    }
}
