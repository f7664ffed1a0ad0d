//! The cells of sums and gauges: one number each.

use super::{directory::Fresh, writer::Writer};
use crate::sync::modelled::{AtomicU64, Ordering::Relaxed};

/// A sum; signed sums wrap around.
#[derive(Debug)]
pub(crate) struct SumCell(AtomicU64);

impl SumCell {
    #[inline(always)]
    pub(crate) fn add<W: Writer>(&self, n: u64) {
        W::add(&self.0, n);
    }

    /// [`add`](Self::add) of a fraction.
    #[inline(always)]
    pub(crate) fn add_float<W: Writer>(&self, n: f64) {
        W::add_float(&self.0, n);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Fresh for SumCell {
    fn fresh() -> Self {
        Self(AtomicU64::new(0))
    }

    fn reset(&self) {
        self.0.store(0, Relaxed);
    }
}

/// The value of a gauge, which all threads share: the last one set holds, whoever set it.
#[derive(Debug)]
pub(crate) struct GaugeCell(AtomicU64);

/// The bits of a gauge nobody has set: a NaN that no arithmetic makes.
const NEVER_SET: u64 = 0x7ff4_6265_6c6c_7772;

impl GaugeCell {
    #[inline(always)]
    pub(crate) fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Relaxed);
    }

    /// Unsets a value that is still `value`.
    pub(super) fn unset(&self, value: f64) -> bool {
        self.0.compare_exchange(value.to_bits(), NEVER_SET, Relaxed, Relaxed).is_ok()
    }

    /// Sets a value again that was unset.
    pub(super) fn restore(&self, value: f64) {
        // Where it fails, somebody has set a newer one.
        let _ = self.0.compare_exchange(NEVER_SET, value.to_bits(), Relaxed, Relaxed);
    }

    /// Makes the value what `update` makes of it, if it makes one; one that was never set counts as
    /// zero.
    pub(crate) fn update(&self, mut update: impl FnMut(f64) -> Option<f64>) {
        let mut bits = self.0.load(Relaxed);
        loop {
            let value = if bits == NEVER_SET { 0.0 } else { f64::from_bits(bits) };
            let Some(value) = update(value) else { return };
            // Relaxed: the value publishes nothing but itself.
            match self.0.compare_exchange(bits, value.to_bits(), Relaxed, Relaxed) {
                Ok(_) => return,
                Err(newer) => bits = newer,
            }
        }
    }

    pub(super) fn get(&self) -> Option<f64> {
        let bits = self.0.load(Relaxed);
        (bits != NEVER_SET).then(|| f64::from_bits(bits))
    }
}

impl Fresh for GaugeCell {
    fn fresh() -> Self {
        Self(AtomicU64::new(NEVER_SET))
    }

    fn reset(&self) {
        self.0.store(NEVER_SET, Relaxed);
    }
}
