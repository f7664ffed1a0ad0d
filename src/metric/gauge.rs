//! Gauges: the value that was set last, by any thread.

use std::{fmt, marker::PhantomData, time::Duration};

use super::{
    handle::Handle,
    instrument::{Instrument, pairs},
    recorded::{Known, Target, recorded},
    typed::{With, typed_instrument},
};
use crate::{
    cells::{self, Rejection, Space, Tally},
    label::{AnyKeys, Dynamic, LabelValues, Labels, NoLabels},
    series::{is_disabled, refused},
    snapshot::{Admitted, Kind, OutOfRange, Range, Unit},
};

typed_instrument! {
    /// A value that is set: a temperature, a pool's size, the time of the last success.
    ///
    /// All threads share one cell for each series: setting is one store, and the last one wins. If
    /// threads add to a common sum, an [`UpDownCounter`](super::UpDownCounter) is faster. A gauge that
    /// was never set is on no page.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::Gauge;
    ///
    /// static TEMPERATURE: Gauge = Gauge::new("room.temperature", "As measured").unit(bellwether::Unit::new("Cel"));
    ///
    /// assert_eq!(TEMPERATURE.value(), None);
    /// TEMPERATURE.set(20.5);
    /// TEMPERATURE.add(-0.5);
    /// assert_eq!(TEMPERATURE.value(), Some(20.0));
    /// ```
    Gauge, BoundGauge(Limits), Kind::Gauge
}

/// What a gauge's handle knows of the gauge: its range, if it has one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits(Option<Range>);

impl Limits {
    #[inline]
    fn range(self) -> Option<Range> {
        self.0
    }
}

impl Known for Limits {
    fn of(instrument: &Instrument) -> Self {
        Self(instrument.range())
    }
}

impl<L> Gauge<L> {
    /// Restricts the gauge to values from `min` to `max`, both included. A value outside is clamped to
    /// the nearer end or dropped, and counted. NaN is outside, and dropped.
    ///
    /// # Panics
    ///
    /// Panics if `min` is above `max`, or one of them is not finite. In a static, this is a compile
    /// error.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{Gauge, metric::OutOfRange};
    ///
    /// static CHARGE: Gauge = Gauge::new("charge", "Of the battery").range(0.0, 1.0, OutOfRange::Clamp);
    ///
    /// CHARGE.set(1.02);
    /// assert_eq!(CHARGE.value(), Some(1.0));
    /// CHARGE.add(-0.25);
    /// assert_eq!(CHARGE.value(), Some(0.75));
    /// ```
    #[must_use]
    pub const fn range(mut self, min: f64, max: f64, outside: OutOfRange) -> Self {
        self.instrument.within(Range { min, max, outside });
        self
    }
}

recorded! {
    Gauge, BoundGauge {
        #[inline]
        /// Sets the value.
        ///
        /// NaN and infinities are values too, as on a Prometheus page, unless the gauge has a range.
        fn set(value: f64) = |to, gauge| set_within(to, value, || gauge.range());

        #[inline]
        /// Adds to the value, which starts at zero.
        ///
        /// NaN and infinities could never be taken back: they are rejected and counted.
        fn add(n: f64) = |to, gauge| add(to.recording_id(), n, gauge.range());
    }
}

impl<L> Gauge<L> {
    /// The value, in the scope of this thread; `None` if it was never set there.
    #[must_use]
    pub fn value(&self) -> Option<f64>
    where
        L: NoLabels,
    {
        cells::current_storage().reader().gauge(self.instrument.register_id()?)
    }
}

impl BoundGauge {
    /// The value, in the scope of this thread; `None` if it was never set there.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        cells::current_storage().reader().gauge(self.0.series_id())
    }
}

/// Used by `gauge!`: takes the values in the order of the keys.
impl Gauge<Dynamic> {
    #[doc(hidden)]
    #[inline]
    pub fn set_ordered(&self, value: f64, values: &impl LabelValues) {
        // A gauge of `gauge!` has no range.
        self.instrument.with_dynamic(|each| values.visit(each), |id| set(id, value));
    }
}

/// Sets a gauge that has no range.
#[inline]
pub(super) fn set(id: u32, value: f64) {
    set_within(id, value, || None);
}

#[inline]
fn set_within<T: Target>(to: T, value: f64, range: impl Fn() -> Option<Range>) {
    match cells::gauge(to.id()) {
        Some(cell) if T::HIDES_RANGES || range().is_none() => cell.set(value),
        _ => to.rarely(move |id| set_slow(id, value, range())),
    }
}

#[cold]
fn set_slow(id: u32, value: f64, range: Option<Range>) {
    if let Some(value) = admitted(value, range) {
        write(id, |cell| cell.set(value));
    }
}

fn add(id: u32, n: f64, range: Option<Range>) {
    let Some(n) = finite(n) else { return };
    match cells::gauge(id) {
        Some(cell) => add_to(cell, n, range, || ()),
        None => add_slow(id, n, range),
    }
}

#[cold]
#[inline(never)]
fn add_slow(id: u32, n: f64, range: Option<Range>) {
    let Some(id) = cells::untagged(id) else {
        return write(id, |cell| add_to(cell, n, range, || ()));
    };
    if cells::gauge(id).is_none() {
        cells::gauge_slow(id, |_| ());
    }
    if let Some(cell) = cells::gauge(id) {
        add_to(cell, n, range, || cells::note_written(Space::Gauge, id));
    }
}

/// Adds to the cell, after calling `note_written` if the sum is admitted.
#[inline(always)]
fn add_to(cell: &cells::GaugeCell, n: f64, range: Option<Range>, note_written: impl Fn()) {
    // Counted once, however often another thread changes the cell in between.
    let mut last = Admitted::Within(n);
    cell.update(|value| {
        last = range.map_or(Admitted::Within(value + n), |range| range.admit(value + n));
        match last {
            Admitted::Within(value) | Admitted::Clamped(value) => {
                note_written();
                Some(value)
            }
            Admitted::Dropped => None,
        }
    });
    note(last);
}

/// The value to set in a gauge with `range`, if any. A value outside is counted.
fn admitted(value: f64, range: Option<Range>) -> Option<f64> {
    let Some(range) = range else { return Some(value) };
    if value.is_nan() {
        cells::tally(|tally| tally.reject(Rejection::Nan));
        return None;
    }
    let admitted = range.admit(value);
    note(admitted);
    match admitted {
        Admitted::Within(value) | Admitted::Clamped(value) => Some(value),
        Admitted::Dropped => None,
    }
}

fn note(admitted: Admitted) {
    match admitted {
        Admitted::Within(_) => {}
        Admitted::Clamped(_) => cells::tally(Tally::clamp),
        Admitted::Dropped => cells::tally(|tally| tally.reject(Rejection::OutOfRange)),
    }
}

fn write(id: u32, write: impl FnOnce(&cells::GaugeCell)) {
    match cells::gauge(id) {
        Some(cell) => write(cell),
        None => write_further(id, write),
    }
}

/// Writes to a gauge that can expire, or whose cell is not at hand.
#[cold]
#[inline(never)]
fn write_further(id: u32, write: impl FnOnce(&cells::GaugeCell)) {
    let series = cells::untagged(id);
    if let Some(id) = series {
        cells::note_written(Space::Gauge, id);
    }
    let id = series.unwrap_or(id);
    match series.and_then(cells::gauge) {
        Some(cell) => write(cell),
        None if is_disabled(id) => refused::count(id),
        None => cells::gauge_slow(id, write),
    }
}

fn finite(n: f64) -> Option<f64> {
    if n.is_finite() {
        return Some(n);
    }
    let reason = if n.is_nan() { Rejection::Nan } else { Rejection::Infinite };
    cells::tally(|tally| tally.reject(reason));
    None
}
