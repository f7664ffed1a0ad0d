//! The format of each signal.

use std::sync::Arc;

use super::MessageFormat;
use crate::{log::LogRecord, metric::DataPoint, trace::SpanRecord};

/// The format of each signal.
#[derive(Clone, Debug)]
pub(crate) struct Formats {
    pub(super) spans: Arc<dyn MessageFormat<SpanRecord>>,
    pub(super) metrics: Arc<dyn MessageFormat<DataPoint>>,
    pub(super) logs: Arc<dyn MessageFormat<LogRecord>>,
}

impl Formats {
    /// One format for all.
    pub(super) fn of<F>(format: F) -> Self
    where
        F: MessageFormat<SpanRecord> + MessageFormat<DataPoint> + MessageFormat<LogRecord>,
    {
        let format = Arc::new(format);
        Self { spans: format.clone(), metrics: format.clone(), logs: format }
    }
}
