//! The cells of histograms: of the default buckets, and of those that were chosen.

pub(crate) mod cell;
pub(crate) mod chosen;
pub(crate) mod cuts;
pub(crate) mod gathered;
pub(crate) mod exemplars;
pub(crate) mod explicit;
mod hdr;
pub(crate) mod options;
mod window;
