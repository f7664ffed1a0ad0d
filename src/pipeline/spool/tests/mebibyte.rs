//! A segment of a mebibyte that is flipped and cut off anywhere.

use super::{damage::Whole, *};

/// With payloads of one to five records, from a few bytes to 15 kB.
fn mebibyte() -> Whole {
    let whole = Whole::of((0..240).map(|id| (1 + id % 5, id * 997 % 3_000)));
    assert!(whole.bytes.len() > 1 << 20, "{}", whole.bytes.len());
    whole
}

#[test]
fn bytes_that_are_flipped_anywhere_in_a_mebibyte_cost_at_most_the_frames_that_they_are_in() {
    let whole = mebibyte();
    let mut random = 1u64;
    for _ in 0..drill::size(40, 100_000) {
        // Knuth's MMIX; the high bits are the good ones.
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = (random >> 33) as usize % whole.bytes.len();
        whole.check_flip(at, (random >> 25) as u8 | 1);
    }
}

#[test]
fn a_mebibyte_that_is_cut_off_anywhere_has_all_that_was_whole() {
    let whole = mebibyte();
    let n = whole.bytes.len();
    let n_cuts = drill::size(40, n);
    for cut in 0..n_cuts {
        whole.check_cut(cut * n / n_cuts);
    }
}
