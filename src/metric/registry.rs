//! The families that stand together on one page.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::{Arc, LazyLock},
};

#[cfg(feature = "prometheus")]
use super::live::Live;
use super::{
    Counter, FloatCounter, Gauge, Histogram, HistogramOptions, InstrumentView, Kind, Snapshot,
    Summary, Unit, UpDownCounter, Views,
    cell::{self, Storage},
    collector,
    family::{Family, Shape},
    instrument::{Descriptor, Instrument, Number, is_closed},
    name::{claimed_names, key_fault, name_fault},
    observable::{Observable, Observations, Observer},
    open::Budget,
    snapshot,
};
use crate::{
    clock, diagnostics,
    error::{Error, ErrorKind},
    label::{LabelSet, Labels},
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
    /// Most label sets of a family that is not closed, unless the instrument says otherwise.
    series_limit: usize,
    /// The bytes of the series of all such families.
    budget: Arc<Budget>,
    /// On every series.
    labels: LabelSet,
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

/// What a [`Registry`] is made with; [`Registry::builder`] begins one.
///
/// # Examples
///
/// ```
/// use bellwether::metric::{Registry, Unit};
///
/// let registry = Registry::builder().label("shard", "7").series_limit(100).build();
/// registry.counter::<()>("queue.sent", "Messages sent", Unit::NONE)?.inc();
/// assert!(registry.snapshot().value("queue.sent", &[("shard", "7")]).is_some());
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "it is no registry before `build`"]
pub struct RegistryBuilder {
    series_limit: usize,
    byte_budget: u64,
    labels: LabelSet,
}

impl RegistryBuilder {
    /// At most `limit` label sets a family, besides the overflow series, unless the instrument says
    /// otherwise; 2,000 by default. Closed label sets are not limited.
    pub fn series_limit(self, limit: usize) -> Self {
        Self { series_limit: limit, ..self }
    }

    /// At most about `bytes` for the series of all families that are not closed, with what each takes
    /// on one thread; 64 MiB by default. Beyond it, new label sets go to the overflow series.
    pub fn byte_budget(self, bytes: u64) -> Self {
        Self { byte_budget: bytes, ..self }
    }

    /// Puts a label on every series of an instrument; one of the instrument's own with the same key
    /// wins.
    ///
    /// # Panics
    ///
    /// Panics if `key` is not legal as a label key.
    #[track_caller]
    pub fn label(self, key: &'static str, value: &str) -> Self {
        if let Some(fault) = key_fault(key) {
            panic!("label key {key:?} {fault}");
        }
        Self { labels: self.labels.with([(key, value)]), ..self }
    }

    /// An empty registry.
    #[must_use]
    pub fn build(self) -> Registry {
        Registry(Arc::new(Inner {
            series_limit: self.series_limit,
            budget: Arc::new(Budget::new(self.byte_budget)),
            labels: self.labels,
            families: Mutex::default(),
        }))
    }
}

/// Series of a family that is not closed; what OpenTelemetry's SDKs take.
const SERIES_LIMIT: usize = 2_000;
/// Room for half a million series of short labels.
const BYTE_BUDGET: u64 = 64 << 20;

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Begins a registry with limits and labels of its own.
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder {
            series_limit: SERIES_LIMIT,
            byte_budget: BYTE_BUDGET,
            labels: LabelSet::default(),
        }
    }

    /// An empty registry whose families have at most `limit` label sets each, besides the overflow
    /// series; as [`RegistryBuilder::series_limit`].
    #[must_use]
    pub fn with_series_limit(limit: usize) -> Self {
        Self::builder().series_limit(limit).build()
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
    /// that the reader is in. One that panics costs its family that snapshot. One that takes longer
    /// than half a second is skipped until it returns, and the others go on. Each such case is
    /// counted in `telemetry.callbacks.failed`.
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
        let name = descriptor.name;
        if kind.is_distribution() {
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
    pub(crate) fn snapshot_of(&self, storage: &Arc<Storage>) -> Snapshot {
        let snapshot = self.unviewed_snapshot_of(storage);
        self.views().apply(snapshot)
    }

    /// Shows this registry through `views` from now on, instead of those it had.
    ///
    /// What was recorded is not changed, so that another list shows it otherwise. Only buckets and
    /// limits are for instruments that are used later: those in use keep theirs, and are reported.
    pub fn set_views(&self, views: Views) {
        let is_late = |family: &&Family| {
            let asked = views.for_instrument(family.name, family.kind, family.unit);
            !family.is_as_asked(&asked)
        };
        let late: Vec<&Family> = {
            let _busy = cell::busy();
            let mut families = self.0.families.lock();
            families.views = views.clone();
            families.by_name.values().copied().filter(is_late).collect()
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
    pub(super) fn unviewed_snapshot_of(&self, storage: &Arc<Storage>) -> Snapshot {
        let (families, observed) = self.gather(storage);
        let reader = storage.reader();
        let taken = clock::now();
        let read = families.iter().map(|family| family.read(storage, &reader));
        Snapshot::new(storage.started(), taken, read.chain(observed).collect())
    }

    /// All series, to be read in place, in the scope that this thread is in; `None` where views show
    /// them otherwise.
    #[cfg(feature = "prometheus")]
    pub(crate) fn live(&self, with_exemplars: bool) -> Option<Live> {
        if !self.views().is_empty() {
            return None;
        }
        let storage = cell::current_storage();
        let (families, observed) = self.gather(&storage);
        Some(Live::new(storage, with_exemplars, families.into_iter(), observed))
    }

    /// The families that record, tidied up, and what the callbacks of the others tell.
    fn gather(&self, storage: &Arc<Storage>) -> (Vec<&'static Family>, Vec<snapshot::Family>) {
        // Copied, so that neither callbacks nor families are met under the lock.
        let (families, observables) = {
            let _busy = cell::busy();
            let guard = self.0.families.lock();
            let observed = |family: &Family| {
                guard.observables.iter().any(|(_, observable)| observable.is_of(family))
            };
            let mut families = Vec::with_capacity(guard.by_name.len());
            families.extend(guard.by_name.values().copied().filter(|family| !observed(family)));
            let observables = guard.observables.iter().map(|(_, observable)| observable.clone());
            (families, observables.collect::<Vec<_>>())
        };
        let observed = collector::read(&observables, storage);
        families.iter().for_each(|family| family.tidy(storage));
        (families, observed)
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
            Some(len) if is_closed(L::CARDINALITY) => {
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
            false => Shape::Open {
                limit: descriptor.limit.unwrap_or(self.0.series_limit),
                budget: self.0.budget.clone(),
                idle: descriptor.idle,
            },
        };
        self.register_shape(descriptor, keys, shape)
    }

    /// The family of a state set, whose one key is its own name.
    pub(crate) fn register_states(
        &self,
        descriptor: &Descriptor,
        len: usize,
        at: fn(usize) -> Vec<Cow<'static, str>>,
    ) -> Result<&'static Family, Error> {
        // A name may hold these, and a key may not; on a page each of them is an underscore.
        let key = descriptor.name.replace(['-', '/'], "_");
        self.register_shape(descriptor, vec![key.into()], Shape::Closed { len, at })
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
        let view = families.views.for_instrument(descriptor.name, descriptor.kind, descriptor.unit);
        if let Some(family) = families.by_name.get(descriptor.name) {
            let Some(difference) = difference(family, descriptor, &keys, &shape) else {
                return Ok(family);
            };
            return Err(conflict(descriptor, family, difference));
        }
        let family: &'static Family =
            Box::leak(Box::new(Family::new(descriptor, keys, &self.0.labels, shape, &view)));
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
        self.instrument_of::<L>(described(name, help, unit, kind)?)
    }

    fn instrument_of<L: Labels>(&self, descriptor: Descriptor) -> Result<Instrument, Error> {
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
                let shape = Shape::Closed { len: 0, at: <() as Labels>::at };
                let family = Family::new(
                    descriptor,
                    Vec::new(),
                    &LabelSet::default(),
                    shape,
                    &InstrumentView::default(),
                );
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
    if family.kind != descriptor.kind || family.number_kind != descriptor.number {
        return Some("is registered with two kinds");
    }
    if family.unit != descriptor.unit {
        return Some("is registered with two units");
    }
    if family.told != descriptor.histogram {
        return Some("is registered with two aggregations or ranges");
    }
    if family.keys != keys {
        return Some("is registered with two sets of label keys");
    }
    (!family.has_shape(shape)).then_some("is registered with two sets of label values")
}

/// A description with texts that live as long as the process.
#[track_caller]
fn described(name: &str, help: &str, unit: Unit, kind: Kind) -> Result<Descriptor, Error> {
    check_name(name)?;
    let described = Descriptor::new(intern(name), intern(help), kind);
    Ok(Descriptor { unit, ..described })
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
