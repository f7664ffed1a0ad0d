//! The options of a histogram: how to divide its values into buckets, and which values to expect.

use crate::{
    error::{Error, ErrorKind},
    sync::Mutex,
};

/// How a histogram divides its values into buckets.
///
/// With each of these, the count of each bucket is exact, and distributions of the same aggregation add
/// up exactly, over threads, scopes and processes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Aggregation {
    /// 64 buckets for each power of two: quantiles within 1 % for values in [1e-9, 1e12], with nothing
    /// to configure.
    #[default]
    Exponential,
    /// One bucket for each of these bounds, up to and including it, and one beyond the last.
    ///
    /// At most 256 bounds, ascending, finite and not negative. An empty list leaves count and sum.
    Explicit(&'static [f64]),
    /// The buckets of an HDR histogram: values are whole ticks, one tick to the unit, with this many
    /// significant digits, 1 to 5.
    Hdr {
        /// From 1 to 5.
        significant_digits: u8,
    },
}

/// Which bounds a histogram shows to a backend that wants only a few: the `le` of a classic Prometheus
/// page.
///
/// The histogram keeps finer buckets, so these bounds can be changed at any time. A count is taken at
/// the first edge of the histogram's own buckets at or above the bound. So it includes values on the
/// bound, and may include values up to 1.1 % above it; in a histogram of [ticks](Aggregation::Hdr),
/// values that it does not tell apart from the bound. With [`Aggregation::Exponential`], counts at
/// powers of two are exact. A histogram with [explicit](Aggregation::Explicit) bounds always shows
/// those.
///
/// # Examples
///
/// ```
/// use bellwether::{
///     Histogram, Unit,
///     metric::{HistogramOptions, PageBounds, Registry},
/// };
///
/// static WAIT: Histogram = Histogram::new("shop.wait", "Time in the queue")
///     .unit(Unit::Seconds)
///     .page_bounds(PageBounds::Explicit(&[0.2, 1.5]));
/// WAIT.record(0.2);
///
/// let options = HistogramOptions::new().page_bounds(PageBounds::PowersOfTwo);
/// let registry = Registry::new();
/// registry.histogram("wait", "").unit(Unit::Seconds).options(options).build()?.record(0.2);
/// let snapshot = registry.snapshot();
/// assert_eq!(snapshot.family("wait").unwrap().page_bounds(), PageBounds::PowersOfTwo);
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum PageBounds {
    /// The bounds that people query. For a unit of time (`s`, `ms`, `us`, `ns`, `min`, `h`, `d`):
    /// 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75,
    /// 1, 2.5, 5, 7.5, 10, 25 and 60 seconds, in that unit. For other units,
    /// [`PowersOfTwo`](Self::PowersOfTwo).
    #[default]
    ByUnit,
    /// For seconds, the powers of two from 2^-14 (61 µs) to 64; for bytes, and for what is counted
    /// (`{item}`), the powers of four from 1 to 4^20 (1.1e12); for every other unit those from 4^-10 (9.5e-7).
    PowersOfTwo,
    /// These bounds: at most 256, ascending, finite and not negative. An empty list leaves count and
    /// sum.
    Explicit(&'static [f64]),
}

/// What happens to a value outside the configured range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a value is kept or it is not")]
pub enum OutOfRange {
    /// The nearer end of the range is recorded; counted in `telemetry.measurements.clamped`.
    Clamp,
    /// Nothing is recorded; counted in `telemetry.measurements.rejected`, reason `out_of_range`.
    Drop,
}

/// All options of a histogram whose name is known at run time.
///
/// # Examples
///
/// ```
/// use bellwether::metric::{Aggregation, HistogramOptions, OutOfRange, Registry, Unit};
///
/// let options = HistogramOptions::new()
///     .aggregation(Aggregation::explicit(&[0.1, 0.5, 1.0])?)
///     .range(0.0, 60.0, OutOfRange::Drop);
/// let registry = Registry::new();
/// let wait = registry.histogram("wait", "Time in the queue").unit(Unit::Seconds).options(options).build()?;
/// wait.record(0.3);
/// wait.record(3600.0); // No wait is so long: the clock was set.
/// assert_eq!(wait.snapshot().count(), 1);
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HistogramOptions {
    pub(crate) aggregation: Aggregation,
    pub(crate) range: Option<Range>,
    pub(crate) page_bounds: PageBounds,
}

/// The values that are expected, both ends included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) min: f64,
    pub(crate) max: f64, // Not below `min`; both finite.
    pub(crate) outside: OutOfRange,
}

/// What a range does with a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Admitted {
    Within(f64),
    Clamped(f64),
    Dropped,
}

/// The most bounds that a histogram may have: each is a series in a scrape.
pub(crate) const MOST_BOUNDS: usize = 256;

impl Aggregation {
    /// Explicit bounds that are known at run time. They are kept until the process ends; equal bounds
    /// are kept only once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`] if there are more than 256, or if they are not ascending, finite
    /// and at least zero.
    pub fn explicit(bounds: &[f64]) -> Result<Self, Error> {
        match bounds_fault(bounds) {
            None => Ok(Self::Explicit(intern(bounds))),
            Some(fault) => {
                Err(Error::new(ErrorKind::InvalidOption, format!("bounds {bounds:?}: {fault}")))
            }
        }
    }

    /// Why it is not legal, if it is not.
    pub(crate) const fn fault(&self) -> Option<&'static str> {
        match self {
            Self::Exponential => None,
            Self::Explicit(bounds) => bounds_fault(bounds),
            Self::Hdr { significant_digits: 1..=5 } => None,
            Self::Hdr { .. } => Some("significant digits are 1 to 5"),
        }
    }
}

impl PageBounds {
    /// Bounds that are known at run time. They are kept until the process ends; equal bounds are kept
    /// only once.
    ///
    /// # Errors
    ///
    /// As [`Aggregation::explicit`].
    pub fn explicit(bounds: &[f64]) -> Result<Self, Error> {
        match Aggregation::explicit(bounds)? {
            Aggregation::Explicit(bounds) => Ok(Self::Explicit(bounds)),
            _ => Ok(Self::ByUnit),
        }
    }

    const fn fault(&self) -> Option<&'static str> {
        match self {
            Self::Explicit(bounds) => bounds_fault(bounds),
            Self::ByUnit | Self::PowersOfTwo => None,
        }
    }
}

impl HistogramOptions {
    /// The default: exponential buckets, any range, the bounds that people query.
    #[must_use]
    pub const fn new() -> Self {
        let (aggregation, page_bounds) = (Aggregation::Exponential, PageBounds::ByUnit);
        Self { aggregation, range: None, page_bounds }
    }

    /// Sets the aggregation.
    #[must_use]
    pub const fn aggregation(self, aggregation: Aggregation) -> Self {
        Self { aggregation, ..self }
    }

    /// Sets the range of values, from `min` to `max`, both included.
    #[must_use]
    pub const fn range(self, min: f64, max: f64, outside: OutOfRange) -> Self {
        Self { range: Some(Range { min, max, outside }), ..self }
    }

    /// Sets the bounds on a page.
    #[must_use]
    pub const fn page_bounds(self, page_bounds: PageBounds) -> Self {
        Self { page_bounds, ..self }
    }

    /// Only the options that decide how values are kept.
    pub(crate) const fn of_cells(self) -> Self {
        Self { page_bounds: PageBounds::ByUnit, ..self }
    }

    /// Why the options are not legal, if they are not. In a static, this is a compile error.
    pub(crate) const fn fault(&self) -> Option<&'static str> {
        match self.range {
            Some(Range { min, max, .. }) if !(0.0 <= min && min <= max && max.is_finite()) => {
                Some("a range goes from a number that is not negative to one that is not smaller")
            }
            _ => match self.aggregation.fault() {
                None => self.page_bounds.fault(),
                fault => fault,
            },
        }
    }
}

impl Range {
    /// Why it cannot be the range of a gauge, if it cannot.
    pub(crate) const fn fault(&self) -> Option<&'static str> {
        match self.min <= self.max && self.min.is_finite() && self.max.is_finite() {
            true => None,
            false => Some("a range goes from a finite number to one that is not smaller"),
        }
    }

    /// What happens to `value`, which is a number.
    pub(crate) fn admit(self, value: f64) -> Admitted {
        match self.outside {
            _ if self.min <= value && value <= self.max => Admitted::Within(value),
            OutOfRange::Clamp => Admitted::Clamped(value.clamp(self.min, self.max)),
            OutOfRange::Drop => Admitted::Dropped,
        }
    }
}

/// Why these bounds are not legal, if they are not.
pub(crate) const fn bounds_fault(bounds: &[f64]) -> Option<&'static str> {
    if bounds.len() > MOST_BOUNDS {
        return Some("a histogram has at most 256 bounds");
    }
    let mut place = 0;
    while place < bounds.len() {
        // The sign is checked, so that -0 is refused too: it would be another text on a page.
        if !bounds[place].is_finite() || bounds[place].is_sign_negative() {
            return Some("a bound is finite and not negative");
        }
        if place > 0 && bounds[place - 1] >= bounds[place] {
            return Some("bounds ascend");
        }
        place += 1;
    }
    None
}

/// Bounds equal to `bounds` that live as long as the process.
fn intern(bounds: &[f64]) -> &'static [f64] {
    static KNOWN: Mutex<Vec<&'static [f64]>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock();
    if let Some(bounds) = known.iter().find(|other| **other == bounds) {
        return bounds;
    }
    let bounds: &'static [f64] = Box::leak(bounds.into());
    known.push(bounds);
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_are_none_are_told_why() {
        let many: Vec<f64> = (0..=256).map(f64::from).collect();
        for bounds in [
            &[1.0, 1.0][..],
            &[2.0, 1.0],
            &[f64::NAN],
            &[1.0, f64::INFINITY],
            &[-1.0, 1.0],
            &[-0.0, 1.0],
            &many,
        ] {
            assert!(Aggregation::explicit(bounds).is_err(), "{bounds:?}");
        }
        for bounds in [&[][..], &[0.0], &[0.0, f64::MIN_POSITIVE, f64::MAX], &many[1..]] {
            assert!(Aggregation::explicit(bounds).is_ok(), "{bounds:?}");
        }
    }

    #[test]
    fn the_same_bounds_are_kept_once() {
        let [first, second] = [0, 1].map(|_| intern(&[1.5, 2.5, 3.5]));
        assert!(std::ptr::eq(first, second));
        assert_ne!(first, intern(&[1.5, 2.5]));
    }

    #[test]
    fn a_range_keeps_both_of_its_ends() {
        let [clamp, drop] = [OutOfRange::Clamp, OutOfRange::Drop].map(|outside| Range {
            min: 1.0,
            max: 2.0,
            outside,
        });
        for end in [1.0, 2.0] {
            assert_eq!(clamp.admit(end), Admitted::Within(end));
            assert_eq!(drop.admit(end), Admitted::Within(end));
        }
        assert_eq!(clamp.admit(0.5), Admitted::Clamped(1.0));
        assert_eq!(clamp.admit(7.0), Admitted::Clamped(2.0));
        assert_eq!(drop.admit(2f64.next_up()), Admitted::Dropped);
    }

    #[test]
    fn options_that_are_not_legal_have_a_fault() {
        let range = |min, max| HistogramOptions::new().range(min, max, OutOfRange::Drop).fault();
        assert!(range(0.0, 0.0).is_none());
        for (min, max) in [(-1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            assert!(range(min, max).is_some(), "{min} to {max}");
        }
        for significant_digits in [0, 6] {
            assert!(Aggregation::Hdr { significant_digits }.fault().is_some());
        }
    }
}
