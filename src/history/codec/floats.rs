//! Numbers of 64 bits: the bytes that differ from the previous number.
//!
//! ```text
//!  00tttlll bytes          the next instant; `l` + 1 bytes differ, above `t` that do not
//!  01tttlll varint bytes   the same after instants that hold
//!  10vvvvvv                the next instant; both are whole numbers, and the step is zigzag `v`
//!  e6                      the next instant; no bit differs
//! ```
//!
//! Based on the idea of Gorilla (Pelkonen et al., 2015), with bytes instead of bits: a third larger,
//! and several times faster to read. All bits are kept, even those of a NaN.

use super::{Bytes, Gap, put_varint, unzigzag, zigzag};

const SAME: u8 = 0xe6;
const AFTER_HOLD: u8 = 0x40;
const WHOLE_STEP: u8 = 0x80;

/// Writes a sample.
pub(in crate::history) fn put(to: &mut Vec<u8>, gap: Gap, last: u64, bits: u64) {
    if let Some(step) = whole_step(last, bits) {
        gap.put(to);
        return to.push(WHOLE_STEP | step);
    }
    let difference = last ^ bits;
    match gap {
        Gap::Held(n) if n > 0 && difference != 0 => {
            put_difference(to, difference, AFTER_HOLD, Some(n));
        }
        gap => {
            gap.put(to);
            put_bits(to, last, bits);
        }
    }
}

/// Writes bits, without a gap.
pub(in crate::history) fn put_bits(to: &mut Vec<u8>, last: u64, bits: u64) {
    match last ^ bits {
        0 => to.push(SAME),
        difference => put_difference(to, difference, 0, None),
    }
}

fn put_difference(to: &mut Vec<u8>, difference: u64, flag: u8, held: Option<u64>) {
    let trailing = difference.trailing_zeros() as usize / 8;
    let n = 8 - difference.leading_zeros() as usize / 8 - trailing;
    to.push(flag | (trailing as u8) << 3 | (n - 1) as u8);
    held.into_iter().for_each(|held| put_varint(to, held));
    to.extend_from_slice(&(difference >> (8 * trailing)).to_le_bytes()[..n]);
}

/// Reads a sample with the control byte `control`. Returns how many instants hold before it, and its
/// bits.
#[inline(always)]
pub(in crate::history) fn read(from: &mut Bytes<'_>, control: u8, last: u64) -> (u64, u64) {
    match control {
        SAME => (0, last),
        0..0x80 => {
            let held = if control & AFTER_HOLD == 0 { 0 } else { from.varint() };
            let trailing = control >> 3 & 7;
            let difference = from.low_bytes(usize::from(control & 7) + 1);
            (held, last ^ difference << (8 * trailing))
        }
        _ => {
            let step = unzigzag(u64::from(control & 0x3f));
            (0, (f64::from_bits(last) + step as f64).to_bits())
        }
    }
}

/// The step from one whole number to another as six bits, if it gives exactly the same bits again.
fn whole_step(last: u64, bits: u64) -> Option<u8> {
    let step = f64::from_bits(bits) - f64::from_bits(last);
    if !(-32.0..32.0).contains(&step) || step.trunc().to_bits() != step.to_bits() {
        return None;
    }
    let zigzag = zigzag(step as i64);
    let again = f64::from_bits(last) + unzigzag(zigzag) as f64;
    (again.to_bits() == bits).then_some(zigzag as u8)
}

/// How many instants hold before the sample with this control byte; `from` is what follows it.
#[inline(always)]
pub(in crate::history) fn held(mut from: Bytes<'_>, control: u8) -> u64 {
    if control < WHOLE_STEP && control & AFTER_HOLD != 0 { from.varint() } else { 0 }
}
