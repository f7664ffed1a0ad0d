//! The series of a family as readers walk them.

use crate::sync::atomic::Ordering;
use crate::{clock::Ticks, label::LabelSet, sync::atomic::AtomicU32};

/// The series of a family, sorted by labels. It is replaced and not changed, so that readers walk it
/// without a lock.
///
/// What every reading needs lies apart from what only the first one asks for.
#[derive(Debug, Default)]
pub(crate) struct SeriesList {
    entries: Vec<Entry>,
    known: Vec<Listed>, // Invariant: as many as entries.
    /// Whether two of them have the same labels: combinations that differ in empty values alone.
    has_twins: bool,
}

/// Where a series is found.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: u32,
    /// A mark of its family when the process's own storage last had a value of it.
    touched: AtomicU32,
}

/// What is known of a series.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) id: u32,
    pub(crate) labels: LabelSet,
    /// When it was made; `None` for one that is as old as what it is read from.
    pub(crate) made: Option<Ticks>,
}

impl SeriesList {
    /// The list of these series.
    pub(crate) fn new(mut known: Vec<Listed>) -> Self {
        known.sort_by(|a, b| a.labels.cmp(&b.labels));
        let entry = |listed: &Listed| Entry { id: listed.id, touched: AtomicU32::new(0) };
        let entries = known.iter().map(entry).collect();
        Self { entries, known, has_twins: false }
    }

    /// The list of these combinations of a closed set, of which some may have the same labels.
    pub(crate) fn of_combinations(known: Vec<Listed>) -> Self {
        let list = Self::new(known);
        let has_twins = list.known.windows(2).any(|two| two[0].labels == two[1].labels);
        Self { has_twins, ..list }
    }

    /// Whether two of the series have the same labels, and have to be added up.
    pub(crate) fn has_twins(&self) -> bool {
        self.has_twins
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Where the series are found, in the order of their labels.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What is known of the series, in the same order.
    pub(crate) fn known(&self) -> &[Listed] {
        &self.known
    }
}

impl Entry {
    /// Whether a value was noted under this mark.
    #[inline(always)]
    pub(crate) fn is_touched(&self, mark: u32) -> bool {
        // Relaxed: where it is not seen, the storage is asked.
        self.touched.load(Ordering::Relaxed) == mark
    }

    /// Notes a value.
    pub(crate) fn touch(&self, mark: u32) {
        self.touched.store(mark, Ordering::Relaxed);
    }
}
