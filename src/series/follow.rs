//! Follows a family for a reader that remembers it: the history.
//!
//! As in [`live`](super::live), values are passed on one after the other, in place. In addition, the
//! reader keeps a row for each series. It learns when the list of series has changed or a sum may have
//! begun again; otherwise only values, by their index in the list. A histogram or a summary is read
//! further only if its count has changed.

use std::{
    mem,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use super::{
    family::{Family, SeriesSet},
    list::{Entry, SeriesList},
};
use crate::{
    cells::{
        Reader, Space, Storage,
        histogram::{
            cuts::{BucketCounts, Cuts},
            gathered::Gathered,
        },
    },
    clock::{self, Ticks},
    snapshot::{self, HistogramSnapshot, Kind, SeriesValue, SummarySnapshot},
};

/// A reader that follows the series of a family. Indices are those in the list that it received last.
pub(crate) trait Follow {
    /// Whether it knows the series of `list` and their starts in `reader`. If not, it receives each
    /// start.
    fn knows(&mut self, list: &Arc<SeriesList>, reader: &Reader) -> bool;

    /// When the sum of a series began.
    fn starts(&mut self, place: usize, start: Ticks);

    /// The series has this number, as the bits of a whole number or of a float.
    fn bits(&mut self, place: usize, bits: u64);

    /// The series has this value.
    fn value(&mut self, place: usize, value: &SeriesValue);

    /// The series has no value.
    fn absent(&mut self, place: usize);

    /// What it needs from a histogram or a summary that has recorded so many values. A summary is one
    /// value to it, which it needs or not.
    fn wants(&mut self, place: usize, count: u64) -> Wanted;

    /// The histogram, counted by the bounds that it needs.
    fn columns(&mut self, place: usize, counts: &BucketCounts);

    /// The whole histogram.
    fn buckets(&mut self, place: usize, histogram: &Gathered);

    /// Memory for histograms; it comes back by [`keep`](Self::keep).
    fn room(&mut self) -> Room;

    /// Takes memory back.
    fn keep(&mut self, room: Room);
}

/// What is needed from a histogram.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// It has not changed.
    Nothing,
    /// The counts by a few bounds.
    Columns(Arc<Cuts>),
    /// All buckets.
    Buckets,
}

/// Memory that is reused for one histogram after the other.
#[derive(Debug, Default)]
pub(crate) struct Room {
    pub(crate) counts: BucketCounts,
    pub(crate) gathered: Gathered,
}

impl Room {
    /// The bytes that it takes.
    pub(crate) fn weight(&self) -> usize {
        self.counts.weight() + self.gathered.weight()
    }
}

impl Family {
    /// Prepares the list of the series: the labels of a closed set may run user code, which
    /// [`follow`](Self::follow) does not. If some series have the same labels, returns their values
    /// instead, added up.
    pub(crate) fn prepare(&self, storage: &Storage, reader: &Reader) -> Option<snapshot::Family> {
        let mut has_twins = false;
        self.walk(storage, reader, |_, list, _| has_twins = list.has_twins());
        has_twins.then(|| self.read(storage, reader))
    }

    /// How many series are listed.
    pub(crate) fn n_listed(&self) -> usize {
        match &self.set {
            SeriesSet::Closed(set) => set.seen.lock().list.as_ref().map_or(0, |list| list.len()),
            SeriesSet::Open(set) => set.list().len(),
        }
    }

    /// Passes on every series that exists; of a closed set, only those that are listed.
    pub(crate) fn follow(&self, storage: &Storage, reader: &Reader, to: &mut impl Follow) {
        let (reading, list, always) = match &self.set {
            SeriesSet::Closed(set) => (None, set.seen.lock().list.clone(), self.keys.is_empty()),
            SeriesSet::Open(set) => (Some(set.reading()), Some(set.list()), true),
        };
        // As in `walk`: ids may have been reused before the set was held.
        let newer = reading.as_ref().and_then(|_| storage.newer_reader(reader));
        let reader = newer.as_ref().unwrap_or(reader);
        let list = list.unwrap_or_default();
        if list.has_twins() {
            return; // New twins: they are added up the next time.
        }
        if !to.knows(&list, reader) {
            for (place, listed) in list.known().iter().enumerate() {
                to.starts(place, self.started(storage, reader, listed));
            }
        }
        let entries = list.entries().iter().enumerate();
        if self.kind == Kind::Histogram {
            return self.follow_histograms((storage, reader, always), &list, to);
        }
        if self.kind == Kind::Summary {
            return self.follow_summaries((storage, reader, always), &list, to);
        }
        let mark = (!storage.is_scoped()).then(|| self.removals.load(Relaxed));
        let whole = mark.filter(|_| self.has_whole_sums());
        for (place, entry) in entries {
            // If it is known that it was touched, the storage is not asked.
            let sum = match whole {
                Some(mark) if entry.is_touched(mark) => reader.sum(entry.id),
                _ => 0,
            };
            if sum != 0 {
                to.bits(place, sum);
                continue;
            }
            match self.value(storage, reader, entry.id, always) {
                Some(value) => {
                    mark.into_iter().for_each(|mark| entry.touch(mark));
                    match bits(&value) {
                        Some(bits) => to.bits(place, bits),
                        None => to.value(place, &value),
                    }
                }
                None => to.absent(place),
            }
        }
    }

    fn follow_histograms(
        &self,
        (storage, reader, always): (&Storage, &Reader, bool),
        list: &SeriesList,
        to: &mut impl Follow,
    ) {
        let mut room = to.room();
        for (place, &Entry { id, .. }) in list.entries().iter().enumerate() {
            let count = match reader.removed_at(Space::Histogram, id) {
                None => reader.histogram_count(id),
                Some(_) => 0,
            };
            let wanted = if count > 0 { to.wants(place, count) } else { Wanted::Buckets };
            match wanted {
                Wanted::Nothing => {}
                Wanted::Columns(cuts) => {
                    let counts = std::slice::from_mut(&mut room.counts);
                    reader.count_histograms(std::iter::once(id), &cuts, counts, |_, _| {});
                    to.columns(place, &room.counts);
                }
                Wanted::Buckets if count > 0 && reader.gather_histogram(id, &mut room.gathered) => {
                    to.buckets(place, &room.gathered);
                }
                Wanted::Buckets => match self.value(storage, reader, id, always) {
                    Some(value) => to.value(place, &value),
                    None => to.absent(place),
                },
            }
        }
        to.keep(mem::take(&mut room));
    }

    /// Passes on what summaries have recorded, and keeps the readings that their windows need. One that
    /// has recorded nothing since the latest reading is not read.
    fn follow_summaries(
        &self,
        (storage, reader, always): (&Storage, &Reader, bool),
        list: &SeriesList,
        to: &mut impl Follow,
    ) {
        let now = clock::now();
        for (place, &Entry { id, .. }) in list.entries().iter().enumerate() {
            if reader.removed_at(Space::Histogram, id).is_some() {
                match self.value(storage, reader, id, always) {
                    Some(value) => to.value(place, &value),
                    None => to.absent(place),
                }
                continue;
            }
            let count = reader.histogram_count(id);
            let is_shown = count > 0
                || always && !storage.is_scoped()
                || reader.is_shown(Space::Histogram, id);
            if !is_shown {
                to.absent(place);
            }
            let is_wanted = is_shown && !matches!(to.wants(place, count), Wanted::Nothing);
            let is_expected = is_shown || always;
            let is_read = is_expected && !storage.sliding().is_at_rest(id, count, now);
            if is_wanted || is_read {
                let value = Arc::new(reader.histogram(id).unwrap_or_default());
                storage.sliding().keep_histogram(id, storage.started(), (now, &value));
                if is_shown {
                    to.value(place, &summary_without_windows(&value));
                }
            }
        }
    }

    /// Whether its series are whole numbers that are the sums of their cells.
    fn has_whole_sums(&self) -> bool {
        let is_whole = self.number_kind == super::Number::Whole;
        is_whole && matches!(self.kind, Kind::Counter | Kind::UpDownCounter)
    }
}

fn summary_without_windows(value: &HistogramSnapshot) -> SeriesValue {
    let (count, sum, windows) = (value.count(), value.sum(), Vec::new());
    SeriesValue::Summary(Arc::new(SummarySnapshot { count, sum, windows }))
}

/// The bits of a number, for [`Follow::bits`].
fn bits(value: &SeriesValue) -> Option<u64> {
    Some(match value {
        SeriesValue::Counter(sum) => *sum,
        SeriesValue::UpDownCounter(sum) => sum.cast_unsigned(),
        SeriesValue::FloatCounter(number) | SeriesValue::Gauge(number) => number.to_bits(),
        SeriesValue::Info => 1,
        SeriesValue::State(holds) => (*holds).into(),
        SeriesValue::Histogram(_) | SeriesValue::Summary(_) => return None,
    })
}
