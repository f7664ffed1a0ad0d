//! Counters, gauges and histograms: how they are recorded and read.
//!
//! An instrument is a `const` description in a static. Its first use registers a family
//! (`series`) in a [`Registry`], which gives each series an id; a record goes to the cell of that id in
//! the thread's own table (`cells`), and a [`Snapshot`] (`snapshot`) sums the tables.

mod collector;
mod counter;
mod gauge;
mod handle;
pub mod histogram;
mod info;
mod instrument;
mod measurement;
mod observable;
mod own;
mod reader;
mod registry;
mod summary;
mod throughput;
mod timer;
mod typed;

pub use counter::{
    BoundCounter, BoundFloatCounter, BoundUpDownCounter, Counter, FloatCounter, Held, UpDownCounter,
};
pub use gauge::{BoundGauge, Gauge};
pub use histogram::{BoundHistogram, Histogram};
pub use info::{Info, StateSet};
pub use measurement::Measurement;
pub use observable::{Observations, Observer};
pub use reader::{Delta, Reader, Temporality};
pub(crate) use registry::{FollowRegistry, Prepared};
pub use registry::{Registry, RegistryBuilder};
pub use summary::{BoundSummary, Summary, SummaryWindow};
pub use throughput::{Marked, Throughput};
pub use timer::Timer;
pub use typed::With;

pub use crate::series::InstrumentView;
pub use crate::snapshot::{
    Aggregation, BucketLayout, Exemplar, ExponentialBuckets, Family, Gauges, HistogramOptions,
    HistogramParts, HistogramSnapshot, Kind, OutOfRange, PageBounds, Requests, Series, SeriesValue,
    Snapshot, SummarySnapshot, Unit, View, Views, Window, exponential_index,
};

pub(crate) use collector::{Sight, release as release_collector};
pub(crate) use observable::quick;

#[cfg(test)]
mod empty_labels_tests;
#[cfg(test)]
mod exemplar_tests;
#[cfg(test)]
mod expiry_tests;
#[cfg(test)]
mod observable_tests;
#[cfg(test)]
pub(crate) mod tests;
