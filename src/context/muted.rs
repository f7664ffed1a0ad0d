//! Which threads are muted: what they do is the telemetry's own work, and starts no spans.
//!
//! A muted thread must cost the others nothing. A thread that starts spans keeps in one number for
//! which state of the tracers it has looked up its own; that it compares before each span anyway. On
//! a muted thread the number never fits, and the look-up, which is rare elsewhere, finds it muted.

use std::{cell::Cell, marker::PhantomData};

thread_local! {
    // Without destructors, so that spans may start in every destructor and exit hook.
    static TUNED: Cell<u64> = const { Cell::new(0) };
    static N_MUTED: Cell<u32> = const { Cell::new(0) };
}

/// Records no span that this thread starts until the guard is dropped. The context is carried on:
/// where a span would start, its parent's context is current, and goes out with
/// [`inject`](crate::inject).
///
/// The threads of exporters and notifiers are muted. It is for threads that these start themselves:
/// what delivers spans must not make spans, or each delivery would be something to deliver.
///
/// # Examples
///
/// ```
/// let muted = bellwether::trace::mute();
/// assert!(!bellwether::span("post").enter().is_recording());
/// # drop(muted);
/// ```
#[must_use = "the thread is muted until this is dropped"]
pub fn mute() -> Muted {
    N_MUTED.set(N_MUTED.get().saturating_add(1));
    TUNED.set(0);
    Muted { not_send: PhantomData }
}

/// Keeps this thread muted; made by [`mute`](crate::trace::mute).
#[derive(Debug)]
pub struct Muted {
    not_send: PhantomData<*const ()>, // It mutes the thread that it was made on.
}

impl Drop for Muted {
    fn drop(&mut self) {
        N_MUTED.set(N_MUTED.get().saturating_sub(1));
    }
}

/// Whether this thread is muted.
pub(crate) fn is_muted() -> bool {
    N_MUTED.get() > 0
}

/// The state for which this thread has looked up its tracer; 0 where it has to look.
#[inline(always)]
pub(crate) fn tuned() -> u64 {
    TUNED.get()
}

/// Notes that this thread has looked up its tracer for `state`, unless it is muted; 0 has it look
/// again.
pub(crate) fn tune(state: u64) {
    TUNED.set(if is_muted() { 0 } else { state });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_muted_thread_has_to_look_until_the_last_guard_is_gone() {
        tune(7);
        let guards = (mute(), mute());
        tune(7);
        assert_eq!((is_muted(), tuned()), (true, 0));
        drop(guards.0);
        tune(7);
        assert_eq!((is_muted(), tuned()), (true, 0));
        drop(guards.1);
        tune(7);
        assert_eq!((is_muted(), tuned()), (false, 7));
        tune(0);
    }
}
