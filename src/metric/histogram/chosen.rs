//! Histograms that were told how to keep their values: by explicit bounds, in ticks, or in a range.
//!
//! Their ids begin at [`FIRST`], beyond all of a thread's ordinary histograms: the bounds check of an
//! ordinary record fails for them, and only then does a record look here. So what they cost, they
//! cost nobody else. What the id stands for is written down once, when its family is
//! registered; a thread reads it when it makes its cell.

#[cfg(feature = "prometheus")]
use super::cuts::{BucketCounts, Cuts};
use super::{
    BucketLayout, HistogramSnapshot,
    aggregation::{Admitted, Aggregation, HistogramOptions, Range},
    cell::{HistogramCell, LARGEST_SUMMAND},
    exemplars::Exemplars,
    explicit::{Bounds, ExplicitCell},
    hdr::{HdrCell, to_ticks},
    layout,
};
use crate::{
    metric::{Exemplar, cell::Fresh},
    sync::{Mutex, modelled::OnceRef},
};

/// The first id of these histograms. Ids below are ordinary ones: as many as memory lasts for.
pub(crate) const FIRST: u32 = 1 << 30;

/// What the series with the id [`FIRST`] plus the place were told. Nothing is locked inside it.
static KINDS: Mutex<Vec<&'static Kind>> = Mutex::new(Vec::new());

/// What the series of one family were told.
#[derive(Debug)]
struct Kind {
    options: HistogramOptions,
    bounds: Bounds, // None but for explicit ones.
}

/// Where a table keeps its pointer to a histogram's cells.
#[derive(Debug)]
pub(crate) struct ChosenSlot(OnceRef<'static, ChosenCell>);

/// One thread's values of one series; written by that thread alone.
#[derive(Debug)]
pub(crate) struct ChosenCell {
    /// From here to there, a value is recorded as it is.
    least: f64,
    most: f64,
    range: Option<Range>,
    counts: Counts,
    exemplars: Exemplars,
}

#[derive(Debug)]
enum Counts {
    Exponential(Box<HistogramCell>), // Eight times as large as the others.
    Explicit(ExplicitCell),
    Hdr(HdrCell),
}

/// A number to record: ticks may be more exact than the value that they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amount {
    pub(crate) value: f64,
    pub(crate) ticks: Option<u64>,
}

/// The first of `len` ids of series that were told `options`; `None` if that is nothing special.
pub(crate) fn reserve_ids(options: HistogramOptions, len: u32) -> Option<u32> {
    let options = options.of_cells();
    if options == HistogramOptions::new() {
        return None;
    }
    let bounds = match options.aggregation {
        Aggregation::Explicit(bounds) => bounds,
        _ => &[],
    };
    let mut kinds = KINDS.lock();
    let first = FIRST + kinds.len() as u32;
    // An open family reserves ids one by one: its next series shares what its first one made.
    let known = kinds.iter().rev().find(|kind| kind.options == options).copied();
    let kind =
        known.unwrap_or_else(|| Box::leak(Box::new(Kind { options, bounds: Bounds::new(bounds) })));
    kinds.extend(std::iter::repeat_n(kind, len as usize));
    Some(first)
}

impl ChosenSlot {
    #[inline(always)]
    pub(crate) fn get(&self) -> Option<&'static ChosenCell> {
        self.0.get()
    }

    /// The cells of the series `id`, made at the first call. Only the owning thread makes them.
    pub(crate) fn get_or_make(&self, id: u32) -> Option<&'static ChosenCell> {
        if let Some(cell) = self.0.get() {
            return Some(cell);
        }
        let kind = KINDS.lock().get((id - FIRST) as usize).copied()?;
        let cell: &'static ChosenCell = Box::leak(Box::new(ChosenCell::new(kind)));
        let _ = self.0.set(cell);
        Some(cell)
    }
}

impl Fresh for ChosenSlot {
    fn fresh() -> Self {
        Self(OnceRef::new())
    }
}

impl ChosenCell {
    fn new(kind: &'static Kind) -> Self {
        let range = kind.options.range;
        let (least, most) = range.map_or((0.0, f64::MAX), |range| (range.min, range.max));
        // Larger ones take the slow path, which limits what they add to the sum.
        let most = most.min(LARGEST_SUMMAND);
        let counts = match kind.options.aggregation {
            Aggregation::Exponential => Counts::Exponential(Box::new(HistogramCell::new())),
            Aggregation::Explicit(_) => {
                Counts::Explicit(ExplicitCell::new(kind.bounds, least..=most))
            }
            Aggregation::Hdr { significant_digits } => {
                Counts::Hdr(HdrCell::new(significant_digits))
            }
        };
        Self { least, most, range, counts, exemplars: Exemplars::new() }
    }

    /// Records a value that is in range and whose count is at hand; `false` if
    /// [`record_slow`](Self::record_slow) must.
    pub(crate) fn record(&self, value: f64) -> bool {
        // False for NaN too.
        if !(self.least <= value && value <= self.most) {
            return false;
        }
        match &self.counts {
            Counts::Explicit(cell) => cell.record(value),
            Counts::Hdr(cell) => cell.record(to_ticks(value)),
            Counts::Exponential(cell) => cell.record(value),
        }
    }

    /// [`record`](Self::record) of whole ticks.
    pub(crate) fn record_ticks(&self, ticks: u64) -> bool {
        let value = ticks as f64;
        match &self.counts {
            Counts::Hdr(cell) if self.least <= value && value <= self.most => cell.record(ticks),
            Counts::Hdr(_) => false,
            _ => self.record(value),
        }
    }

    /// Records any number that is neither negative nor NaN nor infinite, as the range has it.
    pub(crate) fn record_slow(&self, amount: Amount) -> Admitted {
        let admitted = self.admit(amount.value);
        let (value, ticks) = match admitted {
            Admitted::Dropped => return admitted,
            Admitted::Within(value) => (value, amount.ticks.unwrap_or_else(|| to_ticks(value))),
            Admitted::Clamped(value) => (value, to_ticks(value)),
        };
        match &self.counts {
            Counts::Exponential(cell) => cell.record_slow(value),
            Counts::Explicit(cell) => cell.add(value.abs(), value.min(LARGEST_SUMMAND)),
            Counts::Hdr(cell) => cell.record_slow(ticks),
        }
        admitted
    }

    /// The cell of explicit bounds, if this is one.
    pub(crate) fn explicit(&self) -> Option<&ExplicitCell> {
        if let Counts::Explicit(cell) = &self.counts { Some(cell) } else { None }
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

    /// What was recorded.
    pub(crate) fn read(&self) -> HistogramSnapshot {
        let mut snapshot = match &self.counts {
            Counts::Exponential(cell) => cell.read(),
            Counts::Explicit(cell) => cell.read(),
            Counts::Hdr(cell) => cell.read(),
        };
        snapshot.add_exemplars(&self.exemplars.read());
        snapshot
    }

    /// Adds what was recorded to `to`; the sum first, for the reason that `HistogramCell::read` gives.
    #[cfg(feature = "prometheus")]
    pub(crate) fn count(&self, cuts: &Cuts, to: &mut BucketCounts) {
        match &self.counts {
            Counts::Exponential(cell) => to.add_exponential(cuts, cell),
            Counts::Explicit(cell) => {
                to.add_sum(cell.sum());
                to.add_ascending(cuts, cell.cells());
            }
            Counts::Hdr(cell) => {
                to.add_sum(cell.sum());
                to.add_blocks(cuts, cell.leaves().map(|(first, counts)| (first, &counts[..])));
            }
        }
    }

    /// The exemplars, in no order.
    #[cfg(feature = "prometheus")]
    pub(crate) fn all_exemplars(&self) -> Vec<Exemplar> {
        self.exemplars.read()
    }

    /// Back to nothing recorded, by whoever knows that the owner does not write: see `series.rs`.
    pub(crate) fn reset(&self) {
        match &self.counts {
            Counts::Exponential(cell) => cell.reset(),
            Counts::Explicit(cell) => cell.reset(),
            Counts::Hdr(cell) => cell.reset(),
        }
        self.exemplars.reset();
    }

    fn admit(&self, value: f64) -> Admitted {
        self.range.map_or(Admitted::Within(value), |range| range.admit(value))
    }
}

/// What the series `id` shows before anything is recorded.
pub(crate) fn empty_series(id: u32) -> HistogramSnapshot {
    let place = id.checked_sub(FIRST).map(|place| place as usize);
    let kind = place.and_then(|place| KINDS.lock().get(place).copied());
    kind.map_or_else(HistogramSnapshot::default, |kind| empty(&kind.options))
}

/// What a histogram that was told `options` shows before anything is recorded.
pub(crate) fn empty(options: &HistogramOptions) -> HistogramSnapshot {
    HistogramSnapshot::empty(BucketLayout::from(options.aggregation))
}
