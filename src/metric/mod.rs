//! Counters, gauges, histograms and other instruments, registries, and snapshots.
//!
//! An instrument is a static. Its first use registers its family in the global [`Registry`], which gives
//! each series an id. A measurement is written to the cell with that id in the thread's own table. A
//! [`Snapshot`] adds up the tables of all threads.

#[cfg(any(feature = "metrics", feature = "opentelemetry"))]
pub(crate) mod bridge;
mod collector;
mod counter;
mod gauge;
mod handle;
mod histogram;
mod info;
mod instrument;
mod measurement;
mod observable;
mod observations;
mod own;
mod reader;
mod recorded;
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
pub use observable::Observer;
pub use observations::Observations;
pub use reader::{Delta, Reader};
pub(crate) use registry::{FollowRegistry, Prepared};
pub use registry::{
    InstrumentBuilder, ObservableInstrument, Registrable, Registry, RegistryBuilder,
};
pub use summary::{BoundSummary, Summary, SummaryWindow};
pub use throughput::{BoundThroughput, Marked, Throughput};
pub use timer::Timer;
pub use typed::With;

pub use crate::series::InstrumentView;
#[cfg(feature = "hdrhistogram")]
pub use crate::snapshot::histogram::log as hdr_log;
pub use crate::snapshot::{
    Aggregation, BucketLayout, DataPoint, Exemplar, ExponentialBuckets, Family, Gauges,
    HistogramOptions, HistogramParts, HistogramSnapshot, Kind, MetricsOptions, OutOfRange,
    PageBounds, Requests, Series, SeriesValue, Snapshot, SummarySnapshot, Temporality, Unit, View,
    Views, Window, exponential_index,
};

pub(crate) use collector::{Sight, release as release_collector};
pub(crate) use observable::quick;

#[cfg(test)]
mod any_keys_tests;
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
#[cfg(test)]
mod throughput_tests;
