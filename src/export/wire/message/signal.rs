//! Where records of each signal come from.

use std::sync::Arc;

use super::{MessageFormat, formats::Formats, prefix::Origin};
use crate::{
    log::LogRecord, metric::DataPoint, pipeline::Signal, trace::SpanRecord,
    util::fingerprint::fingerprint,
};

/// A signal whose records may be messages.
pub(crate) trait MessageSignal: Signal {
    /// Where the record comes from.
    fn origin(&self) -> Origin;

    /// The format of this signal.
    fn format_of(formats: &Formats) -> Arc<dyn MessageFormat<Self>>;
}

impl MessageSignal for SpanRecord {
    fn origin(&self) -> Origin {
        let context = self.context();
        Origin {
            key: context.trace_id().to_u128().to_be_bytes(),
            span: context.span_id().to_u64().to_be_bytes(),
            flags: context.flags().to_u8(),
        }
    }

    fn format_of(formats: &Formats) -> Arc<dyn MessageFormat<Self>> {
        formats.spans.clone()
    }
}

impl MessageSignal for LogRecord {
    fn origin(&self) -> Origin {
        let trace = self.trace_id().map_or(0, |id| id.to_u128());
        let span = self.span_id().map_or(0, |id| id.to_u64());
        Origin { key: trace.to_be_bytes(), span: span.to_be_bytes(), flags: self.flags().to_u8() }
    }

    fn format_of(formats: &Formats) -> Arc<dyn MessageFormat<Self>> {
        formats.logs.clone()
    }
}

impl MessageSignal for DataPoint {
    /// Its key is that of its name and labels, in whatever order they are.
    fn origin(&self) -> Origin {
        let of = |key: &str, value: &str| fingerprint(&[key.as_bytes(), value.as_bytes()]);
        let labels = self.labels().iter().map(|(key, value)| of(key, value));
        let key = labels.fold(of("", self.name()), u128::wrapping_add);
        Origin { key: key.to_be_bytes(), ..Origin::default() }
    }

    fn format_of(formats: &Formats) -> Arc<dyn MessageFormat<Self>> {
        formats.metrics.clone()
    }
}
