//! Severities as those of syslog, which has eight.

use crate::log::LogSeverity;

/// What syslog calls `severity` (RFC 5424, table 2), from 0, an emergency, to 7, for debugging.
///
/// Each name of ours is one of syslog's, and what lies between two names is shared out: `INFO2` to `INFO4` are
/// notices, as OpenTelemetry has it. An emergency is shown on every terminal by rsyslog and the journal as they
/// come, so that a mere [`FATAL`](LogSeverity::FATAL) of one process is an alert, and `FATAL4` alone an emergency.
pub(crate) fn of(severity: LogSeverity) -> u8 {
    match severity.number() {
        0..=8 => DEBUG,
        9 => INFO,
        10..=12 => 5,
        13..=16 => WARNING,
        17 => ERROR,
        18..=20 => 2,
        21..=23 => 1,
        24.. => 0,
    }
}

const ERROR: u8 = 3;
const WARNING: u8 = 4;
const INFO: u8 = 6;
const DEBUG: u8 = 7;

/// What the source calls the severity, unless [`of`] says as much.
pub(crate) fn more_than_that(severity: LogSeverity, text: &str) -> Option<&str> {
    let is_plain = matches!(
        severity,
        LogSeverity::DEBUG | LogSeverity::INFO | LogSeverity::WARN | LogSeverity::ERROR
    );
    (!is_plain || text != severity.as_str()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graver_severity_is_never_a_milder_one_and_all_eight_occur() {
        let all: Vec<u8> = (1..=24).map(|number| of(LogSeverity::new(number))).collect();
        assert!(all.is_sorted_by(|a, b| a >= b), "{all:?}");
        let mut each = all.clone();
        each.dedup();
        assert_eq!(each, [7, 6, 5, 4, 3, 2, 1, 0]);
        let named = [
            LogSeverity::TRACE,
            LogSeverity::DEBUG,
            LogSeverity::INFO,
            LogSeverity::WARN,
            LogSeverity::ERROR,
            LogSeverity::FATAL,
        ];
        assert_eq!(named.map(of), [7, 7, 6, 4, 3, 1]);
    }

    #[test]
    fn what_the_number_does_not_say_is_said() {
        assert_eq!(more_than_that(LogSeverity::INFO, "INFO"), None);
        assert_eq!(more_than_that(LogSeverity::INFO, "info"), Some("info"));
        assert_eq!(more_than_that(LogSeverity::TRACE, "TRACE"), Some("TRACE"));
        assert_eq!(more_than_that(LogSeverity::new(10), "INFO2"), Some("INFO2"));
    }
}
