//! Records that a thread keeps for itself, in tests.

use std::{cell::RefCell, sync::Arc};

use super::{LogRecord, filter};
use crate::{context, sync::Mutex};

/// What a test has captured. No lock is taken inside it.
pub(crate) type Captured = Arc<Mutex<Vec<LogRecord>>>;

thread_local! {
    static CAPTURED: RefCell<Option<Captured>> = const { RefCell::new(None) };
}

/// Lets this thread keep what it logs, or no longer. Returns where it did before.
pub(super) fn replace(captured: Option<Captured>) -> Option<Captured> {
    filter::keep_all_of_thread(captured.is_some());
    CAPTURED.try_with(|place| place.replace(captured)).ok().flatten()
}

/// Keeps a record.
pub(super) fn push(record: LogRecord) {
    let captured = CAPTURED.try_with(|place| place.borrow().clone()).ok().flatten();
    if let Some(captured) = captured {
        // What an allocator logs meanwhile would wait for this lock.
        let _muted = context::mute();
        captured.lock().push(record);
    }
}
