//! Counters, gauges and histograms: how they are recorded, kept and read.

mod name;
mod snapshot;
mod unit;

pub mod histogram;

pub use histogram::HistogramSnapshot;
pub use snapshot::{Family, Kind, Series, SeriesValue, Snapshot};
pub use unit::Unit;

pub(crate) use name::exposition_name;
#[cfg(feature = "prometheus")]
pub(crate) use name::{sanitised, unit_word};
