//! The figures of the host, in one line.

use super::Builder;
use crate::collect;

impl Builder {
    /// Adds the figures of the host and of the container around the process; see [`collect::host`].
    pub fn host_metrics(self) -> Self {
        collect::host().into_iter().fold(self, Self::source)
    }
}
