//! What is kept for the doctor when telemetry is started.

use std::sync::Arc;

use crate::{
    pipeline::{Overflow, Settings},
    telemetry::source::Source,
    trace::SpanRecord,
};

/// What is kept for the doctor when telemetry is started.
pub(crate) struct Remembered {
    pub(super) limits: Vec<RouteLimits>, // In the order of the pipes.
    pub(super) spans: Arc<Source<SpanRecord>>,
    /// Whether the user is called at each change of an alert.
    pub(super) hears_of_alerts: bool,
}

impl Remembered {
    pub(crate) fn new(
        limits: &[RouteLimits],
        spans: &Arc<Source<SpanRecord>>,
        hears_of_alerts: bool,
    ) -> Self {
        Self { limits: limits.to_vec(), spans: spans.clone(), hears_of_alerts }
    }
}

/// The settings of a route that are of interest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteLimits {
    pub(super) max_items: usize,
    pub(super) max_bytes: usize,
    pub(super) overflow: Overflow,
}

impl From<&Settings> for RouteLimits {
    fn from(settings: &Settings) -> Self {
        let &Settings { max_items, max_bytes, overflow, .. } = settings;
        Self { max_items, max_bytes, overflow }
    }
}
