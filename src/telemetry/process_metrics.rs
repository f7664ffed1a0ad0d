//! The figures of the process, in one line.

use super::Builder;
use crate::collect;

impl Builder {
    /// Adds the figures of the process itself, named as Prometheus' client libraries have them; see
    /// [`collect::process`].
    pub fn process_metrics(self) -> Self {
        self.source(collect::process())
    }
}
