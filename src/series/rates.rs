//! The rates of a throughput: a family of gauges, computed when its registry is read.
//!
//! They are differences of readings of the counter, which every reader leaves behind
//! (`cells/sliding.rs`).

use super::family::{Family, SeriesSet};
use crate::{
    cells::{Baseline, DISABLED, SPANS, Storage, per_second},
    clock::{self, Ticks},
    label::LabelSet,
    snapshot::{self, PageBounds, Series, SeriesValue},
};

/// The label that tells the rates of one series apart.
pub(crate) const WINDOW_KEY: &str = "window";

impl Family {
    /// The rates of all series that `storage` shows, if this is a throughput.
    pub(crate) fn read_rates(&self, storage: &Storage) -> Option<snapshot::Family> {
        let family = &**self.rates.as_ref()?;
        let (Self { name, kind, unit, .. }, help) = (family, family.help());
        // Before the series are listed: a series that is created later is zero now.
        let look = clock::now();
        let reader = storage.reader();
        let mut series = Vec::new();
        self.walk(storage, &reader, |reader, list, always| {
            for listed in list.known() {
                if self.value(storage, reader, listed.id, always).is_none() {
                    continue;
                }
                let zero = self.started(storage, reader, listed);
                let now = (clock::now(), reader.sum(listed.id));
                let rates = rates(storage, listed.id, zero, now).into_iter();
                series.extend(rates.map(|(window, rate)| {
                    let labels = listed.labels.with([(WINDOW_KEY, window)]);
                    Series::new(labels, SeriesValue::Gauge(rate), storage.started())
                }));
            }
        });
        self.note_look(storage, look);
        let (name, help, kind, unit) = (name.clone(), help.clone(), *kind, *unit);
        let (page_bounds, begins_at_zero) = (PageBounds::default(), true);
        let series = added_up(series);
        Some(snapshot::Family { name, kind, unit, help, page_bounds, begins_at_zero, series })
    }

    /// Notes that those of its series without readings were zero at `look`, if their creation time does
    /// not show it.
    pub(crate) fn note_look(&self, storage: &Storage, look: Ticks) {
        if let SeriesSet::Closed(set) = &self.set
            && set.base != DISABLED
            && self.rates.is_some()
        {
            storage.sliding().look(set.base, set.len as u32, look);
        }
    }
}

/// The rates of a series over each window: the series was zero at `zero` and is `now.1` now.
fn rates(
    storage: &Storage,
    id: u32,
    zero: Ticks,
    now: (Ticks, u64),
) -> [(&'static str, f64); SPANS.len()] {
    let since = (storage.started(), Some(zero));
    let before = storage.sliding().sums_before(id, since, now, SPANS.map(|(span, _)| span));
    std::array::from_fn(|place| {
        let Baseline { value, age, .. } = before[place];
        // Another thread may have read later.
        (SPANS[place].1, per_second(now.1.saturating_sub(value), age))
    })
}

/// Sorts `series`, and adds up the rates of those with the same labels: combinations that read the
/// same.
fn added_up(mut series: Vec<Series>) -> Vec<Series> {
    series.sort_by(|a, b| a.labels().cmp(b.labels()));
    series.chunk_by(|a, b| a.labels() == b.labels()).map(sum).collect()
}

fn sum(alike: &[Series]) -> Series {
    let rate = alike.iter().map(|series| series.value().as_f64()).sum();
    let labels: LabelSet = alike[0].labels().clone();
    Series::new(labels, SeriesValue::Gauge(rate), alike[0].started())
}
