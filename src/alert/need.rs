//! What a condition needs the history to keep.

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
    /// Needs the numbers of the last `range`, and the one at or before its start. With a range of
    /// zero, only the newest number.
    #[must_use]
    pub fn samples(selector: Selector, range: Duration) -> Self {
        Self { selector, range, distributions: false }
    }

    /// Needs the numbers, and the distributions of histograms too. Every tick then keeps all buckets
    /// of these histograms, some bytes for each bucket that has changed.
    #[must_use]
    pub fn distributions(selector: Selector, range: Duration) -> Self {
        Self { selector, range, distributions: true }
    }
}
