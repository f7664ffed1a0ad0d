//! Instruments whose callbacks run when a snapshot is taken; `collector.rs` has their threads.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    time::Duration,
};

use crate::{
    cells::{CallbackFault, Storage, tally},
    clock::{self, Ticks},
    diagnostics,
    label::{LabelSet, OVERFLOW_KEY},
    series::{Family, Settings},
    snapshot::{self, Kind, PageBounds, Series, SeriesValue, key_fault},
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
    /// The series of the last run, the overflow series included. No other lock is taken inside it.
    last: Mutex<BTreeMap<LabelSet, Total>>,
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

/// The latest value of a series, and the start of its sum.
struct Total {
    value: f64,
    started: Ticks,
}

/// Takes the values that a callback observes, one for each label set.
///
/// The number of series has the same limit as for any family of the registry. Series of the previous
/// run keep their place while they are observed; free places go to the first new ones. What is beyond
/// the limit is added up in the overflow series, `otel.metric.overflow="true"`, if the values are
/// sums: of a counter or an up-down counter. A gauge, a state or an info beyond the limit cannot be
/// added up, so it is left out and reported. Each such observation is counted in
/// `telemetry.series.overflowed`. When one of the series in a counter's overflow gets a place, the
/// overflow series restarts.
///
/// A series with an illegal label key is left out and reported. The registry's own labels are added to
/// each series. A counter's total that is negative or NaN is left out; a total that falls restarts the
/// series.
#[derive(Debug)]
pub struct Observations {
    kind: Kind,
    series: BTreeMap<LabelSet, f64>,
    constant: LabelSet, // The registry's own.
    series_limit: usize,
    /// Series of the previous run that were not observed yet. Their places are kept.
    awaited: BTreeSet<LabelSet>,
    /// The first new series that had no place. They get the places of series that are not observed any
    /// more. By labels: the order in which they came, and the value. At most as many as the limit.
    waiting: BTreeMap<LabelSet, (usize, f64)>,
    beyond: Beyond,
    patience: Duration,
    refused: Option<String>, // The latest of what was left out.
}

/// The sum of the values beyond the limit.
#[derive(Clone, Copy, Debug, Default)]
struct Beyond {
    n_observations: u64,
    total: f64,
    whole: i64, // Of an up-down counter.
}

/// Keeps a callback registered; dropping it removes the family from the registry.
#[must_use = "dropping it takes the family off the registry"]
pub struct Observer(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Observations {
    /// How long readers of the registry wait.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// Sets the value of the series with `labels`. If the same labels come twice, the later value
    /// counts. Beyond twice the limit, all values are added.
    pub fn observe(&mut self, value: f64, labels: &[(&'static str, &str)]) {
        if let Some((key, fault)) = labels.iter().find_map(|(key, _)| Some((key, key_fault(key)?)))
        {
            self.refused = Some(format!("label key {key:?} {fault}"));
            return;
        }
        if self.kind == Kind::Counter && (value.is_nan() || value < 0.0) {
            return;
        }
        let labels = match self.constant.is_empty() {
            true => LabelSet::new(labels.iter().copied()),
            false => self.constant.with(labels.iter().copied()),
        };
        if let Some(known) = self.series.get_mut(&labels) {
            *known = value;
        } else if self.awaited.remove(&labels)
            || self.series.len() + self.awaited.len() < self.series_limit
        {
            self.series.insert(labels, value);
        } else if let Some((_, waiting)) = self.waiting.get_mut(&labels) {
            *waiting = value;
        } else if self.waiting.len() < self.series_limit {
            self.waiting.insert(labels, (self.waiting.len(), value));
        } else {
            self.beyond.add(value);
        }
    }

    /// Gives free places to the waiting series, and adds up the others.
    fn settle(&mut self) {
        self.awaited.clear();
        let mut waiting: Vec<_> = std::mem::take(&mut self.waiting).into_iter().collect();
        waiting.sort_by_key(|(_, (place, _))| *place);
        for (labels, (_, value)) in waiting {
            match self.series.len() < self.series_limit {
                true => drop(self.series.insert(labels, value)),
                false => self.beyond.add(value),
            }
        }
    }
}

impl Beyond {
    fn add(&mut self, value: f64) {
        self.n_observations += 1;
        self.total += value;
        self.whole = self.whole.wrapping_add(value as i64);
    }
}

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
            last: Mutex::default(),
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
        let name = &self.family.name;
        let mut observations = self.begun();
        let call = AssertUnwindSafe(|| (self.observe)(&mut observations));
        if catch_unwind(call).is_err() {
            tally(|tally| tally.callback_failed(CallbackFault::Panicked, 1));
            diagnostics::report("callback", format_args!("the callback of {name} panicked"));
            return None;
        }
        observations.settle();
        if let Some(refused) = &observations.refused {
            diagnostics::report("callback", format_args!("of {name} left out: {refused}"));
        }
        Some(Collected {
            constant: observations.constant.clone(),
            family: self.family_of(observations, storage.started()),
            storage: Arc::downgrade(storage),
            at: clock::now(),
        })
    }

    /// Observations without values so far.
    fn begun(&self) -> Observations {
        let (kind, constant) = (self.family.kind, self.settings.labels());
        let series_limit = self.limit.unwrap_or_else(|| self.settings.series_limit());
        let overflow = overflow_labels(&constant);
        let last = self.last.lock();
        let awaited = last.keys().filter(|labels| **labels != overflow).take(series_limit);
        let awaited = awaited.cloned().collect();
        Observations {
            kind,
            series: BTreeMap::new(),
            constant,
            series_limit,
            awaited,
            waiting: BTreeMap::new(),
            beyond: Beyond::default(),
            patience: self.patience(),
            refused: None,
        }
    }

    fn family_of(&self, observations: Observations, started: Ticks) -> snapshot::Family {
        let Family { name, kind, unit, help, .. } = &*self.family;
        let Observations { series: mut values, constant, series_limit, beyond, .. } = observations;
        let overflow = overflow_labels(&constant);
        if beyond.n_observations > 0 {
            let is_sum = matches!(kind, Kind::Counter | Kind::UpDownCounter);
            if is_sum {
                values.insert(overflow.clone(), beyond.total);
            }
            tally(|tally| tally.overflow(name, beyond.n_observations));
            if !is_sum || !self.last.lock().contains_key(&overflow) {
                self.warn(series_limit, is_sum);
            }
        }
        let mut last = self.last.lock();
        last.retain(|labels, _| values.contains_key(labels));
        let series = values.into_iter().map(|(labels, value)| {
            let seen = last.entry(labels.clone()).or_insert(Total { value, started });
            if *kind == Kind::Counter && value < seen.value {
                seen.started = clock::now(); // It began anew, as a process that restarted.
            }
            seen.value = value;
            let started = if *kind == Kind::Counter { seen.started } else { started };
            let value = match kind {
                Kind::Counter => SeriesValue::FloatCounter(value),
                Kind::UpDownCounter if labels == overflow => {
                    SeriesValue::UpDownCounter(beyond.whole)
                }
                // As casts saturate, a sum that is NaN is zero.
                Kind::UpDownCounter => SeriesValue::UpDownCounter(value as i64),
                Kind::Info => SeriesValue::Info,
                Kind::StateSet => SeriesValue::State(value != 0.0),
                _ => SeriesValue::Gauge(value),
            };
            Series::new(labels, value, started)
        });
        let (name, help, kind, unit) = (name.clone(), help.clone(), *kind, *unit);
        let (page_bounds, series) = (PageBounds::default(), series.collect());
        let begins_at_zero = self.is_own;
        snapshot::Family { name, kind, unit, help, page_bounds, begins_at_zero, series }
    }

    fn warn(&self, limit: usize, is_sum: bool) {
        let Family { name, place, .. } = &*self.family;
        let what = match is_sum {
            true => format!("go to the series {OVERFLOW_KEY}=\"true\""),
            false => "are left out".to_owned(),
        };
        diagnostics::report(
            "cardinality",
            format_args!("{name} ({place}) gives more than {limit} series: further ones {what}"),
        );
    }
}

/// The labels of the overflow series.
fn overflow_labels(constant: &LabelSet) -> LabelSet {
    constant.with([(OVERFLOW_KEY, "true")])
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
