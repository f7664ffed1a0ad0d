//! The three kinds of the facade: how each is built, and what its handles record.

use ::metrics::{CounterFn, GaugeFn, HistogramFn};

use super::refusals::{Refusal, refuse};
use crate::{
    error::Error,
    label::AnyKeys,
    metric::{
        BoundCounter, BoundGauge, BoundHistogram, Counter, Gauge, Histogram, InstrumentBuilder,
        Kind as Family, Registrable, Registry,
        bridge::{Bridged, Leads, leads},
    },
    sync::Mutex,
};

/// A kind of the facade.
pub(super) trait Kind: Bridged + Send + Sync + 'static {
    /// The instrument before it has labels.
    type Bare: Registrable<Of<AnyKeys> = Self>;
    /// What the facade's handle calls.
    type Handle: Send + Sync;

    const FAMILY: Family;

    fn builder<'a>(
        registry: &'a Registry,
        name: &'a str,
        help: &'a str,
    ) -> InstrumentBuilder<'a, Self::Bare>;

    fn build(builder: InstrumentBuilder<'_, Self::Bare>) -> (Self, Option<Error>);

    fn wrap(bound: Self::Bound) -> Self::Handle;

    fn bound(handle: &Self::Handle) -> &Self::Bound;
}

/// A series of a counter.
pub(super) struct CounterHandle(BoundCounter);

/// A series of a gauge.
pub(super) struct GaugeHandle(BoundGauge);

/// A series of a histogram.
pub(super) struct HistogramHandle(BoundHistogram);

macro_rules! kinds {
    ($($instrument:ident, $handle:ident, $builder:ident;)*) => {$(
        impl Kind for $instrument<AnyKeys> {
            type Bare = $instrument;
            type Handle = $handle;

            const FAMILY: Family = Family::$instrument;

            fn builder<'a>(
                registry: &'a Registry,
                name: &'a str,
                help: &'a str,
            ) -> InstrumentBuilder<'a, $instrument> {
                registry.$builder(name, help)
            }

            fn build(builder: InstrumentBuilder<'_, $instrument>) -> (Self, Option<Error>) {
                builder.any_keys().build_or_refuse()
            }

            fn wrap(bound: Self::Bound) -> $handle {
                $handle(bound)
            }

            fn bound(handle: &$handle) -> &Self::Bound {
                &handle.0
            }
        }
    )*};
}

kinds! {
    Counter, CounterHandle, counter;
    Gauge, GaugeHandle, gauge;
    Histogram, HistogramHandle, histogram;
}

impl CounterFn for CounterHandle {
    #[inline]
    fn increment(&self, value: u64) {
        self.0.add(value);
    }

    /// Raises the sum to `value`. It reads what all threads have added, under a lock: so the facade's
    /// callers may do this as often as they read the other counter, but not on a hot path.
    fn absolute(&self, value: u64) {
        /// Two that raise one series must not both add what is missing. By the series, because several
        /// handles may be of one. Nothing is locked inside.
        static RAISING: [Mutex<()>; 16] = [const { Mutex::new(()) }; 16];
        match leads::<Counter<AnyKeys>>(&self.0) {
            Leads::Nothing => self.0.add(value),
            // Several counters are one there, and what each of them was is not known.
            Leads::Overflow => refuse(Refusal::AbsoluteOfOverflow),
            Leads::Removed => self.raise(value, &RAISING[0]),
            Leads::Series(number) => self.raise(value, &RAISING[number as usize % RAISING.len()]),
        }
    }
}

impl CounterHandle {
    fn raise(&self, value: u64, raising: &Mutex<()>) {
        let _alone = raising.lock();
        self.0.add(value.saturating_sub(self.0.value()));
    }
}

impl GaugeFn for GaugeHandle {
    #[inline]
    fn increment(&self, value: f64) {
        self.0.add(value);
    }

    #[inline]
    fn decrement(&self, value: f64) {
        self.0.add(-value);
    }

    #[inline]
    fn set(&self, value: f64) {
        self.0.set(value);
    }
}

impl HistogramFn for HistogramHandle {
    #[inline]
    fn record(&self, value: f64) {
        self.0.record(value);
    }
}
