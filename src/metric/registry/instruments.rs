//! Instruments whose names are known at run time: a constructor for each kind, and what it is built
//! with.

use std::{borrow::Cow, marker::PhantomData, sync::Arc, time::Duration};

use crate::{
    error::{Error, ErrorKind},
    label::{Dynamic, Labels},
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
    /// Of two with the same name, unit and keys both record into one family. Its series limit, its
    /// expiry and whether it keeps exemplars are then those of the first.
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
    /// in the family `NAME.rate`, which tells them apart by the label `window`: no key of its own may be
    /// called so.
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

/// What an instrument of a [`Registry`] is built with: without labels, unless [`labels`](Self::labels)
/// or [`keys`](Self::keys) says which. [`build`](Self::build) ends it, or [`observe`](Self::observe) with
/// a callback that gives the values.
///
/// [`Registry::counter`] and its like return one. The options are those of the statics.
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

/// How the family of an instrument is registered: by the type of its labels, or with these keys.
type Register = fn(&Registry, &mut Descriptor, &[&str]) -> Result<Arc<Family>, Error>;

impl<'a, I: Registrable> InstrumentBuilder<'a, I> {
    /// With this unit; by default [`Unit::NONE`].
    pub fn unit(mut self, unit: Unit) -> Self {
        self.descriptor.unit = unit;
        self
    }

    /// With labels of this type.
    pub fn labels<L: Labels>(self) -> InstrumentBuilder<'a, I::Of<L>> {
        self.registered_by(&[], |registry, descriptor, _| registry.register::<L>(descriptor))
    }

    /// With labels of these keys, which are known at run time.
    ///
    /// The instrument is recorded into as a static with the same keys is, by
    /// [`with_labels`](Counter::with_labels), and shares the family of one in the same registry. Its
    /// keys are kept in memory once, and for ever: take them from a configuration, not from what is
    /// recorded.
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

    /// With at most `limit` label sets besides the overflow series, whatever the limit of the registry
    /// is; closed label sets are not limited.
    pub fn series_limit(mut self, limit: usize) -> Self {
        self.descriptor.limit = Some(limit);
        self
    }

    /// With series that are removed when nothing was recorded in them for `idle`;
    /// [`Counter::expire_after`] says when exactly.
    pub fn expire_after(mut self, idle: Duration) -> Self {
        self.descriptor.idle = Some(idle);
        self
    }

    /// Registers the instrument.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidName`] if the name or a key is not legal, or a key is given twice;
    /// [`ErrorKind::InvalidOption`] if an option is not legal; [`ErrorKind::Conflict`] if the name is
    /// taken by another kind, unit, list of keys or aggregation, or collides after mapping. The last
    /// names both places in the source, of this one where the constructor was called.
    pub fn build(self) -> Result<I, Error> {
        let (keys, register) = (self.keys, self.register);
        let (registry, mut descriptor) = self.described()?;
        let family = register(registry, &mut descriptor, keys)?;
        let registered = Instrument::registered(descriptor, family);
        Ok(I::from_registered(sealed::Registered(registered)))
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
    /// With exemplars, as [`Counter::exemplars`].
    pub fn exemplars(mut self) -> Self {
        self.descriptor.keeps_exemplars = true;
        self
    }
}

impl<L> InstrumentBuilder<'_, FloatCounter<L>> {
    /// With exemplars, as [`FloatCounter::exemplars`].
    pub fn exemplars(mut self) -> Self {
        self.descriptor.keeps_exemplars = true;
        self
    }
}

impl<L> InstrumentBuilder<'_, Gauge<L>> {
    /// For values from `min` to `max`, both included and finite, as [`Gauge::range`].
    pub fn range(mut self, min: f64, max: f64, outside: OutOfRange) -> Self {
        self.descriptor.range = Some(Range { min, max, outside });
        self
    }
}

impl<L> InstrumentBuilder<'_, Histogram<L>> {
    /// With explicit bounds, in ticks, in a range, or with other bounds on a page.
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

/// An instrument that a [`Registry`] can build: no type outside of this crate is one.
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
