//! How much one record may hold.

use super::text;
use crate::{
    label,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// How much one log record may hold; what is beyond is left out, and counted in the record and in
/// `telemetry.logs.truncated`. What a processor sets is not limited. Keys, targets and other names have at most
/// 1,024 characters in any case.
///
/// # Examples
///
/// ```
/// use bellwether::log::{LogLimits, LogOptions};
///
/// let limits = LogLimits { body_bytes: 4096, ..LogLimits::DEFAULT };
/// let telemetry = bellwether::builder("shop").logs(LogOptions::new().limits(limits)).start()?;
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "any value is legal; a limit more is a breaking release"
)]
pub struct LogLimits {
    /// The most attributes of a record.
    pub attributes: usize,
    /// The most items of an attribute, or of a body, that is an array.
    pub array_items: u32,
    /// The most characters of a text that is the value of an attribute, or an item of one; about a million
    /// at most.
    pub value_chars: usize,
    /// The most bytes of a body that is text, about a million at most. It is cut at a character.
    pub body_bytes: usize,
}

impl LogLimits {
    /// The default: 128 attributes (OpenTelemetry logs SDK, "LogRecord Limits"), which has no other limits;
    /// 1,024 characters and 128 items, as for [spans](crate::trace::SpanLimits); bodies of 64 KiB.
    pub const DEFAULT: Self = Self {
        attributes: 128,
        array_items: 128,
        value_chars: label::MAX_VALUE_BYTES,
        body_bytes: text::MOST_COPIED,
    };

    /// Limits all records from here on.
    pub(super) fn put_in_force(self) {
        // Of a longer text not even a copy is needed. A character has at most four bytes.
        let Self { attributes, array_items, .. } = self;
        let [value_chars, body_bytes] =
            [self.value_chars, self.body_bytes].map(|limit| limit.min(text::MOST_LIMIT));
        label::copy_up_to(text::MOST_LIMIT.min(body_bytes.max(4 * value_chars)));
        let numbers = [attributes, array_items as usize, value_chars, body_bytes];
        for (place, number) in IN_FORCE.iter().zip(numbers) {
            place.store(number, Relaxed);
        }
    }

    /// The limits of records.
    #[inline]
    pub(super) fn in_force() -> Self {
        let [attributes, array_items, value_chars, body_bytes] =
            IN_FORCE.each_ref().map(|place| place.load(Relaxed));
        Self { attributes, array_items: array_items as u32, value_chars, body_bytes }
    }
}

/// As [`LogLimits`] has them. Relaxed: each publishes nothing but itself.
static IN_FORCE: [AtomicUsize; 4] = {
    let LogLimits { attributes, array_items, value_chars, body_bytes } = LogLimits::DEFAULT;
    [
        AtomicUsize::new(attributes),
        AtomicUsize::new(array_items as usize),
        AtomicUsize::new(value_chars),
        AtomicUsize::new(body_bytes),
    ]
};

impl Default for LogLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
