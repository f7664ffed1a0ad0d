//! Histograms of whole ticks, bucket for bucket those of the crate `hdrhistogram`.

#[cfg(feature = "hdrhistogram")]
mod convert;
#[cfg(feature = "hdrhistogram")]
mod encoding;
#[cfg(feature = "hdrhistogram")]
pub mod log;

mod layout;

pub(crate) use layout::{TickBuckets, WHOLE, small_to_ticks, to_ticks};
