//! Counters, gauges, histograms, spans and alert rules for a service, in one crate.

extern crate self as bellwether; // The macros name the crate from outside; its own code uses them too.

mod diagnostics;
mod sync;
mod util;

pub mod alert;
pub mod clock;
pub mod context;
pub mod error;
pub mod export;
pub mod label;
pub mod metric;
pub mod observe;
pub mod pipeline;
pub mod resource;
pub mod telemetry;
pub mod testing;
pub mod trace;
pub mod transport;

pub use context::current;
pub use error::{Error, ErrorKind};
pub use label::Labels;
pub use metric::{Counter, Gauge, Histogram, Unit, UpDownCounter};
pub use observe::{Labels, count, observe, time};
pub use telemetry::{Builder, Telemetry, builder, exit};
pub use trace::{InSpan, extract, inject, span};
