//! Dates as text, in the proleptic Gregorian calendar.

use super::civil::civil;

const DAY: u64 = 86_400;
const SECOND_NANOS: u64 = 1_000_000_000;

/// The date in UTC as RFC 3339 has it, in nanoseconds without trailing zeros (Go's `RFC3339Nano`).
pub(crate) fn rfc3339(unix_nanos: u64) -> String {
    let (seconds, nanos) = (unix_nanos / SECOND_NANOS, unix_nanos % SECOND_NANOS);
    let (year, month, day) = civil(seconds / DAY);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if nanos > 0 {
        let digits = format!(".{nanos:09}");
        text.push_str(digits.trim_end_matches('0'));
    }
    text.push('Z');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates_are_written_as_go_writes_them() {
        for (seconds, nanos, text) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (951_782_399, 0, "2000-02-28T23:59:59Z"),
            (951_782_400, 0, "2000-02-29T00:00:00Z"),
            (951_868_800, 0, "2000-03-01T00:00:00Z"),
            (1_577_836_800, 0, "2020-01-01T00:00:00Z"),
            (1_763_651_982, 184_000_000, "2025-11-20T15:19:42.184Z"),
            (4_107_542_400, 1, "2100-03-01T00:00:00.000000001Z"),
        ] {
            assert_eq!(rfc3339(seconds * SECOND_NANOS + nanos), text);
        }
        assert_eq!(rfc3339(u64::MAX), "2554-07-21T23:34:33.709551615Z");
    }
}
