//! Numbers as people read them.

use std::fmt;

/// `1,234,567`.
pub(super) struct Thousands(pub(super) usize);

impl fmt::Display for Thousands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// Bytes in MiB where they are some, otherwise as they are.
pub(super) struct Mebibytes(pub(super) usize);

impl fmt::Display for Mebibytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 >> 20 {
            0 => write!(f, "{} bytes", Thousands(self.0)),
            n => write!(f, "{} MiB", Thousands(n)),
        }
    }
}

/// `1 span`, `1,234 data points`: so many records of a signal.
pub(super) fn records(n: u64, signal: &str) -> String {
    let one = match signal {
        "spans" => "span",
        "logs" => "log record",
        "metrics" => "data point",
        "notifications" => "notification",
        _ => "record",
    };
    let n = usize::try_from(n).unwrap_or(usize::MAX);
    format!("{} {one}{}", Thousands(n), if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_groups_of_three_digits() {
        let texts = [0, 12, 999, 1_000, 12_345, 1_234_567].map(|n| Thousands(n).to_string());
        assert_eq!(texts, ["0", "12", "999", "1,000", "12,345", "1,234,567"]);
        assert_eq!(Mebibytes(64 << 20).to_string(), "64 MiB");
        assert_eq!(Mebibytes(4_000).to_string(), "4,000 bytes");
        assert_eq!(records(1, "spans"), "1 span");
        assert_eq!(records(1_234, "metrics"), "1,234 data points");
    }
}
