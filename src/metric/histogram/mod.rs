//! Histograms: the layout of their buckets, and what a snapshot of one tells.

#[cfg(feature = "prometheus")]
pub(crate) mod ladder;
pub(crate) mod layout;
mod snapshot;

pub use snapshot::HistogramSnapshot;
