//! Histograms: the instrument, its cells, the layout of its buckets, and what a snapshot tells.

mod aggregation;
mod buckets;
mod exponential;
mod instrument;
mod snapshot;

pub(crate) mod cell;
pub(crate) mod chosen;
pub(crate) mod exemplars;
pub(crate) mod explicit;
pub(crate) mod hdr;
#[cfg(feature = "prometheus")]
pub(crate) mod cuts;
#[cfg(feature = "prometheus")]
pub(crate) mod ladder;
pub(crate) mod layout;
pub(crate) mod options;

pub use aggregation::{Aggregation, HistogramOptions, OutOfRange, PageBounds};
pub use buckets::BucketLayout;
pub use exponential::{ExponentialBuckets, exponential_index};
#[cfg(feature = "hdrhistogram")]
pub use hdr::log;
pub use instrument::{BoundHistogram, Histogram};
pub use snapshot::{HistogramParts, HistogramSnapshot};

pub(crate) use aggregation::{Admitted, Range, bounds_fault};

#[cfg(test)]
mod parts_tests;
#[cfg(test)]
mod tests;
