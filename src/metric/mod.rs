//! Counters, gauges and histograms: how they are recorded, kept and read.
//!
//! An instrument is a `const` description in a static. Its first use registers a [`Family`] in a
//! [`Registry`], which gives each series an id; a record goes to the cell of that id in the thread's
//! own table, and a [`Snapshot`] sums the tables.
#![cfg_attr(
    not(feature = "prometheus"),
    allow(dead_code, unused_imports, reason = "what only a page asks for is there in every build")
)]

mod collector;
mod counter;
mod exemplar;
mod family;
mod figures;
mod gauge;
pub mod histogram;
mod info;
mod instrument;
#[cfg(feature = "serde")]
mod interchange;
mod list;
mod listing;
#[cfg(feature = "prometheus")]
mod live;
mod lookup;
mod measurement;
mod merge;
mod name;
mod observable;
mod open;
mod reader;
mod refused;
mod registry;
mod series;
mod snapshot;
mod sliding;
mod stats;
mod summary;
mod throughput;
mod timer;
mod unit;
mod view;

pub(crate) mod cell;

pub use counter::{
    BoundCounter, BoundFloatCounter, BoundUpDownCounter, Counter, FloatCounter, Held, UpDownCounter,
};
pub use exemplar::Exemplar;
pub use figures::{Requests, Window};
pub use gauge::{BoundGauge, Gauge};
pub use histogram::{
    Aggregation, BoundHistogram, BucketLayout, ExponentialBuckets, Histogram, HistogramOptions,
    HistogramParts, HistogramSnapshot, OutOfRange, PageBounds, exponential_index,
};
pub use info::{Info, StateSet};
pub use instrument::With;
pub use measurement::Measurement;
pub use merge::Gauges;
pub(crate) use observable::quick;
pub use observable::{Observations, Observer};
pub use reader::{Delta, Reader, Temporality};
pub use registry::{Registry, RegistryBuilder};
pub use snapshot::{Family, Kind, Series, SeriesValue, Snapshot, SummarySnapshot};
pub use summary::{BoundSummary, Summary, SummaryWindow};
pub use throughput::{Marked, Throughput};
pub use timer::Timer;
pub use unit::Unit;
pub use view::{InstrumentView, View, Views};

pub(crate) use cell::{orphaned, reentrant, set_most_owners, shared_records};
pub(crate) use collector::{Sight, release as release_collector};
#[cfg(feature = "prometheus")]
pub(crate) use live::{Live, LiveFamily, Place, Reading, Visit, visit_kept};
#[cfg(feature = "prometheus")]
pub(crate) use name::{exposition_name, sanitised, unit_word};
pub(crate) use name::{key_fault, name_fault};
pub(crate) use registry::Changes;
#[cfg(feature = "prometheus")]
pub(crate) use snapshot::Head;

#[cfg(test)]
mod empty_labels_tests;
#[cfg(test)]
mod exemplar_tests;
#[cfg(test)]
mod expiry_tests;
#[cfg(test)]
mod observable_tests;
#[cfg(test)]
mod tests;
