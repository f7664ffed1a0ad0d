//! Ready-made [processors](crate::pipeline::Processor): what they leave out reaches no exporter.
//!
//! [`Redact`] drops, masks, hashes and renames attributes by their keys, of spans, log records and data
//! points. Further ones need no type of their own:
//!
//! - A filter is a closure: `builder.log_processor(|logs: &mut Vec<LogRecord>| logs.retain(…))`.
//! - Log records that repeat are counted by [`LogOptions::fold_duplicates`], where they are gathered.
//! - Texts of errors have a hook of their own, [`Builder::redact_errors`].
//! - Labels that are not wanted at all are left out by a view ([`Builder::view`]), which adds their series
//!   up.
//!
//! [`Builder::redact_errors`]: crate::Builder::redact_errors
//! [`Builder::view`]: crate::Builder::view
//! [`LogOptions::fold_duplicates`]: crate::log::LogOptions::fold_duplicates

mod reach;
mod redact;

pub use redact::Redact;
