//! Histograms with options of their own: explicit bounds, ticks, or a range.
//!
//! Their ids begin at `CHOSEN`, beyond all ordinary histograms of a table: the bounds check of an
//! ordinary record fails for them, and only then does a record look here. So what they cost, they
//! cost nobody else. All ids of a block have the same options; a table reads them when it makes a cell.

use super::{
    super::{
        budget::Room,
        directory::Fresh,
        ids::block_of,
        space::Space,
        writer::{Owner, Writer},
    },
    cell::HistogramCell,
    cuts::{BucketCounts, Cuts, GROUP},
    exemplars::Exemplars,
    explicit::ExplicitCell,
    gathered::Gathered,
    hdr::HdrCell,
    options::Chosen,
};
#[cfg(feature = "prometheus")]
use crate::snapshot::Exemplar;
use crate::{
    snapshot::{
        Admitted, Aggregation, BucketLayout, HistogramOptions, HistogramSnapshot, Range,
        histogram::layout, to_ticks,
    },
    sync::modelled::OnceRef,
};

/// Where a table keeps the values of such a histogram.
#[derive(Debug)]
pub(crate) struct ChosenSlot(OnceRef<'static, ChosenCell>);

/// The values of one series in one table.
#[derive(Debug)]
pub(crate) struct ChosenCell {
    range: Option<Range>,
    counts: Counts,
    exemplars: Exemplars,
}

#[derive(Debug)]
enum Counts {
    Exponential(HistogramCell),
    Explicit(ExplicitCell),
    Hdr(HdrCell),
}

/// A number to record: ticks may be more exact than the value that they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amount {
    pub(crate) value: f64,
    pub(crate) ticks: Option<u64>,
}

impl ChosenSlot {
    #[inline(always)]
    pub(crate) fn get(&self) -> Option<&'static ChosenCell> {
        self.0.get()
    }

    /// The cell of a histogram with these options, made at the first call if there is room for it. One
    /// thread at a time.
    pub(crate) fn get_or_make(
        &self,
        chosen: &'static Chosen,
        room: Room<'_>,
    ) -> Option<&'static ChosenCell> {
        if let Some(cell) = self.0.get() {
            return Some(cell);
        }
        if !room.take(size_of::<ChosenCell>() + chosen.bytes()) {
            return None;
        }
        let cell: &'static ChosenCell = Box::leak(Box::new(ChosenCell::new(chosen)));
        let _ = self.0.set(cell);
        Some(cell)
    }
}

impl Fresh for ChosenSlot {
    fn fresh() -> Self {
        Self(OnceRef::new())
    }

    fn reset(&self) {
        self.get().into_iter().for_each(ChosenCell::reset);
    }
}

impl ChosenCell {
    fn new(chosen: &'static Chosen) -> Self {
        let counts = match chosen.options.aggregation {
            Aggregation::Exponential => Counts::Exponential(HistogramCell::new()),
            Aggregation::Explicit(_) => Counts::Explicit(ExplicitCell::new(chosen.bounds)),
            Aggregation::Hdr { significant_digits } => {
                Counts::Hdr(HdrCell::new(significant_digits))
            }
        };
        Self { range: chosen.options.range, counts, exemplars: Exemplars::new() }
    }

    /// The cell of explicit bounds, if this is one.
    #[inline(always)]
    pub(crate) fn explicit(&self) -> Option<&ExplicitCell> {
        if let Counts::Explicit(cell) = &self.counts { Some(cell) } else { None }
    }

    /// Records a value between the smallest and the largest so far, by the only writer, if its count is
    /// at hand; `false` for others. What was recorded is in range, and so is what lies between, unless
    /// it was rounded.
    #[inline]
    pub(crate) fn record_known(&self, value: f64) -> bool {
        match &self.counts {
            Counts::Explicit(cell) => cell.record_known(value),
            Counts::Hdr(cell) => self.range.is_none() && cell.record_known(value),
            Counts::Exponential(cell) => {
                cell.dense().is_some_and(|dense| dense.record::<Owner>(value))
            }
        }
    }

    /// As [`record_known`](Self::record_known), of ticks in a histogram of ticks.
    #[inline]
    pub(crate) fn record_known_ticks(&self, ticks: u64) -> bool {
        match (&self.counts, &self.range) {
            (Counts::Hdr(cell), None) => cell.record_known_ticks(ticks),
            _ => false,
        }
    }

    /// Whether there is an exemplar of this turn where that of `value`, which was recorded, belongs.
    #[inline]
    pub(crate) fn has_exemplar_of(&self, value: f64) -> bool {
        self.exemplars(value).is_some_and(|(exemplars, key, _)| exemplars.is_kept(key))
    }

    /// Records any number that is neither negative nor NaN nor infinite, as the range has it; `None` if
    /// room must be made.
    pub(crate) fn record<W: Writer>(&self, amount: Amount) -> Option<Admitted> {
        let (admitted, amount) = self.admit_amount(amount);
        let Some(Amount { value, ticks }) = amount else { return Some(admitted) };
        let is_recorded = match &self.counts {
            Counts::Exponential(cell) => cell.record::<W>(value),
            Counts::Hdr(cell) => cell.record::<W>(ticks_of(value, ticks)),
            Counts::Explicit(cell) => {
                cell.record::<W>(value);
                true
            }
        };
        is_recorded.then_some(admitted)
    }

    /// Makes what [`record`](Self::record) lacks; `false` if `room` refuses it. One thread at a time.
    pub(crate) fn make_room<W: Writer>(
        &self,
        amount: Amount,
        is_shared: bool,
        room: Room<'_>,
    ) -> bool {
        let (_, Some(Amount { value, ticks })) = self.admit_amount(amount) else { return true };
        match &self.counts {
            Counts::Exponential(cell) => cell.make_room::<W>(value, is_shared, room),
            Counts::Hdr(cell) => cell.make_room(ticks_of(value, ticks), room),
            Counts::Explicit(_) => true,
        }
    }

    /// Where the exemplar of a value that was recorded belongs, and which value it shows.
    pub(crate) fn exemplars(&self, value: f64) -> Option<(&Exemplars, u32, f64)> {
        let (Admitted::Within(value) | Admitted::Clamped(value)) = self.admit(value) else {
            return None;
        };
        let key = match &self.counts {
            Counts::Explicit(cell) => cell.bucket(value) as u32,
            Counts::Exponential(_) | Counts::Hdr(_) => layout::exemplar_key(value),
        };
        Some((&self.exemplars, key, value))
    }

    /// Adds what was recorded to `to`; the sum first, for the reason that `HistogramCell::read_all` gives.
    fn count(&self, cuts: &Cuts, to: &mut BucketCounts) {
        match &self.counts {
            Counts::Exponential(cell) => to.add_exponential(cuts, cell),
            Counts::Explicit(cell) => {
                to.add_sum(cell.sum());
                to.add_ascending(cuts, cell.cells());
            }
            Counts::Hdr(cell) => {
                to.add_sum(cell.sum());
                to.add_leaves(cuts, cell.leaves());
            }
        }
    }

    /// Adds all buckets to `to`; `false` of ticks, which are too many for that.
    pub(crate) fn gather(&self, to: &mut Gathered) -> bool {
        match &self.counts {
            Counts::Exponential(cell) => to.add_exponential(cell),
            Counts::Explicit(cell) => {
                to.add_sum(cell.sum());
                cell.cells().for_each(|(bucket, count)| to.add(bucket, count));
            }
            Counts::Hdr(_) => return false,
        }
        true
    }

    /// How many values were recorded.
    pub(crate) fn n_values(&self) -> u64 {
        match &self.counts {
            Counts::Exponential(cell) => cell.n_values(),
            Counts::Explicit(cell) => {
                cell.cells().fold(0, |sum: u64, (_, count)| sum.wrapping_add(count))
            }
            Counts::Hdr(cell) => {
                cell.leaves().fold(0, |sum: u64, leaf| sum.wrapping_add(leaf.total))
            }
        }
    }

    /// Adds what one table has of some histograms, at most [`GROUP`], each to its place in `to`: as
    /// [`BucketCounts::add_group`].
    pub(crate) fn count_group<'c>(
        cells: impl Iterator<Item = Option<&'c Self>>,
        cuts: &Cuts,
        to: &mut [BucketCounts],
    ) {
        let mut found = [None; GROUP];
        found.iter_mut().zip(cells).for_each(|(found, cell)| *found = cell);
        let cells = || found.iter().flatten();
        let places = cells().fold(0, |any, cell| any ^ cell.touch_places());
        let counts = cells().fold(0, |any, cell| any ^ cell.touch_counts(cuts));
        std::hint::black_box((places, counts));
        for (counts, found) in to.iter_mut().zip(found) {
            found.into_iter().for_each(|cell| cell.count(cuts, counts));
        }
    }

    /// Reads a word of each cache line that says where counts lie.
    fn touch_places(&self) -> u64 {
        match &self.counts {
            Counts::Hdr(cell) => cell.touch_twigs(),
            Counts::Exponential(_) | Counts::Explicit(_) => 0,
        }
    }

    /// Reads a word of each cache line of counts that counting by `cuts` will read.
    fn touch_counts(&self, cuts: &Cuts) -> u64 {
        match &self.counts {
            Counts::Hdr(cell) => cell.touch_leaves(cuts.last_cells()),
            Counts::Explicit(cell) => cell.touch(),
            Counts::Exponential(_) => 0,
        }
    }

    /// The exemplars, in no order.
    #[cfg(feature = "prometheus")]
    pub(crate) fn all_exemplars(&self) -> Vec<Exemplar> {
        self.exemplars.read()
    }

    /// What was recorded; `None` if nothing ever was.
    pub(crate) fn read(&'static self) -> Option<HistogramSnapshot> {
        let exemplars = self.exemplars.read(); // First: each is of a value that is counted.
        let mut snapshot = match &self.counts {
            Counts::Exponential(cell) => cell.read()?,
            Counts::Explicit(cell) => cell.read(),
            Counts::Hdr(cell) => cell.read(),
        };
        snapshot.add_exemplars(&exemplars);
        Some(snapshot)
    }

    fn reset(&self) {
        match &self.counts {
            Counts::Exponential(cell) => cell.reset(),
            Counts::Explicit(cell) => cell.reset(),
            Counts::Hdr(cell) => cell.reset(),
        }
        self.exemplars.reset();
    }

    /// What becomes of an amount, and what of it is recorded, if anything.
    fn admit_amount(&self, amount: Amount) -> (Admitted, Option<Amount>) {
        let admitted = self.admit(amount.value);
        let recorded = match admitted {
            Admitted::Dropped => None,
            Admitted::Within(_) => Some(amount),
            Admitted::Clamped(value) => Some(Amount { value, ticks: None }),
        };
        (admitted, recorded)
    }

    fn admit(&self, value: f64) -> Admitted {
        self.range.map_or(Admitted::Within(value), |range| range.admit(value))
    }
}

#[inline(always)]
fn ticks_of(value: f64, ticks: Option<u64>) -> u64 {
    ticks.unwrap_or_else(|| to_ticks(value))
}

/// What the series `id` shows before anything is recorded.
pub(crate) fn empty_series(id: u32) -> HistogramSnapshot {
    let chosen = block_of(Space::Histogram, id).and_then(|(_, chosen)| chosen);
    chosen.map_or_else(HistogramSnapshot::default, |chosen| empty(&chosen.options))
}

/// What a histogram with these options shows before anything is recorded.
pub(crate) fn empty(options: &HistogramOptions) -> HistogramSnapshot {
    HistogramSnapshot::empty(BucketLayout::from(options.aggregation))
}
