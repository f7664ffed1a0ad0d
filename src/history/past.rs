//! The samples of a registry's series, and windows on them.

use std::{fmt, time::Duration};

use super::{
    families::{FamilyRows, Memory, Named},
    instants::Instants,
    sample::Sample,
    select::{SelectionId, Selections, Wanted},
    store::{RowId, Store, Traits},
    tier::{KEPT, MARKS, TICKS, TIERS},
};
use crate::{
    clock::Ticks,
    label::LabelSet,
    snapshot::{Kind, Snapshot},
};

/// The samples of a registry's series.
pub(crate) struct History {
    pub(super) store: Store,
    pub(super) families: Vec<FamilyRows>, // Sorted by name; those of one name have different heads.
    /// The indices of the families that were read in place, in the order of the last tick.
    pub(super) order: Vec<usize>,
    pub(super) memory: Memory,
    pub(super) selections: Selections,
    budget_bytes: usize,
    started: Ticks,
    /// Whether windows need all series, or only selected ones are kept.
    wants_all: bool,
    keeps: Keeps,
    /// How many series of this tick are not kept.
    pub(super) n_unkept: usize,
    /// How many series there were when they last exceeded the budget.
    n_too_many: usize,
    /// Whether that was reported.
    is_reported: bool,
}

/// Which series are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    All,
    /// The series of families that have a selection.
    Selected,
}

/// Where a window begins.
#[derive(Clone, Debug)]
pub(crate) struct Earlier {
    /// All series at the beginning.
    pub(crate) at: Snapshot,
    /// All histograms with all buckets, at the newest instant at or before `at` that has buckets.
    pub(crate) distributions: Snapshot,
}

impl History {
    /// An empty history, which takes at most about `budget_bytes`.
    pub(crate) fn new(budget_bytes: usize) -> Self {
        Self {
            store: Store::new(KEPT),
            families: Vec::new(),
            order: Vec::new(),
            memory: Memory::default(),
            selections: Selections::default(),
            budget_bytes,
            started: Ticks::ORIGIN,
            wants_all: true,
            keeps: Keeps::All,
            n_unkept: 0,
            n_too_many: 0,
            is_reported: false,
        }
    }

    /// An empty history without windows. It keeps only [selected](Self::select) series, each for as
    /// long as the range of its selection.
    pub(crate) fn of_selected(budget_bytes: usize) -> Self {
        let store = Store::new([Duration::ZERO; TIERS]);
        Self { store, wants_all: false, keeps: Keeps::Selected, ..Self::new(budget_bytes) }
    }

    /// Selects series, and keeps them for as long as the range. Must be called before the first tick.
    pub(crate) fn select(&mut self, wanted: Wanted) -> SelectionId {
        let id = self.selections.add(wanted);
        self.store.tiers[TICKS].extend(self.selections.reach());
        id
    }

    /// Whether it keeps no series at all, so that ticks may be skipped.
    pub(crate) fn keeps_nothing(&self) -> bool {
        !self.wants_all && self.selections.is_empty()
    }

    /// Begins a tick, which stands for this slot.
    pub(super) fn begin(&mut self, taken: Ticks, slot: u64, started: Ticks) {
        (self.started, self.n_unkept) = (started, 0);
        self.store.begin(taken, slot);
    }

    /// Whether series of the family `name` are kept.
    pub(super) fn keeps(&self, name: &str) -> bool {
        self.keeps == Keeps::All || self.selections.name(name)
    }

    /// Ends a tick. Returns the number of series if they have just become more than the budget holds.
    /// From then on only selected series are kept.
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
        if !self.keep_budget() {
            return (!std::mem::replace(&mut self.is_reported, true)).then_some(self.n_too_many);
        }
        self.is_reported &= self.keeps == Keeps::Selected;
        // Half of a number of series that was too many surely fits.
        let n_series = self.store.n_rows() + self.n_unkept;
        if self.wants_all && self.keeps == Keeps::Selected && n_series <= self.n_too_many / 2 {
            self.keeps = Keeps::All;
            self.store.tiers.iter_mut().for_each(Instants::keep_all_from_next);
        }
        None
    }

    /// How many bytes everything takes, without what the registry holds too.
    pub(crate) fn weight(&self) -> usize {
        let families: usize = self.families.iter().map(FamilyRows::weight).sum();
        self.store.weight() + families + self.memory.weight() + self.selections.weight()
    }

    /// The row of a series without cells, such as the result of a rule. It has samples only at the
    /// ticks at which they are [added](Self::add).
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
                is_sum: family.head.kind == Kind::Counter,
                shares_labels: false,
            };
            let row = self.store.add_row(labels.clone(), self.started, traits);
            self.selections.offer(&family.name, row, &mut self.store.rows[row as usize]);
            self.store.list(row);
            family.rows.insert(place, row);
            row
        })
    }

    /// Adds a sample of a series without cells at the newest tick. Its sum began at `start`.
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

    /// Ends a series without cells: from the newest tick on it has no sample until one is added.
    #[cfg_attr(not(test), expect(dead_code, reason = "rules that record will write so"))]
    pub(crate) fn end(&mut self, row: RowId) {
        self.store.end(row);
        self.store.finish_row(row);
    }

    /// Drops rows and families that have nothing left.
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
        self.selections.forget(|row| self.store.forget_if_over(row));
        self.store.shrink(); // After the selections have forgotten the vacant rows.
    }

    /// Gives up what exceeds the budget. If a single tick exceeds it, gives up everything and returns
    /// `false`.
    fn keep_budget(&mut self) -> bool {
        while self.weight() > self.budget_bytes {
            if !self.give_up() {
                self.n_too_many = self.store.n_rows() + self.n_unkept;
                self.forget();
                return false;
            }
        }
        true
    }

    /// Gives up the oldest instants; `false` if only the newest is left.
    pub(super) fn give_up(&mut self) -> bool {
        let gave_up = self.store.give_up();
        if gave_up {
            self.retire();
        }
        gave_up
    }

    /// Starts again with nothing, and keeps only selected series.
    fn forget(&mut self) {
        self.selections.forget(|_| true);
        let selections = std::mem::take(&mut self.selections);
        let empty = match self.wants_all {
            true => Self::new(self.budget_bytes),
            false => Self::of_selected(self.budget_bytes),
        };
        let Self { started, n_too_many, is_reported, .. } = *self;
        let keeps = Keeps::Selected;
        *self = Self { selections, keeps, started, n_too_many, is_reported, ..empty };
        self.store.tiers.iter_mut().for_each(Instants::begin_after_a_loss);
        self.store.tiers[TICKS].extend(self.selections.reach());
    }

    /// The index of a family of this tick. Adds the family if it is new.
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

    /// Where a window of this `length` that ends at `later` begins: at the newest instant that is old
    /// enough, from the finest tier that has one. If no instant is old enough, the window begins at
    /// the oldest one. `None` if nothing is kept.
    pub(crate) fn before(&self, later: Ticks, length: Duration) -> Option<Earlier> {
        if self.keeps == Keeps::Selected {
            return None;
        }
        let tiers = &self.store.tiers;
        let old_enough =
            (TICKS..TIERS).find_map(|tier| Some((tier, tiers[tier].before(later, length)?)));
        let oldest = || {
            let oldest = (TICKS..TIERS).filter_map(|tier| {
                let number = tiers[tier].common();
                Some((tiers[tier].get(number)?.taken, tier, number))
            });
            oldest.min_by_key(|&(taken, ..)| taken).map(|(_, tier, number)| (tier, number))
        };
        let (tier, number) = old_enough.or_else(oldest)?;
        let at = self.at(tier, number)?;
        let distributions = if tier == TICKS { self.distributions(&at) } else { at.clone() };
        Some(Earlier { at, distributions })
    }

    /// All histograms at the newest instant with buckets that is not later than `at`. If there is
    /// none, those of the oldest such instant.
    fn distributions(&self, at: &Snapshot) -> Snapshot {
        let old_enough = (MARKS..TIERS).find_map(|tier| {
            Some((tier, self.store.tiers[tier].before(at.taken(), Duration::ZERO)?))
        });
        let (tier, number) = old_enough.unwrap_or((MARKS, self.store.tiers[MARKS].common()));
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
            .field("bytes", &self.weight())
            .finish_non_exhaustive()
    }
}
