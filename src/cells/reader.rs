//! What readers see of a storage: the sums of all tables, without what removed series had recorded.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use super::{
    directory::{Slots, slot},
    histogram::{
        cell::HistogramCell,
        chosen::{ChosenCell, ChosenSlot},
        cuts::{BucketCounts, Cuts},
        gathered::Gathered,
    },
    scalars::{GaugeCell, SumCell},
    shown::{Bits, is_set},
    space::{CHOSEN, Space},
};
use crate::{
    clock::Ticks,
    snapshot::{Exemplar, HistogramSnapshot},
};

/// A view of all tables; reads what they hold at the time of each call.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(super) sums: Vec<Slots<SumCell>>,
    pub(super) histograms: Vec<Slots<HistogramCell>>,
    pub(super) chosen: Vec<Slots<ChosenSlot>>,
    pub(super) gauges: Slots<GaugeCell>,
    /// Which sums, ordinary and chosen histograms were shown when the reader was made, or later.
    pub(super) shown: [Bits; 3],
    pub(super) bases: Arc<Bases>,
    /// What is kept apart from cells, if it was asked for. Copied before the tables were looked at: each
    /// is of a value that the cells of this reader hold.
    pub(super) exemplified: HashMap<(Space, u32), Vec<Exemplar>>,
}

/// What to subtract from the cells of series that were removed while somebody could still write to
/// them: writing on brings such a series back, beginning at zero.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bases {
    pub(super) sums: HashMap<u32, (u64, Ticks)>, // A sum's bits.
    pub(super) histograms: HashMap<u32, (HistogramSnapshot, Ticks)>,
}

/// A mark by which a later reader tells whether series have been removed since.
#[derive(Clone, Debug, Default)]
pub(crate) struct Removals(Weak<Bases>); // Weak: it holds the place in memory, and costs a removal no copy.

impl Reader {
    /// The sum of all threads' cells, since the series was removed if it was.
    #[inline]
    pub(crate) fn sum(&self, id: u32) -> u64 {
        let sum = self.cells(id).fold(0, |sum: u64, cell| sum.wrapping_add(cell.get()));
        match self.sum_base(id) {
            None => sum,
            Some((base, _)) => sum.wrapping_sub(base),
        }
    }

    /// [`sum`](Self::sum) of cells that hold fractions.
    pub(crate) fn float_sum(&self, id: u32) -> f64 {
        let sum = self.cells(id).fold(0.0, |sum, cell| sum + f64::from_bits(cell.get()));
        match self.sum_base(id) {
            None => sum,
            Some((base, _)) => sum - f64::from_bits(base),
        }
    }

    /// The exemplars of the series `id` that are not kept beside its cells, in no order.
    pub(crate) fn exemplars(&self, space: Space, id: u32) -> &[Exemplar] {
        self.exemplified.get(&(space, id)).map_or(&[], Vec::as_slice)
    }

    /// Whether any series has exemplars that are not kept beside cells.
    #[cfg(feature = "prometheus")]
    pub(crate) fn has_exemplars(&self) -> bool {
        !self.exemplified.is_empty()
    }

    /// The histogram over all threads, since the series was removed if it was; `None` where nobody
    /// has recorded.
    pub(crate) fn histogram(&self, id: u32) -> Option<HistogramSnapshot> {
        let merge = |mut merged: HistogramSnapshot, cell: HistogramSnapshot| {
            merged.merge(&cell);
            merged
        };
        let recorded = if let Some(place) = id.checked_sub(CHOSEN) {
            self.chosen_cells(place).filter_map(ChosenCell::read).reduce(merge)
        } else {
            HistogramCell::read_all(self.histogram_cells(id))
        };
        let since_removal = match self.histogram_base(id) {
            Some((base, _)) => recorded?.since(base),
            None => recorded?,
        };
        (since_removal.count() > 0).then_some(since_removal)
    }

    /// How many values all threads have recorded of the histogram `id`, whatever was removed of it.
    pub(crate) fn histogram_count(&self, id: u32) -> u64 {
        match id.checked_sub(CHOSEN) {
            Some(place) => {
                self.chosen_cells(place).fold(0, |sum: u64, cell| sum.wrapping_add(cell.n_values()))
            }
            None => {
                self.histogram_cells(id).fold(0, |sum: u64, cell| sum.wrapping_add(cell.n_values()))
            }
        }
    }

    /// Makes `to` what all threads have recorded of the histogram `id`, whatever was removed of it;
    /// `false` of one that records ticks.
    pub(crate) fn gather_histogram(&self, id: u32, to: &mut Gathered) -> bool {
        to.clear();
        let is_whole = match id.checked_sub(CHOSEN) {
            Some(place) => self.chosen_cells(place).all(|cell| cell.gather(to)),
            None => {
                self.histogram_cells(id).for_each(|cell| to.add_exponential(cell));
                true
            }
        };
        to.finish();
        is_whole
    }

    /// Which series have been removed, as this reader knows it: another mark where more have.
    pub(crate) fn removals(&self) -> Removals {
        Removals(Arc::downgrade(&self.bases))
    }

    /// Whether the same series have been removed as when `mark` was taken.
    pub(crate) fn is_as_of(&self, mark: &Removals) -> bool {
        std::ptr::eq(mark.0.as_ptr(), Arc::as_ptr(&self.bases))
    }

    /// Makes each of `to` what all threads have recorded of a histogram of `ids`, whatever was removed
    /// of it; as many as there are, and at most [`GROUP`](super::histogram::cuts::GROUP). Each is given
    /// to `begin` first, empty: an exemplar that was read before the counts is in them.
    pub(crate) fn count_histograms(
        &self,
        ids: impl Iterator<Item = u32> + Clone,
        cuts: &Cuts,
        to: &mut [BucketCounts],
        begin: impl Fn(u32, &mut BucketCounts),
    ) {
        for (id, counts) in ids.clone().zip(to.iter_mut()) {
            counts.clear(cuts);
            begin(id, counts);
        }
        for slots in &self.histograms {
            let cells = ids.clone().map(|id| slot(slots, id));
            BucketCounts::add_group(to, cuts, cells);
        }
        if ids.clone().all(|id| id < CHOSEN) {
            return;
        }
        for slots in &self.chosen {
            let place = |id: u32| id.checked_sub(CHOSEN);
            let cells = ids.clone().map(|id| slot(slots, place(id)?)?.get());
            ChosenCell::count_group(cells, cuts, to);
        }
    }

    /// Adds the exemplars of the histogram `id`.
    #[cfg(feature = "prometheus")]
    pub(crate) fn add_exemplars(&self, id: u32, to: &mut BucketCounts) {
        match id.checked_sub(CHOSEN) {
            Some(place) => {
                to.add_exemplars(self.chosen_cells(place).flat_map(ChosenCell::all_exemplars));
            }
            None => {
                to.add_exemplars(self.histogram_cells(id).flat_map(HistogramCell::read_exemplars));
            }
        }
    }

    /// The cells of the histogram at `place` among those with options of their own.
    fn chosen_cells(&self, place: u32) -> impl Iterator<Item = &'static ChosenCell> {
        let slots = self.chosen.iter().filter_map(move |slots| slot(slots, place));
        slots.filter_map(ChosenSlot::get)
    }

    /// The cells of an ordinary histogram.
    pub(crate) fn histogram_cells(
        &self,
        id: u32,
    ) -> impl Iterator<Item = &'static HistogramCell> + Clone {
        self.histograms.iter().filter_map(move |slots| slot(slots, id))
    }

    /// The value of a gauge, if it was ever set.
    pub(crate) fn gauge(&self, id: u32) -> Option<f64> {
        slot(self.gauges, id)?.get()
    }

    /// Whether a cell of `id` holds anything.
    pub(crate) fn is_recorded(&self, space: Space, id: u32) -> bool {
        match space {
            Space::Sum => self.cells(id).any(|cell| cell.get() != 0),
            Space::Gauge => self.gauge(id).is_some(),
            Space::Histogram => self.histogram(id).is_some(),
        }
    }

    /// Whether the series is shown although it may hold nothing.
    pub(crate) fn is_shown(&self, space: Space, id: u32) -> bool {
        let [sums, histograms, chosen] = self.shown;
        match (space, id.checked_sub(CHOSEN)) {
            (Space::Sum, _) => is_set(sums, id.into()),
            (Space::Histogram, None) => is_set(histograms, id.into()),
            (Space::Histogram, Some(place)) => is_set(chosen, place.into()),
            (Space::Gauge, _) => false,
        }
    }

    /// When the series `id` was removed, if it was.
    #[inline(always)]
    pub(crate) fn removed_at(&self, space: Space, id: u32) -> Option<Ticks> {
        match space {
            Space::Sum => Some(self.sum_base(id)?.1),
            Space::Histogram => self.histogram_base(id).map(|(_, at)| *at),
            Space::Gauge => None,
        }
    }

    // Most processes never remove a series: the hash of an id is not made for them.

    #[inline(always)]
    fn sum_base(&self, id: u32) -> Option<(u64, Ticks)> {
        if self.bases.sums.is_empty() { None } else { self.bases.sums.get(&id).copied() }
    }

    #[inline]
    fn histogram_base(&self, id: u32) -> Option<&(HistogramSnapshot, Ticks)> {
        if self.bases.histograms.is_empty() { None } else { self.bases.histograms.get(&id) }
    }

    #[inline]
    pub(super) fn cells(&self, id: u32) -> impl Iterator<Item = &'static SumCell> {
        self.sums.iter().filter_map(move |slots| slot(slots, id))
    }
}
