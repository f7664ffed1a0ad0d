//! Trace and span ids.

use std::{fmt, str::FromStr};

use super::hex;
use crate::{
    error::{Error, ErrorKind},
    util::random,
};

/// The id of a trace: 128 bits, never zero in a valid context.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TraceId {
    // Halves, because a u128 would have every span record padded to 16 bytes.
    high: u64,
    low: u64,
}

/// The id of a span: 64 bits, never zero in a valid context.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SpanId(u64);

impl TraceId {
    /// The id that stands for none.
    pub const INVALID: Self = Self::from_halves(0, 0);

    /// A random id, by this thread's generator; never zero.
    #[must_use]
    pub fn random() -> Self {
        loop {
            let [high, low] = random::numbers();
            let id = Self::from_halves(high, low);
            if id.is_valid() {
                return id;
            }
        }
    }

    pub(crate) const fn from_halves(high: u64, low: u64) -> Self {
        Self { high, low }
    }

    /// The id of these 128 bits.
    #[must_use]
    pub const fn from_u128(bits: u128) -> Self {
        Self::from_halves((bits >> 64) as u64, bits as u64)
    }

    /// The 128 bits.
    #[must_use]
    pub const fn to_u128(self) -> u128 {
        (self.high as u128) << 64 | self.low as u128
    }

    /// Whether it is not zero.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        self.high | self.low != 0
    }
}

impl SpanId {
    /// The id that stands for none.
    pub const INVALID: Self = Self(0);

    /// A random id, by this thread's generator; never zero.
    #[must_use]
    pub fn random() -> Self {
        Self(random::nonzero())
    }

    /// The id of these 64 bits.
    #[must_use]
    pub const fn from_u64(bits: u64) -> Self {
        Self(bits)
    }

    /// The 64 bits.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// Whether it is not zero.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        self.0 != 0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&hex::encode32(self.to_u128())).unwrap_or_default())
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&hex::encode16(self.0)).unwrap_or_default())
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads 32 lower hex digits, as `Display` writes them.
impl FromStr for TraceId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = text.as_bytes().try_into().ok();
        digits
            .and_then(hex::decode32)
            .map(Self::from_u128)
            .ok_or_else(|| refused("trace", text, 32))
    }
}

/// Reads 16 lower hex digits, as `Display` writes them.
impl FromStr for SpanId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = text.as_bytes().try_into().ok();
        digits.and_then(hex::decode16).map(Self).ok_or_else(|| refused("span", text, 16))
    }
}

#[cold]
fn refused(what: &str, text: &str, n_digits: usize) -> Error {
    let shown: String = text.chars().take(64).collect();
    Error::new(ErrorKind::Parse, format!("{what} id {shown:?} is not {n_digits} lower hex digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        let (trace, span) = (TraceId::random(), SpanId::random());
        assert_eq!(trace.to_string().parse::<TraceId>().unwrap(), trace);
        assert_eq!(span.to_string().parse::<SpanId>().unwrap(), span);
        assert_eq!(SpanId::from_u64(0xab).to_string(), "00000000000000ab");
    }

    #[test]
    fn only_lower_hex_of_the_exact_length_is_an_id() {
        for text in
            ["", "+23456789012345a", "123456789012345", "12345678901234567", "ABCDEF0123456789"]
        {
            let error = text.parse::<SpanId>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Parse, "{text}");
        }
        let error = "x".repeat(32).parse::<TraceId>().unwrap_err();
        assert!(error.to_string().contains("is not 32 lower hex digits"));
    }

    #[test]
    fn random_ids_differ() {
        let ids: std::collections::HashSet<_> = (0..1_000).map(|_| SpanId::random()).collect();
        assert_eq!(ids.len(), 1_000);
    }
}
