//! What was recorded, at one instant: immutable, shared, the one thing every reader reads.

use std::{borrow::Cow, sync::Arc, time::Duration};

use super::{HistogramSnapshot, Unit};
use crate::{clock::Ticks, label::LabelSet};

/// All series of a registry at one instant; immutable and cheap to clone.
///
/// Totals are exact: every record that happened before the snapshot was taken, on a thread that was
/// synchronised with the reader, is in it. A record that runs at the same time may or may not be.
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
    pub(crate) series: Vec<Series>, // Invariant: sorted by labels, labels unique.
}

/// One label set of a family and its value.
#[derive(Clone, Debug)]
pub struct Series {
    pub(crate) labels: LabelSet,
    pub(crate) value: SeriesValue,
}

/// What kind of instrument a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A sum that only grows.
    Counter,
    /// A sum that grows and falls.
    UpDownCounter,
    /// The last value set.
    Gauge,
    /// A distribution of values.
    Histogram,
    /// A distribution of values that also knows its last minutes by themselves.
    Summary,
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
    /// Of a [`Kind::Counter`].
    Counter(u64),
    /// Of a [`Kind::UpDownCounter`].
    UpDownCounter(i64),
    /// Of a [`Kind::Gauge`].
    Gauge(f64),
    /// Of a [`Kind::Histogram`] or [`Kind::Summary`]: everything since the start.
    Histogram(Arc<HistogramSnapshot>),
}

impl Snapshot {
    /// A snapshot of `families`, which are sorted here.
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

    /// About how many bytes it takes, label sets and families shared with others not counted.
    pub(crate) fn weight(&self) -> usize {
        let value = |series: &Series| match &series.value {
            SeriesValue::Histogram(histogram) => histogram.weight(),
            _ => 0,
        };
        let series = self.families().iter().flat_map(Family::series);
        let families = size_of_val(self.families());
        families + series.map(|series| size_of::<Series>() + value(series)).sum::<usize>()
    }

    /// The time between `earlier` and this.
    #[must_use]
    pub fn elapsed_since(&self, earlier: &Self) -> Duration {
        self.taken().since(earlier.taken())
    }

    /// The families, sorted by name.
    #[must_use]
    pub fn families(&self) -> &[Family] {
        &self.inner.families
    }

    /// The family called `name`, as the instrument was named.
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
    /// The name as the instrument was given it: dotted, without the unit.
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

    /// The series, sorted by labels.
    #[must_use]
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// The value of the series with exactly these labels.
    #[must_use]
    pub fn get(&self, labels: &LabelSet) -> Option<&SeriesValue> {
        let found = self.series.binary_search_by(|series| series.labels.cmp(labels)).ok()?;
        Some(&self.series[found].value)
    }
}

impl Series {
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
}

impl SeriesValue {
    /// The number of a counter, up-down counter or gauge; the count of a histogram.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        match self {
            Self::Counter(value) => *value as f64,
            Self::UpDownCounter(value) => *value as f64,
            Self::Gauge(value) => *value,
            Self::Histogram(histogram) => histogram.count() as f64,
        }
    }

    /// The histogram, if it is one.
    #[must_use]
    pub fn as_histogram(&self) -> Option<&HistogramSnapshot> {
        match self {
            Self::Histogram(histogram) => Some(histogram),
            _ => None,
        }
    }
}
