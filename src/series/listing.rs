//! Lists of a family's series, and of those it could have.

use super::family::Family;
use crate::{
    cells::Storage,
    label::{LabelSet, OVERFLOW_KEY},
};

impl Family {
    /// The labels of every possible series: all combinations of a closed set; of an open set, those
    /// seen so far. Without the overflow series.
    pub(crate) fn all_labels(&self) -> Vec<LabelSet> {
        if let Some(set) = self.open() {
            let list = set.list();
            return list
                .known()
                .iter()
                .map(|listed| listed.labels.clone())
                .filter(is_own)
                .collect();
        }
        self.combinations()
    }

    /// The ids and labels of the series that `storage` shows, sorted by labels. Without the overflow
    /// series.
    pub(crate) fn shown(&self, storage: &Storage) -> Vec<(u32, LabelSet)> {
        let mut shown = Vec::new();
        self.walk(storage, &storage.reader(), |reader, list, always| {
            let is_shown = |id| self.value(storage, reader, id, always).is_some();
            let known = list.known().iter().filter(|listed| is_shown(listed.id));
            shown.extend(known.map(|listed| (listed.id, listed.labels.clone())));
        });
        shown.retain(|(_, labels)| is_own(labels));
        shown
    }
}

/// Whether these are not the labels of the overflow series.
fn is_own(labels: &LabelSet) -> bool {
    labels.get(OVERFLOW_KEY).is_none()
}
