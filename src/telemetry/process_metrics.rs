//! The figures of the process, in one line.

use super::Builder;
use crate::collect;

impl Builder {
    /// Adds the figures of the process itself, under the names of Prometheus' client libraries; see
    /// [`collect::process`].
    ///
    /// # Examples
    ///
    /// ```
    /// let telemetry = bellwether::builder("shop").process_metrics().start()?;
    /// let resident = telemetry.snapshot().value("process.resident_memory", &[]).map(|v| v.as_f64());
    /// assert_eq!(resident.is_some_and(|bytes| bytes > 0.0), cfg!(target_os = "linux"));
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    pub fn process_metrics(self) -> Self {
        self.source(collect::process())
    }
}
