//! One series at one instant, as a route of metrics sends it.

use std::{borrow::Cow, sync::Arc, time::Duration};

use super::{
    exemplar::Exemplar,
    family::{Family, Kind, Series, SeriesValue, Snapshot},
    histogram::PageBounds,
    unit::Unit,
    view::Views,
};
use crate::{
    clock::Ticks,
    label::LabelSet,
    pipeline::{Overflow, Route, Settings, Signal},
};

/// Whether what a reader collects is a total or a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Temporality {
    /// Totals since each series began: what Prometheus expects.
    #[default]
    Cumulative,
    /// Differences since the reader's last collection: what StatsD and some services expect.
    Delta,
}

/// One series at one instant: the record of the signal `metrics`.
///
/// # Examples
///
/// ```
/// use bellwether::metric::{Registry, Temporality};
///
/// let registry = Registry::new();
/// registry.counter("shop.orders", "Orders accepted").build()?.add(3);
/// let points = registry.snapshot().data_points(Temporality::Cumulative);
/// assert_eq!((points[0].name(), points[0].value().as_f64()), ("shop.orders", 3.0));
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DataPoint {
    family: Arc<About>,
    series: Series,
    taken: Ticks,
    temporality: Temporality,
}

/// What the points of one family share.
#[derive(Debug)]
struct About {
    name: Cow<'static, str>,
    help: Cow<'static, str>,
    kind: Kind,
    unit: Unit,
    #[cfg_attr(
        not(any(
            feature = "otlp",
            feature = "remote-write",
            feature = "influx",
            feature = "pushgateway"
        )),
        expect(dead_code, reason = "of who sends bounds")
    )]
    page_bounds: PageBounds,
}

impl Snapshot {
    /// Every series as a record of its own, sorted by name and labels; `temporality` is that of the
    /// snapshot.
    #[must_use]
    pub fn data_points(&self, temporality: Temporality) -> Vec<DataPoint> {
        let n = self.families().iter().map(|family| family.series.len()).sum();
        let mut points = Vec::with_capacity(n);
        for Family { name, kind, unit, help, page_bounds, series, .. } in self.families() {
            let (name, help) = (name.clone(), help.clone());
            let (kind, unit, page_bounds) = (*kind, *unit, *page_bounds);
            let family = Arc::new(About { name, help, kind, unit, page_bounds });
            points.extend(series.iter().map(|series| DataPoint {
                family: family.clone(),
                series: series.clone(),
                taken: self.taken(),
                temporality,
            }));
        }
        points
    }
}

#[cfg(feature = "pushgateway")]
impl Snapshot {
    /// The points of one reading, in any order, as a snapshot again. Of points with the same name and labels the
    /// first counts, and of those with the same name those of the first one's kind. `None` if there are none.
    pub(crate) fn of_points(points: &[DataPoint]) -> Option<Self> {
        let mut sorted: Vec<&DataPoint> = points.iter().collect();
        sorted.sort_by_key(|point| (point.name(), point.labels())); // Stable.
        sorted.dedup_by_key(|point| (point.name(), point.labels()));
        let of_family = sorted.chunk_by(|a, b| a.name() == b.name()).map(|points| {
            let About { name, help, kind, unit, page_bounds } = &*points[0].family;
            let alike = points.iter().filter(|point| point.kind() == *kind);
            Family {
                name: name.clone(),
                kind: *kind,
                unit: *unit,
                help: help.clone(),
                page_bounds: *page_bounds,
                begins_at_zero: false,
                series: alike.map(|point| point.series.clone()).collect(),
            }
        });
        let started = points.iter().map(DataPoint::started).min()?;
        let taken = points.iter().map(DataPoint::taken).max()?;
        Some(Self::new(started, taken, of_family.collect()))
    }
}

impl DataPoint {
    /// The instrument's name: dotted, without the unit.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.family.name
    }

    /// The description.
    #[must_use]
    pub fn help(&self) -> &str {
        &self.family.help
    }

    /// The kind of instrument.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.family.kind
    }

    /// The unit.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.family.unit
    }

    /// The labels.
    #[must_use]
    pub fn labels(&self) -> &LabelSet {
        self.series.labels()
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &SeriesValue {
        self.series.value()
    }

    /// The newest exemplar of a counter; those of a histogram are in its value.
    #[must_use]
    pub fn exemplar(&self) -> Option<&Exemplar> {
        self.series.exemplar()
    }

    /// When the sum of the value began; for a difference, when the last reading was taken.
    #[must_use]
    pub fn started(&self) -> Ticks {
        self.series.started()
    }

    /// When it was read.
    #[must_use]
    pub fn taken(&self) -> Ticks {
        self.taken
    }

    /// Whether sums are totals or differences.
    #[must_use]
    pub fn temporality(&self) -> Temporality {
        self.temporality
    }

    /// Whether both are of one family and of one reading.
    #[cfg(feature = "otlp")]
    pub(crate) fn is_of_family_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.family, &other.family)
    }

    /// The bounds that a histogram without bounds of its own shows to who wants a few fixed ones.
    #[cfg(any(feature = "otlp", feature = "influx"))]
    pub(crate) fn shown_bounds(&self) -> Cow<'static, [f64]> {
        super::histogram::ladder::bounds(self.family.unit, self.family.page_bounds)
    }

    /// The bounds that a histogram shows where its own buckets are not.
    #[cfg(feature = "remote-write")]
    pub(crate) fn page_bounds(&self) -> PageBounds {
        self.family.page_bounds
    }

    /// Changes the labels, for a [`Processor`](crate::pipeline::Processor).
    pub fn set_labels(&mut self, labels: LabelSet) {
        self.series.labels = labels;
    }

    /// Changes the exemplars that `is_changed` is true of. Where it is of none, nothing is copied; where it
    /// is, those of a histogram are, which another reading may share.
    pub(crate) fn change_exemplars(
        &mut self,
        is_changed: impl Fn(&Exemplar) -> bool,
        change: impl Fn(&Exemplar) -> Exemplar,
    ) {
        if let Some(exemplar) = self.series.exemplar.as_mut().filter(|one| is_changed(one)) {
            *exemplar = Arc::new(change(exemplar));
        }
        if let SeriesValue::Histogram(histogram) = &mut self.series.value
            && histogram.exemplars.iter().any(&is_changed)
        {
            let exemplars = Arc::make_mut(histogram).exemplars.iter_mut();
            exemplars.filter(|one| is_changed(one)).for_each(|one| *one = change(one));
        }
    }
}

/// The options of a route of metrics.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct MetricsOptions {
    pub(crate) interval: Duration,
    pub(crate) temporality: Temporality,
    pub(crate) views: Views,
}

impl Default for MetricsOptions {
    fn default() -> Self {
        let interval = Duration::from_secs(10);
        Self { interval, temporality: Temporality::default(), views: Views::default() }
    }
}

impl Signal for DataPoint {
    const NAME: &'static str = "metrics";
    type RouteOptions = MetricsOptions;

    /// Includes the labels, though a registry may share them: so if a backend is away, its records take
    /// no more than the queue's bound.
    fn weight(&self) -> usize {
        let labels: usize = self.labels().iter().map(|(key, value)| key.len() + value.len()).sum();
        size_of::<Self>() + self.series.weight() + labels
    }

    /// A million points, 64 MiB and batches of 8,192. If the queue is full, the oldest reading is
    /// dropped.
    fn settings() -> Settings {
        Settings {
            max_items: 1 << 20,
            batch_items: 8_192,
            overflow: Overflow::DropOldest,
            ..Settings::default()
        }
    }
}

/// How metrics are pushed.
impl Route<DataPoint> {
    /// How often the metrics are read and sent: at least 10 ms, and 10 s by default. OpenTelemetry's
    /// SDKs have 60 s.
    ///
    /// Metrics are also sent at each flush and at shutdown.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.options.interval = interval.max(Duration::from_millis(10));
        self
    }

    /// Whether totals or differences are sent; totals by default.
    pub fn temporality(mut self, temporality: Temporality) -> Self {
        self.options.temporality = temporality;
        self
    }

    /// Shows this route's metrics by `views`, after those of the registry: they can rename, drop and
    /// relabel. Buckets and limits are decided when a series is recorded, so they have no effect here.
    pub fn views(mut self, views: Views) -> Self {
        self.options.views = views;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_of_metrics_sends_totals_every_ten_seconds_unless_configured() {
        let MetricsOptions { interval, temporality, views } = MetricsOptions::default();
        assert_eq!((interval, temporality), (Duration::from_secs(10), Temporality::Cumulative));
        assert!(views.is_empty());
    }
}
