//! Values by the labels that a sum keeps.

use std::{
    borrow::Cow,
    collections::HashMap,
    hash::{BuildHasher as _, Hasher as _, RandomState},
};

use crate::label::LabelSet;

/// One `T` for each combination of values of the labels `by`, in the order of appearance.
///
/// A label set is created once for each group, not for each series: groups are found by the hash of
/// their values.
pub(super) struct Groups<'a, T> {
    by: &'a [Cow<'static, str>],
    groups: Vec<(LabelSet, T)>,
    by_hash: HashMap<u64, Vec<usize>>,
    hasher: RandomState,
}

impl<'a, T: Default> Groups<'a, T> {
    pub(super) fn new(by: &'a [Cow<'static, str>]) -> Self {
        Self { by, groups: Vec::new(), by_hash: HashMap::new(), hasher: RandomState::new() }
    }

    /// The value of the group that `labels` belong to.
    pub(super) fn of(&mut self, labels: &LabelSet) -> &mut T {
        let place = self.place(labels);
        &mut self.groups[place].1
    }

    pub(super) fn each(&self, mut give: impl FnMut(&LabelSet, &T)) {
        self.groups.iter().for_each(|(labels, value)| give(labels, value));
    }

    fn place(&mut self, labels: &LabelSet) -> usize {
        if self.by.is_empty() && !self.groups.is_empty() {
            return 0;
        }
        let places = self.by_hash.entry(hash(&self.hasher, self.by, labels)).or_default();
        let same = |&&place: &&usize| {
            self.by.iter().all(|key| self.groups[place].0.get(key) == value(labels, key))
        };
        if let Some(&found) = places.iter().find(same) {
            return found;
        }
        places.push(self.groups.len());
        // A label with an empty value is no label.
        let kept = self.by.iter().filter_map(|key| Some((key.clone(), value(labels, key)?)));
        self.groups.push((LabelSet::new(kept), T::default()));
        self.groups.len() - 1
    }
}

fn value<'a>(labels: &'a LabelSet, key: &str) -> Option<&'a str> {
    labels.get(key).filter(|value| !value.is_empty())
}

fn hash(hasher: &RandomState, by: &[Cow<'static, str>], labels: &LabelSet) -> u64 {
    let mut state = hasher.build_hasher();
    for key in by {
        state.write(value(labels, key).unwrap_or_default().as_bytes());
        state.write_u8(0xff); // In no UTF-8 text.
    }
    state.finish()
}
