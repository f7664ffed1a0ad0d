//! Units of measurements, in UCUM's spelling as OpenTelemetry asks.

use std::fmt;

/// The unit of an instrument, separate from its name. Each exporter appends it as its backend expects.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Unit(&'static str);

#[expect(non_upper_case_globals, reason = "they read as variants: `Unit::Seconds`")]
impl Unit {
    /// No unit.
    pub const NONE: Self = Self("");
    /// `s`; `_seconds` on a Prometheus page.
    pub const Seconds: Self = Self("s");
    /// `By`; `_bytes` on a Prometheus page.
    pub const Bytes: Self = Self("By");
    /// `1`, a ratio; `_ratio` on the page, for a gauge.
    pub const Ratio: Self = Self("1");

    /// Any other unit in UCUM's spelling: `ms`, `KiBy`, `By/s`. An annotation such as `{item}` is shown
    /// to people and not appended to names.
    ///
    /// On a Prometheus page, a unit of seconds, bytes, bits, hertz, metres, grams, litres, watts,
    /// joules, volts, amperes and the like is written as a word, with any prefix; a rate such as `By/s`
    /// is `_bytes_per_second`. An unknown unit is appended unchanged.
    #[must_use]
    pub const fn new(ucum: &'static str) -> Self {
        Self(ucum)
    }

    /// The UCUM spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl Unit {
    /// How many of this unit make a second; 1 for a unit that is not of time.
    pub(crate) const fn per_second(self) -> f64 {
        match self.0.as_bytes() {
            b"ms" => 1e3,
            b"us" => 1e6,
            b"ns" => 1e9,
            b"min" => 1.0 / 60.0,
            b"h" => 1.0 / 3_600.0,
            b"d" => 1.0 / 86_400.0,
            _ => 1.0,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}
