//! Histograms in a snapshot: how values are divided into buckets, and the counts of the buckets.

mod aggregation;
mod buckets;
mod data;
mod exponential;

pub(crate) mod hdr;
pub(crate) mod ladder;
pub(crate) mod layout;

pub use aggregation::{Aggregation, HistogramOptions, OutOfRange, PageBounds};
pub use buckets::BucketLayout;
pub use data::{HistogramParts, HistogramSnapshot};
pub use exponential::{ExponentialBuckets, exponential_index};
#[cfg(feature = "hdrhistogram")]
pub use hdr::log;

pub(crate) use aggregation::{Admitted, Range, bounds_fault};
pub(crate) use buckets::explicit_bucket;
pub(crate) use hdr::{TickBuckets, WHOLE, small_to_ticks, to_ticks};
