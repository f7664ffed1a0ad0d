//! Which traces are exported, where that is decided after they have ended.

use std::{fmt, sync::Arc};

use super::TraceId;
use crate::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering::Relaxed},
};

/// Whether a trace is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Export {
    Yes,
    No,
    Undecided,
}

/// Knows whether a trace is exported.
#[derive(Clone)]
pub(crate) struct Exported(Arc<dyn Fn(TraceId) -> Export + Send + Sync>);

impl Exported {
    pub(crate) fn new(export: impl Fn(TraceId) -> Export + Send + Sync + 'static) -> Self {
        Self(Arc::new(export))
    }
}

impl fmt::Debug for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exported").finish_non_exhaustive()
    }
}

/// Whether `trace`, which was or may be exported, is: what leads to one that is not leads nowhere.
pub(crate) fn is_exported(trace: TraceId) -> bool {
    !is_export_asked() || export_of(trace) == Export::Yes
}

/// Whether some that are sampled are not exported.
#[inline]
pub(crate) fn is_export_asked() -> bool {
    IS_ASKED.load(Relaxed)
}

/// What is known of `trace`, which was or may be exported.
pub(crate) fn export_of(trace: TraceId) -> Export {
    let exported = EXPORTED.lock().clone();
    exported.map_or(Export::Yes, |Exported(export)| export(trace))
}

/// From now on `exported` is asked; `None` if all traces are exported that are sampled.
pub(crate) fn ask_whether_exported(exported: Option<Exported>) {
    let mut installed = EXPORTED.lock();
    // Relaxed: what it announces is read under the lock.
    IS_ASKED.store(exported.is_some(), Relaxed);
    *installed = exported;
}

static IS_ASKED: AtomicBool = AtomicBool::new(false);
/// No lock is taken inside it.
static EXPORTED: Mutex<Option<Exported>> = Mutex::new(None);
