//! The instrument that records a distribution.

use std::{fmt, marker::PhantomData, time::Duration};

use crate::{
    cells::{
        self, Rejection, Tally,
        histogram::chosen::{self, Amount},
    },
    context,
    label::{AnyKeys, Dynamic, LabelValues, Labels, NoLabels},
    metric::{
        handle::Handle,
        instrument::{Instrument, pairs},
        measurement::Measurement,
        recorded::{Known, Target, recorded},
        typed::{With, typed_instrument},
    },
    series::{is_disabled, refused},
    snapshot::{
        Admitted, Aggregation, HistogramOptions, HistogramSnapshot, Kind, OutOfRange, PageBounds,
        Unit,
    },
};

typed_instrument! {
    /// A distribution of values: how long requests took, how large responses were.
    ///
    /// Quantiles are within 1 % for values in [1e-9, 1e12] of the unit. Zero, smaller values and larger
    /// values have buckets of their own. Count and sum are exact, but a value beyond 1e290 adds 1e290
    /// to the sum. A negative value, NaN or an infinity is not recorded but counted in
    /// `telemetry.measurements.rejected`.
    ///
    /// It can instead keep its values by explicit [`bounds`](Self::bounds) or in whole ticks
    /// ([`hdr`](Self::hdr)), and only those in a [`range`](Self::range).
    ///
    /// A record in a sampled span is kept as an [exemplar](HistogramSnapshot::exemplars). Each bucket
    /// keeps the first one since the last tick or the last read.
    /// [`record_with_exemplar`](Self::record_with_exemplar) adds labels of your own.
    ///
    /// A thread keeps its first hundred values of a series in 256 bytes. Then the series takes 1.5 kB,
    /// and 512 bytes for each power of two that occurs: 9 kB for twenty thousand log-normal values,
    /// 10 kB for a million (their logarithms vary by one), 38 kB for values of every magnitude. Recording
    /// allocates only when a thread meets a new series or a new power of two.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{Histogram, Unit};
    ///
    /// static LATENCY: Histogram =
    ///     Histogram::new("shop.request.duration", "Time to answer").unit(Unit::Seconds);
    ///
    /// for milliseconds in 1..=100 {
    ///     LATENCY.record(f64::from(milliseconds) / 1000.0);
    /// }
    /// let p99 = LATENCY.snapshot().p99().unwrap();
    /// assert!((p99 / 0.099 - 1.0).abs() < 0.01);
    /// ```
    Histogram, BoundHistogram(TimeScale), Kind::Histogram
}

impl<L> Histogram<L> {
    /// Uses one bucket for each of `bounds`, up to and including it, and one beyond the last. A
    /// thread's counts take 32 bytes for each bucket.
    ///
    /// # Panics
    ///
    /// Panics if there are more than 256 bounds, or if they are not ascending, finite and at least
    /// zero. In a static, this is a compile error.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::Histogram;
    ///
    /// static SIZE: Histogram = Histogram::new("cart.size", "Items").bounds(&[1.0, 5.0, 25.0]);
    ///
    /// [1.0, 2.0, 30.0].into_iter().for_each(|items| SIZE.record(items));
    /// assert_eq!(SIZE.snapshot().cumulative(&[1.0, 5.0, 25.0]), [1, 2, 2]);
    /// ```
    ///
    /// Bounds that do not ascend do not compile:
    ///
    /// ```compile_fail
    /// use bellwether::Histogram;
    ///
    /// static SIZE: Histogram = Histogram::new("cart.size", "Items").bounds(&[5.0, 1.0]);
    /// ```
    #[must_use]
    pub const fn bounds(self, bounds: &'static [f64]) -> Self {
        let options = self.instrument.histogram().aggregation(Aggregation::Explicit(bounds));
        self.with_options(options)
    }

    /// Counts in whole ticks, one tick to the unit, with so many significant digits. The buckets are
    /// those of the crate `hdrhistogram`.
    ///
    /// A recorded value is rounded to the nearest tick; [`record_ticks`](Self::record_ticks) takes
    /// ticks directly. For durations, give the histogram a unit as fine as its ticks should be.
    ///
    /// A thread's counts take 512 bytes for every 64 neighbouring buckets that occur. Their index takes
    /// 1 kB for every 4,096 buckets that occur, at most 13 kB.
    ///
    /// # Panics
    ///
    /// Panics if `significant_digits` is not in 1 to 5. In a static, this is a compile error.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{Histogram, Unit};
    ///
    /// static PAUSE: Histogram = Histogram::new("gc.pause", "Pauses").unit(Unit::new("ns")).hdr(3);
    ///
    /// PAUSE.record_ticks(1_234_567);
    /// assert_eq!(PAUSE.snapshot().p50(), Some(1_234_943.0)); // Of 1,233,920 and up.
    /// ```
    #[must_use]
    pub const fn hdr(self, significant_digits: u8) -> Self {
        let hdr = Aggregation::Hdr { significant_digits };
        let options = self.instrument.histogram().aggregation(hdr);
        self.with_options(options)
    }

    /// Restricts the histogram to values from `min` to `max`, both included. A value outside is clamped
    /// to the nearer end or dropped, and counted.
    ///
    /// # Panics
    ///
    /// Panics if `min` is negative, above `max` or not finite, or if `max` is not finite. In a static,
    /// this is a compile error.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{Histogram, metric::OutOfRange};
    ///
    /// static LOAD: Histogram =
    ///     Histogram::new("load", "Share of the time").range(0.0, 1.0, OutOfRange::Clamp);
    ///
    /// LOAD.record(1.25);
    /// assert_eq!(LOAD.snapshot().sum(), 1.0);
    /// ```
    #[must_use]
    pub const fn range(self, min: f64, max: f64, outside: OutOfRange) -> Self {
        let options = self.instrument.histogram().range(min, max, outside);
        self.with_options(options)
    }

    /// Shows these bounds on a page. The histogram still keeps its values as finely as without them.
    ///
    /// # Panics
    ///
    /// Panics if there are more than 256 bounds, or if they are not ascending, finite and at least
    /// zero. In a static, this is a compile error.
    #[must_use]
    pub const fn page_bounds(self, bounds: PageBounds) -> Self {
        let options = self.instrument.histogram().page_bounds(bounds);
        self.with_options(options)
    }

    const fn with_options(mut self, options: HistogramOptions) -> Self {
        self.instrument.with_histogram(options);
        self
    }
}

recorded! {
    Histogram, BoundHistogram {
        #[inline(always)]
        /// Records `value`: a number, or a [`Duration`] in the histogram's unit ([`Measurement`]).
        fn record(value: impl Measurement) = |to, histogram| {
            record(to, value.in_unit(|| histogram.per_nano()));
        };

        #[inline]
        /// Records a number of ticks; exact in a histogram of [ticks](Histogram::hdr).
        fn record_ticks(ticks: u64) = |to, _| record_ticks(to.recording_id(), ticks);

        #[inline]
        /// Records `value`, and keeps it as the exemplar of its bucket, with `labels` of its own.
        ///
        /// If the current span is sampled, its trace is part of the exemplar. The call takes a lock
        /// and allocates. The memory is counted against the registry's budget of bytes; if the budget is
        /// spent, there is no exemplar, and that is counted. A value that is not recorded leaves no
        /// exemplar. If a range clamps the value, the exemplar shows the end of the range.
        ///
        /// An exemplar is on pages in OpenMetrics and protobuf, and in snapshots. The next exemplar of
        /// the bucket replaces it, whether it has labels or not. Keys consist of ASCII letters, digits
        /// and `_`, and do not start with a digit: any other character becomes `_`. A label is left
        /// out, and counted by reason in `telemetry.exemplars.rejected`,
        ///
        /// - if its key is empty, begins with `__`, or is `trace_id` or `span_id` in a sampled span;
        /// - if an earlier label has the same key;
        /// - if it does not fit: keys and values have at most 128 characters together, and a trace
        ///   takes 63 of them (OpenMetrics 1.0).
        ///
        /// A label with an empty value counts as absent. Without a label and without a sampled span
        /// there is no exemplar.
        ///
        /// # Examples
        ///
        /// ```
        /// use bellwether::Histogram;
        ///
        /// static SIZE: Histogram = Histogram::new("cart.size", "Items");
        ///
        /// SIZE.record_with_exemplar(12.0, &[("order_id", "4711")]);
        /// let snapshot = SIZE.snapshot();
        /// assert!(snapshot.exemplars()[0].labels().eq([("order_id", "4711")]));
        /// ```
        fn record_with_exemplar(value: impl Measurement, labels: &[(&str, &str)]) = |to, histogram| {
            let value = value.in_unit(|| histogram.per_nano());
            record_with_exemplar(to.recording_id(), value, labels);
        };
    }
}

impl<L> Histogram<L> {
    /// The handle of the only series.
    #[inline(always)]
    pub(crate) fn only(&self) -> BoundHistogram {
        BoundHistogram(self.instrument.only(), TimeScale::of(&self.instrument))
    }

    /// All values recorded so far, in the scope of this thread.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot
    where
        L: NoLabels,
    {
        self.instrument.register_id().map_or_else(HistogramSnapshot::default, read)
    }
}

/// What a histogram's handle knows for its timers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeScale {
    per_nano: f64,
}

impl Known for TimeScale {
    #[inline(always)]
    fn of(instrument: &Instrument) -> Self {
        Self { per_nano: instrument.per_nano() }
    }
}

impl TimeScale {
    #[inline(always)]
    pub(crate) fn per_nano(self) -> f64 {
        self.per_nano
    }
}

impl BoundHistogram {
    /// The series of `handle`.
    pub(crate) fn of(handle: Handle, scale: TimeScale) -> Self {
        Self(handle, scale)
    }

    /// As [`record`](Self::record), but with little code around it: what a timer calls at the end of a
    /// block.
    #[inline(never)]
    pub(crate) fn record_time(&self, value: f64) {
        let id = self.0.id();
        if !cells::record(id, value) {
            record_further(id, value);
        } else if context::is_sampled() {
            cells::exemplify(id, value);
        }
    }

    /// Whether its series is neither the overflow series nor nothing at all.
    #[cfg(feature = "tower")]
    pub(crate) fn is_own(&self) -> bool {
        self.0.is_own()
    }

    /// The factor by which a timer multiplies nanoseconds.
    #[inline(always)]
    pub(crate) fn scale(&self) -> TimeScale {
        self.1
    }

    /// All values recorded so far, in the scope of this thread.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot {
        read(self.0.id())
    }
}

/// Used by `histogram!`: takes the values in the order of the keys.
impl Histogram<Dynamic> {
    #[doc(hidden)]
    #[inline]
    pub fn record_ordered(&self, value: impl Measurement, values: &impl LabelValues) {
        let value = value.in_unit(|| self.instrument.per_nano());
        self.instrument.with_dynamic(|each| values.visit(each), |id| record(id, value));
    }
}

#[inline(always)]
pub(in crate::metric) fn record(to: impl Target, value: f64) {
    let id = to.id();
    if !(cells::record(id, value) || cells::record_explicit(id, value)) {
        to.out_of_line(move |id| record_further(id, value));
    } else if context::is_sampled() {
        cells::exemplify(id, value);
    }
}

/// The cases that most records do not need: a histogram of another kind, or one without a shortcut. Out
/// of line and called last, so that it takes neither room nor registers at the call site.
#[inline(never)]
fn record_further(id: u32, value: f64) {
    if !cells::record_chosen(id, value) {
        record_amount(id, Amount { value, ticks: None });
    }
    if context::is_sampled() {
        cells::exemplify(id, value);
    }
}

#[inline(never)]
fn record_with_exemplar(id: u32, value: f64, labels: &[(&str, &str)]) {
    if !(cells::record(id, value) || cells::record_explicit(id, value)) {
        record_amount(id, Amount { value, ticks: None });
    }
    cells::exemplify_with(id, value, labels);
}

#[inline(never)]
fn record_ticks(id: u32, ticks: u64) {
    let amount = Amount { value: ticks as f64, ticks: Some(ticks) };
    if !cells::record_ticks(id, ticks) {
        record_amount(id, amount);
    }
    if context::is_sampled() {
        cells::exemplify(id, amount.value);
    }
}

#[inline]
fn record_amount(id: u32, amount: Amount) {
    match cells::record_other(id, amount) {
        Some(Admitted::Within(_)) => {}
        Some(admitted) => count_out_of_range(admitted),
        None => record_slow(id, amount),
    }
}

#[cold]
#[inline(never)]
fn record_slow(id: u32, amount: Amount) {
    let rejection = match amount.value {
        _ if is_disabled(id) => return refused::count(id),
        value if value.is_nan() => Rejection::Nan,
        value if value < 0.0 => Rejection::Negative,
        value if value.is_infinite() => Rejection::Infinite,
        _ => return count_out_of_range(cells::record_slow(id, amount)),
    };
    cells::tally(|tally| tally.reject(rejection));
}

#[cold]
fn count_out_of_range(admitted: Admitted) {
    match admitted {
        Admitted::Within(_) => {}
        Admitted::Clamped(_) => cells::tally(Tally::clamp),
        Admitted::Dropped => cells::tally(|tally| tally.reject(Rejection::OutOfRange)),
    }
}

pub(crate) fn read(id: u32) -> HistogramSnapshot {
    let storage = cells::current_storage();
    let exemplars = storage.exemplars(cells::Space::Histogram, id);
    let recorded = storage.reader().histogram(id).map(|mut recorded| {
        recorded.add_exemplars(&exemplars);
        recorded
    });
    recorded.unwrap_or_else(|| chosen::empty_series(id))
}
