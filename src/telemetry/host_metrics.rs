//! The figures of the host, in one line.

use super::Builder;
use crate::collect;

impl Builder {
    /// Adds the figures of the host and of the container around the process; see [`collect::host`].
    ///
    /// # Examples
    ///
    /// ```
    /// let telemetry = bellwether::builder("shop").host_metrics().start()?;
    /// let memory = telemetry.snapshot().value("system.memory.limit", &[]).map(|v| v.as_f64());
    /// assert_eq!(memory.is_some_and(|bytes| bytes > 0.0), cfg!(target_os = "linux"));
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn host_metrics(self) -> Self {
        collect::host().into_iter().fold(self, Self::source)
    }
}
