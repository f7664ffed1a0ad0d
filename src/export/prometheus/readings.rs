//! What a page is rendered from: families, their series, and the values by reference.
//!
//! A [`Snapshot`] is one source. A source that reads the registry in place, without the allocations
//! of a snapshot, is another: it hands over the same families and series in the same order, with the
//! label sets that the registry keeps, so that a page recognises a series by the address of its labels.

use crate::{
    clock::Ticks,
    label::LabelSet,
    metric::{Family, Kind, Live, LiveFamily, SeriesValue, Snapshot, Unit},
};

/// All series at one instant.
pub(crate) trait Readings {
    /// One family.
    type Family: FamilyReadings;

    /// Calls `each` with every family, sorted by name, no name twice.
    ///
    /// A page walks the families twice, and they must be the same both times.
    fn each_family(&self, each: impl FnMut(&Self::Family));
}

/// The series of one family.
pub(crate) trait FamilyReadings {
    /// The name as the instrument was given it.
    fn name(&self) -> &str;
    /// What kind of instrument it is.
    fn kind(&self) -> Kind;
    /// The unit.
    fn unit(&self) -> Unit;
    /// The description.
    fn help(&self) -> &str;

    /// Calls `each` with every series: its labels, when its sum began, and its value. The series are
    /// sorted by labels, no label set twice.
    fn each_series(&self, each: impl FnMut(&LabelSet, Ticks, &SeriesValue));
}

impl Readings for Snapshot {
    type Family = Family;

    fn each_family(&self, each: impl FnMut(&Family)) {
        self.families().iter().for_each(each);
    }
}

impl FamilyReadings for Family {
    fn name(&self) -> &str {
        self.name()
    }

    fn kind(&self) -> Kind {
        self.kind()
    }

    fn unit(&self) -> Unit {
        self.unit()
    }

    fn help(&self) -> &str {
        self.help()
    }

    fn each_series(&self, mut each: impl FnMut(&LabelSet, Ticks, &SeriesValue)) {
        for series in self.series() {
            each(series.labels(), series.started(), series.value());
        }
    }
}

impl Readings for Live {
    type Family = LiveFamily;

    fn each_family(&self, each: impl FnMut(&LiveFamily)) {
        self.families().iter().for_each(each);
    }
}

impl FamilyReadings for LiveFamily {
    fn name(&self) -> &str {
        self.name()
    }

    fn kind(&self) -> Kind {
        self.kind()
    }

    fn unit(&self) -> Unit {
        self.unit()
    }

    fn help(&self) -> &str {
        self.help()
    }

    fn each_series(&self, each: impl FnMut(&LabelSet, Ticks, &SeriesValue)) {
        self.each_series(each);
    }
}
