//! Whole numbers: what sets each step apart from the expected one.
//!
//! ```text
//!  0vvvvvvv            the next instant; the step is the expected one and zigzag `v`
//!  10vvvvvv vvvvvvvv   the same, with 14 bits
//!  110gggvv            `g` + 1 instants hold, then the expected step, less one, and `v`
//!  e4 varint           the next instant; the number itself
//!  e5 varint           the next instant; the step is the expected one and a zigzag number
//! ```
//!
//! The [expected](next_step) step follows the steps, each by an eighth: of a counter that grows by about
//! 1,000 a tick one byte is left of each, the deviation. Numbers without a sign and with one are written
//! alike, as all arithmetic wraps.

use super::{Bytes, Gap, Sink, put_varint, unzigzag, zigzag};

const ABSOLUTE: u8 = 0xe4;
const STEP: u8 = 0xe5;

/// The step that is expected after one from `last` to `value`, for which `expected` was.
#[inline(always)]
pub(in crate::history) fn next_step(last: u64, value: u64, expected: i64) -> i64 {
    let step = value.wrapping_sub(last).cast_signed();
    match expected {
        0 => step, // The first.
        _ => expected.wrapping_add(step.wrapping_sub(expected) / 8),
    }
}

/// Writes a sample after another one.
#[inline]
pub(in crate::history) fn put(to: &mut impl Sink, gap: Gap, last: u64, value: u64, expected: i64) {
    let deviation = value.wrapping_sub(last).cast_signed().wrapping_sub(expected);
    if let Gap::Held(n @ 1..=8) = gap
        && let v @ -1..=2 = deviation
    {
        return to.put(0xc0 | (n as u8 - 1) << 2 | (v + 1) as u8);
    }
    gap.put(to);
    let deviation = zigzag(deviation);
    match deviation {
        0..0x80 => to.put(deviation as u8),
        0x80..0x4000 => {
            to.put(0x80 | (deviation >> 8) as u8);
            to.put(deviation as u8);
        }
        _ if value < deviation => put_absolute(to, value),
        _ => {
            to.put(STEP);
            put_varint(to, deviation);
        }
    }
}

/// Writes a sample by itself: the first of a chunk.
pub(in crate::history) fn put_absolute(to: &mut impl Sink, value: u64) {
    to.put(ABSOLUTE);
    put_varint(to, value);
}

/// Reads a sample, whose control byte is `control`: how many instants hold before it, and its value.
#[inline(always)]
pub(in crate::history) fn read(
    from: &mut Bytes<'_>,
    control: u8,
    last: u64,
    expected: i64,
) -> (u64, u64) {
    let step = |deviation: i64| last.wrapping_add(expected.wrapping_add(deviation).cast_unsigned());
    match control {
        0..0x80 => (0, step(unzigzag(control.into()))),
        0x80..0xc0 => {
            let high = u64::from(control & 0x3f) << 8;
            (0, step(unzigzag(high | u64::from(from.byte()))))
        }
        0xc0..0xe0 => (u64::from(control >> 2 & 7) + 1, step(i64::from(control & 3) - 1)),
        ABSOLUTE => (0, from.varint()),
        _ => (0, step(unzigzag(from.varint()))),
    }
}

/// How many instants hold before the sample with this control byte.
#[inline(always)]
pub(in crate::history) fn held(control: u8) -> u64 {
    match control {
        0xc0..0xe0 => u64::from(control >> 2 & 7) + 1,
        _ => 0,
    }
}
