//! Views: what readers see of an instrument, configured apart from the code that records.
//!
//! A [`View`] selects instruments by name and changes how they are shown; [`Views`] is a list of views
//! that a registry applies whenever it is read. `apply` makes a new snapshot and changes nothing that
//! was recorded. Limits and the buckets of histograms cannot be changed afterwards: they are decided
//! when an instrument is first used.

#[cfg(feature = "serde")]
mod serialised;
mod views;

use std::sync::Arc;

#[cfg(feature = "serde")]
pub(crate) use self::serialised::{kind_name, kind_named};
pub use self::views::Views;
use super::{
    family::Kind,
    histogram::{Aggregation, PageBounds, bounds_fault},
    name::name_fault,
    unit::Unit,
};
use crate::util::pattern::Pattern;

/// What readers see of the instruments that a pattern selects.
///
/// In the pattern, and in those of label keys, `*` stands for any characters and `?` for one. With the
/// feature `serde` a view is read from a map of its options, with the pattern as `instrument`.
///
/// # Examples
///
/// ```
/// use bellwether::metric::{Kind, View, Views};
///
/// let view = View::new("http.*").kind(Kind::Counter).drop_labels(["user_*"]).rename("web.requests");
/// let views = Views::new([view])?;
///
/// let error = Views::new([View::new("http.*").rename("9")]).unwrap_err();
/// assert!(error.to_string().starts_with("view of \"http.*\": rename: "), "{error}");
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

/// The aggregation that a view chooses for histograms; not checked yet.
#[derive(Clone, Debug, PartialEq)]
enum Buckets {
    Exponential,
    Explicit(Arc<[f64]>),
    Hdr { digits: u8 },
}

/// The bounds that a view chooses for a page; not checked yet.
#[derive(Clone, Debug, PartialEq)]
enum ShownBounds {
    PowersOfTwo,
    Explicit(Arc<[f64]>),
}

impl View {
    /// A view of the instruments whose name matches the pattern `instrument`; it changes nothing yet.
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

    /// Hides the instruments.
    pub fn drop(self) -> Self {
        Self { drop: true, ..self }
    }

    /// Shows the instruments under `name`. Instruments of one kind and unit become one family.
    pub fn rename(self, name: impl Into<String>) -> Self {
        Self { rename: Some(name.into()), ..self }
    }

    /// Keeps only labels whose key matches one of these patterns; without a pattern, no label.
    pub fn keep_labels<K: Into<String>>(self, keys: impl IntoIterator<Item = K>) -> Self {
        Self { keep_labels: Some(patterns(keys)), ..self }
    }

    /// Drops labels whose key matches one of these patterns, even if `keep_labels` keeps them.
    pub fn drop_labels<K: Into<String>>(self, keys: impl IntoIterator<Item = K>) -> Self {
        Self { drop_labels: patterns(keys), ..self }
    }

    /// Gives histograms these bounds, as by [`Aggregation::explicit`], if they are not in use yet.
    pub fn bounds(self, bounds: impl IntoIterator<Item = f64>) -> Self {
        self.buckets(Buckets::Explicit(bounds.into_iter().collect()))
    }

    /// Gives histograms this many significant digits, 1 to 5, by [`Aggregation::Hdr`], if they are not
    /// in use yet.
    pub fn hdr(self, digits: u8) -> Self {
        self.buckets(Buckets::Hdr { digits })
    }

    /// Gives histograms the buckets of [`Aggregation::Exponential`], if they are not in use yet.
    pub fn exponential(self) -> Self {
        self.buckets(Buckets::Exponential)
    }

    /// Shows these bounds on a page, as by [`PageBounds::explicit`]; the histograms keep their own
    /// buckets.
    pub fn page_bounds(self, bounds: impl IntoIterator<Item = f64>) -> Self {
        self.shown(ShownBounds::Explicit(bounds.into_iter().collect()))
    }

    /// Shows powers of two on a page, where counts are exact: [`PageBounds::PowersOfTwo`].
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

    /// The aggregation that it chooses, if any.
    pub(crate) fn aggregation(&self) -> Option<Aggregation> {
        self.buckets.as_ref()?.aggregation()
    }

    /// The limit of series that it sets, if any.
    pub(crate) fn series_limit(&self) -> Option<usize> {
        self.limit
    }

    pub(crate) fn selects(&self, name: &str, kind: Kind, unit: Unit) -> bool {
        self.kind.is_none_or(|wanted| wanted == kind)
            && self.unit.as_deref().is_none_or(|wanted| wanted == unit.as_str())
            && self.instrument.is_of(name)
    }

    /// What is wrong with it, if anything: the option and the reason.
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
    /// The aggregation, if it is legal. Its bounds are then kept until the process ends.
    fn aggregation(&self) -> Option<Aggregation> {
        match self {
            Self::Exponential => Some(Aggregation::Exponential),
            Self::Explicit(bounds) => Aggregation::explicit(bounds).ok(),
            &Self::Hdr { digits } => Some(Aggregation::Hdr { significant_digits: digits }),
        }
    }
}

impl ShownBounds {
    /// The bounds, if they are legal. They are then kept until the process ends.
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

#[cfg(test)]
mod tests;
