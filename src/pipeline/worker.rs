//! The thread of one exporter: waits for batches, has them delivered, tries again, survives panics.
//!
//! One `catch_unwind` stands around each step, so that whatever foreign code does (the exporter, the
//! drop of a record, a diagnostics hook), it costs the batch in flight and never the thread. The
//! thread is muted: spans that an exporter starts would be something to export again.

use std::{cell::Cell, sync::Arc, thread, time::Instant};

use super::{
    Batch, DropReason, ExportError, Exporter, OneLine, Retry,
    exporter::{Decision, bounded},
    queue::{Next, Queue},
    retry::Attempts,
};
use crate::{
    clock, context, diagnostics,
    error::{Error, ErrorKind},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    util::{catch::catch, random},
};

pub(super) struct Worker<T> {
    name: Arc<str>,
    queue: Arc<Queue<T>>,
    exporter: Box<dyn Exporter<T>>,
    retry: Retry,
    overflowed: u64, // How many of the queue's overflowed records have been diagnosed.
}

impl<T: Send + Sync + 'static> Worker<T> {
    pub(super) fn new(
        name: Arc<str>,
        queue: Arc<Queue<T>>,
        exporter: Box<dyn Exporter<T>>,
        retry: Retry,
    ) -> Self {
        Self { name, queue, exporter, retry, overflowed: 0 }
    }

    /// Starts the thread, which ends when the queue is closed.
    pub(super) fn spawn(self, thread: thread::Builder) -> Result<(), Error> {
        let name = self.name.clone();
        let spawned = thread.name(format!("bellwether-{name}")).spawn(move || self.run());
        // The handle is let go: a thread that may hang is never joined.
        spawned.map(drop).map_err(|error| {
            let message = format!("the thread of exporter \"{name}\" cannot be started");
            Error::new(ErrorKind::Io, message).with_source(error)
        })
    }

    fn run(mut self) {
        OWN_QUEUE.set(identity(&self.queue));
        let _muted = context::mute();
        loop {
            match catch(|| self.step()) {
                Ok(true) => {}
                Ok(false) => break,
                Err(panic) => self.lose_batch(&bounded(panic)),
            }
        }
        let Self { name, queue, exporter, .. } = self;
        if let Err(panic) = catch(|| drop(exporter)) {
            diagnose(
                &name,
                "exporter panicked",
                format_args!("in its drop: {}", OneLine(&bounded(panic))),
            );
        }
        // The records that are left may panic when they are dropped.
        let _ = catch(|| queue.abandon());
        queue.end();
    }

    /// Delivers one batch; `false` when there will be none.
    fn step(&mut self) -> bool {
        let Next::Deliver(batch) = self.queue.next() else { return false };
        self.diagnose_overflow();
        self.deliver(batch);
        true
    }

    fn deliver(&mut self, mut batch: Batch<T>) {
        let retry = self.retry.clone();
        let mut attempts = Attempts::new(&retry, clock::real_instant());
        loop {
            // Read before the attempt, so that what is asked for during it ends the pause after it.
            let seen = self.queue.urgency();
            let Err(error) = self.exporter.export(&batch) else {
                self.queue.settle(0, None);
                return;
            };
            let rest = self.judge(error, &batch);
            let (now, [random]) = (clock::real_instant(), random::numbers());
            let Some(delay) = attempts.fail(rest.decision, now, random) else {
                self.give_up(rest.decision);
                return;
            };
            if attempts.n_failed() == 1 && !rest.unsent.is_empty() {
                self.diagnose_first_failure(rest.unsent.len());
            }
            if rest.unsent.is_empty() || !self.queue.pause(delay, seen) {
                return;
            }
            batch = rest.unsent;
        }
    }

    /// Counts what the exporter says was delivered or refused; what is left is still to be sent.
    fn judge(&self, error: ExportError<T>, batch: &Batch<T>) -> Rest<T> {
        let ExportError { decision, unsent, rejected, message } = error;
        let n = batch.len();
        // An exporter that returns more than it was given must not break the sums.
        let unsent = unsent.map_or_else(|| batch.clone(), |unsent| unsent.first(n));
        let rejected = rejected.min(n - unsent.len());
        let is_retry = matches!(decision, Decision::Retry { .. });
        if rejected > 0 {
            let text = format_args!("{rejected} records: {}", OneLine(&message));
            diagnose(&self.name, "records rejected", text);
        }
        if self.queue.settle(unsent.len(), Some((DropReason::Rejected, rejected))) {
            self.queue.note(message, is_retry);
        }
        Rest { decision, unsent }
    }

    /// Drops what is left of the batch that will not be tried again.
    fn give_up(&self, decision: Decision) {
        let (reason, kind) = match decision {
            Decision::Retry { .. } => (DropReason::RetriesExhausted, "retries exhausted"),
            Decision::Reject => (DropReason::Rejected, "records rejected"),
        };
        self.diagnose_loss(kind, self.queue.lose(reason));
    }

    /// Counts the batch that was in flight when something panicked.
    fn lose_batch(&self, panic: &str) {
        let lost = self.queue.lose(DropReason::Panic);
        self.queue.note(bounded(format_args!("panicked: {panic}")), false);
        self.diagnose_loss("exporter panicked", lost);
    }

    /// Says that something is wrong when it begins, and not first when records are lost of it.
    fn diagnose_first_failure(&self, left: usize) {
        let error = self.queue.report(&self.name).last_error.unwrap_or_default();
        let text = format_args!("{left} records will be tried again: {}", OneLine(&error));
        diagnose(&self.name, "export failed", text);
    }

    fn diagnose_loss(&self, kind: &'static str, lost: usize) {
        if lost > 0 {
            let error = self.queue.report(&self.name).last_error.unwrap_or_default();
            let text = format_args!("{lost} records dropped: {}", OneLine(&error));
            diagnose(&self.name, kind, text);
        }
    }

    /// Says here, and not where records are offered, that the queue was full: an application's thread
    /// must not wait for stderr.
    fn diagnose_overflow(&mut self) {
        let overflowed = self.queue.n_overflowed();
        let new = overflowed - std::mem::replace(&mut self.overflowed, overflowed);
        if new > 0 {
            diagnose(&self.name, "queue full", format_args!("{new} records dropped"));
        }
    }
}

/// What an attempt left over.
struct Rest<T> {
    decision: Decision,
    unsent: Batch<T>,
}

/// Waits for the worker of `queue` to end after its shutdown; at `deadline` drops what it holds and
/// leaves the thread behind.
pub(super) fn await_end<T>(name: &str, queue: &Queue<T>, deadline: Instant) {
    if queue.wait_ended(deadline) {
        return;
    }
    queue.abandon();
    if queue.leak() {
        LEAKED.fetch_add(1, Relaxed);
        let text = format_args!("still at work at the deadline of its shutdown; left behind");
        let _ = catch(|| diagnose(name, "exporter hung", text));
    }
}

/// How many exporter threads of this process did not end before the deadline of their shutdown; the
/// series [`LEAKED`](super::series::LEAKED).
#[must_use]
pub fn leaked_workers() -> u64 {
    LEAKED.load(Relaxed)
}

/// Relaxed: it publishes nothing but itself.
static LEAKED: AtomicU64 = AtomicU64::new(0);

/// Whether this thread is the worker of any queue.
pub(super) fn is_any_thread() -> bool {
    OWN_QUEUE.get() != 0
}

/// Whether this thread is the worker of `queue`.
pub(super) fn is_own_thread<T>(queue: &Arc<Queue<T>>) -> bool {
    OWN_QUEUE.get() == identity(queue)
}

thread_local! {
    // Without a destructor, so that it can be read in exit hooks, where others are gone.
    static OWN_QUEUE: Cell<usize> = const { Cell::new(0) };
}

/// The address of the queue: unique while its worker, which has a share in it, runs.
fn identity<T>(queue: &Arc<Queue<T>>) -> usize {
    Arc::as_ptr(queue).addr()
}

fn diagnose(name: &str, kind: &'static str, text: std::fmt::Arguments<'_>) {
    diagnostics::report(kind, format_args!("exporter \"{name}\": {text}"));
}
