//! A handle to a spool for threads that neither write nor read it.

use std::sync::Arc;

use super::state::{Shared, SpoolFigures};

/// Says what is in a spool, and wakes its reader.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct SpoolHandle(pub(super) Arc<Shared>);

impl SpoolHandle {
    /// What the spool has, and what became of what it had.
    #[must_use]
    pub fn figures(&self) -> SpoolFigures {
        self.0.figures()
    }

    /// Ends the wait of the reader, or its next one.
    pub fn wake(&self) {
        self.0.lock().is_woken = true;
        self.0.changed.notify_all();
    }
}
