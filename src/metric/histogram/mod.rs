//! Histograms: the instrument, and its snapshot.

mod instrument;

pub use instrument::{BoundHistogram, Histogram};
pub(super) use instrument::{TimeScale, read, record};

#[cfg(test)]
mod parts_tests;
#[cfg(test)]
mod tests;
