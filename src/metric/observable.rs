//! Instruments that are asked for their values when a snapshot is taken: see `collector.rs` for where.

use std::{
    collections::BTreeMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::{
    Kind, PageBounds,
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
            Ordering::{Acquire, Release},
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
}

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
    refused: Option<String>, // The latest of what was left out.
}

/// Keeps a callback registered; dropping it takes the family off the registry.
#[must_use = "dropping it takes the family off the registry"]
pub struct Observer(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Observations {
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
        let (totals, busy) = (Mutex::default(), AtomicBool::new(false));
        Self { family, settings, observe: Box::new(observe), totals, busy }
    }

    pub(super) fn family(&self) -> &'static Family {
        self.family
    }

    pub(super) fn is_of(&self, family: &Family) -> bool {
        std::ptr::eq(self.family, family)
    }

    /// The family's values; `None` if the callback panicked, or still runs in another cycle.
    pub(super) fn read(&self, started: Ticks) -> Option<snapshot::Family> {
        if self.busy.swap(true, Acquire) {
            stats::callback_failed(CallbackFault::Skipped, 1);
            return None;
        }
        let _running = Running(&self.busy);
        let name = self.family.name;
        let (constant, series_limit) = (self.settings.labels(), self.settings.series_limit());
        let series = BTreeMap::new();
        let mut observations = Observations { series, constant, series_limit, refused: None };
        let call = AssertUnwindSafe(|| (self.observe)(&mut observations));
        if catch_unwind(call).is_err() {
            stats::callback_failed(CallbackFault::Panicked, 1);
            diagnostics::report("callback", format_args!("the callback of {name} panicked"));
            return None;
        }
        if let Some(refused) = &observations.refused {
            diagnostics::report("callback", format_args!("of {name} left out: {refused}"));
        }
        Some(self.told(observations.series, started))
    }

    /// Notes that a reader gave the callback up, which may be running still.
    pub(super) fn overran(&self) {
        stats::callback_failed(CallbackFault::Overran, 1);
        let name = self.family.name;
        let text = format_args!("the callback of {name} takes too long: skipped until it returns");
        diagnostics::report("callback", text);
    }

    fn told(&self, values: BTreeMap<LabelSet, f64>, started: Ticks) -> snapshot::Family {
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

/// Marks a callback as returned when it is dropped.
struct Running<'a>(&'a AtomicBool);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(false, Release);
    }
}
