//! Counters and up-down counters: sums of what each thread added.

#[path = "counter_exemplars.rs"]
mod exemplars;

use std::{fmt, marker::PhantomData, time::Duration};

use super::{
    handle::Handle,
    instrument::{Instrument, pairs},
    recorded::{Known, Target, recorded},
    typed::{With, typed_instrument},
};
use crate::{
    cells::{self, Rejection, Space},
    context,
    label::{AnyKeys, Dynamic, LabelValues, Labels, NoLabels},
    series::{is_disabled, refused},
    snapshot::{Kind, Unit},
};

typed_instrument! {
    /// A sum that only grows: requests served, bytes sent.
    ///
    /// For use as a static: it registers itself in the [global registry](super::Registry::global) at
    /// its first use. It records from then on, whether telemetry was started or not. Adding never
    /// fails, blocks or allocates, except that a thread's first addition to a series may allocate. The
    /// sum wraps around at 2^64.
    ///
    /// With labels, [`bind`](Self::bind) a series and add to it.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{Counter, Labels};
    ///
    /// static ORDERS: Counter = Counter::new("shop.orders", "Orders accepted");
    /// static CACHE: Counter<Lookup> = Counter::new("cache.lookups", "Look-ups in the cache");
    ///
    /// #[derive(Labels)]
    /// struct Lookup {
    ///     hit: bool,
    /// }
    ///
    /// ORDERS.inc();
    /// CACHE.bind(Lookup { hit: true }).add(3);
    /// assert_eq!(ORDERS.value(), 1);
    /// assert_eq!(CACHE.bind(Lookup { hit: true }).value(), 3);
    /// ```
    ///
    /// An illegal name in a static does not compile:
    ///
    /// ```compile_fail
    /// static LIVES: bellwether::Counter = bellwether::Counter::new("9lives", "No name starts so");
    /// ```
    Counter, BoundCounter(()), Kind::Counter
}

typed_instrument! {
    /// A sum that rises and falls: requests in flight, items in a queue.
    ///
    /// Otherwise like [`Counter`]; the sum wraps around at 2^63.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::UpDownCounter;
    ///
    /// static IN_FLIGHT: UpDownCounter = UpDownCounter::new("shop.active", "Requests in flight");
    ///
    /// IN_FLIGHT.inc();
    /// IN_FLIGHT.add(2);
    /// IN_FLIGHT.dec();
    /// assert_eq!(IN_FLIGHT.value(), 2);
    /// ```
    UpDownCounter, BoundUpDownCounter(()), Kind::UpDownCounter
}

typed_instrument! {
    /// A sum of fractions that only grows: seconds of processor time, money.
    ///
    /// Otherwise like [`Counter`]. A read adds up the threads' sums in no fixed order, so two reads may
    /// differ in the last bit.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::metric::FloatCounter;
    ///
    /// static REVENUE: FloatCounter = FloatCounter::new("shop.revenue", "Money earned");
    ///
    /// REVENUE.add(12.5);
    /// REVENUE.add(-1.0); // Not added, but counted in `telemetry.measurements.rejected`.
    /// assert_eq!(REVENUE.value(), 12.5);
    /// ```
    FloatCounter, BoundFloatCounter(()), Kind::Counter, of_fractions
}

recorded! {
    Counter, BoundCounter {
        #[inline]
        /// Adds one.
        fn inc() = |to, _| add(to, 1);

        #[inline]
        /// Adds `n`.
        fn add(n: u64) = |to, _| add(to, n);
    }
}

recorded! {
    UpDownCounter, BoundUpDownCounter {
        #[inline]
        /// Adds one.
        fn inc() = |to, _| add(to, 1);

        #[inline]
        /// Subtracts one.
        fn dec() = |to, _| add(to, (-1_i64).cast_unsigned());

        #[inline]
        /// Adds `n`, which may be negative.
        fn add(n: i64) = |to, _| add(to, n.cast_unsigned());
    }
}

recorded! {
    FloatCounter, BoundFloatCounter {
        #[inline]
        /// Adds `n`. A negative number, NaN and infinity are rejected and counted.
        fn add(n: f64) = |to, _| add_float(to, n);
    }
}

impl<L> Counter<L> {
    /// The sum over all threads, in the scope of this thread.
    #[must_use]
    pub fn value(&self) -> u64
    where
        L: NoLabels,
    {
        self.instrument.register_id().map_or(0, sum)
    }
}

impl BoundCounter {
    /// The sum over all threads, in the scope of this thread.
    #[must_use]
    pub fn value(&self) -> u64 {
        sum(self.0.series_id())
    }
}

impl<L> FloatCounter<L> {
    /// The sum over all threads, in the scope of this thread.
    #[must_use]
    pub fn value(&self) -> f64
    where
        L: NoLabels,
    {
        self.instrument.register_id().map_or(0.0, float_sum)
    }
}

impl BoundFloatCounter {
    /// The sum over all threads, in the scope of this thread.
    #[must_use]
    pub fn value(&self) -> f64 {
        float_sum(self.0.series_id())
    }
}

/// A guard that holds an [`UpDownCounter`] one higher until it is dropped.
///
/// # Examples
///
/// ```
/// use bellwether::UpDownCounter;
///
/// static ACTIVE: UpDownCounter = UpDownCounter::new("jobs.active", "Jobs under way");
///
/// let held = ACTIVE.hold();
/// assert_eq!(ACTIVE.value(), 1);
/// drop(held);
/// assert_eq!(ACTIVE.value(), 0);
/// ```
#[derive(Debug)]
#[must_use = "dropping it takes the one away again"]
pub struct Held(BoundUpDownCounter);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl<L> UpDownCounter<L> {
    /// Adds one and returns a guard that subtracts it when dropped, also when a future is dropped or a
    /// panic unwinds.
    #[inline]
    pub fn hold(&self) -> Held
    where
        L: NoLabels,
    {
        BoundUpDownCounter(self.instrument.only(), ()).hold()
    }

    /// The sum over all threads, in the scope of this thread.
    #[must_use]
    pub fn value(&self) -> i64
    where
        L: NoLabels,
    {
        self.instrument.register_id().map_or(0, sum).cast_signed()
    }
}

impl BoundUpDownCounter {
    /// Adds one until the guard is dropped; as [`UpDownCounter::hold`].
    #[inline]
    pub fn hold(&self) -> Held {
        self.inc();
        // Shows the series even if the guard is dropped before the next read.
        cells::show(Space::Sum, self.0.series_id());
        Held(self.clone())
    }

    /// The sum over all threads, in the scope of this thread.
    #[must_use]
    pub fn value(&self) -> i64 {
        sum(self.0.series_id()).cast_signed()
    }
}

/// Used by `count!`: takes the values in the order of the keys.
impl Counter<Dynamic> {
    #[doc(hidden)]
    #[inline]
    pub fn add_ordered(&self, n: u64, values: &impl LabelValues) {
        self.instrument.with_dynamic(|each| values.visit(each), |id| add(id, n));
    }
}

#[inline]
pub(super) fn add(to: impl Target, n: u64) {
    if n == 0 || !cells::add(to.id(), n) {
        to.rarely(move |id| add_untouched(id, n));
    }
}

#[inline]
fn add_float(to: impl Target, n: f64) {
    if n > 0.0 && n < f64::INFINITY {
        if !cells::add_float(to.id(), n) {
            to.rarely(move |id| add_float_untouched(id, n));
        }
    } else {
        to.rarely(move |id| reject_float(id, n));
    }
}

#[cold]
#[inline(never)]
fn add_untouched(id: u32, n: u64) {
    if let Some((tags, id)) = cells::Tags::of(id) {
        note(tags, id, n as f64, |id| add(id, n));
        return;
    }
    match id {
        id if is_disabled(id) => refused::count(id),
        id if n == 0 => cells::show(Space::Sum, id),
        id => cells::add_slow(id, n),
    }
}

#[cold]
#[inline(never)]
fn add_float_untouched(id: u32, n: f64) {
    if let Some((tags, id)) = cells::Tags::of(id) {
        note(tags, id, n, |id| add_float(id, n));
        return;
    }
    match is_disabled(id) {
        true => refused::count(id),
        false => cells::add_float_slow(id, n),
    }
}

/// Counts a number that cannot be added. Zero can be added, and shows the series.
#[cold]
#[inline(never)]
fn reject_float(id: u32, n: f64) {
    if n.is_nan() {
        cells::tally(|tally| tally.reject(Rejection::Nan));
    } else if n < 0.0 {
        cells::tally(|tally| tally.reject(Rejection::Negative));
    } else if n > 0.0 {
        cells::tally(|tally| tally.reject(Rejection::Infinite));
    } else if is_disabled(id) {
        refused::count(id);
    } else {
        let show = |id| cells::show(Space::Sum, id);
        match cells::Tags::of(id) {
            Some((tags, id)) => note(tags, id, 0.0, show),
            None => show(id),
        }
    }
}

/// Calls `add` for a series that can expire or keeps exemplars.
fn note(tags: cells::Tags, id: u32, n: f64, add: impl FnOnce(u32)) {
    if tags.expire() {
        cells::note_written(Space::Sum, id);
    }
    add(id);
    // Last, so that a reader never sees an exemplar that the sum does not include yet.
    if tags.keep_exemplars() && n != 0.0 && context::is_sampled() {
        cells::keep_exemplar((Space::Sum, id), 0, n, &[]);
    }
}

fn sum(id: u32) -> u64 {
    cells::current_storage().reader().sum(id)
}

fn float_sum(id: u32) -> f64 {
    cells::current_storage().reader().float_sum(id)
}
