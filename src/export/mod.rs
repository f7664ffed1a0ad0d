//! Exporters: each sends what the pipeline hands it to one place.
//!
//! An exporter only encodes and sends one batch; queueing, retries and counting are the
//! [`pipeline`](crate::pipeline)'s. Here are those that need no network: [`Memory`] for tests,
//! [`Stdout`] for people, [`File`] for shippers that tail it.

mod file;
mod memory;
#[cfg(feature = "prometheus")]
pub mod prometheus;
mod stdout;
mod wire;

pub use file::File;
pub use memory::Memory;
pub use stdout::Stdout;

pub use crate::pipeline::{Batch, ExportError, Exporter};
