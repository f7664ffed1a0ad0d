//! Instruments that are asked for their values when a snapshot is taken.

use std::{
    collections::BTreeMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::{
    Kind,
    family::Family,
    name::key_fault,
    snapshot::{self, Series, SeriesValue},
};
use crate::{diagnostics, label::LabelSet};

/// A callback and the family it speaks for.
pub(super) struct Observable {
    family: &'static Family,
    series_limit: usize,
    observe: Box<dyn Fn(&mut Observations) + Send + Sync>,
}

/// What a callback tells: a value for each label set.
///
/// It takes as many series as any family of the registry may have; one with an illegal label key, or
/// one too many, is left out and reported.
#[derive(Debug)]
pub struct Observations {
    series: BTreeMap<LabelSet, f64>,
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
        let labels = LabelSet::new(labels.iter().copied());
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
        series_limit: usize,
        observe: impl Fn(&mut Observations) + Send + Sync + 'static,
    ) -> Self {
        Self { family, series_limit, observe: Box::new(observe) }
    }

    pub(super) fn family(&self) -> &'static Family {
        self.family
    }

    pub(super) fn is_of(&self, family: &Family) -> bool {
        std::ptr::eq(self.family, family)
    }

    /// The family's values; `None` if the callback panicked.
    pub(super) fn read(&self) -> Option<snapshot::Family> {
        let Family { name, kind, unit, help, .. } = self.family;
        let (series, series_limit) = (BTreeMap::new(), self.series_limit);
        let mut observations = Observations { series, series_limit, refused: None };
        let call = AssertUnwindSafe(|| (self.observe)(&mut observations));
        if catch_unwind(call).is_err() {
            diagnostics::report("callback", format_args!("the callback of {name} panicked"));
            return None;
        }
        if let Some(refused) = &observations.refused {
            diagnostics::report("callback", format_args!("of {name} left out: {refused}"));
        }
        let value = |value: f64| match kind {
            // As casts saturate, a total that is negative or NaN is zero.
            Kind::Counter => SeriesValue::Counter(value as u64),
            Kind::UpDownCounter => SeriesValue::UpDownCounter(value as i64),
            Kind::Gauge | Kind::Histogram | Kind::Summary => SeriesValue::Gauge(value),
        };
        let series = observations.series.into_iter();
        Some(snapshot::Family {
            name: (*name).into(),
            kind: *kind,
            unit: *unit,
            help: (*help).into(),
            series: series.map(|(labels, n)| Series { labels, value: value(n) }).collect(),
        })
    }
}
