//! Which threads are workers, and of which queue; how the end of one is waited for.

use std::{cell::Cell, sync::Arc, time::Instant};

use super::queue::Queue;
use crate::{
    diagnostics,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    util::catch::catch,
};

/// Waits for the worker of `queue` to end after a shutdown. At `deadline`, drops what it holds and
/// leaves the thread behind.
pub(super) fn await_end<T>(name: &str, queue: &Queue<T>, deadline: Instant) {
    if queue.wait_ended(deadline) {
        return;
    }
    queue.abandon();
    if queue.leak() {
        LEAKED.fetch_add(1, Relaxed);
        let text = format_args!("still at work at the deadline of its shutdown; left behind");
        let text = format_args!("exporter \"{name}\": {text}");
        let _ = catch(|| diagnostics::report("exporter hung", text));
    }
}

/// How many exporter threads of this process did not end before the deadline of their shutdown; the
/// series [`LEAKED`](super::series::LEAKED).
pub(crate) fn leaked_workers() -> u64 {
    LEAKED.load(Relaxed)
}

/// Relaxed: it publishes nothing else.
static LEAKED: AtomicU64 = AtomicU64::new(0);

/// Whether this thread is the worker of any queue.
pub(crate) fn is_any_thread() -> bool {
    OWN_QUEUE.get() != 0
}

/// Makes this thread one of the workers of the queue with this identity.
pub(super) fn claim(identity: usize) {
    OWN_QUEUE.set(identity);
}

/// Whether this thread is a worker of `queue`.
pub(super) fn is_own_thread<T>(queue: &Arc<Queue<T>>) -> bool {
    OWN_QUEUE.get() == identity(queue)
}

thread_local! {
    // Without a destructor, so that exit hooks can read it when other thread locals are gone.
    static OWN_QUEUE: Cell<usize> = const { Cell::new(0) };
}

/// The address of the queue: unique while its worker runs, because the worker shares ownership of the
/// queue.
pub(super) fn identity<T>(queue: &Arc<Queue<T>>) -> usize {
    Arc::as_ptr(queue).addr()
}
