//! The subscribers that the layer is in, which ask anew what is enabled when the log filter changes.

use ::tracing_core::{Dispatch, callsite, dispatcher, dispatcher::WeakDispatch};

use crate::sync::Mutex;

/// Those that live, and few that have lived. No lock is taken inside it.
static KNOWN: Mutex<Vec<WeakDispatch>> = Mutex::new(Vec::new());

/// Notes a subscriber.
pub(super) fn note(dispatch: &Dispatch) -> WeakDispatch {
    let weak = dispatch.downgrade();
    let others = living(); // Dropped after the lock: one may be the last owner.
    let mut known = KNOWN.lock();
    *known = others.iter().map(Dispatch::downgrade).collect();
    known.push(weak.clone());
    drop(known);
    weak
}

fn living() -> Vec<Dispatch> {
    KNOWN.lock().iter().filter_map(WeakDispatch::upgrade).collect()
}

/// Has every call site ask anew whether it is enabled.
pub(super) fn ask_anew() {
    // Where `tracing` knows of one subscriber alone, it asks the one of this thread, and takes it that
    // there is none where this thread has none.
    if let Some(one) = living().last() {
        dispatcher::with_default(one, callsite::rebuild_interest_cache);
    }
}
