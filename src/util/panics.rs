//! Panics of foreign code, which end where that code was called.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Calls `foreign`; if it panics, what it panicked with, to be [discarded](discard).
///
/// The caller answers for what `foreign` may leave in an odd state.
pub(crate) fn catch<R>(foreign: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(foreign))
}

/// Drops what a panic carried. It may panic when it is dropped; then what that carries stays where
/// it is.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch(|| drop(payload)) {
        std::mem::forget(again);
    }
}
