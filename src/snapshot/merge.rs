//! Adding up two values of one series, and the snapshots of several processes.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, btree_map::Entry},
    sync::Arc,
};

use super::{
    family::{Family, Kind, Series, SeriesValue, Snapshot, SummarySnapshot},
    histogram::HistogramSnapshot,
    name::{claimed_names, key_fault},
};
use crate::{
    clock::Ticks,
    error::{Error, ErrorKind},
    label::LabelSet,
};

/// How [`Snapshot::merge`] combines values that are not sums: gauges, and the states of state sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gauges<'a> {
    /// The value of the snapshot that was taken last; of two taken at once, the later in the list.
    Last,
    /// The sum of the values; a state holds if it holds anywhere.
    Sum,
    /// Keeps each value, with a label of this key whose value is the name of the source: `instance`. A
    /// series that already has such a label keeps it, so that snapshots can be merged in stages.
    Labelled(&'a str),
}

/// Which of two gauges is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice {
    /// The second.
    Second,
    /// The one that started later; of two that started at once, the second.
    LatestStarted,
    /// Neither: their sum.
    Sum,
}

impl Snapshot {
    /// Merges the snapshots of several processes into one, each with the name of its source.
    ///
    /// Counters, up-down counters, the cells of histograms and the counts of summaries are added
    /// exactly. A sum starts when the first of its parts started. A summary has the windows that all of
    /// its parts have. `gauges` decides about gauges and states. Times are those of the sources' wall
    /// clocks, which are not compared with each other.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`] with both sources if a name has two kinds or units, if two names are the
    /// same on a Prometheus page, or if two histograms of one series have different buckets.
    /// [`ErrorKind::InvalidOption`] if a sum is too large for its type. [`ErrorKind::InvalidName`] if
    /// the key of [`Gauges::Labelled`] is not legal.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{Unit, metric::{Gauges, Registry, Snapshot}};
    ///
    /// let snapshot = |orders| {
    ///     let registry = Registry::new();
    ///     registry.counter("shop.orders", "Orders accepted").build()?.add(orders);
    ///     registry.gauge("shop.load", "Load").unit(Unit::Ratio).build()?.set(0.5);
    ///     Ok::<_, bellwether::Error>(registry.snapshot())
    /// };
    /// let sources = [("web-1", snapshot(3)?), ("web-2", snapshot(4)?)];
    /// let merged = Snapshot::merge(&sources, Gauges::Labelled("instance"))?;
    /// assert_eq!(merged.value("shop.orders", &[]).unwrap().as_f64(), 7.0);
    /// assert_eq!(merged.value("shop.load", &[("instance", "web-2")]).unwrap().as_f64(), 0.5);
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn merge(sources: &[(&str, Self)], gauges: Gauges<'_>) -> Result<Self, Error> {
        if let Gauges::Labelled(key) = gauges
            && let Some(fault) = key_fault(key)
        {
            let text = format!("label key {key:?} {fault}");
            return Err(Error::new(ErrorKind::InvalidName, text));
        }
        let mut in_order: Vec<_> = sources.iter().collect();
        in_order.sort_by_key(|(_, snapshot)| snapshot.taken().unix_nanos());
        let mut merged = BTreeMap::new();
        for (source, snapshot) in in_order {
            for family in snapshot.families() {
                let part = Part { source, family: prepared(family, source, gauges) };
                match merged.entry(family.name()) {
                    Entry::Vacant(vacant) => drop(vacant.insert(part)),
                    Entry::Occupied(mut first) => first.get_mut().join(part, gauges)?,
                }
            }
        }
        let parts: Vec<_> = merged.into_values().collect();
        if let Some((a, b, name)) = page_collision(parts.iter().map(|part| &part.family)) {
            let (a, b) = (&parts[a], &parts[b]);
            return Err(conflict(a, b, &format!("are both `{name}` on a Prometheus page")));
        }
        let times = |time: fn(&Self) -> Ticks| {
            sources.iter().map(move |(_, snapshot)| time(snapshot).dated())
        };
        // Without sources nothing was started or taken.
        let started = times(Self::started).min().unwrap_or(Ticks::of_unix_nanos(0));
        let taken = times(Self::taken).max().unwrap_or(Ticks::of_unix_nanos(0));
        let families = parts.into_iter().map(|part| part.family).collect();
        Ok(Self::new(started, taken, families))
    }
}

/// The family of one name so far, and the first source that has it.
struct Part<'a> {
    source: &'a str,
    family: Family,
}

impl Part<'_> {
    fn join(&mut self, other: Part<'_>, gauges: Gauges<'_>) -> Result<(), Error> {
        if self.family.kind != other.family.kind {
            let kinds = format!("are a {:?} and a {:?}", self.family.kind, other.family.kind);
            return Err(conflict(self, &other, &kinds));
        }
        if self.family.unit != other.family.unit {
            let units =
                format!("have the units {:?} and {:?}", self.family.unit, other.family.unit);
            return Err(conflict(self, &other, &units));
        }
        if self.family.help.is_empty() {
            self.family.help = other.family.help.clone();
        }
        let choice = match gauges {
            Gauges::Last | Gauges::Labelled(_) => Choice::Second,
            Gauges::Sum => Choice::Sum,
        };
        let mut added = Vec::new();
        for series in &other.family.series {
            let known = &mut self.family.series;
            let Ok(place) = known.binary_search_by(|one| one.labels.cmp(&series.labels)) else {
                added.push(series.clone());
                continue;
            };
            if let Err(fault) = add(&mut known[place], series, choice) {
                return Err(fault.of_series(self, &other, &series.labels));
            }
        }
        self.family.series.extend(added);
        self.family.series.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(())
    }
}

/// Why two values cannot be added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The sum does not fit its type.
    TooLarge,
    /// They differ in kind.
    Kinds,
    /// They are distributions with different buckets.
    Layouts,
}

impl Fault {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::TooLarge => "have a sum that is too large",
            Self::Kinds => "have values of two kinds",
            Self::Layouts => "have histograms of two layouts",
        }
    }

    fn of_series(self, first: &Part<'_>, second: &Part<'_>, labels: &LabelSet) -> Error {
        let text = format!("{} in the series {labels}", self.text());
        match self {
            Self::TooLarge => Error::new(ErrorKind::InvalidOption, clash(first, second, &text)),
            Self::Kinds | Self::Layouts => conflict(first, second, &text),
        }
    }
}

/// Adds the value of `other` to `into`, whose start becomes the earlier of both. If one of two gauges
/// is kept, its start is kept too. On a fault `into` is unchanged.
pub(crate) fn add(into: &mut Series, other: &Series, gauges: Choice) -> Result<(), Fault> {
    let other_holds = match gauges {
        Choice::Second => true,
        Choice::LatestStarted => other.started >= into.started,
        Choice::Sum => false,
    };
    use SeriesValue as Value;
    match (&mut into.value, &other.value) {
        (Value::Counter(sum), Value::Counter(n)) => {
            *sum = sum.checked_add(*n).ok_or(Fault::TooLarge)?;
        }
        (Value::FloatCounter(sum), Value::FloatCounter(n)) => *sum += n,
        (Value::FloatCounter(sum), Value::Counter(n)) => *sum += *n as f64,
        (Value::Counter(sum), Value::FloatCounter(n)) => {
            into.value = Value::FloatCounter(*sum as f64 + n);
        }
        (Value::UpDownCounter(sum), Value::UpDownCounter(n)) => {
            *sum = sum.checked_add(*n).ok_or(Fault::TooLarge)?;
        }
        (Value::Gauge(sum), Value::Gauge(n)) if matches!(gauges, Choice::Sum) => *sum += n,
        (Value::Gauge(value), Value::Gauge(n)) => {
            if other_holds {
                (*value, into.started) = (*n, other.started);
            }
            return Ok(());
        }
        (Value::Info, Value::Info) => {}
        (Value::Histogram(sum), Value::Histogram(n)) => add_histogram(Arc::make_mut(sum), n)?,
        (Value::Summary(sum), Value::Summary(n)) => add_summary(sum, n)?,
        (Value::State(holds), Value::State(other)) if matches!(gauges, Choice::Second) => {
            *holds = *other;
        }
        (Value::State(holds), Value::State(other)) => *holds |= other,
        _ => return Err(Fault::Kinds),
    }
    into.started = into.started.min(other.started);
    into.exemplar = match (into.exemplar.take(), &other.exemplar) {
        (Some(one), Some(other)) => Some(Arc::new(one.newer(other).clone())),
        (one, other) => one.or_else(|| other.clone()),
    };
    Ok(())
}

fn add_histogram(sum: &mut HistogramSnapshot, other: &HistogramSnapshot) -> Result<(), Fault> {
    let is_empty = sum.count() == 0 || other.count() == 0;
    if !is_empty && sum.layout() != other.layout() {
        return Err(Fault::Layouts);
    }
    // No cell has more than the count, so the cells fit if the count does.
    sum.count().checked_add(other.count()).ok_or(Fault::TooLarge)?;
    sum.merge(other);
    Ok(())
}

/// Leaves out a window that only one of them has, because it would cover only a part of the values.
fn add_summary(into: &mut Arc<SummarySnapshot>, other: &SummarySnapshot) -> Result<(), Fault> {
    let mut sum = SummarySnapshot::clone(into);
    sum.count = sum.count.checked_add(other.count).ok_or(Fault::TooLarge)?;
    sum.sum += other.sum;
    let mut windows = Vec::with_capacity(sum.windows.len());
    for (length, mut window) in sum.windows {
        if let Some((_, same)) = other.windows.iter().find(|(other, _)| *other == length) {
            add_histogram(&mut window, same)?;
            windows.push((length, window));
        }
    }
    sum.windows = windows;
    *into = Arc::new(sum);
    Ok(())
}

/// The indices of two families that have the same name on a Prometheus page, and that name.
pub(crate) fn page_collision<'a>(
    families: impl Iterator<Item = &'a Family>,
) -> Option<(usize, usize, String)> {
    let mut claims = HashMap::new();
    for (place, family) in families.enumerate() {
        for claim in claimed_names(&family.name, family.kind, family.unit) {
            if let Some(&first) = claims.get(&claim) {
                return Some((first, place, claim));
            }
            claims.insert(claim, place);
        }
    }
    None
}

/// The family with times of the wall clock, and with the source's label if that is configured.
fn prepared(family: &Family, source: &str, gauges: Gauges<'_>) -> Family {
    let mut family = family.clone();
    let key = match gauges {
        Gauges::Labelled(key) if matches!(family.kind, Kind::Gauge | Kind::StateSet) => Some(key),
        _ => None,
    };
    for series in &mut family.series {
        series.started = series.started.dated();
        if let Some(key) = key.filter(|key| series.labels.get(key).is_none()) {
            series.labels = series.labels.with([(Cow::Owned(key.to_owned()), source)]);
        }
    }
    if key.is_some() {
        // Gauges and states always add up: nothing is left out.
        family.series = fold(family.series, Choice::Second, |_, _| {});
    }
    family
}

/// Sorts `series` by their labels and adds up those with equal labels, in their order. A series that
/// cannot be added goes to `left_out`.
pub(crate) fn fold(
    mut series: Vec<Series>,
    gauges: Choice,
    mut left_out: impl FnMut(&LabelSet, Fault),
) -> Vec<Series> {
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    let mut folded: Vec<Series> = Vec::with_capacity(series.len());
    for next in series {
        match folded.last_mut().filter(|last| last.labels == next.labels) {
            Some(last) => add(last, &next, gauges).unwrap_or_else(|fault| {
                left_out(&next.labels, fault);
            }),
            None => folded.push(next),
        }
    }
    folded
}

fn conflict(first: &Part<'_>, second: &Part<'_>, text: &str) -> Error {
    Error::new(ErrorKind::Conflict, clash(first, second, text))
}

fn clash(first: &Part<'_>, second: &Part<'_>, text: &str) -> String {
    let name = |part: &Part<'_>| format!("{:?} of {}", part.family.name, part.source);
    format!("{} and {} {text}", name(first), name(second))
}
