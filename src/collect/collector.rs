//! Collectors: what reads a place, what it finds there, and why it finds nothing.

use std::{borrow::Cow, collections::BTreeMap, error, fmt, io};

use crate::{
    error::Error,
    metric::{Kind, Unit},
};

/// Reads one place and fills several families with what it finds.
///
/// It is called on the reader's thread, or on a thread of its own
/// ([`Source::every`](crate::collect::Source::every)). It never runs on two threads at once, and no
/// lock is held meanwhile. It may be slow and may fail; if it blocks, it blocks that thread. A panic
/// costs only this reading: the collector is called again later, so its invariants must still hold
/// then.
///
/// # Examples
///
/// ```
/// use bellwether::{Unit, collect::{Collector, Description, Failure, Reading, Source}, metric::Registry};
///
/// struct Spool;
///
/// impl Collector for Spool {
///     fn families(&self) -> Vec<Description> {
///         vec![Description::gauge("spool.files", "Files in the spool", Unit::NONE)]
///     }
///
///     fn collect(&mut self, to: &mut Reading) -> Result<(), Failure> {
///         let n_files = std::fs::read_dir(".")?.count();
///         to.observe("spool.files", n_files as f64, &[("queue", "mail")]);
///         Ok(())
///     }
/// }
///
/// let registry = Registry::new();
/// let spool = Source::new("spool", Spool).register(&registry)?;
/// let snapshot = registry.snapshot();
/// assert!(snapshot.value("spool.files", &[("queue", "mail")]).unwrap().as_f64() > 0.0);
/// # Ok::<(), bellwether::Error>(())
/// ```
pub trait Collector: Send + 'static {
    /// The families that it fills; called once, when it is registered.
    fn families(&self) -> Vec<Description>;

    /// Reads the place. If it returns an error, all that was observed is dropped, and the last good
    /// values stay.
    ///
    /// # Errors
    ///
    /// Why nothing was read. If only a part is missing, call [`Reading::fail`] instead.
    fn collect(&mut self, to: &mut Reading) -> Result<(), Failure>;

    /// Checks its settings, as far as that is possible without reading.
    ///
    /// # Errors
    ///
    /// What is wrong: returned by [`Source::register`](crate::collect::Source::register).
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// The name of a family, and what it is.
#[derive(Clone, Debug)]
pub struct Description {
    pub(super) kind: Kind,
    pub(super) name: Cow<'static, str>,
    pub(super) help: Cow<'static, str>,
    pub(super) unit: Unit,
}

/// What a collector finds in one reading.
#[derive(Debug)]
pub struct Reading {
    pub(super) families: Vec<Gathered>,
    pub(super) stamp: Option<String>,
    /// Failures that belong to no family.
    pub(super) failures: Vec<Failure>,
}

/// The values found for one family.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) name: Cow<'static, str>,
    pub(super) series: BTreeMap<LabelPairs, f64>,
    pub(super) failures: Vec<Failure>,
}

/// Sorted by key, so that the order in which they were observed makes no difference.
pub(super) type LabelPairs = Box<[(&'static str, Box<str>)]>;

/// Why something could not be read: a short reason, which is counted, and a message for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub(super) reason: &'static str,
    message: String,
}

/// The most series of one family in a reading: five times the limit of a registry's family, which
/// applies too. It bounds the memory while nothing is read; the factor is arbitrary.
pub(super) const MAX_SERIES: usize = 10_000;

impl Description {
    /// A total that only grows.
    #[must_use]
    pub fn counter(
        name: impl Into<Cow<'static, str>>,
        help: impl Into<Cow<'static, str>>,
        unit: Unit,
    ) -> Self {
        Self { kind: Kind::Counter, name: name.into(), help: help.into(), unit }
    }

    /// A value that is not a sum: a temperature, a ratio.
    #[must_use]
    pub fn gauge(
        name: impl Into<Cow<'static, str>>,
        help: impl Into<Cow<'static, str>>,
        unit: Unit,
    ) -> Self {
        Self { kind: Kind::Gauge, name: name.into(), help: help.into(), unit }
    }

    /// A number that rises and falls, and can be added up over its labels; whole numbers only.
    #[must_use]
    pub fn up_down_counter(
        name: impl Into<Cow<'static, str>>,
        help: impl Into<Cow<'static, str>>,
        unit: Unit,
    ) -> Self {
        Self { kind: Kind::UpDownCounter, name: name.into(), help: help.into(), unit }
    }
}

impl Reading {
    /// An empty reading of these families, to try a collector with.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::{Unit, collect::{Collector, Description, Failure, Reading}};
    ///
    /// struct License;
    ///
    /// impl Collector for License {
    ///     fn families(&self) -> Vec<Description> {
    ///         vec![Description::gauge("license.seats", "Seats that are paid for", Unit::NONE)]
    ///     }
    ///
    ///     fn collect(&mut self, to: &mut Reading) -> Result<(), Failure> {
    ///         to.observe("license.seats", 40.0, &[("site", "north")]);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let mut reading = Reading::new(&License.families());
    /// License.collect(&mut reading).unwrap();
    /// assert_eq!(reading.value("license.seats", &[("site", "north")]), Some(40.0));
    /// assert!(reading.failures().next().is_none());
    /// ```
    #[must_use]
    pub fn new(families: &[Description]) -> Self {
        Self::of(families.iter().map(|family| family.name.clone()))
    }

    /// The observed value of the series of `family` with exactly these labels.
    #[must_use]
    pub fn value(&self, family: &str, labels: &[(&'static str, &str)]) -> Option<f64> {
        let gathered = self.families.iter().find(|gathered| gathered.name == family)?;
        gathered.series.get(&label_pairs(labels)).copied()
    }

    /// What could not be read.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        let of_families = self.families.iter().flat_map(|gathered| &gathered.failures);
        self.failures.iter().chain(of_families)
    }

    pub(super) fn of(names: impl Iterator<Item = Cow<'static, str>>) -> Self {
        let gathered = |name| Gathered { name, series: BTreeMap::new(), failures: Vec::new() };
        Self { families: names.map(gathered).collect(), stamp: None, failures: Vec::new() }
    }

    /// Sets the value of the series of `family` with these labels; of two with the same labels, the
    /// later counts.
    ///
    /// A series of an unknown family, or beyond 10,000 series of one family, is left out and counted as
    /// a failure.
    pub fn observe(&mut self, family: &str, value: f64, labels: &[(&'static str, &str)]) {
        let labels = label_pairs(labels);
        let Some(gathered) = self.gathered(family) else { return };
        if gathered.series.len() >= MAX_SERIES && !gathered.series.contains_key(&labels) {
            if gathered.failures.is_empty() {
                let message = format!("{family} has more than {MAX_SERIES} series");
                gathered.failures.push(Failure::new("too_many_series", message));
            }
            return;
        }
        gathered.series.insert(labels, value);
    }

    /// Sets the time stamp that the place gives its figures, in any form. If it is that of the last
    /// reading, this reading is a duplicate: it is dropped and counted.
    pub fn stamp(&mut self, stamp: impl fmt::Display) {
        self.stamp = Some(stamp.to_string());
    }

    /// Notes that a part of `family` could not be read. It is counted, and series that are missing in
    /// this reading keep their last good values until they are stale. Without a failure, missing series
    /// are removed.
    pub fn fail(&mut self, family: &str, failure: Failure) {
        if let Some(gathered) = self.gathered(family) {
            gathered.failures.push(failure);
        }
    }

    /// What was found for `family` so far; an unknown family is noted.
    fn gathered(&mut self, family: &str) -> Option<&mut Gathered> {
        let found = self.families.iter().position(|gathered| gathered.name == family);
        if found.is_none() && self.failures.is_empty() {
            let message = format!("a value of {family:?}, which was not described");
            self.failures.push(Failure::new("unknown_family", message));
        }
        found.map(|place| &mut self.families[place])
    }
}

fn label_pairs(labels: &[(&'static str, &str)]) -> LabelPairs {
    // A label with an empty value counts as absent.
    let labels = labels.iter().filter(|(_, value)| !value.is_empty());
    let mut labels: LabelPairs = labels.map(|&(key, value)| (key, value.into())).collect();
    labels.sort_unstable();
    labels
}

impl Failure {
    /// A failure; `reason` becomes the value of a label, so use few: `timeout`, `parse`.
    #[must_use]
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// The reason that is counted.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for Failure {}

/// Counted as `io`.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new("io", error.to_string())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What a collector finds, as `family{key=value,…}`, and its failures as `family failed: reason`.
    pub(in crate::collect) fn collected(
        collector: &mut impl Collector,
    ) -> Result<BTreeMap<String, f64>, Failure> {
        let mut reading = Reading::of(collector.families().into_iter().map(|family| family.name));
        collector.collect(&mut reading)?;
        let mut found = BTreeMap::new();
        for Gathered { name, series, failures } in reading.families {
            for (labels, value) in series {
                let labels: Vec<_> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
                found.insert(format!("{name}{{{}}}", labels.join(",")), value);
            }
            for failure in failures {
                found.insert(format!("{name} failed: {}", failure.reason), 1.0);
            }
        }
        for failure in reading.failures {
            found.insert(format!("failed: {}", failure.reason), 1.0);
        }
        Ok(found)
    }

    fn reading() -> Reading {
        Reading::of([Cow::Borrowed("size")].into_iter())
    }

    #[test]
    fn the_order_of_labels_makes_no_difference_and_the_later_value_holds() {
        let mut reading = reading();
        reading.observe("size", 1.0, &[("a", "1"), ("b", "2")]);
        reading.observe("size", 2.0, &[("b", "2"), ("c", ""), ("a", "1")]);
        let values: Vec<f64> = reading.families[0].series.values().copied().collect();
        assert_eq!(values, [2.0]);
    }

    #[test]
    fn series_beyond_the_limit_are_left_out_and_counted_once() {
        let mut reading = reading();
        for number in 0..MAX_SERIES + 5 {
            reading.observe("size", 1.0, &[("n", &number.to_string())]);
        }
        reading.observe("size", 7.0, &[("n", "0")]);
        let [gathered] = reading.families.as_slice() else { panic!("one family") };
        assert_eq!((gathered.series.len(), gathered.failures.len()), (MAX_SERIES, 1));
        assert_eq!(gathered.failures[0].reason(), "too_many_series");
        assert_eq!(gathered.series.values().copied().fold(0.0, f64::max), 7.0);
    }

    #[test]
    fn a_family_that_was_not_described_is_counted_once() {
        let mut reading = reading();
        (0..3).for_each(|_| reading.observe("sise", 1.0, &[]));
        assert_eq!(reading.failures.len(), 1);
        assert_eq!(reading.failures[0].reason(), "unknown_family");
    }
}
