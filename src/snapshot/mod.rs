//! Snapshots: immutable values for readers, and what can be computed from them.
//!
//! `family` is a snapshot with its families and series, `histogram` the values of a distribution. Two
//! snapshots can be subtracted (`figures`) or added up (`merge`); `view` shows a snapshot in another
//! way, and `interchange` passes it to another process. Nothing here knows who records or where values
//! are kept.

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
