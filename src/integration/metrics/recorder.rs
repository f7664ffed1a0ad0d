//! The recorder: the facade's calls, each to the names and the handles of its kind.

use std::{fmt, sync::Arc, time::Duration};

use ::metrics::{
    Counter as FacadeCounter, Gauge as FacadeGauge, Histogram as FacadeHistogram, Key, KeyName,
    Metadata, Recorder, SharedString, Unit as FacadeUnit,
};

use super::{cache::Cache, kind::Kind, names::Names, settings::Settings, unit::unit_of};
use crate::{
    cells::guarded,
    error::{Error, ErrorKind},
    label::AnyKeys,
    metric::{
        Counter, Gauge, Histogram, Registry, Unit,
        bridge::{Leads, leads},
    },
};

/// A recorder for the facade `metrics` that records into a [`Registry`].
///
/// [`install`](Self::install) makes it the recorder of the process. It also serves as a local one, for a
/// test or a part of a program: `metrics::with_local_recorder`.
///
/// # Examples
///
/// ```
/// use bellwether::{integration::metrics::MetricsRecorder, metric::Registry};
///
/// let registry = Registry::new();
/// let recorder = MetricsRecorder::new(&registry);
/// metrics::with_local_recorder(&recorder, || {
///     metrics::describe_gauge!("pool.size", "Connections that are open");
///     metrics::gauge!("pool.size", "host" => "db1").set(7);
/// });
/// let snapshot = registry.snapshot();
/// assert_eq!(snapshot.value("pool.size", &[("host", "db1")]).unwrap().as_f64(), 7.0);
/// ```
#[must_use = "it records nothing before it is installed"]
pub struct MetricsRecorder {
    settings: Settings,
    counters: Known<Counter<AnyKeys>>,
    gauges: Known<Gauge<AnyKeys>>,
    histograms: Known<Histogram<AnyKeys>>,
}

impl MetricsRecorder {
    /// A recorder that records into `registry`.
    pub fn new(registry: &Registry) -> Self {
        Self {
            settings: Settings::new(registry.clone()),
            counters: Known::new(),
            gauges: Known::new(),
            histograms: Known::new(),
        }
    }

    /// Removes a series when nothing was recorded in it for `idle`, as
    /// [`Counter::expire_after`](crate::Counter::expire_after) says. By default series stay.
    pub fn expire_after(mut self, idle: Duration) -> Self {
        self.settings.idle = Some(idle);
        self
    }

    /// Limits the recorder to `limit` names, of all kinds together; 2,000 by default. What is recorded
    /// by further names is lost, and counted: see [the module](super#what-is-bounded).
    pub fn name_limit(mut self, limit: usize) -> Self {
        self.settings.name_limit = limit;
        self
    }

    /// Ignores units, so that no name on a page ends in one that the library did not write.
    pub fn ignore_units(mut self) -> Self {
        self.settings.ignores_units = true;
        self
    }

    /// Makes it the recorder of the process, for good. What was recorded by the facade before is lost.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] if the process has a recorder already.
    pub fn install(self) -> Result<(), Error> {
        ::metrics::set_global_recorder(self)
            .map_err(|_| Error::new(ErrorKind::State, "the metrics facade has a recorder already"))
    }
}

impl Recorder for MetricsRecorder {
    fn describe_counter(&self, key: KeyName, unit: Option<FacadeUnit>, said: SharedString) {
        self.counters.describe(&self.settings, &key, unit, &said);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<FacadeUnit>, said: SharedString) {
        self.gauges.describe(&self.settings, &key, unit, &said);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<FacadeUnit>, said: SharedString) {
        self.histograms.describe(&self.settings, &key, unit, &said);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> FacadeCounter {
        let handle = self.counters.handle(&self.settings, key);
        handle.map_or_else(FacadeCounter::noop, FacadeCounter::from_arc)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> FacadeGauge {
        let handle = self.gauges.handle(&self.settings, key);
        handle.map_or_else(FacadeGauge::noop, FacadeGauge::from_arc)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> FacadeHistogram {
        let handle = self.histograms.handle(&self.settings, key);
        handle.map_or_else(FacadeHistogram::noop, FacadeHistogram::from_arc)
    }
}

impl fmt::Debug for MetricsRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsRecorder")
            .field("settings", &self.settings)
            .field("counters", &self.counters)
            .field("gauges", &self.gauges)
            .field("histograms", &self.histograms)
            .finish()
    }
}

/// What is known of one kind.
struct Known<K: Kind> {
    names: Names<K>,
    handles: Cache<K>,
}

impl<K: Kind> Known<K> {
    fn new() -> Self {
        Self { names: Names::new(), handles: Cache::new() }
    }

    /// The handle of the series that `key` names. `None` if an allocator records inside of us, which is
    /// counted.
    #[inline]
    fn handle(&self, settings: &Settings, key: &Key) -> Option<Arc<K::Handle>> {
        // Guarded, because an allocator may record while its thread holds a lock of ours.
        match guarded(|| self.handles.get(key))? {
            Some(known) => Some(known),
            None => self.look_up(settings, key),
        }
    }

    #[cold]
    fn look_up(&self, settings: &Settings, key: &Key) -> Option<Arc<K::Handle>> {
        let (instrument, report) = guarded(|| self.names.find_or_add(key.name(), settings))?;
        report.send();
        let mut labels: Vec<_> = key.labels().map(|label| (label.key(), label.value())).collect();
        // Keys are equal in whatever order their labels are, also where two labels have one key.
        labels.sort_unstable();
        let handle = Arc::new(K::wrap(instrument.bind(&labels)));
        // Others are no series of their own: there may be any number of keys that lead to them.
        if let Leads::Series(_) = leads::<K>(K::bound(&handle)) {
            guarded(|| self.handles.keep(key, &handle));
        }
        Some(handle)
    }

    fn describe(
        &self,
        settings: &Settings,
        name: &KeyName,
        unit: Option<FacadeUnit>,
        help: &SharedString,
    ) {
        let unit = unit.map_or(Unit::NONE, unit_of);
        let report = guarded(|| self.names.describe(name.as_str(), unit, help, settings));
        if let Some(report) = report {
            report.send();
        }
    }
}

impl<K: Kind> fmt::Debug for Known<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut known = f.debug_struct("Known");
        known.field("names", &self.names).field("handles", &self.handles.len()).finish()
    }
}
