//! Stands in for the figures of the process where there is no `/proc`.

use super::{
    collector::{Collector, Description, Failure, Reading},
    source::Source,
};

/// The figures of this process; on this platform none are read, and the source has no families.
pub fn process() -> Source {
    Source::new("process", Absent)
}

struct Absent;

impl Collector for Absent {
    fn families(&self) -> Vec<Description> {
        Vec::new()
    }

    fn collect(&mut self, _to: &mut Reading) -> Result<(), Failure> {
        Ok(())
    }
}
