//! The properties of an instrument, as in the source.

use std::{borrow::Cow, panic::Location, time::Duration};

use crate::snapshot::{HistogramOptions, Kind, Range, Unit};

/// The properties of an instrument, and its place in the source.
#[derive(Clone, Debug)]
pub(crate) struct Descriptor {
    pub(crate) name: Cow<'static, str>,
    pub(crate) help: Cow<'static, str>,
    pub(crate) unit: Unit,
    pub(crate) kind: Kind,
    pub(crate) number: Number,
    /// The most label sets, if it differs from the registry's limit.
    pub(crate) limit: Option<usize>,
    /// The time after which a series without writes is removed, if ever.
    pub(crate) idle: Option<Duration>,
    /// Whether a counter keeps additions in sampled spans as exemplars.
    pub(crate) keeps_exemplars: bool,
    /// Whether a counter also has a family of its rates.
    pub(crate) has_rates: bool,
    /// The keys of dynamic labels; those of typed labels come from their type.
    pub(crate) keys: &'static [&'static str],
    /// The options of a histogram; the default for every other kind.
    pub(crate) histogram: HistogramOptions,
    /// The values that a gauge may have, if it has a range.
    pub(crate) range: Option<Range>,
    pub(crate) place: &'static Location<'static>,
}

/// What the cells of a sum hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    Whole,
    /// The bits of an `f64`.
    Fraction,
}

impl Descriptor {
    /// A descriptor with no options set.
    #[track_caller]
    pub(crate) const fn new(name: &'static str, help: &'static str, kind: Kind) -> Self {
        let (unit, number, place) = (Unit::NONE, Number::Whole, Location::caller());
        let (histogram, keys) = (HistogramOptions::new(), &[]);
        let (limit, idle, range) = (None, None, None);
        Self {
            name: Cow::Borrowed(name),
            help: Cow::Borrowed(help),
            unit,
            kind,
            number,
            limit,
            idle,
            keeps_exemplars: false,
            has_rates: false,
            keys,
            histogram,
            range,
            place,
        }
    }
}

/// Whether a set of so many combinations is an array; a larger set is looked up like an open one.
pub(crate) const fn is_closed(cardinality: Option<usize>) -> bool {
    const MOST: usize = 65_536;
    matches!(cardinality, Some(len) if len <= MOST)
}
