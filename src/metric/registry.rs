//! The families that stand together on one page.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    panic::Location,
    sync::{Arc, LazyLock},
};

use super::{
    Counter, Gauge, Histogram, HistogramOptions, InstrumentView, Kind, Snapshot, Unit,
    UpDownCounter, Views,
    cell::{self, Storage},
    family::{Family, Shape},
    instrument::{Descriptor, Instrument},
    name::{claimed_names, key_fault, name_fault},
    observable::{Observable, Observations, Observer},
    snapshot,
};
use crate::{
    clock, diagnostics,
    error::{Error, ErrorKind},
    label::Labels,
    sync::Mutex,
};

/// A set of families whose names do not collide, read together as a [`Snapshot`].
///
/// Statics register themselves in the [`global`](Self::global) one. A registry of your own serves a
/// library or a test, and instruments whose names are known at run time; clones share the families.
///
/// # Examples
///
/// ```
/// use bellwether::metric::{Registry, Unit};
///
/// let registry = Registry::new();
/// let sent = registry.counter::<()>("queue.sent", "Messages sent", Unit::NONE)?;
/// sent.add(2);
/// assert_eq!(registry.snapshot().value("queue.sent", &[]).unwrap().as_f64(), 2.0);
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    /// Most label sets of a family that is not closed.
    series_limit: usize,
    /// Guards the families; the lock of a family may not be taken inside it.
    families: Mutex<Families>,
}

#[derive(Default)]
struct Families {
    by_name: BTreeMap<&'static str, &'static Family>,
    /// Who has taken each name that would stand on a page.
    claims: HashMap<String, &'static Family>,
    observables: Vec<(u64, Arc<Observable>)>,
    /// Families whose callback is gone, for the next callback of the same description.
    retired: Vec<&'static Family>,
    next_observable: u64,
    /// Why statics were refused so far, each once.
    refusals: Vec<(ErrorKind, String)>,
    views: Views,
}

/// Series of a family that is not closed; what OpenTelemetry's SDKs take.
const SERIES_LIMIT: usize = 2_000;
/// A closed set may have this many combinations; a larger one is looked up like an open one.
const CLOSED_LIMIT: usize = 65_536;

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::with_series_limit(SERIES_LIMIT)
    }

    /// An empty registry whose families have at most `limit` label sets each, besides the overflow
    /// series; the default is 2,000. Closed label sets are not limited.
    #[must_use]
    pub fn with_series_limit(limit: usize) -> Self {
        Self(Arc::new(Inner { series_limit: limit, families: Mutex::default() }))
    }

    /// The registry of all statics.
    #[must_use]
    pub fn global() -> &'static Self {
        static GLOBAL: LazyLock<Registry> = LazyLock::new(Registry::new);
        &GLOBAL
    }

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
        check_name(name)?;
        options.check()?;
        let (name, help, place) = (intern(name), intern(help), Location::caller());
        let (kind, histogram) = (Kind::Histogram, options);
        let descriptor = Descriptor { name, help, unit, kind, place, histogram };
        let family = self.register::<L>(&descriptor)?;
        Ok(Histogram::from_instrument(Instrument::registered(descriptor, family)))
    }

    /// A family whose values `observe` tells whenever a snapshot is taken, until the guard is dropped.
    ///
    /// A counter's values are totals that only grow. `observe` runs on the thread that takes the
    /// snapshot, outside every lock; if it panics, the family is left out of that snapshot.
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
        check_name(name)?;
        let (name, help, place) = (intern(name), intern(help), Location::caller());
        let histogram = HistogramOptions::new();
        let descriptor = Descriptor { name, help, unit, kind, place, histogram };
        if matches!(kind, Kind::Histogram | Kind::Summary) {
            let text = format!("{:?} cannot be observed: a histogram records", descriptor.name);
            return Err(Error::new(ErrorKind::InvalidOption, text));
        }
        let mut families = self.0.families.lock();
        if let Some(other) = families.by_name.get(name) {
            return Err(conflict(&descriptor, other, "is registered twice"));
        }
        let family = families.observed_family(&descriptor);
        families.admit(family)?;
        let number = families.next_observable;
        families.next_observable += 1;
        families
            .observables
            .push((number, Arc::new(Observable::new(family, self.0.series_limit, observe))));
        drop(families);
        let registry = self.clone();
        Ok(Observer::new(move || registry.forget(number)))
    }

    /// All series at this moment, in the scope that this thread is in.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_of(&cell::current_storage())
    }

    /// All series at this moment, as `storage` holds them and the views show them.
    pub(crate) fn snapshot_of(&self, storage: &Storage) -> Snapshot {
        let snapshot = self.unviewed_snapshot_of(storage);
        self.views().apply(snapshot)
    }

    /// Shows this registry through `views` from now on, instead of those it had.
    ///
    /// What was recorded is not changed, so that another list shows it otherwise. Only buckets and
    /// limits are for instruments that are used later: those in use keep theirs, and are reported.
    pub fn set_views(&self, views: Views) {
        let asked = |family: &&Family| {
            views.for_instrument(family.name, family.kind, family.unit) != InstrumentView::default()
        };
        let late: Vec<&Family> = {
            let _busy = cell::busy();
            let mut families = self.0.families.lock();
            families.views = views.clone();
            families.by_name.values().copied().filter(asked).collect()
        };
        for family in late {
            let (name, place) = (family.name, family.place);
            diagnostics::report(
                "view",
                format_args!(
                    "{name:?} ({place}) is in use already: it keeps its buckets and limit"
                ),
            );
        }
    }

    /// The views that it is shown through.
    #[must_use]
    pub fn views(&self) -> Views {
        self.0.families.lock().views.clone()
    }

    /// All series at this moment, as `storage` holds them.
    pub(super) fn unviewed_snapshot_of(&self, storage: &Storage) -> Snapshot {
        // Copied, so that neither callbacks nor families are met under the lock.
        let (families, observables) = {
            let _busy = cell::busy();
            let guard = self.0.families.lock();
            let observed = |family: &Family| {
                guard.observables.iter().any(|(_, observable)| observable.is_of(family))
            };
            let families: Vec<_> =
                guard.by_name.values().copied().filter(|family| !observed(family)).collect();
            (families, guard.observables.clone())
        };
        let observed: Vec<snapshot::Family> = observables
            .iter()
            .filter_map(|(_, observable)| observable.read(storage.started()))
            .collect();
        let reader = storage.reader();
        let taken = clock::now();
        let read = families.iter().map(|family| family.read(storage, &reader));
        Snapshot::new(storage.started(), taken, read.chain(observed).collect())
    }

    /// Keeps `error`, which a static met that now records into nothing, for the next start to answer;
    /// reports it if it is new.
    pub(crate) fn refuse(&self, error: Error) {
        let text = error.to_string();
        let mut families = self.0.families.lock();
        if families.refusals.iter().any(|(_, known)| *known == text) {
            return;
        }
        families.refusals.push((error.kind(), text));
        drop(families);
        // Outside the lock: a hook may record.
        diagnostics::report("conflict", format_args!("{error}; the first is kept"));
    }

    /// Why statics were refused so far, each once, a conflict with both places in the source.
    pub(crate) fn refusals(&self) -> Vec<(ErrorKind, String)> {
        self.0.families.lock().refusals.clone()
    }

    /// The family of `descriptor` with the keys of `L`.
    pub(crate) fn register<L: Labels>(
        &self,
        descriptor: &Descriptor,
    ) -> Result<&'static Family, Error> {
        let keys = L::KEYS.iter().map(|&key| Cow::Borrowed(key)).collect();
        match L::CARDINALITY {
            Some(len) if len <= CLOSED_LIMIT => {
                self.register_shape(descriptor, keys, Shape::Closed { len, at: L::at })
            }
            _ => self.register_open(descriptor, keys),
        }
    }

    /// The family of `descriptor` with these keys, whose values are looked up.
    pub(crate) fn register_open(
        &self,
        descriptor: &Descriptor,
        keys: Vec<Cow<'static, str>>,
    ) -> Result<&'static Family, Error> {
        let shape = match keys.is_empty() {
            true => Shape::Closed { len: 1, at: <() as Labels>::at },
            false => Shape::Open { limit: self.0.series_limit },
        };
        self.register_shape(descriptor, keys, shape)
    }

    fn register_shape(
        &self,
        descriptor: &Descriptor,
        keys: Vec<Cow<'static, str>>,
        shape: Shape,
    ) -> Result<&'static Family, Error> {
        check_name(descriptor.name)?;
        check_keys(&keys)?;
        let mut families = self.0.families.lock();
        if let Some(family) = families.by_name.get(descriptor.name) {
            let Some(difference) = difference(family, descriptor, &keys, &shape) else {
                return Ok(family);
            };
            return Err(conflict(descriptor, family, difference));
        }
        let family: &'static Family = Box::leak(Box::new(Family::new(descriptor, keys, shape)));
        families.admit(family)?;
        Ok(family)
    }

    #[track_caller]
    fn instrument<L: Labels>(
        &self,
        name: &str,
        help: &str,
        unit: Unit,
        kind: Kind,
    ) -> Result<Instrument, Error> {
        check_name(name)?;
        let (name, help, place) = (intern(name), intern(help), Location::caller());
        let histogram = HistogramOptions::new();
        let descriptor = Descriptor { name, help, unit, kind, place, histogram };
        let family = self.register::<L>(&descriptor)?;
        Ok(Instrument::registered(descriptor, family))
    }

    fn forget(&self, observable: u64) {
        let mut families = self.0.families.lock();
        let Some(place) = families.observables.iter().position(|(number, _)| *number == observable)
        else {
            return;
        };
        let (_, observable) = families.observables.remove(place);
        families.by_name.retain(|_, family| !observable.is_of(family));
        families.claims.retain(|_, family| !observable.is_of(family));
        families.retired.push(observable.family());
        drop(families);
        drop(observable); // User code, dropped outside the lock.
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.families.lock().by_name.keys().copied().collect();
        f.debug_struct("Registry").field("families", &names).finish()
    }
}

impl Families {
    /// Adds a family whose name is free, unless a name of its samples is taken.
    fn admit(&mut self, family: &'static Family) -> Result<(), Error> {
        let claims = claimed_names(family.name, family.kind, family.unit);
        let taken = claims.iter().find_map(|claim| Some((claim, self.claims.get(claim)?)));
        if let Some((claim, other)) = taken {
            let text = format!(
                "{:?} ({}) and {:?} ({}) are both `{claim}` on a Prometheus page",
                family.name, family.place, other.name, other.place
            );
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        self.claims.extend(claims.into_iter().map(|claim| (claim, family)));
        self.by_name.insert(family.name, family);
        Ok(())
    }

    /// A family for a callback: one that an earlier callback left, or a new one.
    fn observed_family(&mut self, descriptor: &Descriptor) -> &'static Family {
        let left = self.retired.iter().position(|family| {
            let same = |family: &Family| (family.name, family.help, family.kind, family.unit);
            same(family) == (descriptor.name, descriptor.help, descriptor.kind, descriptor.unit)
        });
        match left {
            Some(place) => self.retired.swap_remove(place),
            None => {
                let family = Family::new(descriptor, Vec::new(), Shape::Open { limit: 0 });
                Box::leak(Box::new(family))
            }
        }
    }
}

fn conflict(descriptor: &Descriptor, other: &Family, difference: &str) -> Error {
    let Descriptor { name, place, .. } = descriptor;
    let text = format!("{name:?} {difference}: at {} and at {place}", other.place);
    Error::new(ErrorKind::Conflict, text)
}

/// What sets a registration apart from the family of the same name, if anything.
fn difference(
    family: &Family,
    descriptor: &Descriptor,
    keys: &[Cow<'static, str>],
    shape: &Shape,
) -> Option<&'static str> {
    if family.kind != descriptor.kind {
        return Some("is registered with two kinds");
    }
    if family.unit != descriptor.unit {
        return Some("is registered with two units");
    }
    if family.histogram != descriptor.histogram {
        return Some("is registered with two aggregations or ranges");
    }
    if family.keys != keys {
        return Some("is registered with two sets of label keys");
    }
    (!family.has_shape(shape)).then_some("is registered with two sets of label values")
}

fn check_name(name: &str) -> Result<(), Error> {
    match name_fault(name) {
        None => Ok(()),
        Some(fault) => {
            Err(Error::new(ErrorKind::InvalidName, format!("instrument name {name:?} {fault}")))
        }
    }
}

fn check_keys(keys: &[Cow<'static, str>]) -> Result<(), Error> {
    for (place, key) in keys.iter().enumerate() {
        let fault = match key_fault(key) {
            None if keys[..place].contains(key) => Some("is given twice"),
            fault => fault,
        };
        if let Some(fault) = fault {
            let text = format!("label key {key:?} {fault}");
            return Err(Error::new(ErrorKind::InvalidName, text));
        }
    }
    Ok(())
}

/// `text` as text that lives as long as the process, kept once however often it is asked for.
fn intern(text: &str) -> &'static str {
    static TEXTS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut texts = TEXTS.lock();
    match texts.get(text) {
        Some(known) => known,
        None => {
            let text: &'static str = Box::leak(text.into());
            texts.insert(text);
            text
        }
    }
}
