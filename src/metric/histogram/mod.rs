//! Histograms: the instrument, and what a snapshot tells of one.

mod instrument;

pub use instrument::{BoundHistogram, Histogram};

#[cfg(test)]
mod parts_tests;
#[cfg(test)]
mod tests;
