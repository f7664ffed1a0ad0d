//! Families, their series, and the values by reference, as they are read.
//!
//! A [`Snapshot`] is one source. Another one reads the registry in place, without the allocations of a
//! snapshot; it gives the same families and series in the same order.

use crate::{
    metric::{Family, Snapshot},
    series::{Live, LiveFamily, VisitSeries, visit_kept},
    snapshot::Head,
};

/// All series at one instant.
pub(crate) trait Readings {
    /// One family.
    type Family: FamilyReadings;

    /// Calls `each` with every family, sorted by name, no name twice.
    ///
    /// A page walks the families twice: they must be the same both times.
    fn each_family(&self, each: impl FnMut(&Self::Family));
}

/// The series of one family.
pub(crate) trait FamilyReadings {
    /// The properties of the family.
    fn head(&self) -> Head<'_>;

    /// Visits every series, sorted by labels, no label set twice.
    fn each_series(&self, visit: &mut impl VisitSeries);
}

impl Readings for Snapshot {
    type Family = Family;

    fn each_family(&self, each: impl FnMut(&Family)) {
        self.families().iter().for_each(each);
    }
}

impl FamilyReadings for Family {
    fn head(&self) -> Head<'_> {
        self.head()
    }

    fn each_series(&self, visit: &mut impl VisitSeries) {
        visit_kept(self.series(), visit);
    }
}

impl Readings for Live {
    type Family = LiveFamily;

    fn each_family(&self, each: impl FnMut(&LiveFamily)) {
        self.families().iter().for_each(each);
    }
}

impl FamilyReadings for LiveFamily {
    fn head(&self) -> Head<'_> {
        self.head()
    }

    fn each_series(&self, visit: &mut impl VisitSeries) {
        self.each_series(visit);
    }
}
