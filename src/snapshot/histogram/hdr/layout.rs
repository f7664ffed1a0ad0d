//! The bucket of a number of ticks.
//!
//! With `d` significant digits, numbers up to 2 x 10^d are told apart one by one. That count, rounded
//! up to a power of two, is the number of *sub-buckets*. Beyond them each power of two is divided into
//! half as many buckets of equal width. Buckets are numbered in the order of the values; the number of
//! a bucket is its index in the array of an HDR histogram whose lowest discernible value is one.

/// The buckets for a number of significant digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TickBuckets {
    /// The logarithm to base two of half the number of sub-buckets. From 4 to 17.
    half: u32,
}

impl TickBuckets {
    /// The buckets for `significant_digits`, which is clamped to 1 to 5.
    pub(crate) const fn new(significant_digits: u8) -> Self {
        let half = match significant_digits {
            0 | 1 => 4,
            2 => 7,
            3 => 10,
            4 => 14,
            _ => 17,
        };
        Self { half }
    }

    /// How many buckets there are.
    pub(crate) const fn len(self) -> usize {
        ((65 - self.half) << self.half) as usize
    }

    /// The bucket of `ticks`.
    #[inline(always)]
    pub(crate) const fn bucket(self, ticks: u64) -> usize {
        let sub_buckets = (2 << self.half) - 1;
        // The exclusive or is 63 minus the leading zeros, which is what the processor counts anyway.
        let doublings = ((ticks | sub_buckets).leading_zeros() ^ 63) - self.half;
        ((doublings as usize) << self.half) + (ticks >> doublings) as usize
    }

    /// The fewest ticks in `bucket`.
    pub(crate) const fn lowest(self, bucket: usize) -> u64 {
        let doublings = self.doublings(bucket);
        ((bucket - (doublings << self.half)) as u64) << doublings
    }

    /// The most ticks in `bucket`.
    pub(crate) const fn highest(self, bucket: usize) -> u64 {
        self.lowest(bucket) + ((1 << self.doublings(bucket)) - 1)
    }

    /// How often the width of the first buckets, which is one, was doubled up to this bucket.
    const fn doublings(self, bucket: usize) -> usize {
        (bucket >> self.half).saturating_sub(1)
    }
}

/// From here on, neighbouring numbers are at least one apart.
pub(crate) const WHOLE: f64 = (1u64 << 52) as f64;

/// The whole number of ticks nearest to `value`, halves rounded up; the largest number if it is too
/// large.
#[inline(always)]
pub(crate) fn to_ticks(value: f64) -> u64 {
    if value >= WHOLE { value as u64 } else { small_to_ticks(value) }
}

/// As [`to_ticks`], for a number below [`WHOLE`].
#[inline(always)]
pub(crate) fn small_to_ticks(value: f64) -> u64 {
    // The addition rounds to a whole number, halves to an even one, and the last bits are that number.
    // It needs no conversion that checks the range, and no call like `round`.
    let sum = value + WHOLE;
    let ticks = sum.to_bits() - WHOLE.to_bits();
    ticks + u64::from(value - (sum - WHOLE) >= 0.5)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ends_of_neighbouring_buckets_meet() {
        for digits in 1..=5 {
            let ticks = TickBuckets::new(digits);
            for bucket in (0..ticks.len() - 1).step_by(if digits > 3 { 97 } else { 1 }) {
                assert_eq!(ticks.highest(bucket) + 1, ticks.lowest(bucket + 1));
                assert_eq!(ticks.bucket(ticks.lowest(bucket)), bucket);
                assert_eq!(ticks.bucket(ticks.highest(bucket)), bucket);
            }
            assert_eq!(ticks.bucket(u64::MAX), ticks.len() - 1);
            assert_eq!(ticks.highest(ticks.len() - 1), u64::MAX);
        }
    }

    #[test]
    fn rounds_to_the_nearest_tick() {
        for (value, ticks) in [
            (0.0, 0),
            (0.5f64.next_down(), 0),
            (0.5, 1),
            (1.4, 1),
            (2.5, 3),
            (9_007_199_254_740_991.0, 9_007_199_254_740_991),
            (1e300, u64::MAX),
            (18_446_744_073_709_551_616.0, u64::MAX),
        ] {
            assert_eq!(to_ticks(value), ticks, "{value}");
        }
    }

    proptest! {
        #[test]
        fn rounds_as_the_standard_library_does(value in 0.0f64..1e17) {
            prop_assert_eq!(to_ticks(value), value.round() as u64);
        }
    }
}
