//! The kinds of the API's instruments that are recorded into: which of ours each is.

use crate::{
    error::Error,
    label::AnyKeys,
    metric::{
        BoundCounter, BoundFloatCounter, BoundGauge, BoundHistogram, BoundUpDownCounter, Counter,
        FloatCounter, Gauge, Histogram, HistogramOptions, InstrumentBuilder, Kind, Registry, Unit,
        UpDownCounter, bridge::Bridged,
    },
};

/// A kind of instrument.
pub(super) trait Recording: Send + Sync + 'static {
    type Instrument: Bridged + Send + Sync + 'static;

    const KIND: Kind;

    /// The instrument. One that is refused counts by its name what it would have recorded.
    fn build(registry: &Registry, said: &Said<'_>) -> (Self::Instrument, Option<Error>);
}

/// What is said of an instrument.
pub(super) struct Said<'a> {
    pub(super) name: &'a str,
    pub(super) help: &'a str,
    pub(super) unit: Unit,
    pub(super) options: HistogramOptions,
}

/// How a kind records a number.
pub(super) trait Record<T>: Recording {
    fn record(to: &<Self::Instrument as Bridged>::Bound, value: T);
}

/// A counter of whole numbers.
pub(super) enum Whole {}
/// A counter of fractions.
pub(super) enum Fractions {}
/// A sum of whole numbers that also falls.
pub(super) enum UpAndDown {}
/// A sum of fractions that also falls: a gauge, because our up-down counters are of whole numbers.
pub(super) enum UpAndDownFractions {}
/// A gauge.
pub(super) enum Set {}
/// A histogram.
pub(super) enum Distribution {}

macro_rules! recordings {
    ($($kind:ident, $instrument:ident, $bare:ident;)*) => {$(
        impl Recording for $kind {
            type Instrument = $instrument<AnyKeys>;

            const KIND: Kind = Kind::$bare;

            fn build(registry: &Registry, said: &Said<'_>) -> (Self::Instrument, Option<Error>) {
                builder::$kind(registry, said).unit(said.unit).any_keys().build_or_refuse()
            }
        }
    )*};
}

recordings! {
    Whole, Counter, Counter;
    Fractions, FloatCounter, Counter;
    UpAndDown, UpDownCounter, UpDownCounter;
    UpAndDownFractions, Gauge, Gauge;
    Set, Gauge, Gauge;
    Distribution, Histogram, Histogram;
}

#[expect(non_snake_case, reason = "named as the kinds")]
mod builder {
    use super::*;

    type Builder<'a, I> = InstrumentBuilder<'a, I>;

    pub(super) fn Whole<'a>(registry: &'a Registry, said: &Said<'a>) -> Builder<'a, Counter> {
        registry.counter(said.name, said.help)
    }

    pub(super) fn Fractions<'a>(
        registry: &'a Registry,
        said: &Said<'a>,
    ) -> Builder<'a, FloatCounter> {
        registry.float_counter(said.name, said.help)
    }

    pub(super) fn UpAndDown<'a>(
        registry: &'a Registry,
        said: &Said<'a>,
    ) -> Builder<'a, UpDownCounter> {
        registry.up_down_counter(said.name, said.help)
    }

    pub(super) fn UpAndDownFractions<'a>(
        registry: &'a Registry,
        said: &Said<'a>,
    ) -> Builder<'a, Gauge> {
        registry.gauge(said.name, said.help)
    }

    pub(super) fn Set<'a>(registry: &'a Registry, said: &Said<'a>) -> Builder<'a, Gauge> {
        registry.gauge(said.name, said.help)
    }

    pub(super) fn Distribution<'a>(
        registry: &'a Registry,
        said: &Said<'a>,
    ) -> Builder<'a, Histogram> {
        registry.histogram(said.name, said.help).options(said.options)
    }
}

macro_rules! records {
    ($($kind:ident, $number:ty, $bound:ty, |$to:ident, $value:ident| $record:expr;)*) => {$(
        impl Record<$number> for $kind {
            #[inline]
            fn record($to: &$bound, $value: $number) {
                $record;
            }
        }
    )*};
}

// A whole number beyond 2^53 is the nearest one that a fraction can be.
records! {
    Whole, u64, BoundCounter, |to, value| to.add(value);
    Fractions, f64, BoundFloatCounter, |to, value| to.add(value);
    UpAndDown, i64, BoundUpDownCounter, |to, value| to.add(value);
    UpAndDownFractions, f64, BoundGauge, |to, value| to.add(value);
    Set, u64, BoundGauge, |to, value| to.set(value as f64);
    Set, i64, BoundGauge, |to, value| to.set(value as f64);
    Set, f64, BoundGauge, |to, value| to.set(value);
    Distribution, u64, BoundHistogram, |to, value| to.record(value as f64);
    Distribution, f64, BoundHistogram, |to, value| to.record(value);
}
