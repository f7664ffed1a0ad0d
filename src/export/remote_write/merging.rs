//! Adds up the series of a batch that have the same labels when they are sent, as a page does.

use std::{borrow::Cow, collections::HashMap};

use super::family::{Family, Namer};
use crate::{
    clock::Ticks,
    exposition::Merged,
    label::LabelSet,
    metric::{DataPoint, SeriesValue},
    pipeline::Batch,
    series::Reading,
};

/// What is sent at the places of a batch that need more than a look: the first of some series has all of
/// them, and the others have nothing.
#[derive(Default)]
pub(super) struct Merging {
    at: HashMap<usize, Option<(LabelSet, Merged)>>,
}

impl Merging {
    /// Adds up those series of `batch` whose family `family_of` is ambiguous.
    pub(super) fn of<'f>(
        batch: &Batch<DataPoint>,
        namer: Namer,
        family_of: impl Fn(&str) -> Option<&'f Family>,
    ) -> Self {
        let mut first: HashMap<(&str, Ticks, LabelSet), usize> = HashMap::new();
        let mut merging = Self::default();
        for (place, point) in batch.iter().enumerate() {
            let Some(family) = family_of(point.name()).filter(|one| one.is_ambiguous) else {
                continue;
            };
            let naming = namer.labels(family.kind(), (point.name(), family.names.family()));
            let joined = LabelSet::new(naming.joined(point.labels().iter()));
            let reading = Reading::from(point.value());
            let one = Merged::new(point.started(), point.exemplar().cloned(), reading);
            let key = (point.name(), point.taken(), joined.clone());
            let begin = *first.entry(key).or_insert(place);
            match merging.at.get_mut(&begin) {
                Some(Some((_, merged))) => {
                    merged.add(one, None);
                    merging.at.insert(place, None);
                }
                _ => drop(merging.at.insert(place, Some((joined, one)))),
            }
        }
        merging
    }

    /// What stands at `place`: `Err` if the point itself is sent.
    pub(super) fn take(&mut self, place: usize) -> Result<Option<(LabelSet, Merged)>, ()> {
        self.at.remove(&place).ok_or(())
    }
}

/// The value of merged series.
pub(super) fn value_of(merged: &Merged) -> Option<Cow<'_, SeriesValue>> {
    match merged.reading() {
        Reading::Counter(sum) => Some(Cow::Owned(SeriesValue::Counter(sum))),
        Reading::Value(value) => Some(Cow::Borrowed(value)),
        Reading::Buckets(_) => None, // What is merged here comes from snapshots.
    }
}
