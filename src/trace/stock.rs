//! A thread's memory for its next spans: records, and room for the attributes of a builder.

use std::{
    mem,
    sync::atomic::{AtomicU16, Ordering::Relaxed},
};

use super::{SpanRecord, kept::MOST_SPARE_ROOM, record::SPARE};
use crate::{label::KeyValue, pipeline::Signal as _};

/// Some records that nobody uses, the hottest last.
pub(super) struct Stock {
    records: Vec<SpanRecord>,
    attributes: Vec<KeyValue>, // Empty: the room of a builder that has started its span.
    thread: u16, // The thread's number; others may have it too. Zero before it has one.
}

impl Stock {
    pub(super) const EMPTY: Self = Self { records: Vec::new(), attributes: Vec::new(), thread: 0 };

    /// Gives the thread a number, by which it gets its own records back.
    pub(super) fn number(&mut self) {
        static THREADS: AtomicU16 = AtomicU16::new(1);
        if self.thread == 0 {
            self.thread = THREADS.fetch_add(1, Relaxed);
        }
    }

    /// A clean record for a span that starts, with the room that a former span left in it.
    #[inline(always)]
    pub(super) fn take(&mut self) -> SpanRecord {
        match self.records.pop() {
            Some(record) => record,
            None => self.refill(),
        }
    }

    #[cold]
    #[inline(never)]
    fn refill(&mut self) -> SpanRecord {
        SPARE.take(self.thread.into(), &mut self.records);
        // Together: what another core has of them is waited for once, and not at each span.
        self.records.iter_mut().for_each(|record| record.clean(self.thread));
        self.records.pop().unwrap_or_else(|| {
            let mut record = SpanRecord::empty();
            record.clean(self.thread);
            record
        })
    }

    /// Room for the attributes of a builder.
    pub(super) fn take_attributes(&mut self) -> Vec<KeyValue> {
        mem::take(&mut self.attributes)
    }

    /// Keeps the room of a builder for the next one.
    pub(super) fn keep_attributes(&mut self, mut attributes: Vec<KeyValue>) {
        attributes.clear();
        if (1..=MOST_SPARE_ROOM).contains(&attributes.capacity()) {
            self.attributes = attributes;
        }
    }

    /// Leaves its records to other threads.
    pub(super) fn give_back(&mut self) {
        self.attributes = Vec::new();
        let bytes = self.records.iter().map(SpanRecord::weight).sum();
        SPARE.keep(self.thread.into(), mem::take(&mut self.records), bytes);
    }
}
