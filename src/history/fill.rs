//! A tick: the registry's values, read in place, become samples.

use std::sync::Arc;

use super::{
    families::{FamilyRows, Head, Memory, Named},
    past::History,
    sample::{Cells, Form, Layout},
    select::Selections,
    store::{RowId, Store},
};
use crate::{
    cells::{
        Reader, Storage,
        histogram::{cuts::BucketCounts, gathered::Gathered},
    },
    clock::{Slot, Ticks},
    metric::{FollowRegistry, Prepared},
    series::{Family, Follow, Number, Room, SeriesList, Wanted},
    snapshot::{self, BucketLayout, HistogramSnapshot, Kind, PageBounds, SeriesValue},
};

impl History {
    /// Takes the samples of a tick in a slot. Returns the number of series if they have just become
    /// more than the budget holds. From then on only selected series are kept.
    pub(crate) fn tick(&mut self, registry: &Prepared, slot: Slot) -> Option<usize> {
        registry.hand_over(&mut Filling { history: self, slot, n_families: 0 });
        self.finish()
    }
}

/// A registry on its way into the history.
struct Filling<'a> {
    history: &'a mut History,
    slot: Slot,
    /// How many of the families that are read in place have come.
    n_families: usize,
}

impl FollowRegistry for Filling<'_> {
    fn begin(&mut self, taken: Ticks, started: Ticks) {
        self.history.begin(taken, self.slot.nanos, started);
    }

    fn family(&mut self, family: &Arc<Family>, bounds: PageBounds, from: (&Storage, &Reader)) {
        if !self.history.keeps(&family.name) {
            self.history.n_unkept += family.n_listed();
            return;
        }
        let head = Head { kind: family.kind, unit: family.unit, form: form_of(family) };
        let hint = self.history.order.get(self.n_families).copied();
        let (name, help) = (&family.name, family.help());
        let place = self.history.find(Named { name, help, head, page_bounds: bounds }, hint);
        match hint {
            Some(_) => self.history.order[self.n_families] = place,
            None => self.history.order.push(place),
        }
        self.n_families += 1;
        let History { families, store, memory, selections, .. } = &mut *self.history;
        let rows = &mut families[place];
        let layout = (family.kind == Kind::Histogram)
            .then(|| BucketLayout::from(family.histogram.aggregation));
        family.follow(from.0, from.1, &mut Following { rows, store, memory, selections, layout });
    }

    fn kept(&mut self, family: &snapshot::Family) {
        let Some(first) = family.series().first() else { return };
        if !self.history.keeps(&family.name) {
            self.history.n_unkept += family.series().len();
            return;
        }
        let head =
            Head { kind: family.kind, unit: family.unit, form: form_of_value(first.value()) };
        let (name, help, page_bounds) = (&family.name, &family.help, family.page_bounds);
        let place = self.history.find(Named { name, help, head, page_bounds }, None);
        let History { families, store, memory, selections, .. } = &mut *self.history;
        let rows = &mut families[place];
        rows.learn_values(family, (store, selections));
        let mut following = Following { rows, store, memory, selections, layout: None };
        for (place, series) in family.series().iter().enumerate() {
            let row = following.rows.at(place);
            following.store.set_start(row, series.started());
            match bits_of(series.value(), head.form) {
                Some(bits) => following.store.add_bits(row, bits),
                None => following.add_value(row, series.value()),
            }
        }
    }
}

/// A family that is read in place, and its rows.
struct Following<'a> {
    rows: &'a mut FamilyRows,
    store: &'a mut Store,
    memory: &'a mut Memory,
    selections: &'a mut Selections,
    /// The buckets, if it is a family of histograms.
    layout: Option<BucketLayout>,
}

impl Follow for Following<'_> {
    fn knows(&mut self, list: &Arc<SeriesList>, reader: &Reader) -> bool {
        let is_known = self.rows.knows(list, reader);
        if !is_known {
            self.rows.learn(list, reader, (self.store, self.selections));
        }
        is_known
    }

    fn starts(&mut self, place: usize, start: Ticks) {
        self.store.set_start(self.rows.at(place), start);
    }

    #[inline]
    fn bits(&mut self, place: usize, bits: u64) {
        self.store.add_bits(self.rows.at(place), bits);
    }

    fn value(&mut self, place: usize, value: &SeriesValue) {
        self.add_value(self.rows.at(place), value);
    }

    fn absent(&mut self, place: usize) {
        self.store.end(self.rows.at(place));
    }

    fn wants(&mut self, place: usize, count: u64) -> Wanted {
        let row = self.rows.at(place);
        let is_changed = self.store.is_changed(row, count);
        let is_mark = self.store.is_mark() && (is_changed || self.store.needs_buckets(row));
        if is_mark || is_changed && self.store.row(row).keeps_buckets {
            return Wanted::Buckets;
        }
        match &self.layout {
            Some(layout) if is_changed => {
                Wanted::Columns(self.rows.divided(layout, self.store).cuts)
            }
            None if is_changed => Wanted::Buckets, // Of a summary its count and sum are kept.
            _ => Wanted::Nothing,
        }
    }

    fn columns(&mut self, place: usize, counts: &BucketCounts) {
        let Some(layout) = &self.layout else { return };
        let columns = self.rows.divided(layout, self.store).columns;
        self.memory.cells.set_columns(counts);
        self.store.add_histogram(self.rows.at(place), counts.count(), columns, &self.memory.cells);
    }

    fn buckets(&mut self, place: usize, histogram: &Gathered) {
        let Some(layout) = self.layout.clone() else { return };
        let cells = || histogram.cells().iter().copied();
        self.add_histogram(self.rows.at(place), &layout, histogram.sum(), cells);
    }

    fn room(&mut self) -> Room {
        std::mem::take(&mut self.memory.room)
    }

    fn keep(&mut self, room: Room) {
        self.memory.room = room;
    }
}

impl Following<'_> {
    /// Adds a value that is not a plain number.
    fn add_value(&mut self, row: RowId, value: &SeriesValue) {
        match value {
            SeriesValue::Histogram(histogram) => self.add_snapshot(row, histogram),
            SeriesValue::Summary(summary) => {
                // The sliding windows of a summary are not kept.
                let layout = self.store.layout_id(&Layout::Columns([].into()));
                self.memory.cells.set(summary.sum, [(0, summary.count)].into_iter());
                if self.store.is_changed(row, summary.count) {
                    self.store.add_histogram(row, summary.count, layout, &self.memory.cells);
                }
            }
            value => {
                let bits = bits_of(value, self.rows.head.form);
                bits.into_iter().for_each(|bits| self.store.add_bits(row, bits));
            }
        }
    }

    fn add_snapshot(&mut self, row: RowId, histogram: &HistogramSnapshot) {
        let cells = || histogram.cells().iter().map(|&(cell, count)| (cell.into(), count));
        self.add_histogram(row, histogram.layout(), histogram.sum(), cells);
    }

    /// Adds a histogram. At this tick it is kept by its columns, or with all buckets if a selection
    /// needs its distributions. The coarser tiers that have an instant now get all buckets.
    fn add_histogram<I: Iterator<Item = (u64, u64)>>(
        &mut self,
        row: RowId,
        layout: &BucketLayout,
        sum: f64,
        buckets: impl Fn() -> I,
    ) {
        let Self { rows, store, memory: Memory { counts, cells, .. }, .. } = self;
        let divided = rows.divided(layout, store);
        let count = buckets().fold(0, |all: u64, (_, count)| all.wrapping_add(count));
        let (is_changed, keeps_buckets) =
            (store.is_changed(row, count), store.row(row).keeps_buckets);
        if is_changed && !keeps_buckets {
            counts.clear(&divided.cuts);
            counts.add_sum(sum);
            let narrow = buckets().map(|(cell, count)| (cell as u32, count));
            counts.add_ascending(&divided.cuts, narrow);
            cells.set_columns(counts);
            store.add_histogram(row, count, divided.columns, cells);
        }
        let goes_into_ticks = is_changed && keeps_buckets;
        if goes_into_ticks || store.needs_buckets(row) {
            cells.set(sum, buckets());
        }
        if goes_into_ticks {
            store.add_histogram(row, count, divided.buckets, cells);
        }
        if store.needs_buckets(row) {
            store.add_buckets(row, divided.buckets, cells);
        }
    }
}

impl Cells {
    fn set(&mut self, sum: f64, cells: impl Iterator<Item = (u64, u64)>) {
        self.clear();
        self.sum = sum.to_bits();
        self.cells.extend(cells.filter(|&(_, count)| count != 0));
    }

    fn set_columns(&mut self, counts: &BucketCounts) {
        let columns = (0..).zip(counts.counts().iter().copied());
        self.set(counts.sum(), columns);
    }
}

fn form_of(family: &Family) -> Form {
    match (family.kind, family.number_kind) {
        (Kind::Histogram | Kind::Summary, _) => Form::Histogram,
        (Kind::Counter, Number::Whole) | (Kind::Info | Kind::StateSet, _) => Form::Whole,
        (Kind::UpDownCounter, Number::Whole) => Form::Signed,
        (Kind::Gauge | Kind::Counter | Kind::UpDownCounter, _) => Form::Float,
    }
}

fn form_of_value(value: &SeriesValue) -> Form {
    match value {
        SeriesValue::Counter(_) | SeriesValue::Info | SeriesValue::State(_) => Form::Whole,
        SeriesValue::UpDownCounter(_) => Form::Signed,
        SeriesValue::FloatCounter(_) | SeriesValue::Gauge(_) => Form::Float,
        SeriesValue::Histogram(_) | SeriesValue::Summary(_) => Form::Histogram,
    }
}

/// The bits of a number, in the form of its family.
fn bits_of(value: &SeriesValue, form: Form) -> Option<u64> {
    let is_float = form == Form::Float;
    Some(match value {
        SeriesValue::Histogram(_) | SeriesValue::Summary(_) => return None,
        SeriesValue::Counter(sum) if !is_float => *sum,
        SeriesValue::UpDownCounter(sum) if !is_float => sum.cast_unsigned(),
        SeriesValue::Info => 1,
        SeriesValue::State(holds) => (*holds).into(),
        value if is_float => value.as_f64().to_bits(),
        value => value.as_f64() as u64,
    })
}
