//! Counters and up-down counters: sums of what each thread added.

use std::{borrow::Cow, fmt, marker::PhantomData};

use super::{
    Kind, Unit,
    cell::{self, DISABLED},
    instrument::{Instrument, typed_instrument},
    stats::{self, Rejection},
};
use crate::label::{Labels, Text};

typed_instrument! {
    /// A sum that only grows: requests served, bytes sent.
    ///
    /// Made for a static: it registers itself in the [global registry](super::Registry::global) when it
    /// is first used, and records from then on, whether telemetry was started or not. Adding never
    /// fails, blocks or allocates, except for the first addition of a thread to a series, which may
    /// allocate. The sum wraps around at 2^64.
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
    Counter, BoundCounter, Kind::Counter
}

typed_instrument! {
    /// A sum that grows and falls: requests in flight, items in a queue.
    ///
    /// Like [`Counter`] in everything else; the sum wraps around at 2^63.
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
    UpDownCounter, BoundUpDownCounter, Kind::UpDownCounter
}

impl Counter {
    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`.
    #[inline]
    pub fn add(&self, n: u64) {
        if !cell::add(self.instrument.id(), n) {
            add_unregistered(&self.instrument, n);
        }
    }

    /// Adds `n` if the thread's cell is at hand; says whether it was.
    #[inline(always)]
    pub(super) fn try_add(&self, n: u64) -> bool {
        cell::add(self.instrument.id(), n)
    }

    /// The id of its series, after registering; `None` if it lost a conflict.
    pub(super) fn series_id(&self) -> Option<u32> {
        self.instrument.register_id()
    }

    /// The name as it was given.
    pub(super) fn name(&self) -> &'static str {
        self.instrument.descriptor().name
    }

    /// The sum over all threads, in the scope that this thread is in.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.instrument.register_id().map_or(0, sum)
    }
}

impl BoundCounter {
    /// Adds one.
    #[inline]
    pub fn inc(self) {
        self.add(1);
    }

    /// Adds `n`.
    #[inline]
    pub fn add(self, n: u64) {
        if !cell::add(self.0, n) {
            add_untouched(self.0, n);
        }
    }

    /// Adds one, unless this series records into nothing: for the count of what does, which would
    /// otherwise count itself without end.
    pub(super) fn inc_if_enabled(self) {
        if self.0 != DISABLED {
            self.inc();
        }
    }

    /// The sum over all threads, in the scope that this thread is in.
    #[must_use]
    pub fn value(self) -> u64 {
        sum(self.0)
    }
}

/// One more in an [`UpDownCounter`] for as long as it lives.
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

impl UpDownCounter {
    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Takes one away.
    #[inline]
    pub fn dec(&self) {
        self.add(-1);
    }

    /// Adds `n`, which may be negative.
    #[inline]
    pub fn add(&self, n: i64) {
        if !cell::add(self.instrument.id(), n.cast_unsigned()) {
            add_unregistered(&self.instrument, n.cast_unsigned());
        }
    }

    /// Adds one until the guard is dropped, wherever that happens: also where a future is dropped
    /// or a panic unwinds.
    #[inline]
    pub fn hold(&self) -> Held {
        BoundUpDownCounter(self.instrument.register_id().unwrap_or(DISABLED)).hold()
    }

    /// The sum over all threads, in the scope that this thread is in.
    #[must_use]
    pub fn value(&self) -> i64 {
        self.instrument.register_id().map_or(0, sum).cast_signed()
    }
}

impl BoundUpDownCounter {
    /// Adds one.
    #[inline]
    pub fn inc(self) {
        self.add(1);
    }

    /// Takes one away.
    #[inline]
    pub fn dec(self) {
        self.add(-1);
    }

    /// Adds `n`, which may be negative.
    #[inline]
    pub fn add(self, n: i64) {
        if !cell::add(self.0, n.cast_unsigned()) {
            add_untouched(self.0, n.cast_unsigned());
        }
    }

    /// Adds one until the guard is dropped; as [`UpDownCounter::hold`].
    #[inline]
    pub fn hold(self) -> Held {
        self.inc();
        Held(self)
    }

    /// The sum over all threads, in the scope that this thread is in.
    #[must_use]
    pub fn value(self) -> i64 {
        sum(self.0).cast_signed()
    }
}

/// The counter behind `count!`: its label keys are in the source, its values are looked up.
#[derive(Debug)]
pub struct DynamicCounter {
    instrument: Instrument,
    keys: &'static [&'static str],
}

impl DynamicCounter {
    /// A counter for a static with these label keys.
    ///
    /// # Panics
    ///
    /// Panics if the name or a key is not legal: in a static, that is an error of the build.
    #[must_use]
    #[track_caller]
    pub const fn new(name: &'static str, keys: &'static [&'static str]) -> Self {
        let mut place = 0;
        while place < keys.len() {
            if let Some(fault) = super::name::key_fault(keys[place]) {
                panic!("{}", fault);
            }
            place += 1;
        }
        Self { instrument: Instrument::new(name, "", Kind::Counter), keys }
    }

    /// Adds `n` to the series with these values, one for each key.
    pub fn add(&self, n: u64, values: &[&dyn Text]) {
        self.bind(values).add(n);
    }

    fn bind(&self, values: &[&dyn Text]) -> BoundCounter {
        let register = || {
            let keys = self.keys.iter().map(|&key| Cow::Borrowed(key)).collect();
            super::Registry::global().register_open(self.instrument.descriptor(), keys)
        };
        let Some(family) = self.instrument.family_of(register) else {
            return BoundCounter(DISABLED);
        };
        if self.keys.is_empty() {
            return BoundCounter(family.base());
        }
        BoundCounter(family.series(&|each| values.iter().for_each(|value| value.visit(each))))
    }
}

#[cold]
#[inline(never)]
fn add_unregistered(instrument: &Instrument, n: u64) {
    match instrument.register_id() {
        Some(id) => cell::add_slow(id, n),
        None => stats::reject(Rejection::Disabled),
    }
}

#[cold]
#[inline(never)]
fn add_untouched(id: u32, n: u64) {
    match id {
        DISABLED => stats::reject(Rejection::Disabled),
        id => cell::add_slow(id, n),
    }
}

fn sum(id: u32) -> u64 {
    cell::current_storage().reader().sum(id)
}
