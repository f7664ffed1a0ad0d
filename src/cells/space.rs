//! What an id stands for.

use crate::snapshot::Kind;

/// The id of an instrument that nobody has used yet.
pub(crate) const UNREGISTERED: u32 = u32::MAX;
/// The id of an instrument that lost a conflict: it records into nothing.
pub(crate) const DISABLED: u32 = u32::MAX - 1;
/// The first id of instruments that lost a conflict and are told apart.
pub(crate) const REFUSED: u32 = DISABLED - 1_024;
/// The end of the ids of sums and gauges. [`DISABLED`] stays itself under every tag: it has those bits.
pub(crate) const TAGGED: u32 = (1 << 30) - (1 << 12);
/// The first id of histograms with options of their own. Ids below are ordinary ones: as many as
/// memory lasts for.
pub(crate) const CHOSEN: u32 = 1 << 30;

/// A way of keeping values. Each has ids of its own, process-wide and dense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Space {
    Sum,
    Gauge,
    /// Those with options of their own have ids from [`CHOSEN`] on.
    Histogram,
}

impl Space {
    pub(crate) const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Counter | Kind::UpDownCounter => Self::Sum,
            Kind::Gauge | Kind::Info | Kind::StateSet => Self::Gauge,
            Kind::Histogram | Kind::Summary => Self::Histogram,
        }
    }

    /// Which blocks a histogram's id is in, and where in them.
    pub(crate) fn locate(self, id: u32) -> (Self, bool, u32) {
        match id.checked_sub(CHOSEN) {
            Some(place) if self == Self::Histogram => (self, true, place),
            _ => (self, false, id),
        }
    }
}
