//! How grave a record is: OpenTelemetry's numbers and names.

use std::{fmt, str::FromStr};

use crate::{
    error::{Error, ErrorKind},
    label,
};

/// How grave a log record is, from 1 to 24: OpenTelemetry's `SeverityNumber` (logs data model, "Severity
/// Fields"). Each of the six names covers four numbers: [`INFO`](Self::INFO) is 9, and `INFO2` to `INFO4`
/// are 10 to 12.
///
/// # Examples
///
/// ```
/// use bellwether::log::LogSeverity;
///
/// assert!(LogSeverity::WARN > LogSeverity::INFO);
/// assert_eq!((LogSeverity::INFO.number(), LogSeverity::new(11).as_str()), (9, "INFO3"));
/// assert_eq!("warning".parse::<LogSeverity>()?, LogSeverity::WARN);
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogSeverity(u8); // In 1..=24.

impl LogSeverity {
    /// The finest details.
    pub const TRACE: Self = Self(1);
    /// For those who look for a fault.
    pub const DEBUG: Self = Self(5);
    /// What happens in the ordinary course.
    pub const INFO: Self = Self(9);
    /// Something is odd, and the work goes on.
    pub const WARN: Self = Self(13);
    /// Something has failed.
    pub const ERROR: Self = Self(17);
    /// The process cannot go on.
    pub const FATAL: Self = Self(21);

    /// The severity of `number`; the nearest one if it is not in 1 to 24.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        Self(match number {
            0 => 1,
            25.. => 24,
            number => number,
        })
    }

    /// The number, from 1 to 24.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The short name: `INFO`, `INFO2`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        NAMES[self.0 as usize - 1]
    }

    /// The name without its digit: `INFO` for `INFO2`.
    #[must_use]
    pub const fn level(self) -> &'static str {
        NAMES[(self.0 as usize - 1) & !3]
    }
}

const NAMES: [&str; 24] = [
    "TRACE", "TRACE2", "TRACE3", "TRACE4", "DEBUG", "DEBUG2", "DEBUG3", "DEBUG4", "INFO", "INFO2",
    "INFO3", "INFO4", "WARN", "WARN2", "WARN3", "WARN4", "ERROR", "ERROR2", "ERROR3", "ERROR4",
    "FATAL", "FATAL2", "FATAL3", "FATAL4",
];

impl fmt::Display for LogSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name in any case, `warning` among them, or a number from 1 (`ERROR`) to 5 (`TRACE`), as `RUST_LOG` has
/// them.
impl FromStr for LogSeverity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let by_name = NAMES.iter().position(|name| name.eq_ignore_ascii_case(text));
        if let Some(place) = by_name {
            return Ok(Self(place as u8 + 1));
        }
        match text {
            "1" => Ok(Self::ERROR),
            "2" => Ok(Self::WARN),
            "3" => Ok(Self::INFO),
            "4" => Ok(Self::DEBUG),
            "5" => Ok(Self::TRACE),
            _ if text.eq_ignore_ascii_case("warning") => Ok(Self::WARN),
            _ => {
                let text = label::head(text, 40);
                let text = format!("{text:?} is no level: trace, debug, info, warn, error, off");
                Err(Error::new(ErrorKind::InvalidOption, text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_opentelemetrys() {
        for (severity, number, name) in [
            (LogSeverity::TRACE, 1, "TRACE"),
            (LogSeverity::DEBUG, 5, "DEBUG"),
            (LogSeverity::INFO, 9, "INFO"),
            (LogSeverity::WARN, 13, "WARN"),
            (LogSeverity::ERROR, 17, "ERROR"),
            (LogSeverity::FATAL, 21, "FATAL"),
        ] {
            assert_eq!((severity.number(), severity.as_str()), (number, name));
            assert_eq!(LogSeverity::new(number + 3).as_str(), format!("{name}4"));
            assert_eq!(LogSeverity::new(number + 3).level(), name);
            assert_eq!(name.to_lowercase().parse::<LogSeverity>().unwrap(), severity);
        }
        assert_eq!((LogSeverity::new(0), LogSeverity::new(200).number()), (LogSeverity::TRACE, 24));
    }

    #[test]
    fn levels_of_rust_log_are_read_and_others_are_named() {
        let levels =
            ["1", "2", "3", "4", "5"].map(|text| text.parse::<LogSeverity>().unwrap().level());
        assert_eq!(levels, ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"]);
        let error = "loud".parse::<LogSeverity>().unwrap_err().to_string();
        assert!(error.contains(r#""loud" is no level"#), "{error}");
    }
}
