//! A bit for each of 64 series.

use super::directory::Fresh;
use crate::sync::modelled::{AtomicU64, Ordering::Relaxed};

/// A bit for each of 64 series: whether it was written.
#[derive(Debug)]
pub(crate) struct WrittenWord(AtomicU64);

impl WrittenWord {
    #[inline]
    pub(crate) fn has(&self, id: u32) -> bool {
        self.0.load(Relaxed) & bit(id) != 0
    }

    pub(super) fn set(&self, id: u32) {
        if !self.has(id) {
            self.0.fetch_or(bit(id), Relaxed);
        }
    }

    /// Clears the bit, and says whether it was set.
    pub(super) fn take(&self, id: u32) -> bool {
        self.has(id) && self.0.fetch_and(!bit(id), Relaxed) & bit(id) != 0
    }
}

fn bit(id: u32) -> u64 {
    1 << (id % 64)
}

impl Fresh for WrittenWord {
    fn fresh() -> Self {
        Self(AtomicU64::new(0))
    }

    fn reset(&self) {
        self.0.store(0, Relaxed);
    }
}
