//! Instruments that are asked for their values when a snapshot is taken: see `collector.rs` for where.

use std::{
    collections::BTreeMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    time::Duration,
};

use super::{
    Kind, PageBounds,
    cell::Storage,
    family::Family,
    name::key_fault,
    registry::Settings,
    snapshot::{self, Series, SeriesValue},
    stats::{self, CallbackFault},
};
use crate::{
    clock::{self, Ticks},
    diagnostics,
    label::LabelSet,
    sync::{
        Mutex,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

/// A callback and the family it speaks for.
pub(super) struct Observable {
    family: &'static Family,
    /// Of its registry.
    settings: Arc<Settings>,
    observe: Box<dyn Fn(&mut Observations) + Send + Sync>,
    /// The last totals of a counter. Nothing is locked inside it.
    totals: Mutex<BTreeMap<LabelSet, Total>>,
    /// Whether the callback runs.
    busy: AtomicBool,
    /// Whether a reader waited for it in vain, and no run since was quick.
    slow: AtomicBool,
    /// What the last run told, until a reader that awaited it takes it. Nothing is locked inside it.
    told: Mutex<Option<Told>>,
}

/// What a run told.
struct Told {
    family: snapshot::Family,
    /// Whose values it saw: nobody else is shown it.
    storage: Weak<Storage>,
    at: Ticks,
    constant: LabelSet, // The registry's own labels, which may have changed since.
}

/// How long the values of a run stand while the next one has not returned: what Prometheus takes for
/// a target that is gone.
const STALE_AFTER: Duration = Duration::from_secs(5 * 60);

/// A callback that is about to run, or runs: nobody else runs it.
pub(super) struct Run(Arc<Observable>);

/// The latest total of a series, and when it began.
struct Total {
    value: f64,
    started: Ticks,
}

/// What a callback tells: a value for each label set.
///
/// It takes as many series as any family of the registry may have; one with an illegal label key, or
/// one too many, is left out and reported. The registry's own labels are added to each. A counter's total that is negative or NaN is left out; one
/// that falls begins anew.
#[derive(Debug)]
pub struct Observations {
    series: BTreeMap<LabelSet, f64>,
    constant: LabelSet, // The registry's own.
    series_limit: usize,
    patience: Duration,
    refused: Option<String>, // The latest of what was left out.
}

/// Keeps a callback registered; dropping it takes the family off the registry.
#[must_use = "dropping it takes the family off the registry"]
pub struct Observer(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Observations {
    /// How long readers of the registry wait.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// Tells the value of the series with `labels`; of two with the same labels the later holds.
    pub fn observe(&mut self, value: f64, labels: &[(&'static str, &str)]) {
        if let Some((key, fault)) = labels.iter().find_map(|(key, _)| Some((key, key_fault(key)?)))
        {
            self.refused = Some(format!("label key {key:?} {fault}"));
            return;
        }
        let labels = match self.constant.is_empty() {
            true => LabelSet::new(labels.iter().copied()),
            false => self.constant.with(labels.iter().copied()),
        };
        if self.series.len() >= self.series_limit && !self.series.contains_key(&labels) {
            self.refused = Some(format!("more than {} series", self.series_limit));
            return;
        }
        self.series.insert(labels, value);
    }
}

impl Observer {
    pub(super) fn new(forget: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(forget)))
    }

    /// Leaves the callback registered for as long as the registry lives.
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
        family: &'static Family,
        settings: Arc<Settings>,
        observe: impl Fn(&mut Observations) + Send + Sync + 'static,
    ) -> Self {
        Self {
            family,
            settings,
            observe: Box::new(observe),
            totals: Mutex::default(),
            busy: AtomicBool::new(false),
            slow: AtomicBool::new(false),
            told: Mutex::new(None),
        }
    }

    pub(super) fn family(&self) -> &'static Family {
        self.family
    }

    pub(super) fn is_of(&self, family: &Family) -> bool {
        std::ptr::eq(self.family, family)
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

    /// The right to run it; `None` while it runs.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Run> {
        (!self.busy.swap(true, Acquire)).then(|| Run(self.clone()))
    }

    /// What a run told that was awaited.
    pub(super) fn take(&self, storage: &Arc<Storage>) -> Option<snapshot::Family> {
        let told = self.told.lock().take()?;
        told.is_for(storage, &self.settings.labels()).then_some(told.family)
    }

    /// What the last run told that nobody awaited, unless it is stale: the next run has not returned
    /// for minutes.
    pub(super) fn late(&self, storage: &Arc<Storage>) -> Option<snapshot::Family> {
        let constant = self.settings.labels();
        let told = self.told.lock();
        let told = told.as_ref().filter(|told| told.is_for(storage, &constant))?;
        let is_stale = self.is_running() && clock::now().since(told.at) >= STALE_AFTER;
        (!is_stale).then(|| told.family.clone())
    }

    /// Notes that a reader gave the callback up, which may be running still.
    pub(super) fn overran(&self) {
        self.slow.store(true, Relaxed);
        stats::callback_failed(CallbackFault::Overran, 1);
        let name = self.family.name;
        let text = format_args!(
            "the callback of {name} takes long: its values are shown to those who look later"
        );
        diagnostics::report("callback", text);
    }

    /// Calls the callback: what it tells, unless it panics.
    fn call(&self, storage: &Arc<Storage>) -> Option<Told> {
        let name = self.family.name;
        let constant = self.settings.labels();
        let (series_limit, patience) = (self.settings.series_limit(), self.patience());
        let (series, refused) = (BTreeMap::new(), None);
        let mut observations = Observations { series, constant, series_limit, patience, refused };
        let call = AssertUnwindSafe(|| (self.observe)(&mut observations));
        if catch_unwind(call).is_err() {
            stats::callback_failed(CallbackFault::Panicked, 1);
            diagnostics::report("callback", format_args!("the callback of {name} panicked"));
            return None;
        }
        if let Some(refused) = &observations.refused {
            diagnostics::report("callback", format_args!("of {name} left out: {refused}"));
        }
        Some(Told {
            family: self.family_of(observations.series, storage.started()),
            storage: Arc::downgrade(storage),
            at: clock::now(),
            constant: observations.constant,
        })
    }

    fn family_of(&self, values: BTreeMap<LabelSet, f64>, started: Ticks) -> snapshot::Family {
        let Family { name, kind, unit, help, .. } = self.family;
        let mut totals = self.totals.lock();
        totals.retain(|labels, _| values.contains_key(labels));
        let series = values.into_iter().filter_map(|(labels, value)| {
            let (value, started) = match kind {
                Kind::Counter if value.is_nan() || value < 0.0 => return None,
                Kind::Counter => {
                    let total = totals.entry(labels.clone()).or_insert(Total { value, started });
                    if value < total.value {
                        total.started = clock::now(); // It began anew, as a process that restarted.
                    }
                    total.value = value;
                    (SeriesValue::FloatCounter(value), total.started)
                }
                // As casts saturate, a sum that is NaN is zero.
                Kind::UpDownCounter => (SeriesValue::UpDownCounter(value as i64), started),
                Kind::Info => (SeriesValue::Info, started),
                Kind::StateSet => (SeriesValue::State(value != 0.0), started),
                _ => (SeriesValue::Gauge(value), started),
            };
            Some(Series::new(labels, value, started))
        });
        let (name, help, kind, unit) = ((*name).into(), (*help).into(), *kind, *unit);
        let (page_bounds, series) = (PageBounds::default(), series.collect());
        snapshot::Family { name, kind, unit, help, page_bounds, series }
    }
}

impl Run {
    /// Runs the callback with the values of `storage`, and keeps what it tells.
    pub(super) fn run(self, storage: &Arc<Storage>) {
        let Self(observable) = &self;
        let quick = clock::deadline(quick(observable.patience()));
        let told = observable.call(storage);
        *observable.told.lock() = told;
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

/// What is quick for a reader of this patience: clearly less, so that what takes about as long as that
/// is not waited for in vain every other time.
pub(crate) fn quick(patience: Duration) -> Duration {
    patience / 4 * 3
}

impl Told {
    fn is_for(&self, storage: &Arc<Storage>, constant: &LabelSet) -> bool {
        std::ptr::eq(self.storage.as_ptr(), Arc::as_ptr(storage)) && self.constant == *constant
    }
}
