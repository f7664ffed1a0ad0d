//! Which series a family has: for who lists them, keeps some of them, or misses one.

use std::collections::HashMap;

use super::family::Family;
use crate::{
    cells::Storage,
    label::{LabelSet, OVERFLOW_KEY},
};

impl Family {
    /// The labels of every series that can be: all combinations of a closed set, and of an open one
    /// those that came so far. Without the overflow series.
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

    /// Removes the series that `storage` shows and `keep` refuses, which is called with nothing
    /// locked.
    pub(crate) fn retain(&self, storage: &Storage, mut keep: impl FnMut(&LabelSet) -> bool) {
        let mut refused = self.shown(storage);
        refused.retain(|(_, labels)| !keep(labels));
        if refused.is_empty() {
            return;
        }
        match self.open() {
            None => refused.iter().for_each(|(id, _)| self.remove(storage, *id)),
            Some(set) => {
                let refused: HashMap<u32, LabelSet> = refused.into_iter().collect();
                set.remove_where(|series| {
                    // An id may have gone to another series meanwhile.
                    let is_refused = |labels: &LabelSet| labels.is_of_values(series);
                    let is_refused = refused.get(&series.id).is_some_and(is_refused);
                    if is_refused {
                        self.remove(storage, series.id);
                    }
                    is_refused
                });
            }
        }
        self.sweep();
    }
}

/// Whether these are labels of a series of its own: not of the one that takes what is beyond a limit.
fn is_own(labels: &LabelSet) -> bool {
    labels.get(OVERFLOW_KEY).is_none()
}
