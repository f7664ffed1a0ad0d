//! A flush that a signal handler asks for, and the tick that heeds it.

use std::{sync::Arc, time::Duration};

use super::{pending::Pending, running::Running};
use crate::{
    pipeline::Report,
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Release},
    },
};

/// How often a flush was asked for in this process and its ancestors.
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// Asks the running telemetry to flush soon; for signal handlers, which may call little else.
///
/// It is one atomic addition to a number of 64 bits, and nothing besides: it takes no lock, allocates nothing,
/// calls nothing, touches no thread-local and no `errno`. So it is async-signal-safe, and may be called in any
/// other place too, at any rate.
///
/// The telemetry looks at each [tick](crate::Builder::tick), a second by default, and then flushes on a thread
/// of its own, for at most ten seconds. Requests that come before that are one; one that comes while a flush
/// runs begins another at the tick after it. Without running telemetry it has no effect, later either. It does
/// not keep the process alive: to end it, let the handler wake a thread that calls
/// [`Telemetry::shutdown`](crate::Telemetry::shutdown).
///
/// # Examples
///
/// ```
/// extern "C" fn on_signal(_: i32) {
///     bellwether::request_flush_from_signal();
/// }
/// # on_signal(10);
/// ```
pub fn request_flush_from_signal() {
    // Release: what was recorded before is flushed by whoever sees the number.
    REQUESTS.fetch_add(1, Release);
}

/// Heeds requests, tick by tick.
pub(super) struct Requests {
    seen: u64,
    flush: Option<Pending<Report>>,
}

impl Requests {
    /// From here on: earlier requests were meant for nobody.
    pub(super) fn new() -> Self {
        Self { seen: REQUESTS.load(Acquire), flush: None }
    }

    /// Begins a flush if one was asked for and none is under way.
    pub(super) fn heed(&mut self, running: &Arc<Running>) {
        let n = REQUESTS.load(Acquire);
        if n != self.seen && self.flush.as_ref().is_none_or(Pending::is_done) {
            let Some(flush) = running.begin_flush_aside(PATIENCE) else { return }; // The next tick tries again.
            self.seen = n;
            self.flush = Some(flush);
        }
    }
}

/// How long such a flush may take. Arbitrary.
const PATIENCE: Duration = Duration::from_secs(10);
