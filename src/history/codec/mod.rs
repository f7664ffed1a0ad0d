//! The samples of one series as bytes: how they are written and read.
//!
//! A chunk's bytes are records, one after the other. Each begins with a control byte. The three forms
//! of samples have their own (`integers`, `floats`, `histograms`); those that all forms share are
//! below. A record stands for one instant of its tier, the one after the previous record:
//!
//! ```text
//!  instant   10     11     12     13     14     15     16
//!  value      7      9      9      9     12   stale     -
//!  bytes    = 7    + 2    hold 2        + 3   stale
//! ```
//!
//! - `HOLD n`: at the next `n` instants the value stays the same; a sample follows.
//! - `LACK n`: the next `n` instants have no sample of this series; a sample or a mark follows.
//! - `STALE`: the series ended; there is no sample at this instant, nor until the next one that is
//!   written.
//! - `START t`: the following samples are of a sum that began at `t`.
//!
//! Values are differences from the previous sample; for the first of a chunk, from zero. So a chunk can
//! be read without any other. Nothing here knows of labels or of time.

pub(super) mod floats;
pub(super) mod histograms;
pub(super) mod integers;

use crate::clock::Ticks;

/// Control bytes that mean the same in all forms; a sample's own control byte is below the first.
pub(super) const HOLD: u8 = 0xe0;
pub(super) const LACK: u8 = 0xe1;
pub(super) const STALE: u8 = 0xe2;
pub(super) const START: u8 = 0xe3;

/// A destination of bytes.
pub(super) trait Sink {
    fn put(&mut self, byte: u8);
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, byte: u8) {
        self.push(byte);
    }
}

/// A record in place, with room for the longest one of a whole number.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Short {
    bytes: [u8; 24],
    len: u8,
}

impl Short {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len.into()]
    }
}

impl Sink for Short {
    #[inline]
    fn put(&mut self, byte: u8) {
        if let Some(free) = self.bytes.get_mut(usize::from(self.len)) {
            *free = byte;
            self.len += 1;
        }
    }
}

/// The number of instants between two records, and what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// The value stayed the same.
    Held(u64),
    /// There are no samples.
    Lacking(u64),
}

impl Gap {
    /// The number of instants.
    pub(super) fn len(self) -> u64 {
        match self {
            Self::Held(n) | Self::Lacking(n) => n,
        }
    }

    /// Writes it as a record of its own, unless it is empty.
    #[inline]
    pub(super) fn put(self, to: &mut impl Sink) {
        let (control, n) = match self {
            Self::Held(n) => (HOLD, n),
            Self::Lacking(n) => (LACK, n),
        };
        if n > 0 {
            to.put(control);
            put_varint(to, n);
        }
    }
}

/// Writes that the sum began at `start`.
pub(super) fn put_start(to: &mut Vec<u8>, start: Ticks) {
    to.push(START);
    to.extend_from_slice(&start.to_raw().to_le_bytes());
}

/// Writes seven bits in each byte, the lowest first; all bytes but the last have the highest bit set.
#[inline]
pub(super) fn put_varint(to: &mut impl Sink, mut n: u64) {
    while n >= 0x80 {
        to.put(n as u8 | 0x80);
        n >>= 7;
    }
    to.put(n as u8);
}

/// Maps small differences of either sign to small numbers: 0, -1, 1, -2 ... are 0, 1, 2, 3 ...
#[inline]
pub(super) fn zigzag(n: i64) -> u64 {
    (n << 1 ^ n >> 63).cast_unsigned()
}

#[inline]
pub(super) fn unzigzag(n: u64) -> i64 {
    (n >> 1).cast_signed() ^ -((n & 1).cast_signed())
}

/// Reads bytes from the front. They were written here, so if they are cut short, the rest reads as
/// zeros.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self::from(bytes, 0)
    }

    /// Reads `bytes` from index `at` on.
    pub(super) fn from(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// How many bytes were read.
    pub(super) fn n_read(&self) -> usize {
        self.at
    }

    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// The next byte and the one after it, or zero if there is none; both stay unread.
    #[inline(always)]
    pub(super) fn two(&self) -> Option<(u8, u8)> {
        match self.bytes.get(self.at..self.at + 2) {
            Some(&[first, second]) => Some((first, second)),
            _ => Some((*self.bytes.get(self.at)?, 0)),
        }
    }

    /// Skips the next `n` bytes.
    #[inline(always)]
    pub(super) fn skip(&mut self, n: usize) {
        self.at += n;
    }

    #[inline(always)]
    pub(super) fn byte(&mut self) -> u8 {
        self.next().unwrap_or(0)
    }

    #[inline]
    pub(super) fn varint(&mut self) -> u64 {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte();
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        n
    }

    /// The lowest `n` bytes of a number.
    #[inline]
    pub(super) fn low_bytes(&mut self, n: usize) -> u64 {
        let mut all = [0; 8];
        let from = self.bytes.get(self.at..self.at + n).unwrap_or(&[]);
        all[..from.len()].copy_from_slice(from);
        self.at += n;
        u64::from_le_bytes(all)
    }

    pub(super) fn start(&mut self) -> Ticks {
        Ticks::from_raw(self.low_bytes(8))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_read_as_they_were_written(
            numbers in prop::collection::vec(prop_oneof![0u64..300, any::<u64>()], 0..20),
        ) {
            let mut bytes = Vec::new();
            for &n in &numbers {
                put_varint(&mut bytes, n);
                prop_assert_eq!(zigzag(unzigzag(n)), n);
            }
            let mut read = Bytes::new(&bytes);
            for &n in &numbers {
                prop_assert_eq!(read.varint(), n);
            }
            prop_assert_eq!(read.next(), None);
        }
    }
}
