//! Histograms: the instrument, its cells, the layout of its buckets, and what a snapshot tells.

mod instrument;
mod snapshot;

pub(crate) mod cell;
pub(crate) mod layout;

pub use instrument::{BoundHistogram, Histogram};
pub use snapshot::HistogramSnapshot;
