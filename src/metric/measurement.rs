//! The values that a histogram can record.

use std::time::Duration;

/// A measured value: an `f64`, in the unit of the instrument, or a [`Duration`].
///
/// A `Duration` is converted to the instrument's unit if that is a unit of time, and to seconds
/// otherwise. No other type implements this trait.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::{Histogram, Unit};
///
/// static PAUSE: Histogram = Histogram::new("gc.pause.time", "Pauses").unit(Unit::new("ms"));
///
/// PAUSE.record(2.5);
/// PAUSE.record(Duration::from_micros(1_500));
/// assert_eq!(PAUSE.snapshot().sum(), 4.0);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be recorded",
    label = "neither an `f64` nor a `Duration`",
    note = "a whole number is converted first: `record(f64::from(n))`, or `record(n as f64)`"
)]
pub trait Measurement: sealed::Sealed {
    /// The value in the unit of the instrument, where a nanosecond is `per_nano` units.
    #[doc(hidden)]
    fn in_unit(self, per_nano: impl FnOnce() -> f64) -> f64;
}

impl Measurement for f64 {
    #[inline(always)]
    fn in_unit(self, _per_nano: impl FnOnce() -> f64) -> f64 {
        self
    }
}

impl Measurement for Duration {
    #[inline(always)]
    fn in_unit(self, per_nano: impl FnOnce() -> f64) -> f64 {
        self.as_nanos() as f64 * per_nano()
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f64 {}
    impl Sealed for std::time::Duration {}
}
