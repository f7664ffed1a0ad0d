//! The series that are read back at every tick: those that alert rules select.
//!
//! A series is matched once, when its row is added. Its ticks are kept for as long as the longest
//! range that selects it. Each tick has all its buckets if a selection needs its distributions.

use std::{fmt, time::Duration};

use super::{
    sample::Form,
    store::{Row, RowId},
    track::Cursor,
};
use crate::label::LabelSet;

/// Which series are selected, and how much of their past.
pub(crate) struct Wanted {
    /// The name of their family.
    pub(crate) name: String,
    /// Whether a series of that family is selected.
    pub(crate) matches: Box<dyn Fn(&LabelSet) -> bool + Send>,
    pub(crate) range: Duration,
    /// Whether the distributions of histograms are needed, and not only their counts.
    pub(crate) distributions: bool,
}

/// The number of a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SelectionId(usize);

/// All selections.
#[derive(Debug, Default)]
pub(super) struct Selections {
    all: Vec<Selection>,
    /// How many bytes the cursors take, as of the last time they were added up.
    cursors_weight: usize,
}

/// A selection, and the series it matches.
pub(super) struct Selection {
    wanted: Wanted,
    pub(super) range: u64, // In nanoseconds.
    pub(super) found: Vec<Found>,
}

/// A series that is selected.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) row: RowId,
    /// The form of the row: most look-ups need nothing else of it.
    pub(super) form: Form,
    /// At the start of the range.
    pub(super) cursor: Cursor,
    /// The tick of the last look-up at the start of the range, and the value there.
    pub(super) base: Option<(u64, Option<f64>)>,
    /// The tick of the last computed increase, and the increase.
    pub(super) increase: Option<(u64, Option<(f64, Duration)>)>,
}

impl Selections {
    pub(super) fn add(&mut self, wanted: Wanted) -> SelectionId {
        let range = wanted.range.as_nanos().try_into().unwrap_or(u64::MAX);
        self.all.push(Selection { wanted, range, found: Vec::new() });
        SelectionId(self.all.len() - 1)
    }

    /// Matches a row of the family `name` against all selections, unless it has been matched before.
    pub(super) fn offer(&mut self, name: &str, id: RowId, row: &mut Row) {
        if std::mem::replace(&mut row.is_offered, true) {
            return;
        }
        let matches =
            |one: &&mut Selection| one.wanted.name == name && (one.wanted.matches)(&row.labels);
        let mut reach = 0;
        let mut keeps_buckets = false;
        for selection in self.all.iter_mut().filter(matches) {
            selection.found.push(Found::new(id, row.form));
            reach = selection.range.max(reach);
            keeps_buckets |= selection.wanted.distributions;
        }
        (row.reach, row.keeps_buckets) = (reach, keeps_buckets);
    }

    /// Forgets the rows that are gone.
    pub(super) fn forget(&mut self, mut is_gone: impl FnMut(RowId) -> bool) {
        self.cursors_weight = 0;
        for selection in &mut self.all {
            selection.found.retain(|one| !is_gone(one.row));
            selection.found.shrink_to(2 * selection.found.len());
            let weights = selection.found.iter().map(|one| one.cursor.weight());
            self.cursors_weight += weights.sum::<usize>();
        }
    }

    /// Whether a series of the family `name` may be selected.
    pub(super) fn name(&self, name: &str) -> bool {
        self.all.iter().any(|selection| selection.wanted.name == name)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The longest range.
    pub(super) fn reach(&self) -> u64 {
        self.all.iter().map(|selection| selection.range).max().unwrap_or(0)
    }

    pub(super) fn get(&self, id: SelectionId) -> &Selection {
        &self.all[id.0]
    }

    pub(super) fn get_mut(&mut self, id: SelectionId) -> &mut Selection {
        &mut self.all[id.0]
    }

    /// How many bytes they take.
    pub(super) fn weight(&self) -> usize {
        let found = self.all.iter().map(|one| one.found.capacity() * size_of::<Found>());
        self.cursors_weight + found.sum::<usize>()
    }
}

impl Found {
    fn new(row: RowId, form: Form) -> Self {
        Self { row, form, cursor: Cursor::default(), base: None, increase: None }
    }
}

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selection")
            .field("name", &self.wanted.name)
            .field("range", &self.wanted.range)
            .field("found", &self.found.len())
            .finish_non_exhaustive()
    }
}
