//! The bucket of a value.
//!
//! The buckets are those of an OpenTelemetry exponential histogram at scale 6: 64 for each power of
//! two, so that neighbouring bounds differ by 2^(1/64), 1.09 %, and the middle of a bucket is at most
//! 0.54 % away from any value in it. A bucket holds (lower, upper]: its upper bound belongs to it
//! (OpenTelemetry data model, "Exponential Scale").
//!
//! The cell is found from the bits of the `f64`, without a logarithm. Subtracting one from the bits
//! turns "upper bound included" into "lower bound included", so that the exponent field is the octave.
//! The top seven bits of the mantissa cut an octave into 128 equal slices. A slice is narrower than any
//! bucket, so it contains at most one bound, and one addition decides. The bounds are the floors of the
//! true values, computed with integers, because a rounded logarithm would misplace some values.
//!
//! Cells are numbered in the order of the values: zero, underflow, the 70 x 64 regular ones, overflow.
//! So cumulative counts and quantiles need one pass.

/// Buckets for each power of two.
pub(crate) const PER_OCTAVE: usize = 64;
/// Powers of two covered: (2^-30, 2^40] contains [1e-9, 1e12].
pub(crate) const OCTAVES: usize = 70;
/// The exponent of the lower bound of the first octave.
pub(crate) const MIN_EXPONENT: i32 = -30;
/// The cell of the value zero.
pub(crate) const ZERO: usize = 0;
/// The cell of (0, 2^-30].
pub(crate) const UNDERFLOW: usize = 1;
/// The first regular cell.
pub(crate) const FIRST: usize = 2;
/// The cell of everything beyond 2^40.
pub(crate) const OVERFLOW: usize = FIRST + OCTAVES * PER_OCTAVE;

const MANTISSA_BITS: u32 = 52;
/// The exponent field of the first octave's values.
const FIRST_FIELD: u64 = (1023 + MIN_EXPONENT) as u64;

/// The cell of a positive value, or that it has no regular one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a regular cell: octave below [`OCTAVES`], bucket below [`PER_OCTAVE`].
    Regular { octave: usize, bucket: usize },
    /// Zero, negative, too small, too large, infinite or not a number.
    Irregular,
}

/// The place of `value`: one range check, one table look-up, one addition.
#[inline(always)]
pub(crate) fn place(value: f64) -> Place {
    // Zero wraps to the largest number here, and negative numbers have the sign bit. Like NaN and
    // infinity, both give an octave that is out of range after the addition.
    let bits = value.to_bits().wrapping_sub(1);
    let slice = (bits >> (MANTISSA_BITS - 7)) as usize & 127;
    // Octave and bucket in one number. The addition carries into the next bucket if the mantissa
    // reaches the bound.
    let place = (bits.wrapping_add(SLICES[slice]) >> CARRY) as usize;
    if place >= OCTAVES * PER_OCTAVE {
        return Place::Irregular;
    }
    Place::Regular { octave: place / PER_OCTAVE, bucket: place % PER_OCTAVE }
}

/// The cell number of `value`, which is neither negative nor NaN.
pub(crate) fn cell(value: f64) -> usize {
    match place(value) {
        Place::Regular { octave, bucket } => regular_cell(octave, bucket),
        Place::Irregular => irregular_cell(value),
    }
}

/// The cell number of a regular place.
pub(crate) fn regular_cell(octave: usize, bucket: usize) -> usize {
    FIRST + octave * PER_OCTAVE + bucket
}

/// Zero for zero, otherwise a number that ascends with the value. Each power of two has three keys, up
/// to 5/4, 6/4 and 8/4 of it. Bounds a third apart, like those of a page, have different keys.
pub(crate) fn exemplar_key(value: f64) -> u32 {
    if value == 0.0 {
        return 0;
    }
    // Minus one bit, so that a power of two belongs to the values below it.
    let quarters = (value.to_bits() - 1) >> (MANTISSA_BITS - 2);
    (3 * (quarters >> 2) + (quarters & 3).min(2) + 1) as u32
}

/// The cell of a non-negative number that has no regular [`place`].
pub(crate) fn irregular_cell(value: f64) -> usize {
    if value == 0.0 {
        ZERO
    } else if value <= lower_bound(FIRST) {
        UNDERFLOW
    } else {
        OVERFLOW
    }
}

/// The largest number in the cells before `cell`.
pub(crate) fn lower_bound(cell: usize) -> f64 {
    debug_assert!(cell >= FIRST);
    upper_bound(cell - 1)
}

/// The largest number in `cell`. It is exact, so that a count up to it is exact.
pub(crate) fn upper_bound(cell: usize) -> f64 {
    match cell {
        ZERO => 0.0,
        OVERFLOW.. => f64::INFINITY,
        _ => {
            // The underflow cell ends at 2^-30, where a bucket -1 of the first octave would end.
            let place = cell - UNDERFLOW;
            let field = FIRST_FIELD + (place / PER_OCTAVE) as u64;
            let mantissa = match place % PER_OCTAVE {
                0 => 0,
                bucket => BOUNDS[bucket - 1],
            };
            f64::from_bits(field << MANTISSA_BITS | mantissa)
        }
    }
}

/// The position of the bucket in the sum of a number's bits and its word of [`SLICES`]. There an octave
/// has 64 equal steps, as it has 64 buckets.
const CARRY: u32 = MANTISSA_BITS - PER_OCTAVE.ilog2();

/// For each of the 128 slices of an octave: what to add to a number's bits, minus one bit. In the sum,
/// the bucket replaces the leading bits of the mantissa, and the octave, counted from the first, comes
/// before it. A slice is half a step, so exactly those of its numbers carry that are above the bound in
/// it.
static SLICES: [u64; 128] = slices();

const fn slices() -> [u64; 128] {
    let mut slices = [0; 128];
    let mut slice = 0;
    let mut bucket = 0;
    while slice < 128 {
        let (start, end) = ((slice as u64) << 45, (slice as u64 + 1) << 45);
        // The last bound is 2^52, beyond every mantissa: no value of this octave exceeds it.
        if BOUNDS[bucket] < start {
            bucket += 1;
        }
        assert!(BOUNDS[bucket] >= start, "a slice contains at most one bound");
        // The first number of the next bucket, or of the next slice if that comes first.
        let next = if BOUNDS[bucket] < end { BOUNDS[bucket] } else { end };
        let carried = (bucket as u64 + 1) << CARRY;
        slices[slice] = (carried - next).wrapping_sub(FIRST_FIELD << MANTISSA_BITS);
        slice += 1;
    }
    slices
}

/// The mantissas of the upper bounds of the buckets of an octave: floor(2^(52 + i/64)) - 2^52 for
/// i = 1..=64, computed as integer roots.
#[rustfmt::skip]
const BOUNDS: [u64; PER_OCTAVE] = [
    0x02c9a3e778060, 0x059b0d3158574, 0x0874518759bc8, 0x0b5586cf9890f,
    0x0e3ec32d3d1a2, 0x11301d0125b50, 0x1429aaea92ddf, 0x172b83c7d517a,
    0x1a35beb6fcb75, 0x1d4873168b9aa, 0x2063b88628cd6, 0x2387a6e756238,
    0x26b4565e27cdd, 0x29e9df51fdee1, 0x2d285a6e4030b, 0x306fe0a31b715,
    0x33c08b26416ff, 0x371a7373aa9ca, 0x3a7db34e59ff6, 0x3dea64c123422,
    0x4160a21f72e29, 0x44e086061892d, 0x486a2b5c13cd0, 0x4bfdad5362a27,
    0x4f9b2769d2ca6, 0x5342b569d4f81, 0x56f4736b527da, 0x5ab07dd485429,
    0x5e76f15ad2148, 0x6247eb03a5584, 0x6623882552224, 0x6a09e667f3bcc,
    0x6dfb23c651a2e, 0x71f75e8ec5f73, 0x75feb564267c8, 0x7a11473eb0186,
    0x7e2f336cf4e62, 0x82589994cce12, 0x868d99b4492ec, 0x8ace5422aa0db,
    0x8f1ae99157736, 0x93737b0cdc5e4, 0x97d829fde4e4f, 0x9c49182a3f090,
    0xa0c667b5de564, 0xa5503b23e255c, 0xa9e6b5579fdbf, 0xae89f995ad3ad,
    0xb33a2b84f15fa, 0xb7f76f2fb5e46, 0xbcc1e904bc1d2, 0xc199bdd85529c,
    0xc67f12e57d14b, 0xcb720dcef9069, 0xd072d4a07897b, 0xd5818dcfba487,
    0xda9e603db3285, 0xdfc97337b9b5e, 0xe502ee78b3ff6, 0xea4afa2a490d9,
    0xefa1bee615a27, 0xf50765b6e4540, 0xfa7c1819e90d8, 0x10000000000000,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_the_cell_below_it_and_the_next_number_to_the_one_above() {
        for cell_below in UNDERFLOW..OVERFLOW {
            let bound = upper_bound(cell_below);
            assert_eq!(cell(bound), cell_below, "{bound:e}");
            assert_eq!(cell(bound.next_up()), cell_below + 1, "{bound:e}");
        }
    }

    #[test]
    fn numbers_out_of_range_have_cells_of_their_own() {
        assert_eq!(cell(0.0), ZERO);
        assert_eq!(cell(-0.0), ZERO);
        assert_eq!(cell(f64::MIN_POSITIVE), UNDERFLOW);
        assert_eq!(cell(f64::from_bits(1)), UNDERFLOW);
        assert_eq!(cell(1e-9), FIRST + cell_offset(1e-9));
        assert_eq!(cell(f64::MAX), OVERFLOW);
    }

    #[test]
    fn what_is_not_a_positive_number_is_irregular() {
        for value in [-1.0, -1e-300, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(place(value), Place::Irregular, "{value}");
        }
    }

    fn cell_offset(value: f64) -> usize {
        (upper_bounds().position(|bound| value <= bound)).unwrap()
    }

    fn upper_bounds() -> impl Iterator<Item = f64> {
        (FIRST..OVERFLOW).map(upper_bound)
    }
}
