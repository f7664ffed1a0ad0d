//! A hash of text that its author cannot steer: for look-ups by what a stranger may have sent.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::LazyLock,
};

/// Multiply and fold, eight bytes at a time, from a start that is random for each process: who
/// chooses texts must not be able to choose collisions.
#[inline]
pub(crate) fn text(text: &str) -> u64 {
    static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0u8));
    let bytes = text.as_bytes();
    let mut state = fold(*SEED ^ bytes.len() as u64);
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        state = fold(state ^ u64::from_le_bytes(word.try_into().unwrap_or_default()));
    }
    let mut last = [0; 8];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    fold(state ^ u64::from_le_bytes(last))
}

fn fold(a: u64) -> u64 {
    // 2^64 divided by the golden ratio, odd: spreads neighbours (Knuth, TAOCP 3, 6.4).
    const MULTIPLIER: u128 = 0x9e37_79b9_7f4a_7c15;
    let product = u128::from(a) * MULTIPLIER;
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn texts_that_are_nearly_the_same_differ_in_the_upper_bits() {
        let zeros = (0..64).map(|length| "\0".repeat(length));
        let numbers = (0..1_000).map(|n| format!("tenant-{n}"));
        let upper: HashSet<u64> = zeros.chain(numbers).map(|each| text(&each) >> 24).collect();
        assert_eq!(upper.len(), 1_064); // By chance, two of them meet once in two million runs.
    }
}
