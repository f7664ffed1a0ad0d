//! Instruments whose names are known at run time: those that record, and those that are asked.

use std::{borrow::Cow, sync::Arc};

use crate::{
    cells,
    error::{Error, ErrorKind},
    label::Labels,
    metric::{
        counter::{Counter, FloatCounter, UpDownCounter},
        gauge::Gauge,
        histogram::Histogram,
        instrument::Instrument,
        observable::{Observable, Observations, Observer},
        registry::{
            Registry,
            families::{check_name, conflict, observed_family},
        },
        summary::Summary,
        throughput::Throughput,
    },
    series::{Descriptor, Number},
    snapshot::{HistogramOptions, Kind, Unit},
};

impl Registry {
    /// A counter whose name is known at run time. Of two with the same name, unit and keys both
    /// record into one family.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidName`] if the name or a key is not legal, [`ErrorKind::Conflict`] if the
    /// name is taken by another kind, unit or set of keys, or collides after mapping.
    #[track_caller]
    pub fn counter<L: Labels>(
        &self,
        name: &str,
        help: &str,
        unit: Unit,
    ) -> Result<Counter<L>, Error> {
        self.instrument::<L>(name, help, unit, Kind::Counter).map(Counter::from_instrument)
    }

    /// A counter of fractions whose name is known at run time; as [`counter`](Self::counter).
    ///
    /// # Errors
    ///
    /// As [`counter`](Self::counter).
    #[track_caller]
    pub fn float_counter<L: Labels>(
        &self,
        name: &str,
        help: &str,
        unit: Unit,
    ) -> Result<FloatCounter<L>, Error> {
        let descriptor = described(name, help, unit, Kind::Counter)?;
        let descriptor = Descriptor { number: Number::Fraction, ..descriptor };
        self.instrument_of::<L>(descriptor).map(FloatCounter::from_instrument)
    }

    /// An up-down counter whose name is known at run time; as [`counter`](Self::counter).
    ///
    /// # Errors
    ///
    /// As [`counter`](Self::counter).
    #[track_caller]
    pub fn up_down_counter<L: Labels>(
        &self,
        name: &str,
        help: &str,
        unit: Unit,
    ) -> Result<UpDownCounter<L>, Error> {
        self.instrument::<L>(name, help, unit, Kind::UpDownCounter)
            .map(UpDownCounter::from_instrument)
    }

    /// A gauge whose name is known at run time; as [`counter`](Self::counter).
    ///
    /// # Errors
    ///
    /// As [`counter`](Self::counter).
    #[track_caller]
    pub fn gauge<L: Labels>(&self, name: &str, help: &str, unit: Unit) -> Result<Gauge<L>, Error> {
        self.instrument::<L>(name, help, unit, Kind::Gauge).map(Gauge::from_instrument)
    }

    /// A histogram whose name is known at run time; as [`counter`](Self::counter).
    ///
    /// # Errors
    ///
    /// As [`counter`](Self::counter).
    #[track_caller]
    pub fn histogram<L: Labels>(
        &self,
        name: &str,
        help: &str,
        unit: Unit,
    ) -> Result<Histogram<L>, Error> {
        self.instrument::<L>(name, help, unit, Kind::Histogram).map(Histogram::from_instrument)
    }

    /// A summary whose name is known at run time; as [`counter`](Self::counter).
    ///
    /// # Errors
    ///
    /// As [`counter`](Self::counter).
    #[track_caller]
    pub fn summary<L: Labels>(
        &self,
        name: &str,
        help: &str,
        unit: Unit,
    ) -> Result<Summary<L>, Error> {
        self.instrument::<L>(name, help, unit, Kind::Summary).map(Summary::from_instrument)
    }

    /// A meter of events whose name is known at run time; as [`counter`](Self::counter). Its rates are
    /// in the family `NAME.rate`.
    ///
    /// # Errors
    ///
    /// As [`counter`](Self::counter), also of the name of the rates; [`ErrorKind::InvalidName`] also if
    /// a key is `window`, which tells the rates apart.
    #[track_caller]
    pub fn throughput<L: Labels>(
        &self,
        name: &str,
        help: &str,
        unit: Unit,
    ) -> Result<Throughput<L>, Error> {
        let descriptor = described(name, help, unit, Kind::Counter)?;
        let descriptor = Descriptor { has_rates: true, ..descriptor };
        self.instrument_of::<L>(descriptor).map(Throughput::from_instrument)
    }

    /// A histogram with explicit bounds, in ticks or in a range, whose name is known at run time; as
    /// [`counter`](Self::counter).
    ///
    /// # Errors
    ///
    /// As [`counter`](Self::counter), and [`ErrorKind::InvalidOption`] if the options are not legal.
    #[track_caller]
    pub fn histogram_with<L: Labels>(
        &self,
        name: &str,
        help: &str,
        unit: Unit,
        options: HistogramOptions,
    ) -> Result<Histogram<L>, Error> {
        options.check()?;
        let descriptor = described(name, help, unit, Kind::Histogram)?;
        let descriptor = Descriptor { histogram: options, ..descriptor };
        self.instrument_of::<L>(descriptor).map(Histogram::from_instrument)
    }

    /// A family whose values `observe` tells whenever a snapshot is taken, until the guard is dropped.
    ///
    /// A counter's values are totals that only grow. All callbacks run on one thread of the crate's
    /// own, one after the other and outside every lock, with the values and the clock of the scope
    /// that the reader is in. One that panics costs its family that snapshot.
    ///
    /// Whoever reads waits for each callback half a second at most, or as long as
    /// [`RegistryBuilder::callback_patience`](super::RegistryBuilder::callback_patience) says. What a
    /// slower one tells is shown to the next reader; nobody waits for it from then on, it runs on a
    /// thread of its own whenever somebody reads, and its values are those of the last run, until a
    /// run is quick again. While a run does not return, the values of the one before stand for five
    /// minutes. Each case in which nothing could be shown is counted in `telemetry.callbacks.failed`.
    ///
    /// A forked child starts without its parent's callbacks: their families are gone there, and their
    /// names are free.
    ///
    /// # Errors
    ///
    /// As [`counter`](Self::counter).
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::metric::{Kind, Registry, Unit};
    ///
    /// let registry = Registry::new();
    /// let threads = registry.observe(Kind::Gauge, "pool.threads", "Threads", Unit::NONE, |to| {
    ///     to.observe(4.0, &[("pool", "io")]);
    /// })?;
    /// let snapshot = registry.snapshot();
    /// assert_eq!(snapshot.value("pool.threads", &[("pool", "io")]).unwrap().as_f64(), 4.0);
    /// drop(threads);
    /// assert!(registry.snapshot().family("pool.threads").is_none());
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    #[track_caller]
    pub fn observe(
        &self,
        kind: Kind,
        name: &str,
        help: &str,
        unit: Unit,
        observe: impl Fn(&mut Observations) + Send + Sync + 'static,
    ) -> Result<Observer, Error> {
        let descriptor = described(name, help, unit, kind)?;
        let name = &descriptor.name;
        if kind.is_distribution() {
            let text = format!("{:?} cannot be observed: a histogram records", descriptor.name);
            return Err(Error::new(ErrorKind::InvalidOption, text));
        }
        let mut families = self.families();
        if let Some(other) = families.by_name.get(name) {
            return Err(conflict((name, descriptor.place), other, "is registered twice"));
        }
        let family = Arc::new(observed_family(&descriptor, &self.0.settings));
        if let Err(error) = families.admit(&family) {
            drop(families); // The family ends outside the lock.
            return Err(error);
        }
        let limit = families.views.for_instrument(name, kind, unit).limit();
        let observable = Observable::new(family, self.0.settings.clone(), limit, observe);
        let number = families.add(observable);
        drop(families);
        let registry = self.clone();
        Ok(Observer::new(move || registry.forget(number)))
    }

    #[track_caller]
    fn instrument<L: Labels>(
        &self,
        name: &str,
        help: &str,
        unit: Unit,
        kind: Kind,
    ) -> Result<Instrument, Error> {
        self.instrument_of::<L>(described(name, help, unit, kind)?)
    }

    fn instrument_of<L: Labels>(&self, descriptor: Descriptor) -> Result<Instrument, Error> {
        let family = self.register::<L>(&descriptor)?;
        Ok(Instrument::registered(descriptor, family))
    }

    fn forget(&self, observable: u64) {
        let busy = cells::busy();
        let mut families = self.families();
        let Some(place) = families.observables.iter().position(|(number, _)| *number == observable)
        else {
            return;
        };
        let (_, observable) = families.observables.remove(place);
        families.remove(observable.family());
        drop((families, busy));
        drop(observable); // User code, dropped outside the lock.
    }
}

/// A description with texts of its own.
#[track_caller]
pub(super) fn described(
    name: &str,
    help: &str,
    unit: Unit,
    kind: Kind,
) -> Result<Descriptor, Error> {
    check_name(name)?;
    let (name, help) = (Cow::Owned(name.to_owned()), Cow::Owned(help.to_owned()));
    Ok(Descriptor { name, help, unit, ..Descriptor::new("", "", kind) })
}
