//! Histograms: the instrument, its cells, the layout of its buckets, and what a snapshot tells.

#[cfg(feature = "hdrhistogram")]
mod hdr;
mod instrument;
mod snapshot;

pub(crate) mod cell;
#[cfg(feature = "prometheus")]
pub(crate) mod ladder;
pub(crate) mod layout;

pub use instrument::{BoundHistogram, Histogram};
pub use snapshot::HistogramSnapshot;
