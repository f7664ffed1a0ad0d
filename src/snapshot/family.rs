//! Snapshots: what was recorded, at one instant. They are immutable and shared, and all readers read
//! them.

use std::{borrow::Cow, sync::Arc, time::Duration};

use super::{
    exemplar::Exemplar,
    histogram::{HistogramSnapshot, PageBounds},
    unit::Unit,
};
use crate::{clock::Ticks, label::LabelSet};

/// All series of a registry at one instant; immutable and cheap to clone.
///
/// Totals are exact: a snapshot has every record that happened before it was taken, on a thread that
/// was synchronised with the reader. A record that runs at the same time may or may not be in it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    taken: Ticks,
    started: Ticks,
    families: Vec<Family>, // Invariant: sorted by name, names unique.
}

/// All series of one name.
#[derive(Clone, Debug)]
pub struct Family {
    pub(crate) name: Cow<'static, str>,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    pub(crate) help: Cow<'static, str>,
    pub(crate) page_bounds: PageBounds,
    /// Whether a counter was zero before it appeared. If a callback reads a total elsewhere, this is not
    /// known.
    pub(crate) begins_at_zero: bool,
    pub(crate) series: Vec<Series>, // Invariant: sorted by labels, labels unique.
}

/// The properties of a family, without its series.
#[cfg(feature = "prometheus")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Head<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    pub(crate) help: &'a str,
    pub(crate) page_bounds: PageBounds,
}

/// One label set of a family and its value.
#[derive(Clone, Debug)]
pub struct Series {
    pub(crate) labels: LabelSet,
    pub(crate) value: SeriesValue,
    /// When its sum began.
    pub(crate) started: Ticks,
    pub(crate) exemplar: Option<Arc<Exemplar>>,
}

/// What kind of instrument a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A sum that only grows.
    Counter,
    /// A sum that rises and falls.
    UpDownCounter,
    /// The last value set.
    Gauge,
    /// A distribution of values.
    Histogram,
    /// A distribution of values, also for the last minutes alone.
    Summary,
    /// Labels that say what the process is: the value is always 1 (OpenMetrics 1.0, "Info").
    Info,
    /// Which of several states hold: one series for each state, whose label has the family's name
    /// (OpenMetrics 1.0, "StateSet").
    StateSet,
}

impl Kind {
    /// Whether its values are histograms.
    #[must_use]
    pub const fn is_distribution(self) -> bool {
        matches!(self, Self::Histogram | Self::Summary)
    }
}

/// The value of one series.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SeriesValue {
    /// The value of a [`Kind::Counter`] of whole numbers.
    Counter(u64),
    /// The value of a [`Kind::Counter`] of fractions.
    FloatCounter(f64),
    /// The value of a [`Kind::UpDownCounter`].
    UpDownCounter(i64),
    /// The value of a [`Kind::Gauge`].
    Gauge(f64),
    /// The values of a [`Kind::Histogram`] or [`Kind::Summary`] since the start.
    Histogram(Arc<HistogramSnapshot>),
    /// The values of a [`Kind::Summary`].
    Summary(Arc<SummarySnapshot>),
    /// The value of a [`Kind::Info`].
    Info,
    /// The value of a [`Kind::StateSet`]: whether the state in the series' label holds.
    State(bool),
}

/// What a summary recorded: count and sum of all values, and the distributions of the last windows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SummarySnapshot {
    /// How many values were recorded.
    pub count: u64,
    /// The sum of the values.
    pub sum: f64,
    /// The distribution of the values within each sliding window, the shortest first.
    pub windows: Vec<(Duration, HistogramSnapshot)>,
}

impl Snapshot {
    /// A snapshot of `families`, in any order.
    pub(crate) fn new(started: Ticks, taken: Ticks, mut families: Vec<Family>) -> Self {
        families.sort_by(|a, b| a.name.cmp(&b.name));
        for family in &mut families {
            family.series.sort_by(|a, b| a.labels.cmp(&b.labels));
        }
        Self { inner: Arc::new(Inner { taken, started, families }) }
    }

    /// When it was taken.
    #[must_use]
    pub fn taken(&self) -> Ticks {
        self.inner.taken
    }

    /// When recording began: the start timestamp of its sums.
    #[must_use]
    pub fn started(&self) -> Ticks {
        self.inner.started
    }

    /// The families. They are copied only if another clone of the snapshot needs them.
    pub(crate) fn into_families(self) -> Vec<Family> {
        Arc::try_unwrap(self.inner)
            .map_or_else(|shared| shared.families.clone(), |inner| inner.families)
    }

    /// The time between `earlier` and this snapshot.
    #[must_use]
    pub fn elapsed_since(&self, earlier: &Self) -> Duration {
        self.taken().since(earlier.taken())
    }

    /// The families, sorted by name.
    #[must_use]
    pub fn families(&self) -> &[Family] {
        &self.inner.families
    }

    /// The family called `name`, in the instrument's spelling.
    #[must_use]
    pub fn family(&self, name: &str) -> Option<&Family> {
        let families = self.families();
        let found = families.binary_search_by(|family| family.name.as_ref().cmp(name)).ok()?;
        Some(&families[found])
    }

    /// The value of the series of `name` that has exactly these labels.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<&SeriesValue> {
        let wanted = LabelSet::new(labels.iter().map(|&(key, value)| (key.to_owned(), value)));
        self.family(name)?.get(&wanted)
    }
}

impl Family {
    /// The name of the instrument: dotted, without the unit.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What kind of instrument it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The unit.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// The description.
    #[must_use]
    pub fn help(&self) -> &str {
        &self.help
    }

    /// The bounds that its histograms show on a page, if they are kept finer than that.
    #[must_use]
    pub fn page_bounds(&self) -> PageBounds {
        self.page_bounds
    }

    /// Its properties, in one piece.
    #[cfg(feature = "prometheus")]
    pub(crate) fn head(&self) -> Head<'_> {
        let Self { kind, unit, page_bounds, .. } = *self;
        Head { name: &self.name, kind, unit, help: &self.help, page_bounds }
    }

    /// The series, sorted by labels.
    #[must_use]
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// The value of the series with exactly these labels.
    #[must_use]
    pub fn get(&self, labels: &LabelSet) -> Option<&SeriesValue> {
        self.series_of(labels).map(Series::value)
    }

    /// The series with exactly these labels.
    pub(crate) fn series_of(&self, labels: &LabelSet) -> Option<&Series> {
        let found = self.series.binary_search_by(|series| series.labels.cmp(labels)).ok()?;
        Some(&self.series[found])
    }
}

impl Series {
    /// A series whose sum began at `started`.
    pub(crate) fn new(labels: LabelSet, value: SeriesValue, started: Ticks) -> Self {
        Self { labels, value, started, exemplar: None }
    }

    /// The series with an exemplar of its sum, or with none.
    pub(crate) fn with_exemplar(self, exemplar: Option<Exemplar>) -> Self {
        Self { exemplar: exemplar.map(Arc::new), ..self }
    }

    /// About how many bytes it takes in addition to itself, without its label set.
    pub(crate) fn weight(&self) -> usize {
        let value = match &self.value {
            SeriesValue::Histogram(histogram) => histogram.weight(),
            SeriesValue::Summary(summary) => summary.weight(),
            _ => 0,
        };
        value + self.exemplar().map_or(0, size_of_val)
    }

    /// The newest exemplar of a counter. Those of a histogram are in its
    /// [snapshot](HistogramSnapshot::exemplars).
    #[must_use]
    pub fn exemplar(&self) -> Option<&Exemplar> {
        self.exemplar.as_deref()
    }

    /// The labels.
    #[must_use]
    pub fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &SeriesValue {
        &self.value
    }

    /// When its sum began: the start timestamp of cumulative values. Its [date](Ticks::timestamp) never
    /// changes and is never after that of the snapshot.
    #[must_use]
    pub fn started(&self) -> Ticks {
        self.started
    }
}

impl SeriesValue {
    /// The value of a counter, up-down counter or gauge; the count of a histogram or summary; 1 for an
    /// info and for a state that holds.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        match self {
            Self::Counter(value) => *value as f64,
            Self::FloatCounter(value) => *value,
            Self::UpDownCounter(value) => *value as f64,
            Self::Gauge(value) => *value,
            Self::Histogram(histogram) => histogram.count() as f64,
            Self::Summary(summary) => summary.count as f64,
            Self::Info => 1.0,
            Self::State(holds) => f64::from(u8::from(*holds)),
        }
    }

    /// The histogram, if the value is one.
    #[must_use]
    pub fn as_histogram(&self) -> Option<&HistogramSnapshot> {
        match self {
            Self::Histogram(histogram) => Some(histogram),
            _ => None,
        }
    }
}

impl SummarySnapshot {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.windows.iter().map(|(_, window)| window.weight()).sum::<usize>()
    }
}
