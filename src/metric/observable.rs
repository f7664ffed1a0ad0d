//! Instruments whose callbacks run when a snapshot is taken; `collector.rs` has their threads.

use std::{
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    time::Duration,
};

use super::observations::{Observations, Outcome, Past, Terms};
use crate::{
    cells::{CallbackFault, Storage, tally},
    clock::{self, Ticks},
    diagnostics,
    label::{LabelSet, OVERFLOW_KEY},
    series::{Family, Settings},
    snapshot::{self, PageBounds, Series},
    sync::{
        Mutex,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

/// A callback and its family.
pub(super) struct Observable {
    family: Arc<Family>,
    /// The settings of its registry.
    settings: Arc<Settings>,
    /// The limit of a view, if one sets it.
    limit: Option<usize>,
    /// Whether it is one of the crate's own: it returns at once, and its counters were zero before they
    /// appeared.
    is_own: bool,
    observe: Box<dyn Fn(&mut Observations) + Send + Sync>,
    /// The series of the last run; none while the callback runs. No other lock is taken inside it.
    past: Mutex<Past>,
    /// Whether the callback is running.
    busy: AtomicBool,
    /// Whether a reader waited for it in vain, and no run since then was quick.
    slow: AtomicBool,
    /// The values of the last run, until a reader that waited takes them. No other lock is taken
    /// inside it.
    collected: Mutex<Option<Collected>>,
}

/// The values of one run.
struct Collected {
    family: snapshot::Family,
    /// The storage that the run saw. Only readers of this storage are shown the values.
    storage: Weak<Storage>,
    at: Ticks,
    constant: LabelSet, // The registry's own labels, which may have changed since.
}

/// How long the values of a run are shown while the next run does not return: the time after which
/// Prometheus takes a target for gone.
const STALE_AFTER: Duration = Duration::from_secs(5 * 60);

/// A callback that is about to run, or running. No other thread runs it meanwhile.
pub(super) struct Run(Arc<Observable>);

/// Keeps a callback registered; dropping it removes the family from the registry.
#[must_use = "dropping it takes the family off the registry"]
pub struct Observer(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Observer {
    pub(super) fn new(forget: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(forget)))
    }

    /// Keeps the callback registered for as long as the registry lives.
    pub fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        if let Some(forget) = self.0.take() {
            forget();
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").finish_non_exhaustive()
    }
}

impl Observable {
    pub(super) fn new(
        family: Arc<Family>,
        settings: Arc<Settings>,
        limit: Option<usize>,
        is_own: bool,
        observe: impl Fn(&mut Observations) + Send + Sync + 'static,
    ) -> Self {
        Self {
            family,
            settings,
            limit,
            is_own,
            observe: Box::new(observe),
            past: Mutex::default(),
            busy: AtomicBool::new(false),
            slow: AtomicBool::new(false),
            collected: Mutex::new(None),
        }
    }

    pub(super) fn family(&self) -> &Arc<Family> {
        &self.family
    }

    pub(super) fn is_of(&self, family: &Arc<Family>) -> bool {
        Arc::ptr_eq(&self.family, family)
    }

    /// How long a reader waits for it.
    pub(super) fn patience(&self) -> Duration {
        self.settings.patience()
    }

    pub(super) fn is_running(&self) -> bool {
        self.busy.load(Relaxed)
    }

    /// Whether readers should not wait for it.
    pub(super) fn is_slow(&self) -> bool {
        self.slow.load(Relaxed)
    }

    /// Takes the right to run it; `None` while it runs.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Run> {
        (!self.busy.swap(true, Acquire)).then(|| Run(self.clone()))
    }

    /// Takes the values of a run that the reader waited for.
    pub(super) fn take(&self, storage: &Arc<Storage>) -> Option<snapshot::Family> {
        let collected = self.collected.lock().take()?;
        collected.is_for(storage, &self.settings.labels()).then_some(collected.family)
    }

    /// The values of the last run, for a reader that did not wait. `None` if they are stale, because
    /// the next run has not returned for minutes.
    pub(super) fn late(&self, storage: &Arc<Storage>) -> Option<snapshot::Family> {
        let constant = self.settings.labels();
        let collected = self.collected.lock();
        let collected =
            collected.as_ref().filter(|collected| collected.is_for(storage, &constant))?;
        let is_stale = self.is_running() && clock::now().since(collected.at) >= STALE_AFTER;
        (!is_stale).then(|| collected.family.clone())
    }

    /// Notes that a reader gave up waiting for the callback, which may still be running.
    pub(super) fn overran(&self) {
        self.slow.store(true, Relaxed);
        tally(|tally| tally.callback_failed(CallbackFault::Overran, 1));
        let name = &self.family.name;
        let text = format_args!(
            "the callback of {name} takes long: its values are shown to those who look later"
        );
        diagnostics::report("callback", text);
    }

    pub(super) fn is_own(&self) -> bool {
        self.is_own
    }

    /// Calls the callback and returns its family; `None` if it panics.
    pub(super) fn read(&self, storage: &Arc<Storage>) -> Option<snapshot::Family> {
        self.call(storage).map(|collected| collected.family)
    }

    /// Calls the callback and returns its values; `None` if it panics.
    fn call(&self, storage: &Arc<Storage>) -> Option<Collected> {
        let terms = self.terms();
        let constant = terms.constant.clone();
        let mut observations = Observations::new(terms, mem::take(&mut *self.past.lock()));
        let call = AssertUnwindSafe(|| (self.observe)(&mut observations));
        if catch_unwind(call).is_err() {
            *self.past.lock() = observations.give_up();
            let name = &self.family.name;
            tally(|tally| tally.callback_failed(CallbackFault::Panicked, 1));
            diagnostics::report("callback", format_args!("the callback of {name} panicked"));
            return None;
        }
        let (outcome, past) = observations.finish(storage.started());
        *self.past.lock() = past;
        self.report(&outcome);
        let family = self.family_of(outcome.series);
        let storage = Arc::downgrade(storage);
        Some(Collected { family, storage, at: clock::now(), constant })
    }

    fn terms(&self) -> Terms {
        Terms {
            kind: self.family.kind,
            constant: self.settings.labels(),
            series_limit: self.limit.unwrap_or_else(|| self.settings.series_limit()),
            patience: self.patience(),
        }
    }

    fn family_of(&self, series: Vec<Series>) -> snapshot::Family {
        let (Family { name, kind, unit, .. }, help) = (&*self.family, self.family.help());
        snapshot::Family {
            name: name.clone(),
            kind: *kind,
            unit: *unit,
            help: help.clone(),
            page_bounds: PageBounds::default(),
            begins_at_zero: self.is_own,
            series,
        }
    }

    /// Counts and reports what was left out, or is beyond the limit.
    fn report(&self, outcome: &Outcome) {
        let Family { name, place, .. } = &*self.family;
        if let Some(refused) = &outcome.refused {
            diagnostics::report("callback", format_args!("of {name} left out: {refused}"));
        }
        if outcome.n_beyond > 0 {
            tally(|tally| tally.overflow(name, outcome.n_beyond));
        }
        if outcome.is_beyond_news {
            let limit = self.terms().series_limit;
            let what = match self.terms().is_sum() {
                true => format!("go to the series {OVERFLOW_KEY}=\"true\""),
                false => "are left out".to_owned(),
            };
            diagnostics::report(
                "cardinality",
                format_args!(
                    "{name} ({place}) gives more than {limit} series: further ones {what}"
                ),
            );
        }
    }
}

impl Run {
    /// Runs the callback with the values of `storage`, and keeps what it observes.
    pub(super) fn run(self, storage: &Arc<Storage>) {
        let Self(observable) = &self;
        let quick = clock::deadline(quick(observable.patience()));
        let collected = observable.call(storage);
        *observable.collected.lock() = collected;
        if !clock::until(quick).is_zero() {
            observable.slow.store(false, Relaxed);
        }
    }
}

/// The callback has returned, or is not run after all.
impl Drop for Run {
    fn drop(&mut self) {
        self.0.busy.store(false, Release);
    }
}

/// The time within which a run is quick for a reader of this patience. It is clearly shorter than the
/// patience: otherwise a reader would wait in vain every other time for a callback that takes about as
/// long.
pub(crate) fn quick(patience: Duration) -> Duration {
    patience / 4 * 3
}

impl Collected {
    fn is_for(&self, storage: &Arc<Storage>, constant: &LabelSet) -> bool {
        std::ptr::eq(self.storage.as_ptr(), Arc::as_ptr(storage)) && self.constant == *constant
    }
}
