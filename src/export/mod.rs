//! export

#[cfg(feature = "prometheus")]
pub mod prometheus;
