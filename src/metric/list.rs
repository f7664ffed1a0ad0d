//! The series of a family as readers walk them.

use std::sync::Arc;

use crate::{
    clock::Ticks,
    label::LabelSet,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// The series of a family, sorted by labels. It is replaced and not changed, so that a reader that
/// kept it can tell by its address whether anything it knows of the series has changed.
///
/// What every reading needs lies apart from what only the first one asks for.
#[derive(Debug, Default)]
pub(crate) struct SeriesList {
    entries: Vec<Entry>,
    known: Vec<Listed>, // Invariant: as many as entries.
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
    pub(crate) fn new(mut known: Vec<Listed>) -> Arc<Self> {
        known.sort_by(|a, b| a.labels.cmp(&b.labels));
        let entry = |listed: &Listed| Entry { id: listed.id, touched: AtomicU32::new(0) };
        Arc::new(Self { entries: known.iter().map(entry).collect(), known })
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
        self.touched.load(Relaxed) == mark
    }

    /// Notes a value.
    pub(crate) fn touch(&self, mark: u32) {
        self.touched.store(mark, Relaxed);
    }
}
