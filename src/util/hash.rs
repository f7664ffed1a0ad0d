//! A hash of text that its author cannot steer: for look-ups by what a stranger may have sent.
//!
//! Multiply and fold, up to sixteen bytes at a time, from starts that are random for each process: who
//! chooses texts must not be able to choose collisions.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::LazyLock,
};

/// 2^64 divided by the golden ratio, odd: spreads neighbouring inputs (Knuth, TAOCP 3, 6.4).
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// A hash under way.
#[derive(Clone, Copy)]
pub(crate) struct Hash {
    state: u64,
    secret: u64,
}

impl Hash {
    /// The beginning of a hash, which differs by `number`.
    #[inline]
    pub(crate) fn new(number: u64) -> Self {
        static SEEDS: LazyLock<[u64; 2]> =
            LazyLock::new(|| [0, 1].map(|seed: u8| RandomState::new().hash_one(seed)));
        let [seed, secret] = *SEEDS;
        Self { state: fold(seed ^ number, MULTIPLIER), secret }
    }

    /// Goes on with `bytes`, whose end it takes note of.
    #[inline]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.state = fold(self.state ^ bytes.len() as u64, MULTIPLIER);
        let (sixteens, rest) = bytes.as_chunks::<16>();
        for sixteen in sixteens {
            self.fold(sixteen);
        }
        if !rest.is_empty() {
            self.fold(rest);
        }
    }

    /// The hash of all that was pushed.
    #[inline]
    pub(crate) fn value(self) -> u64 {
        self.state
    }

    #[inline(always)]
    fn fold(&mut self, bytes: &[u8]) {
        let (low, high) = words(bytes);
        self.state = fold(self.state ^ low, self.secret ^ high);
    }
}

/// The hash of one text.
#[inline]
pub(crate) fn text(text: &str) -> u64 {
    let mut hash = Hash::new(0);
    hash.push(text.as_bytes());
    hash.value()
}

/// Whether two texts are equal: short ones, which most label values are, by two overlapping words
/// and without a call.
#[inline(always)]
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if a.len() <= 16 { words(a) == words(b) } else { a == b }
}

/// At most sixteen bytes as two words, which for one length are equal where the bytes are.
#[inline(always)]
fn words(bytes: &[u8]) -> (u64, u64) {
    let len = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
    } else if len > 0 {
        let (first, middle, last) = (bytes[0], bytes[len / 2], bytes[len - 1]);
        (first.into(), (u64::from(middle) << 8) | u64::from(last))
    } else {
        (0, 0)
    }
}

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
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
        fn short_texts_are_equal_where_their_bytes_are(a in ".{0,16}", b in ".{0,16}") {
            prop_assert_eq!(equal(a.as_bytes(), b.as_bytes()), a == b);
            prop_assert!(equal(a.as_bytes(), a.clone().as_bytes()));
        }
    }
}
