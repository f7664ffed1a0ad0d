//! How much a queue holds, when its batches go, and what goes when it is full.

use std::time::Duration;

use super::Retry;

/// What a queue may hold and how its worker behaves.
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
    /// The most records that are held, those in the exporter's hands included; at least 1; 65,536.
    pub max_items: usize,
    /// The most bytes that are held, by [`Signal::weight`](super::Signal::weight); at least 1; 64 MiB.
    pub max_bytes: usize,
    /// What goes when the queue is full; [`Overflow::DropNewest`].
    pub overflow: Overflow,
    /// The most records in one batch, and how many waiting ones wake the worker (or half of
    /// [`max_items`](Self::max_items), if that is less); at least 1; 512.
    pub batch_items: usize,
    /// No batch of more than one part, which is 256 records at most, grows beyond this, nor beyond half
    /// of [`max_bytes`](Self::max_bytes); at least 1; 4 MiB.
    pub batch_bytes: usize,
    /// How long a record may wait for its batch to fill: an idle worker looks this often. One second.
    /// At least 1 ms, or zero: nothing waits, and each record offered to an idle worker wakes it.
    pub batch_delay: Duration,
    /// How long one attempt to deliver a batch may take; not zero; 10 s.
    pub attempt_timeout: Duration,
    /// How a batch is tried again.
    pub retry: Retry,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_items: 65_536,
            max_bytes: 64 << 20,
            overflow: Overflow::DropNewest,
            batch_items: 512,
            batch_bytes: 4 << 20,
            batch_delay: Duration::from_secs(1),
            attempt_timeout: Duration::from_secs(10),
            retry: Retry::default(),
        }
    }
}

/// What goes when a queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// The record that is offered: what has been kept longest stays whole. For spans.
    #[default]
    DropNewest,
    /// The record that waits longest: the newest state counts. For alerts. What is in the exporter's
    /// hands stays.
    DropOldest,
}
