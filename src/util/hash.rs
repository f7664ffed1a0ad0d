//! A hash of text that its author cannot steer: for look-ups by what a stranger may have sent.
//!
//! Multiply and fold, up to sixteen bytes at a time, from starts that are random for each process: who
//! chooses texts must not be able to choose collisions.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::LazyLock,
};

/// A hash under way.
#[derive(Clone, Copy)]
pub(crate) struct Hash {
    state: u64,
    /// Mixed from the lengths beside the state, so that no multiplication waits for it.
    lengths: u64,
    secret: u64,
}

impl Hash {
    /// A hash whose author anybody could steer: a place for one that [`new`](Self::new) begins.
    pub(crate) const UNSEEDED: Self = Self { state: 0, lengths: 0, secret: 0 };

    /// The beginning of a hash.
    #[inline]
    pub(crate) fn new() -> Self {
        static SEEDS: LazyLock<[u64; 2]> =
            LazyLock::new(|| [0, 1].map(|seed: u8| RandomState::new().hash_one(seed)));
        let [state, secret] = *SEEDS;
        Self { state, lengths: 0, secret: secret | 1 } // Odd: no bit of a length is multiplied away.
    }

    /// Goes on with `bytes`, whose end it takes note of.
    #[inline]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.lengths = (self.lengths ^ bytes.len() as u64).wrapping_mul(self.secret);
        if let Some(last) = bytes.last_chunk::<16>() {
            for sixteen in bytes[..bytes.len() - 1].as_chunks::<16>().0 {
                self.fold(sixteen);
            }
            self.fold(last); // Overlaps what was before it.
        } else {
            self.fold(bytes);
        }
    }

    /// The hash of all that was pushed.
    #[inline]
    pub(crate) fn value(self) -> u64 {
        self.state ^ self.lengths
    }

    #[inline(always)]
    fn fold(&mut self, bytes: &[u8]) {
        let (low, high) = words(bytes);
        let product = u128::from(self.state ^ low) * u128::from(self.secret ^ high);
        self.state = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for Hash {
    fn write(&mut self, bytes: &[u8]) {
        self.push(bytes);
    }

    fn write_usize(&mut self, _length: usize) {} // Of bytes that follow: `push` takes note of it.

    fn finish(&self) -> u64 {
        self.value()
    }
}

/// Makes maps and sets of bytes hash with [`Hash`].
#[derive(Clone, Copy, Default)]
pub(crate) struct BuildHash;

impl BuildHasher for BuildHash {
    type Hasher = Hash;

    fn build_hasher(&self) -> Hash {
        Hash::new()
    }
}

/// The hash of one text.
#[inline]
pub(crate) fn text(text: &str) -> u64 {
    let mut hash = Hash::new();
    hash.push(text.as_bytes());
    hash.value()
}

/// Whether two texts are equal: short ones, which most label values are, by overlapping words and
/// without a call.
#[inline(always)]
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        ..=16 => words(a) == words(b),
        17..=32 => {
            a.first_chunk::<16>() == b.first_chunk() && a.last_chunk::<16>() == b.last_chunk()
        }
        _ => a == b,
    }
}

/// At most sixteen bytes as two words, which for one length are equal where the bytes are.
#[inline(always)]
fn words(bytes: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
    } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        (u16::from_le_bytes(*first).into(), u16::from_le_bytes(*last).into())
    } else {
        (bytes.first().copied().unwrap_or_default().into(), 0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_that_are_nearly_the_same_differ_in_the_upper_bits() {
        let zeros = (0..64).map(|length| "\0".repeat(length));
        let numbers = (0..1_000).map(|n| format!("tenant-{n}"));
        let upper: HashSet<u64> = zeros.chain(numbers).map(|each| text(&each) >> 24).collect();
        assert_eq!(upper.len(), 1_064); // By chance, two of them meet once in two million runs.
    }

    proptest! {
        #[test]
        fn texts_are_equal_where_their_bytes_are(a in "[ab]{0,40}", b in "[ab]{0,40}") {
            prop_assert_eq!(equal(a.as_bytes(), b.as_bytes()), a == b);
            prop_assert!(equal(a.as_bytes(), a.clone().as_bytes()));
        }
    }
}
