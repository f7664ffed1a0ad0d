//! The options of histograms that have some of their own, each kept once for the process.

use super::{
    explicit::{Bounds, ExplicitCell},
    hdr::HdrCell,
};
use crate::{
    snapshot::{Aggregation, HistogramOptions},
    sync::Mutex,
};

/// Options that are not the default, with what is computed of them once.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) options: HistogramOptions,
    pub(crate) bounds: Bounds, // None but for explicit ones.
}

/// `options` as they are kept for the process, once however often they are asked for; `None` for the
/// default.
pub(crate) fn intern(options: HistogramOptions) -> Option<&'static Chosen> {
    // Guards all that were asked for. Nothing is locked inside it.
    static KNOWN: Mutex<Vec<&'static Chosen>> = Mutex::new(Vec::new());
    let options = options.of_cells();
    if options == HistogramOptions::new() {
        return None;
    }
    let mut known = KNOWN.lock();
    if let Some(chosen) = known.iter().find(|chosen| chosen.options == options) {
        return Some(chosen);
    }
    let bounds = match options.aggregation {
        Aggregation::Explicit(bounds) => bounds,
        _ => &[],
    };
    let chosen: &'static Chosen =
        Box::leak(Box::new(Chosen { options, bounds: Bounds::new(bounds) }));
    known.push(chosen);
    Some(chosen)
}

impl Chosen {
    /// What the counts of a cell take beside it.
    pub(crate) fn bytes(&self) -> usize {
        match self.options.aggregation {
            Aggregation::Exponential => 0,
            Aggregation::Explicit(_) => ExplicitCell::bytes(self.bounds),
            Aggregation::Hdr { significant_digits } => HdrCell::bytes(significant_digits),
        }
    }
}
