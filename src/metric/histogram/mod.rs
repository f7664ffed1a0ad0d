//! Histograms: the instrument, and what a snapshot tells of one.

mod instrument;

pub use instrument::{BoundHistogram, Histogram};

#[cfg(feature = "hdrhistogram")]
pub use crate::snapshot::histogram::log;
pub use crate::snapshot::{
    Aggregation, BucketLayout, ExponentialBuckets, HistogramOptions, HistogramParts,
    HistogramSnapshot, OutOfRange, PageBounds, exponential_index,
};

#[cfg(test)]
mod parts_tests;
#[cfg(test)]
mod tests;
