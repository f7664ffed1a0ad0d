//! The list of a family's series, for readers.

use crate::sync::atomic::Ordering;
use crate::{clock::Ticks, label::LabelSet, sync::atomic::AtomicU32};

/// The series of a family, sorted by labels. It is replaced and never changed, so that readers walk it
/// without a lock.
///
/// What every reading needs is stored apart from what only the first one needs.
#[derive(Debug, Default)]
pub(crate) struct SeriesList {
    entries: Vec<Entry>,
    known: Vec<Listed>, // Invariant: as many as entries.
    /// Whether two of them have the same labels, because their combinations differ only in empty
    /// values.
    has_twins: bool,
}

/// How a series is found.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: u32,
    /// The mark of its family at the last time when the process's own storage had a value of it.
    touched: AtomicU32,
}

/// What is known of a series.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) id: u32,
    pub(crate) labels: LabelSet,
    /// When it was created; `None` if it is as old as the storage that it is read from.
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

    /// The list of these combinations of a closed set; some may have the same labels.
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

    /// The entries of the series, in the order of their labels.
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
        // Relaxed: if the mark is not seen, the storage is asked.
        self.touched.load(Ordering::Relaxed) == mark
    }

    /// Notes that there is a value.
    pub(crate) fn touch(&self, mark: u32) {
        self.touched.store(mark, Ordering::Relaxed);
    }
}
