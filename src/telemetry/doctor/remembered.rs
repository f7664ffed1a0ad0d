//! What is kept for the doctor when telemetry is started.

use std::sync::Arc;

use crate::{telemetry::source::Source, trace::SpanRecord};

/// What is kept for the doctor when telemetry is started.
pub(crate) struct Remembered {
    pub(super) spans: Arc<Source<SpanRecord>>,
    /// Whether the user is called at each change of an alert.
    pub(super) hears_of_alerts: bool,
}

impl Remembered {
    pub(crate) fn new(spans: &Arc<Source<SpanRecord>>, hears_of_alerts: bool) -> Self {
        Self { spans: spans.clone(), hears_of_alerts }
    }
}
