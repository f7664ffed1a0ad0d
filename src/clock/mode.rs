//! The source of the clock, and how a reading is marked.

use crate::sync::atomic::AtomicU8;

/// The source that `now` reads; `MANUAL` is added while any thread has a manual clock.
pub(super) static MODE: AtomicU8 = AtomicU8::new(UNDECIDED);
pub(super) const UNDECIDED: u8 = 0;
pub(super) const TSC: u8 = 1;
pub(super) const OS: u8 = 2;
pub(super) const MANUAL: u8 = 0x80;

/// Marks a reading of a manual clock.
pub(super) const MANUAL_BIT: u64 = 1 << 62;
/// The reading without a mark.
pub(super) const READING: u64 = MANUAL_BIT - 1;
