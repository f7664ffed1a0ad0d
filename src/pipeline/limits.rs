//! The limits of a queue, computed from its settings.

use std::time::Duration;

use super::settings::{Overflow, Settings};
use crate::error::{Error, ErrorKind};

/// How much a queue holds, and when its worker wakes.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) max_items: usize,   // At least 1.
    pub(super) max_bytes: usize,   // At least 1.
    pub(super) batch_items: usize, // In [1, max_items].
    pub(super) batch_bytes: usize,
    pub(super) wake_items: usize, // In [1, batch_items].
    pub(super) batch_delay: Duration,
    pub(super) overflow: Overflow,
}

impl Limits {
    pub(super) fn checked(settings: &Settings) -> Result<Self, Error> {
        let &Settings { max_items, max_bytes, batch_items, batch_bytes, .. } = settings;
        for (name, value) in [
            ("max_items", max_items),
            ("max_bytes", max_bytes),
            ("batch_items", batch_items),
            ("batch_bytes", batch_bytes),
        ] {
            if value == 0 {
                let message = format!("queue setting `{name}` must be at least 1");
                return Err(Error::new(ErrorKind::InvalidOption, message));
            }
        }
        if settings.attempt_timeout.is_zero() {
            let message = "queue setting `attempt_timeout` must not be zero";
            return Err(Error::new(ErrorKind::InvalidOption, message));
        }
        let batch_items = batch_items.min(max_items);
        let at_once = settings.batch_delay.is_zero();
        Ok(Self {
            max_items,
            max_bytes,
            batch_items,
            // Two batches and the queue bound the memory that an unreachable backend can cost.
            batch_bytes: settings.batch_bytes.min(max_bytes.div_ceil(2)),
            // Before the queue is full, so that no records are lost before the worker looks.
            wake_items: if at_once { 1 } else { batch_items.min(max_items.div_ceil(2)) },
            // Every record wakes this worker, so it need not look by itself. Without a delay it would
            // spin.
            batch_delay: if at_once {
                Duration::MAX
            } else {
                settings.batch_delay.max(SHORTEST_DELAY)
            },
            overflow: settings.overflow,
        })
    }
}

/// A shorter delay would keep an idle worker busy.
const SHORTEST_DELAY: Duration = Duration::from_millis(1);
