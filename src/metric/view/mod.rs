//! Views: what readers see of an instrument, decided apart from the code that records.
//!
//! A [`View`] selects instruments by name and says what becomes of them; [`Views`] is a list of them
//! that a registry applies whenever it is read. `apply` makes a snapshot out of a snapshot and changes
//! nothing that was recorded. Limits and the buckets of histograms cannot be chosen afterwards: those
//! are asked for when an instrument is first used.

mod apply;
mod parse;
mod pattern;
#[cfg(feature = "serde")]
mod serialised;

use std::{collections::HashMap, fmt, sync::Arc};

#[cfg(feature = "serde")]
pub(super) use self::parse::{kind_name, kind_named};
use self::{apply::Plan, pattern::Pattern};
use super::{Aggregation, Kind, PageBounds, Unit, histogram::bounds_fault, name::name_fault};
use crate::{
    error::{Error, ErrorKind},
    sync::Mutex,
};

/// What readers see of the instruments that a pattern selects.
///
/// In the pattern `*` stands for any characters and `?` for one; in the keys of labels too. As a line
/// of text it is the pattern and then options, separated by spaces: `drop`, `rename=`, `keep_labels=`,
/// `drop_labels=`, `kind=`, `unit=`, `bounds=`, `hdr=`, `exponential`, `page_bounds=`, `limit=`, with
/// lists separated by commas. `Display` writes that line. With the feature `serde` a view is read from such a line or
/// from a map of the same options, with the pattern as `instrument`.
///
/// # Examples
///
/// ```
/// use bellwether::metric::{Kind, View};
///
/// let view = View::new("http.*").kind(Kind::Counter).drop_labels(["user_*"]).rename("web.requests");
/// assert_eq!("http.* kind=counter drop_labels=user_* rename=web.requests".parse::<View>()?, view);
///
/// let error = "http.* drop_label=user_id".parse::<View>().unwrap_err();
/// assert!(error.to_string().contains("character 8"), "{error}");
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a view does nothing before a registry has it"]
pub struct View {
    instrument: Pattern,
    kind: Option<Kind>,
    unit: Option<String>,
    drop: bool,
    rename: Option<String>,
    keep_labels: Option<Vec<Pattern>>,
    drop_labels: Vec<Pattern>,
    buckets: Option<Buckets>,
    shown: Option<ShownBounds>,
    limit: Option<usize>,
}

/// The aggregation of histograms that a view chooses; legal only once it is checked.
#[derive(Clone, Debug, PartialEq)]
enum Buckets {
    Exponential,
    Explicit(Arc<[f64]>),
    Hdr { digits: u8 },
}

/// The bounds that a view chooses for a page; legal only once it is checked.
#[derive(Clone, Debug, PartialEq)]
enum ShownBounds {
    PowersOfTwo,
    Explicit(Arc<[f64]>),
}

/// What the views say of an instrument that is about to be used for the first time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct InstrumentView {
    aggregation: Option<Aggregation>,
    limit: Option<usize>,
}

/// A list of views, which a registry applies whenever it is read; clones share it.
///
/// As in OpenTelemetry, each view that selects an instrument makes a family of it, and an instrument
/// that no view selects stays as it is. So one instrument can be seen twice under two names, and a
/// view that drops speaks for itself only: with `* drop` the rest of the list says what is left. Views
/// that leave an instrument under the same name make one family together, which has the labels that
/// all of them keep. Of two that choose buckets, bounds on a page or a limit, the first does.
///
/// Series that become equal are added up: counters, up-down counters, histograms and summaries, the
/// latter with the windows that all of them have. The sum starts when the first of its parts did. Of
/// gauges the one holds that started last, of equal ones the last in the order of their labels; a
/// state holds if one of them does. Where a series is removed from a registry, a sum that it was part of
/// falls, which a reader of totals takes for a restart; a [delta reader](super::Reader::delta) takes
/// differences before the views apply, and is not misled.
///
/// Two families of one name, kind and unit are added up too. If the kind or unit differs, or both
/// would be one name on a Prometheus page, the one that kept its name stands; of two that were
/// renamed, the first by its old name. The other is left out and reported.
///
/// The series of records beyond a family's limit keeps its label, unless the view keeps no label at
/// all or drops that one by name; the label of a state set that tells its states apart always stays,
/// under the new name.
///
/// # Examples
///
/// ```
/// use bellwether::{Unit, metric::{Kind, Registry, View, Views}};
///
/// let registry = Registry::new();
/// let _pools = registry.observe(Kind::UpDownCounter, "pool.used", "", Unit::NONE, |to| {
///     to.observe(3.0, &[("pool", "db"), ("host", "a")]);
///     to.observe(4.0, &[("pool", "db"), ("host", "b")]);
/// })?;
/// registry.set_views(Views::new([View::new("pool.*").keep_labels(["pool"])])?);
/// let snapshot = registry.snapshot();
/// assert_eq!(snapshot.value("pool.used", &[("pool", "db")]).unwrap().as_f64(), 7.0);
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Views {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    views: Vec<View>,
    /// What becomes of each family that was met, by its name. Guards itself only; no lock is taken
    /// inside it.
    plans: Mutex<HashMap<String, Arc<Plan>>>,
}

impl View {
    /// A view of the instruments whose name has the pattern `instrument`; it changes nothing yet.
    pub fn new(instrument: impl Into<String>) -> Self {
        Self {
            instrument: Pattern(instrument.into()),
            kind: None,
            unit: None,
            drop: false,
            rename: None,
            keep_labels: None,
            drop_labels: Vec::new(),
            buckets: None,
            shown: None,
            limit: None,
        }
    }

    /// Selects only instruments of this kind.
    pub fn kind(self, kind: Kind) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// Selects only instruments of this unit, in UCUM's spelling.
    pub fn unit(self, ucum: impl Into<String>) -> Self {
        Self { unit: Some(ucum.into()), ..self }
    }

    /// Shows nothing of the instruments.
    pub fn drop(self) -> Self {
        Self { drop: true, ..self }
    }

    /// Shows the instruments under `name`; those of one kind and unit become one family.
    pub fn rename(self, name: impl Into<String>) -> Self {
        Self { rename: Some(name.into()), ..self }
    }

    /// Keeps only labels whose key has one of these patterns, and none if there is no pattern.
    pub fn keep_labels<K: Into<String>>(self, keys: impl IntoIterator<Item = K>) -> Self {
        Self { keep_labels: Some(patterns(keys)), ..self }
    }

    /// Drops labels whose key has one of these patterns, also where `keep_labels` keeps them.
    pub fn drop_labels<K: Into<String>>(self, keys: impl IntoIterator<Item = K>) -> Self {
        Self { drop_labels: patterns(keys), ..self }
    }

    /// Gives histograms these bounds, as [`Aggregation::explicit`] takes them, if they are not in use
    /// yet.
    pub fn bounds(self, bounds: impl IntoIterator<Item = f64>) -> Self {
        self.buckets(Buckets::Explicit(bounds.into_iter().collect()))
    }

    /// Gives histograms the resolution of so many significant digits, 1 to 5, by [`Aggregation::Hdr`],
    /// if they are not in use yet.
    pub fn hdr(self, digits: u8) -> Self {
        self.buckets(Buckets::Hdr { digits })
    }

    /// Gives histograms the resolution of [`Aggregation::Exponential`], if they are not in use yet.
    pub fn exponential(self) -> Self {
        self.buckets(Buckets::Exponential)
    }

    /// Shows these bounds on a page, as [`PageBounds::explicit`] takes them; the histograms stay as
    /// fine as they are.
    pub fn page_bounds(self, bounds: impl IntoIterator<Item = f64>) -> Self {
        self.shown(ShownBounds::Explicit(bounds.into_iter().collect()))
    }

    /// Shows powers of two on a page, on which counts are exact: [`PageBounds::PowersOfTwo`].
    pub fn page_powers_of_two(self) -> Self {
        self.shown(ShownBounds::PowersOfTwo)
    }

    /// Limits the series of each instrument, if it is not in use yet.
    pub fn limit(self, series: usize) -> Self {
        Self { limit: Some(series), ..self }
    }

    fn buckets(self, buckets: Buckets) -> Self {
        Self { buckets: Some(buckets), ..self }
    }

    fn shown(self, shown: ShownBounds) -> Self {
        Self { shown: Some(shown), ..self }
    }

    fn selects(&self, name: &str, kind: Kind, unit: Unit) -> bool {
        self.kind.is_none_or(|wanted| wanted == kind)
            && self.unit.as_deref().is_none_or(|wanted| wanted == unit.as_str())
            && self.instrument.is_of(name)
    }

    /// What is wrong with it, if anything: which option, and why.
    fn fault(&self) -> Option<(&'static str, &'static str)> {
        if self.instrument.0.is_empty() {
            return Some(("instrument", "must not be empty"));
        }
        if let Some(fault) = self.rename.as_deref().and_then(name_fault) {
            return Some(("rename", fault));
        }
        if self.limit == Some(0) {
            return Some(("limit", "must be at least 1"));
        }
        if let Some(ShownBounds::Explicit(bounds)) = &self.shown
            && let Some(fault) = bounds_fault(bounds)
        {
            return Some(("page_bounds", fault));
        }
        match self.buckets.as_ref()? {
            Buckets::Explicit(bounds) => Some(("bounds", bounds_fault(bounds)?)),
            Buckets::Exponential | Buckets::Hdr { digits: 1..=5 } => None,
            Buckets::Hdr { .. } => Some(("hdr", "must be from 1 to 5 digits")),
        }
    }
}

impl Buckets {
    /// The aggregation, if it is legal; the bounds are then kept as long as the process.
    fn aggregation(&self) -> Option<Aggregation> {
        match self {
            Self::Exponential => Some(Aggregation::Exponential),
            Self::Explicit(bounds) => Aggregation::explicit(bounds).ok(),
            &Self::Hdr { digits } => Some(Aggregation::Hdr { significant_digits: digits }),
        }
    }
}

impl ShownBounds {
    /// The bounds, if they are legal; they are then kept as long as the process.
    fn page_bounds(&self) -> Option<PageBounds> {
        match self {
            Self::PowersOfTwo => Some(PageBounds::PowersOfTwo),
            Self::Explicit(bounds) => PageBounds::explicit(bounds).ok(),
        }
    }
}

fn patterns<K: Into<String>>(keys: impl IntoIterator<Item = K>) -> Vec<Pattern> {
    keys.into_iter().map(|key| Pattern(key.into())).collect()
}

impl Views {
    /// The list of `views`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`] that names the view and the option: a new name that is not legal,
    /// bounds that do not ascend, digits out of range, a limit of zero.
    pub fn new(views: impl IntoIterator<Item = View>) -> Result<Self, Error> {
        let views: Vec<View> = views.into_iter().collect();
        let fault = |view: &View| view.fault().map(|fault| (view.to_string(), fault));
        if let Some((view, (option, fault))) = views.iter().find_map(fault) {
            let text = format!("view {view:?}: {option}: {fault}");
            return Err(Error::new(ErrorKind::InvalidOption, text));
        }
        Ok(Self { inner: Arc::new(Inner { views, plans: Mutex::default() }) })
    }

    /// Whether there is no view.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.views.is_empty()
    }

    /// Whether every family stays as it is, but for what its histograms show on a page.
    #[cfg(feature = "prometheus")]
    pub(crate) fn keep_families(&self) -> bool {
        let keeps = |view: &View| {
            let labels = view.keep_labels.is_none() && view.drop_labels.is_empty();
            labels && !view.drop && view.rename.is_none()
        };
        self.inner.views.iter().all(keeps)
    }

    /// The bounds that the histograms of `name` show on a page, if a view chooses them.
    pub(crate) fn page_bounds(&self, name: &str, kind: Kind, unit: Unit) -> Option<PageBounds> {
        let choosing = self.inner.views.iter().filter(|view| view.shown.is_some());
        let mut selecting = choosing.filter(|view| view.selects(name, kind, unit));
        selecting.find_map(|view| view.shown.as_ref()?.page_bounds())
    }

    /// What the views say of an instrument that is about to be used for the first time: how to
    /// aggregate, if it is a histogram, and how many series it may have; each by the first view that
    /// says it.
    #[must_use]
    pub fn for_instrument(&self, name: &str, kind: Kind, unit: Unit) -> InstrumentView {
        let mut found = InstrumentView::default();
        for view in self.inner.views.iter().filter(|view| view.selects(name, kind, unit)) {
            if kind == Kind::Histogram {
                let chosen = || view.buckets.as_ref()?.aggregation();
                found.aggregation = found.aggregation.or_else(chosen);
            }
            found.limit = found.limit.or(view.limit);
        }
        found
    }
}

impl InstrumentView {
    /// The aggregation, if a view chooses it.
    #[must_use]
    pub fn aggregation(&self) -> Option<Aggregation> {
        self.aggregation
    }

    /// The most label sets, if a view limits them.
    #[must_use]
    pub fn limit(&self) -> Option<usize> {
        self.limit
    }
}

impl fmt::Debug for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.inner.views).finish()
    }
}

#[cfg(test)]
mod tests;
