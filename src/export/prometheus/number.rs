//! Numbers as Prometheus writes them: the shortest text that reads back as the same number.

use std::fmt::Write as _;

/// Appends `value` as Go's `%g` would, which is what Prometheus' own libraries write, so that a
/// bound of a bucket is the same text everywhere.
pub(super) fn write_f64(page: &mut String, value: f64) {
    let start = page.len();
    // Writing to a String cannot fail.
    if value.is_nan() {
        page.push_str("NaN");
    } else if value.is_infinite() {
        page.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else if value == 0.0 || (1e-4..1e6).contains(&value.abs()) {
        let _ = write!(page, "{value}");
    } else {
        let _ = write!(page, "{value:e}");
        // Rust writes `1e6` and `1e-5`, Go `1e+06` and `1e-05`.
        let exponent = page[start..].find('e').map_or(page.len(), |place| start + place + 1);
        let digits = if page[exponent..].starts_with('-') {
            exponent + 1
        } else {
            page.insert(exponent, '+');
            exponent + 1
        };
        if page.len() - digits < 2 {
            page.insert(digits, '0');
        }
    }
}

/// Appends `value` so that it reads as a float even where it is whole: `1.0`. OpenMetrics asks for
/// it in `le` (its section "Canonical Numbers").
pub(super) fn write_canonical(page: &mut String, value: f64) {
    let start = page.len();
    write_f64(page, value);
    if value.is_finite() && !page[start..].contains(['.', 'e']) {
        page.push_str(".0");
    }
}

/// Appends a whole number.
pub(super) fn write_u64(page: &mut String, value: u64) {
    let _ = write!(page, "{value}");
}

/// Appends a whole number.
pub(super) fn write_i64(page: &mut String, value: i64) {
    let _ = write!(page, "{value}");
}

/// Appends nanoseconds as seconds, with the milliseconds that Prometheus keeps.
pub(super) fn write_seconds(page: &mut String, nanos: u64) {
    let _ = write!(page, "{}.{:03}", nanos / 1_000_000_000, nanos / 1_000_000 % 1000);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: f64) -> String {
        let mut text = String::new();
        write_f64(&mut text, value);
        text
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
            (999_999.0, "999999"),
            (1e6, "1e+06"),
            (-1_048_576.0, "-1.048576e+06"),
            (2f64.powi(-14), "6.103515625e-05"),
            (1e300, "1e+300"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (value, expected) in known {
            assert_eq!(text(value), expected);
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
            let mut text = String::new();
            write_canonical(&mut text, value);
            assert_eq!(text, expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn every_float_reads_back(bits: u64) {
            let value = f64::from_bits(bits);
            let read: f64 = text(value).parse().unwrap();
            assert!(read.to_bits() == bits || value.is_nan() && read.is_nan(), "{value:e}");
        }
    }
}
