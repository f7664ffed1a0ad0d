//! What readers get: values that do not change any more, and what is made of them.
//!
//! `family` is a snapshot and its families and series, `histogram` what a distribution tells. Whoever
//! has two snapshots takes differences (`figures`) or adds them up (`merge`); `view` shows one
//! otherwise, and `interchange` hands it to another process. Nothing here knows who records or where
//! values are kept.

mod exemplar;
mod family;
mod figures;
pub(crate) mod histogram;
#[cfg(feature = "serde")]
mod interchange;
pub(crate) mod merge;
mod name;
mod point;
mod unit;
mod unit_word;
mod view;

pub use exemplar::Exemplar;
pub(crate) use exemplar::ExemplarFault;
pub use family::{Family, Kind, Series, SeriesValue, Snapshot, SummarySnapshot};
pub use figures::{Requests, Window};
pub use histogram::{
    Aggregation, BucketLayout, ExponentialBuckets, HistogramOptions, HistogramParts,
    HistogramSnapshot, OutOfRange, PageBounds, exponential_index,
};
pub use merge::Gauges;
pub use point::{DataPoint, MetricsOptions, Temporality};
pub use unit::Unit;
pub use view::{View, Views};

#[cfg(feature = "prometheus")]
pub(crate) use family::Head;
pub(crate) use histogram::{
    Admitted, Range, TickBuckets, WHOLE, explicit_bucket, small_to_ticks, to_ticks,
};
pub(crate) use merge::Choice;
#[cfg(feature = "prometheus")]
pub(crate) use name::{Part, plain_name, unit_word, with_unit};
pub(crate) use name::{claimed_names, key_fault, name_fault};
