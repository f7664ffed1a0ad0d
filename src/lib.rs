//! Counters, gauges, histograms, spans and alert rules for a service, in one crate.

extern crate self as bellwether; // The macros name the crate from outside; its own code uses them too.

mod sync;
mod util;

pub mod error;
pub mod clock;
pub mod label;
pub mod context;
pub mod resource;
pub mod pipeline;
pub mod transport;
pub mod metric;
pub mod trace;
pub mod export;
pub mod alert;
pub mod observe;
pub mod telemetry;
pub mod testing;

pub use context::current;
pub use error::{Error, ErrorKind};
pub use metric::{Counter, Gauge, Histogram, UpDownCounter, Unit};
pub use telemetry::{Builder, Telemetry, builder, exit};
pub use trace::{InSpan, extract, inject, span};
