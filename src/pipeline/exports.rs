//! What a route's exporter has done so far, and who hears of each attempt.

use std::{sync::Arc, time::Duration};

use super::QueueReport;
use crate::clock::Timestamp;

/// The attempts of an exporter.
#[derive(Clone, Debug, Default)]
pub(super) struct Exports {
    attempts: u64,
    failures_in_a_row: u32,
    bytes_sent: u64,
    last_delivery: Option<Timestamp>,
    panics: u64,
}

/// How an attempt ended; the label `outcome` of the crate's own series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttemptOutcome {
    Delivered,
    /// Something is to be tried again.
    Retry,
    /// Something was refused for good.
    Rejected,
    /// The backend takes no load of this size.
    TooLarge,
    /// A flush or a shutdown that came meanwhile ended it early.
    Interrupted,
}

impl AttemptOutcome {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "ok",
            Self::Retry => "retry",
            Self::Rejected => "rejected",
            Self::TooLarge => "too_large",
            Self::Interrupted => "interrupted",
        }
    }
}

/// An attempt that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempted {
    pub(crate) outcome: AttemptOutcome,
    pub(crate) took: Duration,
    /// The records that it was to deliver.
    pub(crate) n_records: usize,
}

/// Hears of each attempt of a route, on its worker's thread.
pub(crate) type Watch = Arc<dyn Fn(Attempted) + Send + Sync>;

impl Exports {
    /// Notes an attempt that left `failures` in a row, and whether it delivered all, in so many bytes.
    pub(super) fn note(&mut self, failures: u32, delivered: Option<usize>) {
        self.attempts += 1;
        self.failures_in_a_row = failures;
        if let Some(n_bytes) = delivered {
            self.bytes_sent += n_bytes as u64;
            self.last_delivery = Some(Timestamp::now());
        }
    }

    pub(super) fn note_panic(&mut self) {
        self.panics += 1;
    }

    /// The report with the figures of this exporter.
    pub(super) fn of(&self, report: QueueReport) -> QueueReport {
        let Self { attempts, failures_in_a_row, bytes_sent, last_delivery, panics } = *self;
        QueueReport { attempts, failures_in_a_row, bytes_sent, last_delivery, panics, ..report }
    }
}
