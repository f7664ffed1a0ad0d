//! What a view decides when an instrument is first used, because it cannot be changed afterwards.

use crate::snapshot::{Aggregation, Kind, Unit, Views};

/// What the views decide for an instrument that is about to be used for the first time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct InstrumentView {
    aggregation: Option<Aggregation>,
    limit: Option<usize>,
}

impl Views {
    /// What the views decide for an instrument that is about to be used for the first time: the
    /// aggregation, for a histogram, and the limit of series. Each comes from the first view that sets
    /// it.
    #[must_use]
    pub fn for_instrument(&self, name: &str, kind: Kind, unit: Unit) -> InstrumentView {
        let mut found = InstrumentView::default();
        for view in self.all().iter().filter(|view| view.selects(name, kind, unit)) {
            if kind == Kind::Histogram {
                found.aggregation = found.aggregation.or_else(|| view.aggregation());
            }
            found.limit = found.limit.or(view.series_limit());
        }
        found
    }
}

impl InstrumentView {
    /// The aggregation, if a view chooses it.
    #[must_use]
    pub fn aggregation(&self) -> Option<Aggregation> {
        self.aggregation
    }

    /// The most label sets, if a view limits them.
    #[must_use]
    pub fn limit(&self) -> Option<usize> {
        self.limit
    }
}
