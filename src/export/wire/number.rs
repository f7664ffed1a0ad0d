//! Numbers as Prometheus writes them: the shortest text that reads back as the same number.
//!
//! Each is written to the start of a small buffer, without the machinery of `fmt`: a page has tens of
//! thousands of numbers.

/// Long enough for every number: the longest are floats, with 24 bytes.
pub(crate) const ROOM: usize = 32;

/// The buffer for a number, which is written from the first byte on.
pub(crate) type Room = [u8; ROOM];

/// A value that a format has as a number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    /// To the last digit.
    Whole(u64),
    Float(f64),
}

impl Number {
    /// Appends it.
    pub(crate) fn put(self, out: &mut Vec<u8>) {
        let mut room = [0; ROOM];
        let length = match self {
            Self::Whole(value) => put_u64(&mut room, value),
            Self::Float(value) => put_f64(&mut room, value),
        };
        // A copy of a fixed length is a few instructions.
        let end = out.len() + length;
        out.extend_from_slice(&room);
        out.truncate(end);
    }
}

/// Writes a whole number and returns its length; bytes after the number are overwritten too.
///
/// It writes eight digits at a time, without a branch on their number, which could not be predicted.
#[inline]
pub(crate) fn put_u64(room: &mut Room, value: u64) -> usize {
    const EIGHT: u64 = 100_000_000;
    if value < EIGHT {
        return put_first(room, value as u32);
    }
    let (upper, last) = (value / EIGHT, (value % EIGHT) as u32);
    let len = match upper < EIGHT {
        true => put_first(room, upper as u32),
        false => {
            let len = put_first(room, (upper / EIGHT) as u32);
            put_eight(room, len, (upper % EIGHT) as u32)
        }
    };
    put_eight(room, len, last)
}

/// Writes a number below 10^8 to the start, without leading zeros.
///
/// The length is computed apart from the digits, because what follows has to wait for it.
#[inline]
fn put_first(room: &mut Room, value: u32) -> usize {
    let len = ((u64::from(value) + LENGTHS[(value | 1).ilog2() as usize]) >> 32) as usize;
    // The first digit is in the lowest byte.
    let text = (digits(value) | ZEROS) >> (64 - 8 * len);
    room[..8].copy_from_slice(&text.to_le_bytes());
    len
}

/// For each index of the highest bit, what to add to a number so that the upper half is its decimal
/// length. It has the length of the smallest such number in the upper half; the lower half carries over
/// from the next power of ten on.
static LENGTHS: [u64; 32] = {
    let mut lengths = [0; 32];
    let mut bit = 0;
    while bit < 32 {
        let len = (1u64 << bit).ilog10() + 1;
        let power = 10u64.pow(len);
        lengths[bit] = ((len as u64) << 32) + (1u64 << 32).saturating_sub(power);
        bit += 1;
    }
    lengths
};

/// Writes a number below 10^8 at `start`, with leading zeros.
#[inline]
fn put_eight(room: &mut Room, start: usize, value: u32) -> usize {
    room[start..start + 8].copy_from_slice(&(digits(value) | ZEROS).to_le_bytes());
    start + 8
}

/// The eight digits of a number below 10^8, the first one in the lowest byte. Halves, quarters and
/// digits are divided side by side in one word, by multiplication with the inverse of 100 and of 10.
#[inline]
fn digits(value: u32) -> u64 {
    let halves = u64::from(value / 10_000) | u64::from(value % 10_000) << 32;
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let quarters = hundreds | (halves - hundreds * 100) << 16;
    let tens = ((quarters * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (quarters - tens * 10) << 8
}

const ZEROS: u64 = u64::from_le_bytes(*b"00000000");

/// Writes a whole number and returns its length.
pub(crate) fn put_i64(room: &mut Room, value: i64) -> usize {
    let len = put_u64(room, value.unsigned_abs());
    if value >= 0 {
        return len;
    }
    room.copy_within(..len, 1);
    room[0] = b'-';
    len + 1
}

/// Writes `value` like Go's `%g`, as Prometheus' own libraries do, so that a bound of a bucket has the
/// same text everywhere; returns the length.
pub(crate) fn put_f64(room: &mut Room, value: f64) -> usize {
    let size = value.abs();
    // Integers are frequent: gauges that count, sums of sizes. -0 is not one of them.
    if size < 1e6 && value.fract() == 0.0 && value.to_bits() != NEGATIVE_ZERO {
        return put_i64(room, value as i64);
    }
    if !value.is_finite() {
        return put_text(room, non_finite(value));
    }
    if value == 0.0 {
        return put_text(room, "-0");
    }
    let mut buffer = zmij::Buffer::new();
    let shortest = buffer.format_finite(value);
    match (1e-4..1e6).contains(&size) {
        true => put_text(room, shortest),
        false => put_scientific(room, shortest),
    }
}

/// Writes `value` so that it reads as a float even if it is whole: `1.0`. OpenMetrics requires this in
/// `le` (its section "Canonical Numbers").
pub(crate) fn put_canonical(room: &mut Room, value: f64) -> usize {
    let len = put_f64(room, value);
    if value.is_finite() && !room[..len].iter().any(|byte| matches!(byte, b'.' | b'e')) {
        room[len..len + 2].copy_from_slice(b".0");
        return len + 2;
    }
    len
}

/// Writes nanoseconds as seconds, with the milliseconds that Prometheus keeps; returns the length.
pub(crate) fn put_seconds(room: &mut Room, nanos: u64) -> usize {
    let len = put_u64(room, nanos / 1_000_000_000);
    let millis = (nanos / 1_000_000 % 1000) as usize;
    room[len] = b'.';
    room[len + 1] = b'0' + (millis / 100) as u8;
    room[len + 2..len + 4].copy_from_slice(&PAIRS[millis % 100]);
    len + 4
}

fn non_finite(value: f64) -> &'static str {
    match value.is_nan() {
        true => "NaN",
        false if value > 0.0 => "+Inf",
        false => "-Inf",
    }
}

fn put_text(room: &mut Room, text: &str) -> usize {
    room[..text.len()].copy_from_slice(text.as_bytes());
    text.len()
}

/// Writes a number that is not zero, given as `-1234567.5`, `0.00001` or `1e+16`, like Go's `%e`: one
/// digit before the point, and at least two in the exponent.
fn put_scientific(room: &mut Room, shortest: &str) -> usize {
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let point = mantissa.find('.').unwrap_or(mantissa.len()) as i32;
    let digits = || mantissa.bytes().filter(|byte| *byte != b'.');
    let zeros = digits().take_while(|byte| *byte == b'0').count();
    let significant =
        digits().count() - digits().rev().take_while(|byte| *byte == b'0').count() - zeros;
    let exponent = exponent.parse::<i32>().unwrap_or(0) + point - zeros as i32 - 1;

    let mut len = put_text(room, sign);
    for (place, digit) in digits().skip(zeros).take(significant).enumerate() {
        if place == 1 {
            room[len] = b'.';
            len += 1;
        }
        room[len] = digit;
        len += 1;
    }
    room[len] = b'e';
    room[len + 1] = if exponent < 0 { b'-' } else { b'+' };
    len += 2;
    let mut text = [0; ROOM];
    let exponent_len = put_u64(&mut text, exponent.unsigned_abs().into());
    if exponent_len == 1 {
        room[len] = b'0';
        len += 1;
    }
    room[len..len + exponent_len].copy_from_slice(&text[..exponent_len]);
    len + exponent_len
}

const NEGATIVE_ZERO: u64 = 1 << 63;

/// `00` to `99`.
static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut place = 0;
    while place < 100 {
        pairs[place] = [b'0' + (place / 10) as u8, b'0' + (place % 10) as u8];
        place += 1;
    }
    pairs
};

#[cfg(test)]
mod tests {
    use super::*;

    fn text<T>(put: fn(&mut Room, T) -> usize, value: T) -> String {
        let mut room = Room::default();
        let len = put(&mut room, value);
        String::from_utf8(room[..len].to_vec()).unwrap()
    }

    #[test]
    fn floats_look_like_those_of_go() {
        let known = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (0.000015, "1.5e-05"),
            (999_999.0, "999999"),
            (1e6, "1e+06"),
            (-1_048_576.0, "-1.048576e+06"),
            (1_234_567.5, "1.2345675e+06"),
            (1e15, "1e+15"),
            (1e16, "1e+16"),
            (2f64.powi(-14), "6.103515625e-05"),
            (1e300, "1e+300"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (value, expected) in known {
            assert_eq!(text(put_f64, value), expected);
        }
    }

    #[test]
    fn canonical_floats_are_those_of_openmetrics() {
        let known = [
            (0.0, "0.0"),
            (0.001, "0.001"),
            (1.0, "1.0"),
            (100_000.0, "100000.0"),
            (1e6, "1e+06"),
            (1e-10, "1e-10"),
            (f64::INFINITY, "+Inf"),
        ];
        for (value, expected) in known {
            assert_eq!(text(put_canonical, value), expected);
        }
    }

    #[test]
    fn seconds_have_milliseconds() {
        for (nanos, expected) in
            [(0, "0.000"), (1_002_999_999, "1.002"), (61_540_000_000, "61.540")]
        {
            assert_eq!(text(put_seconds, nanos), expected);
        }
        assert_eq!(text(put_seconds, u64::MAX), "18446744073.709");
    }

    #[test]
    fn whole_numbers_read_as_their_display() {
        let edges = (0..20).map(|power| 10u64.pow(power));
        for value in edges.flat_map(|edge| [edge - 1, edge, edge + 1]).chain([u64::MAX]) {
            assert_eq!(text(put_u64, value), value.to_string());
            assert_eq!(text(put_i64, value.cast_signed()), value.cast_signed().to_string());
        }
        assert_eq!(text(put_i64, i64::MIN), i64::MIN.to_string());
    }

    proptest::proptest! {
        #[test]
        fn every_float_reads_back(bits: u64) {
            let value = f64::from_bits(bits);
            let read: f64 = text(put_f64, value).parse().unwrap();
            assert!(read.to_bits() == bits || value.is_nan() && read.is_nan(), "{value:e}");
        }

        #[test]
        fn every_whole_number_reads_back(value: u64, shift in 0u32..64) {
            let value = value >> shift;
            assert_eq!(text(put_u64, value), value.to_string());
        }
    }
}
