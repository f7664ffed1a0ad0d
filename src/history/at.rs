//! All series as they were at a kept instant.

use std::{borrow::Cow, sync::Arc};

use super::{
    families::FamilyRows,
    sample::{Cells, Form, Layout, Sample},
    store::{RowId, Store},
    tier::TICKS,
};
use crate::{
    clock::Ticks,
    snapshot::{
        BucketLayout, Family, HistogramSnapshot, Kind, Series, SeriesValue, SummarySnapshot,
    },
};

impl FamilyRows {
    /// Returns the family at an instant of a tier; `None` if it had no series.
    pub(super) fn at_instant(&self, tier: usize, number: u64, store: &Store) -> Option<Family> {
        let series = self.rows.iter().filter_map(|&row| self.series(row, tier, number, store));
        let series: Vec<Series> = series.collect();
        (!series.is_empty()).then(|| Family {
            name: self.name.clone(),
            kind: self.head.kind,
            unit: self.head.unit,
            help: self.help.clone(),
            page_bounds: self.page_bounds,
            begins_at_zero: self.begins_at_zero,
            series,
        })
    }

    fn series(&self, row: RowId, tier: usize, number: u64, store: &Store) -> Option<Series> {
        store.sample(row, tier, number, |start: Ticks, sample: Sample<'_>| {
            let value = match sample {
                Sample::Bits(bits) => self.number(bits),
                Sample::Histogram(layout, cells) => self.distribution(store.layout(layout), cells),
            };
            Series::new(store.row(row).labels.clone(), value, start)
        })
    }

    fn number(&self, bits: u64) -> SeriesValue {
        match (self.head.kind, self.head.form) {
            (Kind::Counter, Form::Float) => SeriesValue::FloatCounter(f64::from_bits(bits)),
            (Kind::Counter, _) => SeriesValue::Counter(bits),
            (Kind::UpDownCounter, Form::Signed) => SeriesValue::UpDownCounter(bits.cast_signed()),
            (Kind::Info, _) => SeriesValue::Info,
            (Kind::StateSet, _) => SeriesValue::State(bits != 0),
            _ => SeriesValue::Gauge(f64::from_bits(bits)),
        }
    }

    fn distribution(&self, layout: &Layout, cells: &Cells) -> SeriesValue {
        let sum = f64::from_bits(cells.sum);
        let layout = match layout {
            Layout::Minute => return SeriesValue::Gauge(sum), // The last value.
            Layout::Columns(bounds) => BucketLayout::Explicit(Cow::Owned(bounds.to_vec())),
            Layout::Buckets(layout) => layout.clone(),
            Layout::Native(_) => BucketLayout::Explicit(Cow::Borrowed(&[])),
        };
        if self.head.kind == Kind::Summary {
            let count = cells.count();
            return SeriesValue::Summary(Arc::new(SummarySnapshot {
                count,
                sum,
                windows: Vec::new(),
            }));
        }
        let counts = cells.cells.iter().map(|&(cell, count)| (cell as u32, count)).collect();
        SeriesValue::Histogram(Arc::new(HistogramSnapshot::from_cells(layout, counts, sum)))
    }
}

impl Store {
    /// Hands over the sample of a row at an instant of a tier, with its start; `None` if it had none.
    pub(super) fn sample<T>(
        &self,
        id: RowId,
        tier: usize,
        number: u64,
        give: impl FnOnce(Ticks, Sample<'_>) -> T,
    ) -> Option<T> {
        let row = self.row(id);
        if let Some(track) = row.track_of(tier) {
            // Read in place: handing the staged samples over would take memory beyond the budget.
            let staged = if tier == TICKS { self.hot[id as usize].staged() } else { &[] };
            let read = track.value(number, staged)?;
            return Some(give(read.start, read.value()));
        }
        let (born, start, bits) = self.untracked(id, tier)?;
        let tick = self.tiers[tier].get(number)?.tick;
        (tick >= born).then(|| give(start, Sample::Bits(bits)))
    }
}
