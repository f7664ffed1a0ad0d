//! The families that a page shows together.
//!
//! This file has the registry, how it is read and how a family is registered. `builder` configures a
//! registry. `instruments` has the instruments whose names are known at run time, and `keys` their
//! label keys. `observed` has the families of callbacks, and `families` the rules for the names on one
//! page.

mod builder;
mod families;
mod following;
mod instruments;
mod keys;
mod observed;

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, LazyLock},
    time::Instant,
};

pub use builder::RegistryBuilder;
pub(crate) use following::{FollowRegistry, Prepared};
pub use instruments::{InstrumentBuilder, Registrable};
pub use observed::ObservableInstrument;

use self::families::{
    Families, check_keys, check_name, check_rates, conflict, difference, rates_family,
};
use super::{collector, own};
#[cfg(feature = "prometheus")]
use crate::series::Live;
use crate::{
    cells::{self, Storage},
    clock, diagnostics,
    error::{Error, ErrorKind},
    label::{LabelSet, Labels},
    series::{Changes, Descriptor, Family, Settings, Shape, WINDOW_KEY, illegal_key, is_closed},
    snapshot::{self, Snapshot, Views},
    sync::{Mutex, MutexGuard},
};

/// A set of families whose names do not collide, read together as a [`Snapshot`].
///
/// Statics register themselves in the [`global`](Self::global) one. A registry of your own serves a
/// library, a test, or instruments whose names are known at run time. Clones share the families.
///
/// A family lives until the last clone of its registry and every instrument of the family are dropped;
/// an [`Observer`](super::Observer) holds a clone. Then its names are freed, and the memory of its
/// series serves other series (`cargo test --test run_time_made`). A series that a handle or a
/// thread's look-up table still refers to is freed when that lets go of it.
/// [`unregister`](Self::unregister) removes a single family. Creating a handle or a timer of such an
/// instrument counts references to it, so bind once.
///
/// # Examples
///
/// ```
/// use bellwether::metric::Registry;
///
/// let registry = Registry::new();
/// let sent = registry.counter("queue.sent", "Messages sent").build()?;
/// sent.add(2);
/// assert_eq!(registry.snapshot().value("queue.sent", &[]).unwrap().as_f64(), 2.0);
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    settings: Arc<Settings>,
    /// Guards the families; the lock of a family may not be taken inside it.
    families: Mutex<Families>,
}

impl Registry {
    /// The registry of all statics. Its labels and limits are set with telemetry: see
    /// [`constant_label`](crate::Builder::constant_label),
    /// [`series_limit`](crate::Builder::series_limit) and
    /// [`byte_budget`](crate::Builder::byte_budget).
    #[must_use]
    pub fn global() -> &'static Self {
        static GLOBAL: LazyLock<Registry> = LazyLock::new(Registry::new);
        &GLOBAL
    }

    /// All series at this moment, in the scope of this thread.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_of(&cells::current_storage())
    }

    /// All series at this moment, with the values in `storage`, as the views show them.
    pub(crate) fn snapshot_of(&self, storage: &Arc<Storage>) -> Snapshot {
        self.views().apply(self.unviewed_snapshot_of(storage))
    }

    /// As [`snapshot`](Self::snapshot), but waits for callbacks until `by` at the latest.
    #[cfg(feature = "prometheus")]
    pub(crate) fn snapshot_by(&self, by: Option<Instant>) -> Snapshot {
        self.views().apply(self.read(&cells::current_storage(), by))
    }

    /// Shows this registry through `views` from now on, instead of its previous views.
    ///
    /// The recorded data does not change: other views show the same data differently. Buckets and
    /// limits apply only to instruments that are first used later. Instruments in use keep theirs, and
    /// each is reported.
    pub fn set_views(&self, views: Views) {
        let is_late = |family: &&Arc<Family>| {
            let asked = views.for_instrument(&family.name, family.kind, family.unit);
            !family.is_as_asked(&asked)
        };
        let late: Vec<Arc<Family>> = {
            let _busy = cells::busy();
            let mut families = self.families();
            families.views = views.clone();
            families.by_name.values().filter(is_late).cloned().collect()
        };
        for family in late {
            let (name, place) = (&family.name, family.place);
            diagnostics::report(
                "view",
                format_args!(
                    "{name:?} ({place}) is in use already: it keeps its buckets and limit"
                ),
            );
        }
    }

    /// Changes settings of all families, also of families in use. The `changes` must be legal.
    ///
    /// A family that is registered at the same time gets the new labels, here or by itself.
    pub(crate) fn change(&self, changes: Changes) {
        let _busy = cells::busy();
        if !self.0.settings.change(changes) {
            return;
        }
        // Copied, because the lock of a family must not be taken under the lock of the families.
        let families: Vec<Arc<Family>> = self.families().by_name.values().cloned().collect();
        families.iter().for_each(|family| family.relabel(&self.0.settings));
    }

    /// Removes the family called `name` from the registry, together with its callback if it has one,
    /// and frees the name. Returns whether there was such a family.
    ///
    /// Remaining instruments and handles keep recording, but nothing shows their values. Their memory
    /// is freed with the last of them. A reader that is already running may still show the family, and
    /// a running callback finishes its run.
    ///
    /// A family that a static records into cannot be removed: returns `false`. A static that was
    /// refused because another instrument had the name stays refused. The rates of a
    /// [`Throughput`](super::Throughput) are removed with its counter, and only with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::metric::Registry;
    ///
    /// let registry = Registry::new();
    /// let sent = registry.counter("plugin.sent", "Messages sent").build()?;
    /// sent.add(2);
    /// assert!(registry.unregister("plugin.sent"));
    /// assert!(registry.snapshot().family("plugin.sent").is_none());
    ///
    /// let sent = registry.gauge("plugin.sent", "Another plugin's").build()?;
    /// sent.set(0.5);
    /// assert_eq!(registry.snapshot().value("plugin.sent", &[]).unwrap().as_f64(), 0.5);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn unregister(&self, name: &str) -> bool {
        let busy = cells::busy();
        let mut families = self.families();
        let Some(family) = families.by_name.get(name).cloned() else { return false };
        if family.is_lasting() || family.is_rates {
            return false;
        }
        families.remove(&family);
        let observed = families.observables.iter().position(|(_, of)| of.is_of(&family));
        let observable = observed.map(|place| families.observables.remove(place));
        drop((families, busy));
        drop((observable, family)); // Outside the lock: user code, and the end of a family.
        true
    }

    /// Says what the family called `name` measures, if that was not said when it was registered.
    /// Returns whether there is such a family, and nobody had said it.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::metric::Registry;
    ///
    /// let registry = Registry::new();
    /// registry.counter("plugin.sent", "").build()?.inc();
    /// assert!(registry.describe("plugin.sent", "Messages sent"));
    /// assert!(!registry.describe("plugin.sent", "Messages that were sent"));
    /// assert_eq!(registry.snapshot().family("plugin.sent").unwrap().help(), "Messages sent");
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn describe(&self, name: &str, help: &str) -> bool {
        let family = self.families().by_name.get(name).cloned();
        family.is_some_and(|family| family.describe(help))
    }

    /// The views that show this registry.
    #[must_use]
    pub fn views(&self) -> Views {
        self.families().views.clone()
    }

    /// All series at this moment, with the values in `storage`, without views.
    pub(crate) fn unviewed_snapshot_of(&self, storage: &Arc<Storage>) -> Snapshot {
        self.read(storage, None)
    }

    /// As [`unviewed_snapshot_of`](Self::unviewed_snapshot_of), but waits for callbacks until `by` at
    /// the latest.
    pub(crate) fn read(&self, storage: &Arc<Storage>, by: Option<Instant>) -> Snapshot {
        let (families, observed) = self.gather(storage, by);
        let reader = storage.reader_of_all();
        let taken = clock::now();
        let read = families.iter().map(|family| family.read(storage, &reader));
        Snapshot::new(storage.started(), taken, read.chain(observed).collect())
    }

    /// The names of all registered instruments.
    pub(crate) fn names(&self) -> Vec<Cow<'static, str>> {
        let own = own::NAMES.into_iter().filter(|_| self.is_global()).map(Cow::Borrowed);
        self.families().by_name.keys().cloned().chain(own).collect()
    }

    /// The label sets that series of the instrument called `name` can have, as far as they are known.
    pub(crate) fn labels_of(&self, name: &str) -> Vec<LabelSet> {
        let family = self.families().by_name.get(name).cloned();
        if let Some(family) = family {
            return family.all_labels();
        }
        let own = self.own(&cells::current_storage()).into_iter().find(|own| own.name == name);
        own.map_or_else(Vec::new, |own| own.series.iter().map(|s| s.labels().clone()).collect())
    }

    /// All series, to be read in place, in the scope of this thread; `None` if views change what is
    /// shown. Waits for callbacks until `by` at the latest.
    #[cfg(feature = "prometheus")]
    pub(crate) fn live(&self, with_exemplars: bool, by: Option<Instant>) -> Option<Live> {
        let views = self.views();
        if !views.keep_families() {
            return None;
        }
        let storage = cells::current_storage();
        let (families, observed) = self.gather(&storage, by);
        Some(Live::new(storage, with_exemplars, &views, families.into_iter(), observed))
    }

    /// The families, without those of callbacks inherited by a forked child.
    fn families(&self) -> MutexGuard<'_, Families> {
        let mut families = self.0.families.lock();
        families.disown_inherited();
        families
    }

    fn is_global(&self) -> bool {
        Arc::ptr_eq(&self.0, &Self::global().0)
    }

    /// The crate's own metrics, except those whose names are taken.
    fn own(&self, storage: &Storage) -> Vec<snapshot::Family> {
        let mut own = own::read(storage, || self.0.settings.labels());
        if !own.is_empty() {
            let families = self.families();
            own.retain(|family| !families.is_taken(family));
        }
        own
    }

    /// Returns the families to be read in place, without their expired series, and the values of all
    /// others: of callbacks and of the rates of throughputs.
    fn gather(
        &self,
        storage: &Arc<Storage>,
        by: Option<Instant>,
    ) -> (Vec<Arc<Family>>, Vec<snapshot::Family>) {
        // Copied, so that no callback runs and no family is locked under this lock.
        let (families, observables) = {
            let _busy = cells::busy();
            let guard = self.families();
            let observed = |family: &Arc<Family>| {
                guard.observables.iter().any(|(_, observable)| observable.is_of(family))
            };
            let is_read = |family: &&Arc<Family>| !family.is_rates && !observed(family);
            let mut families = Vec::with_capacity(guard.by_name.len());
            families.extend(guard.by_name.values().filter(is_read).cloned());
            let observables = guard.observables.iter().map(|(_, observable)| observable.clone());
            (families, observables.collect::<Vec<_>>())
        };
        let mut observed = collector::read(&observables, storage, by);
        if self.is_global() {
            observed.extend(self.own(storage));
        }
        families.iter().for_each(|family| family.tidy(storage));
        observed.extend(families.iter().filter_map(|family| family.read_rates(storage)));
        (families, observed)
    }

    /// Keeps the `error` of a refused static, which records into nothing, so that the next start can
    /// return it. Reports it if it is new.
    pub(crate) fn refuse(&self, error: Error) {
        let text = error.to_string();
        let mut families = self.families();
        if families.refusals.iter().any(|(_, known)| *known == text) {
            return;
        }
        families.refusals.push((error.kind(), text));
        drop(families);
        // Outside the lock: a hook may record.
        tell_refusal(&error);
    }

    /// Reports to the hook the refusals that came before it was set.
    pub(crate) fn tell_refusals(&self) {
        let refusals = self.refusals();
        refusals
            .iter()
            .filter(|_| diagnostics::has_hook())
            .for_each(|(_, text)| tell_refusal(text));
    }

    /// Why statics were refused so far, each reason once. A conflict names both places in the source.
    pub(crate) fn refusals(&self) -> Vec<(ErrorKind, String)> {
        self.families().refusals.clone()
    }

    /// The family of `descriptor` with the keys of `L`.
    pub(crate) fn register<L: Labels>(
        &self,
        descriptor: &Descriptor,
    ) -> Result<Arc<Family>, Error> {
        let keys = L::KEYS.iter().map(|&key| Cow::Borrowed(key)).collect();
        match L::CARDINALITY {
            Some(len) if is_closed(L::CARDINALITY) => {
                self.register_shape(descriptor, keys, Shape::Closed { len, at: L::at })
            }
            _ => self.register_open(descriptor, keys),
        }
    }

    /// The family of `descriptor` with these keys. Its series are looked up by their label values.
    pub(crate) fn register_open(
        &self,
        descriptor: &Descriptor,
        keys: Vec<Cow<'static, str>>,
    ) -> Result<Arc<Family>, Error> {
        let shape = match keys.is_empty() {
            true => Shape::Closed { len: 1, at: <() as Labels>::at },
            false => Shape::Open,
        };
        self.register_shape(descriptor, keys, shape)
    }

    /// The family of `descriptor`, whose series have labels with any keys.
    pub(crate) fn register_any_keys(&self, descriptor: &Descriptor) -> Result<Arc<Family>, Error> {
        if descriptor.has_rates {
            return Err(illegal_key(
                WINDOW_KEY,
                "could be one of any keys, and a throughput has its own",
            ));
        }
        self.register_shape(descriptor, Vec::new(), Shape::AnyKeys)
    }

    /// The family of a state set. Its only key is its own name.
    pub(crate) fn register_states(
        &self,
        descriptor: &Descriptor,
        len: usize,
        at: fn(usize) -> Vec<Cow<'static, str>>,
    ) -> Result<Arc<Family>, Error> {
        // A name may contain these characters, a key may not. A page shows each as an underscore.
        let key = descriptor.name.replace(['-', '/'], "_");
        self.register_shape(descriptor, vec![key.into()], Shape::Closed { len, at })
    }

    /// The family for a static if it is still registered; from then on it cannot be removed.
    pub(crate) fn lasting(&self, family: &Arc<Family>) -> Option<&'static Family> {
        let families = self.families();
        let known = families.by_name.get(&family.name)?;
        Arc::ptr_eq(known, family).then(|| family.lasting())
    }

    fn register_shape(
        &self,
        descriptor: &Descriptor,
        keys: Vec<Cow<'static, str>>,
        shape: Shape,
    ) -> Result<Arc<Family>, Error> {
        check_name(&descriptor.name)?;
        check_keys(&keys)?;
        if descriptor.has_rates {
            check_rates(descriptor, &keys)?;
        }
        let busy = cells::busy();
        let mut families = self.families();
        let (name, kind, unit) = (&descriptor.name, descriptor.kind, descriptor.unit);
        if let Some(family) = families.by_name.get(name).cloned() {
            drop((families, busy)); // The type of the labels has code of its own.
            return match difference(&family, descriptor, &keys, &shape) {
                None => Ok(family),
                Some(difference) => Err(conflict((name, descriptor.place), &family, difference)),
            };
        }
        let made = clock::now();
        let view = families.views.for_instrument(name, kind, unit);
        let mut family = Family::new(descriptor, keys, &self.0.settings, shape, &view);
        if descriptor.has_rates {
            family.rates = Some(Arc::new(rates_family(descriptor, &self.0.settings)));
        }
        if families.has_removed {
            family.begin_now();
        }
        let family = Arc::new(family);
        let admitted = families.admit(&family);
        drop((families, busy)); // One that is refused ends outside the lock.
        admitted?;
        family.note_look(&cells::current_storage(), made);
        Ok(family)
    }
}

/// Reports one refusal per report, so that one instrument's report does not stand for another's.
fn tell_refusal(error: &dyn fmt::Display) {
    let text = format_args!("{error}; the first is kept, the other records into nothing");
    diagnostics::report_each("conflict", text);
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.families().by_name.keys().cloned().collect();
        f.debug_struct("Registry").field("families", &names).finish()
    }
}

#[cfg(test)]
mod keys_tests;
#[cfg(test)]
mod options_tests;
#[cfg(test)]
mod tests;
