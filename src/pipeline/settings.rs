//! The settings of a queue: its size, its batches, and which records it drops when it is full.

use std::time::Duration;

use super::{DeadLetters, Retry};

/// The limits of a queue, and how its worker delivers.
///
/// # Examples
///
/// ```
/// use bellwether::pipeline::{Overflow, Settings};
///
/// let mut settings = Settings::default();
/// settings.max_items = 1_000;
/// settings.overflow = Overflow::DropOldest;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The most records that are held, those in the exporter's hands included. At least 1; 262,144 by
    /// default.
    pub max_items: usize,
    /// The most bytes that are held, by [`Signal::weight`](super::Signal::weight). At least 1; 64 MiB
    /// by default.
    pub max_bytes: usize,
    /// Which records are dropped when the queue is full; [`Overflow::DropNewest`] by default.
    pub overflow: Overflow,
    /// The most records in one batch. As many waiting records wake the worker, or half of
    /// [`max_items`](Self::max_items) if that is less. At least 1; 512 by default.
    pub batch_items: usize,
    /// The most bytes in one batch, at most half of [`max_bytes`](Self::max_bytes). Only a batch of a
    /// single part, which is at most 256 records, may be larger. At least 1; 4 MiB by default.
    pub batch_bytes: usize,
    /// How long a record may wait for its batch to fill: an idle worker looks this often. One second
    /// by default. At least 1 ms, or zero: then nothing waits, and each record offered to an idle
    /// worker wakes it.
    pub batch_delay: Duration,
    /// How long one attempt to deliver a batch may take. Not zero; 10 s by default.
    pub attempt_timeout: Duration,
    /// How a batch is tried again.
    pub retry: Retry,
    /// The file that gets what the backend refused for good; none by default. For routes that [encode and
    /// send](super::Route::wire) alone.
    pub dead_letters: Option<DeadLetters>,
    /// Where records wait on disk until they are delivered, over an outage and a crash; nowhere by default.
    /// For routes that [encode and send](super::Route::wire) alone.
    #[cfg(all(feature = "spool", unix))]
    pub spool: Option<super::SpoolFolder>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_items: 262_144,
            max_bytes: 64 << 20,
            overflow: Overflow::DropNewest,
            batch_items: 512,
            batch_bytes: 4 << 20,
            batch_delay: Duration::from_secs(1),
            attempt_timeout: Duration::from_secs(10),
            retry: Retry::default(),
            dead_letters: None,
            #[cfg(all(feature = "spool", unix))]
            spool: None,
        }
    }
}

impl Settings {
    /// Whether records wait on disk.
    pub(super) fn has_spool(&self) -> bool {
        #[cfg(all(feature = "spool", unix))]
        return self.spool.is_some();
        #[cfg(not(all(feature = "spool", unix)))]
        return false;
    }

    /// How batches are tried again. With a spool, for as long as it takes: what can neither be written nor
    /// sent waits in memory, within the queue's bounds, and what is written and cannot be sent on disk.
    pub(super) fn retry_of_route(&self) -> Retry {
        match self.has_spool() {
            true => Retry { max_elapsed: Duration::MAX, ..self.retry.clone() },
            false => self.retry.clone(),
        }
    }
}

/// Which records are dropped when a queue is full.
///
/// [Urgent](super::Signal::is_urgent) records, such as errors, take the place of others that wait, and no
/// other takes theirs. While a queue is more than half full they are also delivered before the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// The offered record, so that older records stay complete. For spans.
    #[default]
    DropNewest,
    /// The record that has waited longest, because the newest state counts. For alerts. Records in the
    /// exporter's hands stay.
    DropOldest,
    /// The offered record, when the thread that offers it has waited so long for room. For records that
    /// may cost time rather than be lost, in a batch job say: whoever hands records over waits, and that
    /// may be any thread of the application, or the tick, and alerts with it. An exporter's own thread
    /// does not wait.
    Block(Duration),
}
