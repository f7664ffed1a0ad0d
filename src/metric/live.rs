//! A registry read in place, for a page: the series of a [`Snapshot`](super::Snapshot), without the
//! memory of one.
//!
//! Values are read while they are handed over, one after the other; a histogram that is kept
//! exponentially is handed over by powers of two, which are all that a text page shows of it.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{
    HistogramSnapshot, SeriesValue,
    cell::{Reader, Storage},
    family::Family,
    snapshot::{self, Head},
};
use crate::{clock::Ticks, label::LabelSet};

/// All series of a registry, as they are when they are asked for.
pub(crate) struct Live {
    families: Vec<LiveFamily>, // Invariant: sorted by name, names unique.
}

/// The series of one name.
pub(crate) struct LiveFamily(Repr);

enum Repr {
    Recorded {
        family: &'static Family,
        from: Rc<Source>,
    },
    /// What a callback told.
    Observed(snapshot::Family),
}

/// Where values are read from.
pub(super) struct Source {
    storage: Arc<Storage>,
    reader: Reader,
    /// The histogram that is being handed over; its memory serves the next one.
    histogram: RefCell<Arc<HistogramSnapshot>>,
}

impl Live {
    pub(super) fn new(
        storage: Arc<Storage>,
        families: impl ExactSizeIterator<Item = &'static Family>,
        observed: Vec<snapshot::Family>,
    ) -> Self {
        let reader = storage.reader();
        let from = Rc::new(Source { storage, reader, histogram: RefCell::default() });
        let recorded = families.map(|family| Repr::Recorded { family, from: from.clone() });
        let mut families = Vec::with_capacity(recorded.len() + observed.len());
        families.extend(recorded.chain(observed.into_iter().map(Repr::Observed)).map(LiveFamily));
        families.sort_by(|a: &LiveFamily, b| a.head().name.cmp(b.head().name));
        Self { families }
    }

    /// The families, sorted by name.
    pub(crate) fn families(&self) -> &[LiveFamily] {
        &self.families
    }
}

impl LiveFamily {
    /// What the family is.
    pub(crate) fn head(&self) -> Head<'_> {
        match &self.0 {
            Repr::Recorded { family: Family { name, kind, unit, help, .. }, .. } => {
                Head { name, kind: *kind, unit: *unit, help }
            }
            Repr::Observed(family) => family.head(),
        }
    }

    /// Calls `each` with every series: its labels, when its sum began, and its value.
    pub(crate) fn each_series(&self, mut each: impl FnMut(&LabelSet, Ticks, &SeriesValue)) {
        match &self.0 {
            Repr::Observed(family) => {
                for series in family.series() {
                    each(series.labels(), series.started(), series.value());
                }
            }
            Repr::Recorded { family, from } => {
                let Source { storage, reader, histogram } = &**from;
                let coarse = |id| {
                    let mut histogram = histogram.borrow_mut();
                    let is_read = reader.coarse_histogram(id, Arc::make_mut(&mut histogram));
                    is_read.then(|| SeriesValue::Histogram(histogram.clone()))
                };
                family.walk(storage, reader, coarse, |listed, started, value| {
                    each(&listed.labels, started, &value);
                });
            }
        }
    }
}
