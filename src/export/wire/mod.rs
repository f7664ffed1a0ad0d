//! Encodings that exporters share; knows records, and no backend.

pub(crate) mod json;
pub(crate) mod lines;
pub(crate) mod point;
pub(crate) mod record;
pub(crate) mod span;
