//! What a condition asks the history to keep.

use std::time::Duration;

use super::selector::Selector;

/// Which series a [`Condition`](super::Condition) reads, and how much of their past.
#[derive(Clone, Debug)]
pub struct Need {
    pub(crate) selector: Selector,
    pub(crate) range: Duration,
    pub(crate) distributions: bool,
}

impl Need {
    /// The numbers of the last `range`, and the one at or before its start; with a range of zero,
    /// the newest only.
    #[must_use]
    pub fn samples(selector: Selector, range: Duration) -> Self {
        Self { selector, range, distributions: false }
    }

    /// The numbers, and of histograms the distributions too: then every tick keeps all buckets of these
    /// histograms, some bytes for each that has changed.
    #[must_use]
    pub fn distributions(selector: Selector, range: Duration) -> Self {
        Self { selector, range, distributions: true }
    }
}
