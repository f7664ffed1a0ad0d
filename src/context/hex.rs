//! Lower-case hexadecimal, eight digits at a time in a register.
//!
//! Eight digits are decoded without a look at what they are. Beside the number comes a word of what was no
//! digit, so that of a whole id one comparison is the check.

const ONES: u64 = 0x0101_0101_0101_0101;

/// Eight bytes as digits: the number that they stand for, and zero if they are lower hex digits.
#[inline(always)]
fn read8(digits: [u8; 8]) -> (u32, u64) {
    let text = u64::from_be_bytes(digits);
    // '0'..='9' are 0x30..=0x39 and 'a'..='f' are 0x61..=0x66: bit 6 tells them apart.
    let letters = text >> 6 & ONES;
    let values = (text & (0x0f * ONES)) + 9 * letters; // At most 24 each.
    // The high half of a byte is 3 or 6, its value is below 16, and from 10 on for letters alone.
    let halves = (text ^ (0x30 * ONES + 0x30 * letters)) & (0xf0 * ONES);
    let sizes = values & (0xf0 * ONES);
    let kinds = ((values + 6 * ONES) ^ (letters << 4)) & (0x10 * ONES);
    // Two nibbles to a byte, two bytes to a half, two halves to the word.
    let mut packed = values & (0x0f * ONES);
    packed = (packed | packed >> 4) & 0x00ff_00ff_00ff_00ff;
    packed = (packed | packed >> 8) & 0x0000_ffff_0000_ffff;
    ((packed | packed >> 16) as u32, halves | sizes | kinds)
}

#[inline(always)]
fn read16(digits: &[u8; 16]) -> (u64, u64) {
    let (high, low) = halves(digits);
    let ((high, wrong), (low, wrong_too)) = (read8(high), read8(low));
    (u64::from(high) << 32 | u64::from(low), wrong | wrong_too)
}

/// The number that eight lower hex digits stand for; `None` if they are not that.
#[inline]
pub(crate) fn decode8(digits: [u8; 8]) -> Option<u32> {
    let (number, wrong) = read8(digits);
    (wrong == 0).then_some(number)
}

/// The eight lower hex digits of `number`.
#[inline]
pub(crate) fn encode8(number: u32) -> [u8; 8] {
    let mut nibbles = u64::from(number);
    nibbles = (nibbles | nibbles << 16) & 0x0000_ffff_0000_ffff;
    nibbles = (nibbles | nibbles << 8) & 0x00ff_00ff_00ff_00ff;
    nibbles = (nibbles | nibbles << 4) & (0x0f * ONES);
    // Six more carries out of a nibble above nine; its letter is 0x27 beyond where a digit would be.
    let letters = (nibbles + 0x06 * ONES) >> 4 & ONES;
    (nibbles + 0x30 * ONES + letters * 0x27).to_be_bytes()
}

/// The number of sixteen lower hex digits.
#[inline]
pub(crate) fn decode16(digits: &[u8; 16]) -> Option<u64> {
    let (number, wrong) = read16(digits);
    (wrong == 0).then_some(number)
}

/// The sixteen lower hex digits of `number`.
#[inline]
pub(crate) fn encode16(number: u64) -> [u8; 16] {
    join(encode8((number >> 32) as u32), encode8(number as u32))
}

/// The number of thirty-two lower hex digits.
#[inline]
pub(crate) fn decode32(digits: &[u8; 32]) -> Option<u128> {
    let (high, low) = halves(digits);
    let ((high, wrong), (low, wrong_too)) = (read16(&high), read16(&low));
    (wrong | wrong_too == 0).then_some(u128::from(high) << 64 | u128::from(low))
}

/// The thirty-two lower hex digits of `number`.
#[inline]
pub(crate) fn encode32(number: u128) -> [u8; 32] {
    join(encode16((number >> 64) as u64), encode16(number as u64))
}

#[inline]
fn halves<const WHOLE: usize, const HALF: usize>(whole: &[u8; WHOLE]) -> ([u8; HALF], [u8; HALF]) {
    let mut halves = ([0; HALF], [0; HALF]);
    halves.0.copy_from_slice(&whole[..HALF]);
    halves.1.copy_from_slice(&whole[HALF..]);
    halves
}

#[inline]
fn join<const HALF: usize, const WHOLE: usize>(high: [u8; HALF], low: [u8; HALF]) -> [u8; WHOLE] {
    let mut whole = [0; WHOLE];
    whole[..HALF].copy_from_slice(&high);
    whole[HALF..].copy_from_slice(&low);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_naive_for_every_byte_at_every_place() {
        for place in 0..8 {
            for byte in 0..=u8::MAX {
                let mut digits = *b"0f9a1c3e";
                digits[place] = byte;
                let is_hex = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                let naive = std::str::from_utf8(&digits).ok().filter(|_| is_hex);
                let naive = naive.and_then(|text| u32::from_str_radix(text, 16).ok());
                assert_eq!(decode8(digits), naive, "{digits:?}");
            }
        }
    }

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210, u128::MAX] {
            assert_eq!(encode32(number), format!("{number:032x}").as_bytes());
            assert_eq!(decode32(&encode32(number)), Some(number));
        }
    }
}
