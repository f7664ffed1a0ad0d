//! The meters of the API.

use std::{any::Any, any::TypeId, borrow::Cow, collections::HashMap, fmt, sync::Arc};

use ::opentelemetry::{
    InstrumentationScope,
    metrics::{
        AsyncInstrumentBuilder, Callback, Counter as TheirCounter, Gauge as TheirGauge,
        Histogram as TheirHistogram, HistogramBuilder, InstrumentBuilder as TheirBuilder,
        InstrumentProvider, Meter, MeterProvider as ApiMeterProvider, ObservableCounter,
        ObservableGauge, ObservableUpDownCounter, UpDownCounter as TheirUpDownCounter,
    },
};

use super::{
    attributes::Scope,
    context,
    instrument::Instrument,
    observed::{Number, Observed, Register, observing},
    recording::{
        Distribution, Fractions, Recording, Said, Set, UpAndDown, UpAndDownFractions, Whole,
    },
};
use crate::{
    diagnostics,
    label::Interner,
    metric::{Aggregation, HistogramOptions, Registry, Unit, bridge},
    sync::Mutex,
};

/// Makes meters of OpenTelemetry's API whose instruments record into a [`Registry`]; that of
/// [`meter_provider`](super::meter_provider) is the global one.
///
/// # Examples
///
/// ```
/// use bellwether::{integration::opentelemetry::OtelMeterProvider, metric::Registry};
/// use opentelemetry::{KeyValue, metrics::MeterProvider as _};
///
/// let registry = Registry::new();
/// let meter = OtelMeterProvider::new(&registry).meter("");
/// let orders = meter.u64_counter("shop.orders").with_description("Orders accepted").build();
/// orders.add(2, &[KeyValue::new("tier", "gold")]);
/// let snapshot = registry.snapshot();
/// assert_eq!(snapshot.value("shop.orders", &[("tier", "gold")]).unwrap().as_f64(), 2.0);
/// ```
#[derive(Clone)]
pub struct OtelMeterProvider(Arc<Shared>);

struct Shared {
    registry: Registry,
    /// By kind, name, unit and scope. The locks of the registry are taken inside it.
    known: Mutex<HashMap<Key, Arc<dyn Any + Send + Sync>>>,
    observed: Observed,
}

type Key = (TypeId, String);

/// The most instruments of a provider; arbitrary. Further ones record into nothing.
const MOST: usize = 4_096;

/// The longest name of an instrument that may be legal.
const MAX_NAME_BYTES: usize = 255;

/// Units of instruments that are made of texts that do not live for ever. The number is arbitrary.
static UNITS: Interner<256> = Interner::new();

impl OtelMeterProvider {
    /// A provider of meters that record into `registry`.
    #[must_use]
    pub fn new(registry: &Registry) -> Self {
        context::observe();
        let (known, observed) = (Mutex::default(), Observed::default());
        Self(Arc::new(Shared { registry: registry.clone(), known, observed }))
    }
}

impl ApiMeterProvider for OtelMeterProvider {
    fn meter_with_scope(&self, scope: InstrumentationScope) -> Meter {
        Meter::new(Arc::new(Instruments { scope: Scope::of(&scope), shared: self.0.clone() }))
    }
}

impl fmt::Debug for OtelMeterProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtelMeterProvider").finish_non_exhaustive()
    }
}

/// The instruments of one scope.
struct Instruments {
    scope: Scope,
    shared: Arc<Shared>,
}

impl Instruments {
    fn make<R: Recording>(&self, said: &Said<'_>) -> Arc<Instrument<R>> {
        if said.name.len() > MAX_NAME_BYTES {
            let beginning: String = said.name.chars().take(40).collect();
            report(format_args!("instrument {beginning:?}… has a name that is too long"));
            return self.nameless::<R>();
        }
        let scope = format!("{:?}", self.scope.attributes());
        let key = (TypeId::of::<R>(), format!("{}\n{}\n{scope}", said.name, said.unit));
        let mut known = self.shared.known.lock();
        if let Some(known) = known.get(&key).and_then(|known| known.clone().downcast().ok()) {
            return known;
        }
        if known.len() >= MOST {
            drop(known);
            let text = format_args!("instrument {:?} is beyond the limit of {MOST}", said.name);
            diagnostics::report("opentelemetry limit", text); // Not each.
            return self.nameless::<R>();
        }
        let (instrument, error) = R::build(&self.shared.registry, said);
        let instrument = Arc::new(Instrument::<R>::new(self.scope.clone(), instrument));
        known.insert(key, instrument.clone());
        drop(known);
        if let Some(error) = error {
            report(format_args!("{error}; what is recorded by it is lost"));
        }
        instrument
    }

    fn nameless<R: Recording>(&self) -> Arc<Instrument<R>> {
        Arc::new(Instrument::new(self.scope.clone(), bridge::nameless(R::KIND)))
    }

    fn recording<T, R: Recording>(&self, builder: &TheirBuilder<'_, T>) -> Arc<Instrument<R>> {
        self.make(&Said {
            name: &builder.name,
            help: builder.description.as_deref().unwrap_or_default(),
            unit: unit_of(builder.unit.as_ref()),
            options: HistogramOptions::new(),
        })
    }

    fn distribution<T>(&self, builder: &HistogramBuilder<'_, T>) -> Arc<Instrument<Distribution>> {
        self.make(&Said {
            name: &builder.name,
            help: builder.description.as_deref().unwrap_or_default(),
            unit: unit_of(builder.unit.as_ref()),
            options: options_of(builder.boundaries.as_deref()),
        })
    }

    fn observe<I, T: Number>(&self, builder: AsyncInstrumentBuilder<'_, I, T>, kind: Register) {
        let AsyncInstrumentBuilder { name, description, unit, callbacks, .. } = builder;
        if callbacks.is_empty() {
            return;
        }
        let ours = |callback: Callback<T>| observing(self.scope.clone(), callback);
        let callbacks = callbacks.into_iter().map(ours).collect();
        let Shared { registry, observed, .. } = &*self.shared;
        let said = (&*name, description.as_deref().unwrap_or_default());
        if let Err(text) = observed.add(registry, said, unit_of(unit.as_ref()), kind, callbacks) {
            report(format_args!("{text}"));
        }
    }
}

fn report(text: fmt::Arguments<'_>) {
    diagnostics::report_each("opentelemetry", text);
}

fn unit_of(theirs: Option<&Cow<'static, str>>) -> Unit {
    match theirs {
        None => Unit::NONE,
        Some(Cow::Borrowed(unit)) => Unit::new(unit),
        Some(Cow::Owned(unit)) => {
            let kept = UNITS.place(unit).and_then(|place| UNITS.text(place));
            kept.map_or(Unit::NONE, Unit::new)
        }
    }
}

fn options_of(bounds: Option<&[f64]>) -> HistogramOptions {
    let options = HistogramOptions::new();
    match bounds.map(Aggregation::explicit) {
        None => options,
        Some(Ok(bounds)) => options.aggregation(bounds),
        Some(Err(error)) => {
            report(format_args!("a histogram has buckets of our own: {error}"));
            options
        }
    }
}

macro_rules! recorded {
    ($($method:ident => $theirs:ident<$number:ty>, $kind:ty;)*) => {$(
        fn $method(&self, builder: TheirBuilder<'_, $theirs<$number>>) -> $theirs<$number> {
            $theirs::new(self.recording::<_, $kind>(&builder))
        }
    )*};
}

macro_rules! observed {
    ($($method:ident => $theirs:ident<$number:ty>, $register:ident;)*) => {$(
        fn $method(
            &self,
            builder: AsyncInstrumentBuilder<'_, $theirs<$number>, $number>,
        ) -> $theirs<$number> {
            self.observe(builder, Register {
                kind: stringify!($register),
                register: |registry, (name, help), unit, observe| {
                    registry.$register(name, help).unit(unit).observe(observe)
                },
            });
            $theirs::new()
        }
    )*};
}

impl InstrumentProvider for Instruments {
    recorded! {
        u64_counter => TheirCounter<u64>, Whole;
        f64_counter => TheirCounter<f64>, Fractions;
        i64_up_down_counter => TheirUpDownCounter<i64>, UpAndDown;
        f64_up_down_counter => TheirUpDownCounter<f64>, UpAndDownFractions;
        u64_gauge => TheirGauge<u64>, Set;
        i64_gauge => TheirGauge<i64>, Set;
        f64_gauge => TheirGauge<f64>, Set;
    }

    observed! {
        u64_observable_counter => ObservableCounter<u64>, counter;
        f64_observable_counter => ObservableCounter<f64>, counter;
        i64_observable_up_down_counter => ObservableUpDownCounter<i64>, up_down_counter;
        f64_observable_up_down_counter => ObservableUpDownCounter<f64>, gauge;
        u64_observable_gauge => ObservableGauge<u64>, gauge;
        i64_observable_gauge => ObservableGauge<i64>, gauge;
        f64_observable_gauge => ObservableGauge<f64>, gauge;
    }

    fn u64_histogram(
        &self,
        builder: HistogramBuilder<'_, TheirHistogram<u64>>,
    ) -> TheirHistogram<u64> {
        TheirHistogram::new(self.distribution(&builder))
    }

    fn f64_histogram(
        &self,
        builder: HistogramBuilder<'_, TheirHistogram<f64>>,
    ) -> TheirHistogram<f64> {
        TheirHistogram::new(self.distribution(&builder))
    }
}
