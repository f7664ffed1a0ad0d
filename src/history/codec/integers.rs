//! Whole numbers: how each step differs from the expected one.
//!
//! ```text
//!  0vvvvvvv            the next instant; the step is the expected one and zigzag `v`
//!  10vvvvvv vvvvvvvv   the same, with 14 bits
//!  110gggvv            `g` + 1 instants hold, then the expected step, minus one, and `v`
//!  e4 varint           the next instant; the number itself
//!  e5 varint           the next instant; the step is the expected one and a zigzag number
//! ```
//!
//! The [expected](next_step) step follows the actual steps, by an eighth of the difference each time.
//! For a counter that grows by about 1,000 a tick, each sample takes one byte, the deviation. Signed
//! and unsigned numbers are written alike, because all arithmetic wraps.

use super::{Bytes, Gap, Sink, put_varint, unzigzag, zigzag};

const ABSOLUTE: u8 = 0xe4;
const STEP: u8 = 0xe5;

/// The step that is expected after the one from `last` to `value`; for that one, `expected` was.
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

/// Writes a sample that depends on no other: the first of a chunk.
pub(in crate::history) fn put_absolute(to: &mut impl Sink, value: u64) {
    to.put(ABSOLUTE);
    put_varint(to, value);
}

/// Reads a sample with the control byte `control`. Returns how many instants hold before it, and its
/// value.
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

/// A sample of one or two bytes; most are.
///
/// It is written and read without a branch that depends on the value, because no processor can predict
/// whether a counter grows by 1 or by 100, or how long it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::history) struct Brief {
    /// How many instants hold before it.
    pub(in crate::history) held: u64,
    /// The difference between the step and the expected one.
    pub(in crate::history) deviation: i64,
}

impl Brief {
    /// The bytes, the first one lowest; how many there are; and whether this form can hold the sample.
    #[inline(always)]
    pub(in crate::history) fn bytes(self) -> (u16, usize, bool) {
        let Self { held, deviation } = self;
        let (z, v) = (zigzag(deviation), deviation.wrapping_add(1).cast_unsigned());
        let (is_held, is_wide) = (held != 0, z >= 0x80);
        let wide = 0x80 | z >> 8 | (z & 0xff) << 8;
        let with_hold = 0xc0 | held.wrapping_sub(1) << 2 | v;
        let plain = if is_wide { wide } else { z };
        let bytes = if is_held { with_hold } else { plain };
        let is_brief = if is_held { (held <= 8) & (v < 4) } else { z < 0x4000 };
        (bytes as u16, 1 + usize::from(is_wide & !is_held), is_brief)
    }

    /// The sample whose first byte is `control` and whose second, if it has two, is `next`; and how
    /// many bytes it has. `None` if it is not such a sample.
    #[inline(always)]
    pub(in crate::history) fn read(control: u8, next: u8) -> Option<(Self, usize)> {
        if control >= 0xe0 {
            return None;
        }
        let (is_wide, is_held) = (control & 0xc0 == 0x80, control >= 0xc0);
        let (low, n) = (u64::from(control), u64::from(control >> 2 & 7) + 1);
        let z = if is_wide { (low & 0x3f) << 8 | u64::from(next) } else { low };
        let deviation = if is_held { i64::from(control & 3) - 1 } else { unzigzag(z) };
        let held = if is_held { n } else { 0 };
        Some((Self { held, deviation }, 1 + usize::from(is_wide)))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn deviations() -> impl Strategy<Value = i64> {
        prop_oneof![-70..70i64, -9_000..9_000i64, any::<i64>()]
    }

    proptest! {
        #[test]
        fn a_brief_sample_has_the_bytes_of_any_other_and_is_read_from_them(
            held in 0u64..12,
            deviation in deviations(),
        ) {
            let mut written = Vec::new();
            let last = 1_u64 << 40;
            let value = last.wrapping_add(deviation.cast_unsigned());
            put(&mut written, Gap::Held(held), last, value, 0);
            let brief = Brief { held, deviation };
            let (bytes, len, is_brief) = brief.bytes();
            prop_assert_eq!(is_brief, written.len() <= 2 && written[0] < 0xe0);
            if is_brief {
                prop_assert_eq!(&bytes.to_le_bytes()[..len], &written[..]);
                let next = written.get(1).copied().unwrap_or(0);
                prop_assert_eq!(Brief::read(written[0], next), Some((brief, len)));
            } else if written[0] >= 0xe0 {
                prop_assert_eq!(Brief::read(written[0], 0), None);
            }
        }
    }
}
