//! Removal of series: by name, by `retain`, or after being idle for too long; and when an id is free
//! again.
//!
//! A removal makes the series begin again from a base and hides it from the page. It keeps its id as
//! long as a thread can write to its cells, or a storage shows it. Then it is swept: its cells are set
//! to zero, and another series of its registry may get the id. Series of a closed set keep their ids as
//! long as the family exists. When a family is removed, all its series are.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use super::{
    descriptor::Number,
    family::{Family, SeriesSet},
    open::{ByKey, Known, OpenSet, Visit},
    pin::{Series, forget_removed},
    settings::Settings,
};
use crate::{
    cells::{self, DISABLED, Reader, Space, Storage},
    clock,
    label::{Encoded, LabelSet},
    snapshot::{HistogramOptions, SeriesValue},
};

impl Family {
    /// Removes the series with these values, in a closed set the one at this index; returns whether it
    /// was known.
    pub(crate) fn remove_series(
        &self,
        storage: &Storage,
        values: Visit<'_>,
        index: impl FnOnce() -> usize,
    ) -> bool {
        let known = match &self.set {
            SeriesSet::Closed(_) => {
                let id = self.id_at(index());
                let known = self.value(storage, &storage.reader(), id, false).is_some();
                self.remove(storage, id);
                known
            }
            SeriesSet::Open(set) => set.remove(values, |series| self.remove(storage, series.id)),
        };
        self.sweep();
        known
    }

    /// Makes the series `id` begin again in `storage`, and hides it there until the next record.
    pub(crate) fn remove(&self, storage: &Storage, id: u32) {
        self.removals.fetch_add(1, Relaxed);
        match self.space {
            Space::Sum => {
                storage.remove_sum(id, |reader| match self.number_kind {
                    Number::Whole => reader.sum(id),
                    Number::Fraction => reader.float_sum(id).to_bits(),
                });
            }
            Space::Gauge => storage.remove_gauge(id),
            Space::Histogram => storage.remove_histogram(id),
        }
    }

    /// Removes all series, as [`remove`](Self::remove) does one.
    pub(crate) fn clear(&self, storage: &Storage) {
        match &self.set {
            SeriesSet::Closed(set) => {
                let reader = storage.reader();
                let ids = (0..set.len).map(|index| set.base + index as u32);
                ids.filter(|id| self.value(storage, &reader, *id, false).is_some())
                    .for_each(|id| self.remove(storage, id));
            }
            SeriesSet::Open(set) => {
                set.remove_where(|series| {
                    self.remove(storage, series.id);
                    true
                });
                set.overflow().into_iter().for_each(|id| self.remove(storage, id));
            }
        }
        self.sweep();
    }

    /// Frees the removed series that no thread can write to and no storage shows.
    pub(crate) fn sweep(&self) {
        if let SeriesSet::Open(set) = &self.set {
            let shown = |id| {
                // A storage that never touched the series is no reason to keep it.
                let shows = |storage: &Arc<Storage>| {
                    self.value(storage, &storage.reader(), id, false).is_some()
                };
                Storage::all().iter().any(shows)
            };
            set.sweep(shown);
        }
    }

    /// Removes the series that have been idle for the instrument's time limit, and frees those that can
    /// be freed; called before a snapshot is taken.
    pub(crate) fn tidy(&self, storage: &Storage) {
        if let Some((set, idle)) = self.open().and_then(|set| Some((set, set.idle()?))) {
            self.expire(storage, set, idle);
        }
        self.sweep();
    }

    fn expire(&self, storage: &Storage, set: &OpenSet, idle: Duration) {
        let (now, reader) = (clock::now(), storage.reader());
        set.remove_where(|series| {
            let Some(value) = self.value(storage, &reader, series.id, true) else { return false };
            // For other series every write is marked, even if it changes nothing.
            let count = match &value {
                SeriesValue::Histogram(histogram) => histogram.count(),
                SeriesValue::Summary(summary) => summary.count,
                _ => 0,
            };
            let since = storage.idle_since(self.space, series.id, count, now);
            now.since(since) >= idle && self.remove_if(storage, series.id, &value)
        });
    }

    /// Removes the series `id` unless it is written at the same time: that record would be lost.
    fn remove_if(&self, storage: &Storage, id: u32, value: &SeriesValue) -> bool {
        let is_removed = self.remove_unchanged(storage, id, value);
        if !is_removed || !storage.was_written(self.space, id) {
            return is_removed;
        }
        match (self.space, value) {
            (Space::Gauge, value) => {
                storage.restore_gauge(id, value.as_f64());
                false
            }
            // It begins again, and is shown.
            _ => {
                storage.show(self.space, id);
                true
            }
        }
    }

    /// Removes the series `id` if it still shows `value`.
    fn remove_unchanged(&self, storage: &Storage, id: u32, value: &SeriesValue) -> bool {
        self.removals.fetch_add(1, Relaxed);
        match value {
            SeriesValue::Counter(sum) => {
                let agrees = |held: u64, base| held.wrapping_sub(base) == *sum;
                storage.remove_sum_if(id, |reader| reader.sum(id), agrees).is_some()
            }
            SeriesValue::FloatCounter(sum) => {
                let bits = |reader: &Reader| reader.float_sum(id).to_bits();
                let agrees = |held, base| f64::from_bits(held) - f64::from_bits(base) == *sum;
                storage.remove_sum_if(id, bits, agrees).is_some()
            }
            SeriesValue::Histogram(histogram) => {
                storage.remove_histogram_if(id, |shown| shown == histogram.count())
            }
            SeriesValue::Summary(summary) => {
                storage.remove_histogram_if(id, |shown| shown == summary.count)
            }
            SeriesValue::Gauge(value) => storage.remove_gauge_if(id, *value),
            SeriesValue::Info => storage.remove_gauge_if(id, 1.0),
            SeriesValue::UpDownCounter(0) => storage
                .remove_sum_if(id, |reader| reader.sum(id), |held, base| held == base)
                .is_some(),
            // A sum that is not zero, or a state, is not idle.
            SeriesValue::UpDownCounter(_) | SeriesValue::State(_) => false,
        }
    }

    /// Removes the series that `storage` shows and `keep` refuses; `keep` is called without any lock.
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

/// No thread looks up or reads its series any more, because such a thread would hold the family. Each
/// series is freed when no thread can write to it.
impl Drop for Family {
    fn drop(&mut self) {
        let _busy = cells::busy();
        let from = Ending {
            space: self.space,
            histogram: self.histogram,
            settings: self.settings.clone(),
        };
        match &mut self.set {
            SeriesSet::Closed(set) if set.base != DISABLED => {
                let (first, len) = (set.base, set.len as u32);
                self.anchor.orphan(move || from.give_up(first, len));
            }
            SeriesSet::Closed(_) => {}
            SeriesSet::Open(set) => {
                let known = set.known.get_mut();
                set.settings.budget.put_back(known.weight_of_keys() as u64);
                if let Some(id) = known.overflow.filter(|id| *id != DISABLED) {
                    let from = from.clone();
                    self.anchor.orphan(move || from.give_up(id, 1));
                }
                for ByKey(series) in known.by_key.drain() {
                    let (from, id, weight) = (from.clone(), series.id, series.weight() as u64);
                    series.mark_removed();
                    series.orphan(move || {
                        from.give_up(id, 1);
                        from.settings.budget.put_back(weight);
                    });
                }
                // First: a thread that meets the next set with this number has to see it.
                forget_removed();
                set.give_number_back();
            }
        }
    }
}

/// The rest of a family that is gone.
#[derive(Clone)]
struct Ending {
    space: Space,
    histogram: HistogramOptions,
    settings: Arc<Settings>,
}

impl Ending {
    /// Resets the cells of neighbouring ids to their state before the first series, and frees the ids.
    fn give_up(&self, first: u32, len: u32) {
        let _busy = cells::busy();
        for storage in Storage::all() {
            (first..first + len).for_each(|id| storage.reset(self.space, id));
        }
        self.settings.ids.give_back(self.space, self.histogram, first, len);
    }
}

impl OpenSet {
    /// Removes one series; `false` if there is none with these values.
    pub(crate) fn remove(&self, values: Visit<'_>, remove: impl FnOnce(&Series)) -> bool {
        let mut encoded = Encoded::new();
        values(&mut |value| {
            encoded.push(value);
        });
        let _busy = cells::busy();
        let mut known = self.known.lock();
        let Some(ByKey(series)) = known.by_key.get(encoded.bytes()) else { return false };
        let series = series.clone();
        known.remove(&series, remove);
        drop(known);
        forget_removed();
        true
    }

    /// Removes the series for which `remove` returns that it has removed them.
    fn remove_where(&self, mut remove: impl FnMut(&Series) -> bool) {
        let _busy = cells::busy();
        let mut known = self.known.lock();
        let all: Vec<Arc<Series>> =
            known.by_key.iter().map(|ByKey(series)| series.clone()).collect();
        let mut any = false;
        for series in all {
            if remove(&series) {
                known.remove(&series, |_| ());
                any = true;
            }
        }
        drop(known);
        if any {
            forget_removed();
        }
    }

    /// Frees removed series that are not pinned and `shown` nowhere. If a reader is at work, the next
    /// sweep does it.
    fn sweep(&self, shown: impl Fn(u32) -> bool) {
        let _busy = cells::busy();
        let mut known = self.known.lock();
        if known.removed.is_empty() {
            return;
        }
        let Some(_nobody_reads) = self.walk.try_write() else { return };
        let Known { by_key, removed, n_removed, list, .. } = &mut *known;
        removed.retain(|_, series| {
            if !series.is_removed() || series.is_pinned() {
                return series.is_removed();
            }
            *n_removed -= 1;
            if shown(series.id) {
                // A handle brought it back, and was dropped.
                series.unmark_removed();
                return false;
            }
            by_key.remove(series.key());
            *list = None;
            Storage::all().iter().for_each(|storage| storage.reset(self.space, series.id));
            self.settings.budget.put_back(series.weight() as u64);
            self.give_id_back(series.id);
            false
        });
    }
}

impl Known {
    /// Calls `remove` to remove the series, and marks it as removed.
    fn remove(&mut self, series: &Arc<Series>, remove: impl FnOnce(&Series)) {
        remove(series);
        self.n_removed += usize::from(!series.is_removed());
        series.mark_removed();
        self.removed.entry(series.id).or_insert_with(|| series.clone());
    }
}
