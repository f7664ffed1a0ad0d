//! Families whose values come from a callback whenever the registry is read.

use std::{borrow::Cow, sync::Arc};

use crate::{
    cells,
    error::{Error, ErrorKind},
    metric::{
        counter::{Counter, UpDownCounter},
        gauge::Gauge,
        observable::{Observable, Observer},
        observations::Observations,
        registry::{
            InstrumentBuilder, Registrable, Registry,
            families::{check_name, conflict, observed_family},
        },
    },
    series::Descriptor,
    snapshot::{Kind, Unit},
};

impl<I: ObservableInstrument> InstrumentBuilder<'_, I> {
    /// Registers a callback that gives the values, with any labels, whenever a snapshot is taken or a
    /// page is made, until the guard is dropped.
    ///
    /// The values of a counter are totals that only grow. What a total counted before its first value is
    /// unknown, so rates and increases begin there. An up-down counter takes whole numbers: a fraction is
    /// cut off.
    ///
    /// All callbacks run on one thread of the
    /// crate, one after the other and outside every lock. They see the values and the clock of the
    /// reader's scope. If a callback panics, its family is missing from that snapshot.
    ///
    /// A reader waits for each callback at most half a second, or as long as
    /// [`RegistryBuilder::callback_patience`](super::RegistryBuilder::callback_patience) says. If a
    /// callback takes longer, its values are shown to the next reader. From then on readers do not
    /// wait for it: each read starts it on a thread of its own and shows the values of the last run.
    /// This ends when a run is quick again. While a run does not return, the values of the run before
    /// are shown for five minutes. Each time no value can be shown is counted in
    /// `telemetry.callbacks.failed`.
    ///
    /// A forked child starts without its parent's callbacks: their families are gone there, and their
    /// names are free.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build). [`ErrorKind::Conflict`] also if the name is taken by the same kind and
    /// unit, and [`ErrorKind::InvalidOption`] also if the builder has an option that is for recording:
    /// exemplars, a range, or series that expire. A callback leaves out what has expired.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::metric::Registry;
    ///
    /// let registry = Registry::new();
    /// let threads = registry.gauge("pool.threads", "Threads").observe(|to| {
    ///     to.observe(4.0, &[("pool", "io")]);
    /// })?;
    /// let snapshot = registry.snapshot();
    /// assert_eq!(snapshot.value("pool.threads", &[("pool", "io")]).unwrap().as_f64(), 4.0);
    /// drop(threads);
    /// assert!(registry.snapshot().family("pool.threads").is_none());
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn observe(
        self,
        observe: impl Fn(&mut Observations) + Send + Sync + 'static,
    ) -> Result<Observer, Error> {
        let (registry, descriptor) = self.described()?;
        let Descriptor { idle, keeps_exemplars, range, .. } = descriptor;
        let faults = [
            (keeps_exemplars, "a callback has no exemplars"),
            (range.is_some(), "a callback has no range"),
            (
                idle.is_some(),
                "series of a callback end when it leaves them out: they do not expire",
            ),
        ];
        if let Some((_, fault)) = faults.into_iter().find(|(is_set, _)| *is_set) {
            let text = format!("instrument {:?}: {fault}", descriptor.name);
            return Err(Error::new(ErrorKind::InvalidOption, text));
        }
        registry.observe_described(descriptor, false, observe)
    }
}

/// An instrument whose values a callback can give: [`Counter`], [`UpDownCounter`] and [`Gauge`]. No type
/// outside of this crate is one.
pub trait ObservableInstrument: Registrable {}

impl ObservableInstrument for Counter {}
impl ObservableInstrument for UpDownCounter {}
impl ObservableInstrument for Gauge {}

impl Registry {
    /// As [`InstrumentBuilder::observe`], for any kind that is not a distribution. The crate's own
    /// callbacks return at once, and their counters were zero before they appeared.
    #[track_caller]
    pub(crate) fn observe(
        &self,
        kind: Kind,
        (name, help): (&str, &str),
        unit: Unit,
        is_own: bool,
        observe: impl Fn(&mut Observations) + Send + Sync + 'static,
    ) -> Result<Observer, Error> {
        check_name(name)?;
        let (name, help) = (Cow::Owned(name.to_owned()), Cow::Owned(help.to_owned()));
        let descriptor = Descriptor { name, help, unit, ..Descriptor::new("", "", kind) };
        self.observe_described(descriptor, is_own, observe)
    }

    fn observe_described(
        &self,
        descriptor: Descriptor,
        is_own: bool,
        observe: impl Fn(&mut Observations) + Send + Sync + 'static,
    ) -> Result<Observer, Error> {
        let Descriptor { name, kind, unit, .. } = &descriptor;
        let mut families = self.families();
        if let Some(other) = families.by_name.get(name) {
            return Err(conflict((name, descriptor.place), other, "is registered twice"));
        }
        let family = Arc::new(observed_family(&descriptor, &self.0.settings));
        if let Err(error) = families.admit(&family) {
            drop(families); // The family ends outside the lock.
            return Err(error);
        }
        let limit = families.views.for_instrument(name, *kind, *unit).limit().or(descriptor.limit);
        let settings = self.0.settings.clone();
        let observable = Observable::new(family, settings, limit, is_own, observe);
        let number = families.add(observable);
        drop(families);
        let registry = self.clone();
        Ok(Observer::new(move || registry.forget(number)))
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
