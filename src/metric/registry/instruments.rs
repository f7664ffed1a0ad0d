//! Instruments whose names are known at run time: a constructor for each kind, and its builder.

use std::{borrow::Cow, marker::PhantomData, sync::Arc, time::Duration};

use crate::{
    error::{Error, ErrorKind},
    label::{AnyKeys, Dynamic, Labels},
    metric::{
        counter::{Counter, FloatCounter, UpDownCounter},
        gauge::Gauge,
        histogram::Histogram,
        instrument::Instrument,
        registry::{
            Registry,
            families::{check_keys, check_name},
            keys,
        },
        summary::Summary,
        throughput::Throughput,
    },
    series::{Descriptor, Family, Number},
    snapshot::{HistogramOptions, Kind, OutOfRange, Range, Unit},
};

impl Registry {
    /// A counter whose name is known at run time.
    ///
    /// Two counters with the same name, unit and keys record into one family. Its series limit, its
    /// expiry and whether it keeps exemplars are those of the first.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{
    ///     Labels, Unit,
    ///     metric::{Counter, Registry},
    /// };
    ///
    /// #[derive(Labels)]
    /// struct Direction {
    ///     is_inbound: bool,
    /// }
    ///
    /// let registry = Registry::new();
    /// let plugin = "gzip";
    /// let bytes = registry
    ///     .counter(&format!("{plugin}.bytes"), "Bytes that went through")
    ///     .unit(Unit::Bytes)
    ///     .labels::<Direction>()
    ///     .build()?;
    /// bytes.with(Direction { is_inbound: true }).add(512);
    /// let snapshot = registry.snapshot();
    /// let inbound = snapshot.value("gzip.bytes", &[("is_inbound", "true")]);
    /// assert_eq!(inbound.unwrap().as_f64(), 512.0);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    #[track_caller]
    pub fn counter<'a>(&'a self, name: &'a str, help: &'a str) -> InstrumentBuilder<'a, Counter> {
        self.instrument(name, help, Descriptor::new("", "", Kind::Counter))
    }

    /// A counter of fractions whose name is known at run time; as [`counter`](Self::counter).
    #[track_caller]
    pub fn float_counter<'a>(
        &'a self,
        name: &'a str,
        help: &'a str,
    ) -> InstrumentBuilder<'a, FloatCounter> {
        let counter = Descriptor::new("", "", Kind::Counter);
        self.instrument(name, help, Descriptor { number: Number::Fraction, ..counter })
    }

    /// An up-down counter whose name is known at run time; as [`counter`](Self::counter).
    #[track_caller]
    pub fn up_down_counter<'a>(
        &'a self,
        name: &'a str,
        help: &'a str,
    ) -> InstrumentBuilder<'a, UpDownCounter> {
        self.instrument(name, help, Descriptor::new("", "", Kind::UpDownCounter))
    }

    /// A gauge whose name is known at run time; as [`counter`](Self::counter).
    #[track_caller]
    pub fn gauge<'a>(&'a self, name: &'a str, help: &'a str) -> InstrumentBuilder<'a, Gauge> {
        self.instrument(name, help, Descriptor::new("", "", Kind::Gauge))
    }

    /// A histogram whose name is known at run time; as [`counter`](Self::counter).
    #[track_caller]
    pub fn histogram<'a>(
        &'a self,
        name: &'a str,
        help: &'a str,
    ) -> InstrumentBuilder<'a, Histogram> {
        self.instrument(name, help, Descriptor::new("", "", Kind::Histogram))
    }

    /// A summary whose name is known at run time; as [`counter`](Self::counter).
    #[track_caller]
    pub fn summary<'a>(&'a self, name: &'a str, help: &'a str) -> InstrumentBuilder<'a, Summary> {
        self.instrument(name, help, Descriptor::new("", "", Kind::Summary))
    }

    /// A meter of events whose name is known at run time; as [`counter`](Self::counter). Its rates are
    /// in the family `NAME.rate`, one for each value of the label `window`. It may have no key of its
    /// own with that name.
    #[track_caller]
    pub fn throughput<'a>(
        &'a self,
        name: &'a str,
        help: &'a str,
    ) -> InstrumentBuilder<'a, Throughput> {
        let counter = Descriptor::new("", "", Kind::Counter);
        self.instrument(name, help, Descriptor { has_rates: true, ..counter })
    }

    fn instrument<'a, I>(
        &'a self,
        name: &'a str,
        help: &'a str,
        descriptor: Descriptor,
    ) -> InstrumentBuilder<'a, I> {
        InstrumentBuilder {
            registry: self,
            name,
            help,
            descriptor,
            keys: &[],
            register: |registry, descriptor, _| registry.register::<()>(descriptor),
            instrument: PhantomData,
        }
    }
}

/// Configures an instrument of a [`Registry`]. It has no labels unless [`labels`](Self::labels) or
/// [`keys`](Self::keys) is called. [`build`](Self::build) registers it;
/// [`observe`](Self::observe) registers a callback that gives its values.
///
/// [`Registry::counter`] and the constructors of other kinds return one. The options are those of
/// statics; a histogram takes them as one value. A callback names its own labels, so
/// [`observe`](Self::observe) is called without `labels` and `keys`.
#[derive(Debug)]
#[must_use = "it is not registered before `build`"]
pub struct InstrumentBuilder<'a, I> {
    registry: &'a Registry,
    name: &'a str,
    help: &'a str,
    descriptor: Descriptor,
    /// The keys of dynamic labels.
    keys: &'a [&'a str],
    register: Register,
    instrument: PhantomData<fn() -> I>,
}

/// How the family of an instrument is registered: by its label type, or with these keys.
type Register = fn(&Registry, &mut Descriptor, &[&str]) -> Result<Arc<Family>, Error>;

impl<'a, I: Registrable> InstrumentBuilder<'a, I> {
    /// Sets the unit; [`Unit::NONE`] by default.
    pub fn unit(mut self, unit: Unit) -> Self {
        self.descriptor.unit = unit;
        self
    }

    /// Gives the instrument labels of this type.
    pub fn labels<L: Labels>(self) -> InstrumentBuilder<'a, I::Of<L>> {
        self.registered_by(&[], |registry, descriptor, _| registry.register::<L>(descriptor))
    }

    /// Gives the instrument labels with these keys, which are known at run time.
    ///
    /// Record with [`with_labels`](Counter::with_labels), as for a static with the same keys. Such a
    /// static shares the family if it is in the same registry. Each key is kept in memory once, for
    /// the life of the process: take keys from a configuration, not from recorded data.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::metric::Registry;
    ///
    /// let registry = Registry::new();
    /// let configured = ["tier".to_owned(), "shard".to_owned()];
    /// let keys = configured.each_ref().map(String::as_str);
    /// let hits = registry.counter("cache.hits", "Hits").keys(&keys).build()?;
    /// hits.with_labels(&[("tier", "l1"), ("shard", "7")]).inc();
    /// let kept = hits.bind_labels(&[("shard", "7"), ("tier", "l1")]);
    /// kept.add(2);
    /// let snapshot = registry.snapshot();
    /// let hits = snapshot.value("cache.hits", &[("tier", "l1"), ("shard", "7")]);
    /// assert_eq!(hits.unwrap().as_f64(), 3.0);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn keys(self, keys: &'a [&'a str]) -> InstrumentBuilder<'a, I::Of<Dynamic>> {
        self.registered_by(keys, |registry, descriptor, keys| {
            check_keys(keys)?; // What is not legal is not kept.
            descriptor.keys = keys::intern_list(keys);
            let keys = descriptor.keys.iter().map(|&key| Cow::Borrowed(key)).collect();
            registry.register_open(descriptor, keys)
        })
    }

    /// Gives the instrument labels with any keys: each series names its own.
    ///
    /// For what comes from elsewhere, such as another library, where nobody knows the keys beforehand.
    /// [`bind_any`](Counter::bind_any) looks a series up. Label sets that are equal as sets are one
    /// series, in whatever order the labels come. A label with an empty value counts as absent; if a
    /// key comes twice, the last value counts. In a key that is not legal, each character that may not
    /// be there becomes `_`.
    ///
    /// The instrument learns at most 64 keys, of 255 bytes each at most; their memory counts towards
    /// the registry's budget of bytes. Label sets with a further key go to the overflow series. Keys
    /// that are known beforehand are faster to look up: see [`keys`](Self::keys).
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::metric::Registry;
    ///
    /// let registry = Registry::new();
    /// let jobs = registry.counter("jobs.done", "Jobs").any_keys().build()?;
    /// jobs.bind_any(&[("queue", "mail")]).add(2);
    /// jobs.bind_any(&[("host", "a"), ("queue", "mail")]).inc();
    /// jobs.bind_any(&[]).inc();
    /// let snapshot = registry.snapshot();
    /// let value = |labels: &[(&str, &str)]| snapshot.value("jobs.done", labels).unwrap().as_f64();
    /// assert_eq!(value(&[("queue", "mail")]), 2.0);
    /// assert_eq!(value(&[("queue", "mail"), ("host", "a")]), 1.0);
    /// assert_eq!(value(&[]), 1.0);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`build`](Self::build) refuses a throughput, whose rates have keys of their own.
    pub fn any_keys(self) -> InstrumentBuilder<'a, I::Of<AnyKeys>> {
        self.registered_by(&[], |registry, descriptor, _| registry.register_any_keys(descriptor))
    }

    /// Limits the instrument to `limit` label sets besides the overflow series, whatever the
    /// registry's limit is. Closed label sets are not limited.
    pub fn series_limit(mut self, limit: usize) -> Self {
        self.descriptor.limit = Some(limit);
        self
    }

    /// Removes a series when nothing was recorded in it for `idle`. [`Counter::expire_after`] says
    /// when exactly.
    pub fn expire_after(mut self, idle: Duration) -> Self {
        self.descriptor.idle = Some(idle);
        self
    }

    /// Registers the instrument.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidName`] if the name or a key is not legal, or a key is given twice.
    /// - [`ErrorKind::InvalidOption`] if an option is not legal.
    /// - [`ErrorKind::Conflict`] if the name is taken by another kind, unit, list of keys or
    ///   aggregation, or if a sample name collides. The error names both places in the source; that of
    ///   this instrument is the call of its constructor.
    pub fn build(self) -> Result<I, Error> {
        let (keys, register) = (self.keys, self.register);
        let (registry, mut descriptor) = self.described()?;
        let family = register(registry, &mut descriptor, keys)?;
        let registered = Instrument::registered(descriptor, family);
        Ok(I::from_registered(sealed::Registered(registered)))
    }

    /// Registers the instrument. In place of one that is refused, returns one whose measurements are
    /// counted by its name, and why.
    #[cfg(any(feature = "metrics", feature = "opentelemetry"))]
    pub(crate) fn build_or_refuse(self) -> (I, Option<Error>) {
        let (keys, register) = (self.keys, self.register);
        let kind = self.descriptor.kind;
        let (descriptor, error) = match self.described() {
            Err(error) => (Descriptor::new("", "", kind), error),
            Ok((registry, mut descriptor)) => match register(registry, &mut descriptor, keys) {
                Err(error) => (descriptor, error),
                Ok(family) => {
                    let instrument = Instrument::registered(descriptor, family);
                    return (I::from_registered(sealed::Registered(instrument)), None);
                }
            },
        };
        let refused = Instrument::refused(descriptor);
        (I::from_registered(sealed::Registered(refused)), Some(error))
    }

    /// The description, with texts of its own, if its name and options are legal.
    pub(super) fn described(self) -> Result<(&'a Registry, Descriptor), Error> {
        let Self { registry, name, help, descriptor, .. } = self;
        check_name(name)?;
        check_options(&descriptor).map_err(|fault| {
            Error::new(ErrorKind::InvalidOption, format!("instrument {name:?}: {fault}"))
        })?;
        let (name, help) = (Cow::Owned(name.to_owned()), Cow::Owned(help.to_owned()));
        Ok((registry, Descriptor { name, help, ..descriptor }))
    }

    fn registered_by<J>(self, keys: &'a [&'a str], register: Register) -> InstrumentBuilder<'a, J> {
        let Self { registry, name, help, descriptor, .. } = self;
        InstrumentBuilder {
            registry,
            name,
            help,
            descriptor,
            keys,
            register,
            instrument: PhantomData,
        }
    }
}

/// Why the options cannot be used.
fn check_options(descriptor: &Descriptor) -> Result<(), String> {
    if let Some(fault) = descriptor.histogram.fault() {
        return Err(format!("{:?}: {fault}", descriptor.histogram));
    }
    match descriptor.range.map(|range| (range, range.fault())) {
        Some((range, Some(fault))) => Err(format!("{range:?}: {fault}")),
        _ => Ok(()),
    }
}

impl<L> InstrumentBuilder<'_, Counter<L>> {
    /// Keeps exemplars, as [`Counter::exemplars`].
    pub fn exemplars(mut self) -> Self {
        self.descriptor.keeps_exemplars = true;
        self
    }
}

impl<L> InstrumentBuilder<'_, FloatCounter<L>> {
    /// Keeps exemplars, as [`FloatCounter::exemplars`].
    pub fn exemplars(mut self) -> Self {
        self.descriptor.keeps_exemplars = true;
        self
    }
}

impl<L> InstrumentBuilder<'_, Gauge<L>> {
    /// Accepts values from `min` to `max`, both included and finite, as [`Gauge::range`].
    pub fn range(mut self, min: f64, max: f64, outside: OutOfRange) -> Self {
        self.descriptor.range = Some(Range { min, max, outside });
        self
    }
}

impl<L> InstrumentBuilder<'_, Histogram<L>> {
    /// Sets bounds, ticks, a range, or other bounds on a page.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::metric::{Aggregation, HistogramOptions, Registry};
    ///
    /// let registry = Registry::new();
    /// let configured = vec![1.0, 5.0, 25.0];
    /// let bounds = Aggregation::explicit(&configured)?;
    /// let options = HistogramOptions::new().aggregation(bounds);
    /// let items = registry.histogram("cart.items", "Items").options(options).build()?;
    /// items.record(2.0);
    /// assert_eq!(items.snapshot().cumulative(&configured), [0, 1, 1]);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn options(mut self, options: HistogramOptions) -> Self {
        self.descriptor.histogram = options;
        self
    }
}

/// An instrument that a [`Registry`] can build. No type outside this crate implements it.
pub trait Registrable: sealed::FromRegistered {
    /// The same instrument with other labels.
    type Of<L>;
}

mod sealed {
    use crate::metric::instrument::Instrument;

    #[derive(Debug)]
    pub struct Registered(pub(super) Instrument);

    pub trait FromRegistered {
        fn from_registered(registered: Registered) -> Self;
    }
}

macro_rules! registrable {
    ($($instrument:ident)*) => {$(
        impl<L> Registrable for $instrument<L> {
            type Of<M> = $instrument<M>;
        }

        impl<L> sealed::FromRegistered for $instrument<L> {
            fn from_registered(registered: sealed::Registered) -> Self {
                Self::from_instrument(registered.0)
            }
        }
    )*};
}

registrable!(Counter FloatCounter UpDownCounter Gauge Histogram Summary Throughput);
