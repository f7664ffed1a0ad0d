//! Histograms: the layout of their buckets, and what a snapshot of one tells.

pub(crate) mod layout;
mod snapshot;

pub use snapshot::HistogramSnapshot;
