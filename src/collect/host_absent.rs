//! Stands in for the figures of the host where there is no `/proc`.

use super::source::Source;

/// The figures of the host; on this platform none are read, and there is no source.
#[must_use]
pub fn host() -> Vec<Source> {
    Vec::new()
}
