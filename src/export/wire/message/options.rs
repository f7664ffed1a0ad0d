//! What a user chooses of messages, whichever the broker is.

use std::sync::Arc;

use super::{JsonLines, MessageFormat, MessageSignal, Packer, formats::Formats};
use crate::{export::wire::signals::Signals, log::LogRecord, metric::DataPoint, trace::SpanRecord};

/// What messages hold, and how much.
#[derive(Clone, Debug)]
pub(crate) struct MessageOptions {
    pub(super) formats: Formats,
    /// Whether only records of one trace, or of one series, are in a message.
    pub(crate) has_keys: bool,
    pub(crate) most_bytes: usize,
    pub(crate) most_records: usize,
    pub(crate) signals: Signals,
}

/// The most bytes of a message by default: what every broker takes as it is installed.
const MOST_BYTES: usize = 256 << 10;

/// Lines of JSON, as many in a message as fit.
impl Default for MessageOptions {
    fn default() -> Self {
        Self {
            formats: Formats::of(JsonLines::new()),
            has_keys: false,
            most_bytes: MOST_BYTES,
            most_records: usize::MAX,
            signals: Signals::ALL,
        }
    }
}

impl MessageOptions {
    pub(crate) fn set_format<F>(&mut self, format: F)
    where
        F: MessageFormat<SpanRecord> + MessageFormat<DataPoint> + MessageFormat<LogRecord>,
    {
        self.formats = Formats::of(format);
    }

    pub(crate) fn format<S: MessageSignal>(&self) -> Arc<dyn MessageFormat<S>> {
        S::format_of(&self.formats)
    }

    pub(crate) fn packer<S: MessageSignal>(&self) -> Packer<S> {
        Packer::new(self.format(), self.most_bytes, self.most_records)
    }
}
