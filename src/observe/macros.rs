//! The macros, and what users read of them.

pub use bellwether_macros::{Labels, count, observe, time};
