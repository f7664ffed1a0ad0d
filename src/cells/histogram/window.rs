//! The numbers between the smallest and the largest one so far, for the one thread that writes a cell:
//! whether a number is among them takes one comparison.

use crate::sync::modelled::{AtomicU64, Ordering::Relaxed};

/// Bits of numbers, which are ordered as the numbers are: from a first one on, `len` of them; none at
/// first.
#[derive(Debug)]
pub(super) struct Window {
    /// Minus the first: to add it takes one instruction less than to subtract the first.
    negated_first: AtomicU64,
    len: AtomicU64,
}

impl Window {
    pub(super) fn new() -> Self {
        Self { negated_first: AtomicU64::new(0), len: AtomicU64::new(0) }
    }

    #[inline(always)]
    pub(super) fn contains(&self, bits: u64) -> bool {
        bits.wrapping_add(self.negated_first.load(Relaxed)) < self.len.load(Relaxed)
    }

    /// Makes it those from `min` to `max`, which is not the largest that there is; none if that is less.
    pub(super) fn set(&self, min: u64, max: u64) {
        self.negated_first.store(min.wrapping_neg(), Relaxed);
        self.len.store((max + 1).saturating_sub(min), Relaxed);
    }

    /// Makes it none.
    pub(super) fn reset(&self) {
        self.len.store(0, Relaxed);
    }
}

#[cfg(all(test, not(bellwether_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_what_is_between_its_ends_and_nothing_before_it_is_set() {
        let numbers = [0, 1, 6, 7, 8, 9, 10, 1 << 63, u64::MAX];
        let window = Window::new();
        let held = || numbers.iter().filter(|&&bits| window.contains(bits)).collect::<Vec<_>>();
        assert!(held().is_empty());
        window.set(7, 9);
        assert_eq!(held(), [&7, &8, &9]);
        window.set(0, 0);
        assert_eq!(held(), [&0]);
        window.set(u64::MAX, 0);
        assert!(held().is_empty());
        window.set(0, 9);
        window.reset();
        assert!(held().is_empty());
    }
}
