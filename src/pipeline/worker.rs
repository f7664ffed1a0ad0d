//! The thread of one exporter: waits for batches, exports them, tries again, survives panics.
//!
//! One `catch_unwind` is around each step. If foreign code panics (the exporter, the drop of a record,
//! a diagnostics hook), it costs the batch in flight and never the thread. The thread is muted: spans
//! that an exporter starts would have to be exported too.

use std::{
    cell::Cell,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::{
    Batch, DropReason, ExportError, OneLine, Retry, Route, Setup, Signal,
    answer::{Decision, bounded},
    delivery::{Delivery, Load, Whole, Wire},
    queue::{Next, Queue},
    retry::Attempts,
    route::{AnyExporter, RouteProcessor},
};
use crate::{
    clock, context, diagnostics,
    error::{Error, ErrorKind},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    util::{catch::catch, random},
};

/// Starts the worker's thread, called `name`. It ends when `queue` is closed.
pub(super) fn start<S: Signal>(
    thread: thread::Builder,
    name: Arc<str>,
    queue: Arc<Queue<S>>,
    route: Route<S>,
    setup: &Setup,
) -> Result<(), Error> {
    let Route { exporter, settings, processors, .. } = route;
    let common = Common {
        name,
        queue,
        processors,
        retry: settings.retry,
        attempt_timeout: settings.attempt_timeout,
        n_overflowed: 0,
    };
    match exporter {
        AnyExporter::Whole(mut exporter) => {
            exporter.start(setup)?;
            common.spawn(thread, Whole(exporter))
        }
        AnyExporter::Wire(mut encoder, mut sender) => {
            encoder.start(setup)?;
            sender.start(setup)?;
            common.spawn(thread, Wire { encoder, sender })
        }
    }
}

struct Worker<S: Signal, D> {
    common: Common<S>,
    delivery: D,
}

/// What every worker has, whichever kind its exporter is.
struct Common<S: Signal> {
    name: Arc<str>,
    queue: Arc<Queue<S>>,
    processors: Vec<RouteProcessor<S>>,
    retry: Retry,
    attempt_timeout: Duration,
    n_overflowed: u64, // How many of the queue's overflowed records have been diagnosed.
}

impl<S: Signal> Common<S> {
    fn spawn(self, thread: thread::Builder, delivery: impl Delivery<S>) -> Result<(), Error> {
        let name = self.name.clone();
        let worker = Worker { common: self, delivery };
        let spawned = thread.name(format!("bellwether-{name}")).spawn(move || worker.run());
        // The handle is dropped: a thread that may hang is never joined.
        spawned.map(drop).map_err(|error| {
            let message = format!("the thread of exporter \"{name}\" cannot be started");
            Error::new(ErrorKind::Io, message).with_source(error)
        })
    }
}

impl<S: Signal, D: Delivery<S>> Worker<S, D> {
    fn run(mut self) {
        OWN_QUEUE.set(identity(&self.common.queue));
        let _muted = context::mute();
        loop {
            match catch(|| self.step()) {
                Ok(true) => {}
                Ok(false) => break,
                Err(panic) => self
                    .common
                    .lose_batch("exporter panicked", bounded(format_args!("panicked: {panic}"))),
            }
        }
        let Self { common: Common { name, queue, processors, .. }, delivery } = self;
        if let Err(panic) = catch(|| drop((delivery, processors))) {
            diagnose(
                &name,
                "exporter panicked",
                format_args!("in its drop: {}", OneLine(&bounded(panic))),
            );
        }
        // The remaining records may panic when they are dropped.
        let _ = catch(|| queue.abandon());
        queue.end();
    }

    /// Delivers one batch; `false` when no more will come.
    fn step(&mut self) -> bool {
        let batch = match self.common.queue.next() {
            Next::Deliver(batch) => batch,
            Next::Finish => {
                if let Some(load) = self.delivery.finish() {
                    self.deliver(load);
                }
                self.common.queue.settle(0, None);
                return true;
            }
            Next::End => return false,
        };
        self.common.diagnose_overflow();
        match catch(|| self.common.process(batch)) {
            Ok(batch) if batch.is_empty() => {}
            Ok(batch) => {
                let load = self.delivery.prepare(batch);
                self.deliver(load);
            }
            Err(panic) => {
                let error = bounded(format_args!("a processor panicked: {panic}"));
                self.common.lose_batch("processor panicked", error);
            }
        }
        true
    }

    fn deliver(&mut self, mut load: D::Load) {
        let Self { common, delivery } = self;
        let mut attempts = Attempts::new(&common.retry, clock::real_instant());
        // A flush does not end two attempts in a row. So a backend gets its time even if it is slower
        // than the timeouts of the application's flushes.
        let mut was_cut = false;
        loop {
            // Read before the attempt, so that a flush or shutdown during it ends the pause after it.
            let mut seen = common.queue.urgency();
            let latest = clock::deadline(common.attempt_timeout);
            let deadline = common.queue.begin_attempt(common.attempt_timeout, !was_cut);
            let Err(error) = delivery.attempt(&load, &deadline) else {
                drop(load); // First, so that a flush finds its memory given back.
                common.queue.settle(0, None);
                return;
            };
            was_cut = deadline.is_over() && clock::real_instant() < latest;
            if was_cut {
                // This attempt was for the flushes that came meanwhile.
                seen = common.queue.urgency();
            }
            let n_before = load.len();
            let rest = common.judge(error, &load);
            if rest.unsent.len() < n_before {
                attempts.progress(clock::real_instant());
            }
            let (now, [random]) = (clock::real_instant(), random::numbers());
            let delay = match was_cut {
                true => attempts.cut(rest.decision, random),
                false => attempts.fail(rest.decision, now, random),
            };
            let Some(delay) = delay else {
                common.give_up(rest.decision);
                return;
            };
            if attempts.n_failed() == 1 && rest.unsent.len() > 0 {
                common.diagnose_first_failure(rest.unsent.len());
            }
            if rest.unsent.len() == 0 || !common.queue.pause(delay, seen) {
                return;
            }
            load = rest.unsent;
        }
    }
}

impl<S: Signal> Common<S> {
    /// Runs the route's processors on the batch, and counts what they remove.
    fn process(&self, mut batch: Batch<S>) -> Batch<S> {
        if self.processors.is_empty() {
            return batch;
        }
        let n = batch.len();
        for processor in &self.processors {
            if batch.is_empty() {
                break;
            }
            batch = processor(&batch);
        }
        if batch.len() < n {
            self.queue.filter(batch.len());
        }
        batch
    }

    /// Counts what the exporter reports as delivered or refused, and returns what is still to be sent.
    fn judge<L: Load>(&self, error: ExportError<L>, load: &L) -> Rest<L> {
        let ExportError { decision, unsent, rejected, message } = error;
        let n = load.len();
        // An exporter that returns more than it was given must not break the sums.
        let unsent = unsent.map_or_else(|| load.clone(), |unsent| unsent.first(n));
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

    /// Drops the rest of a batch that will not be tried again.
    fn give_up(&self, decision: Decision) {
        let (reason, kind) = match decision {
            Decision::Retry { .. } => (DropReason::RetriesExhausted, "retries exhausted"),
            Decision::Reject | Decision::Cut => (DropReason::Rejected, "records rejected"),
        };
        self.diagnose_loss(kind, self.queue.lose(reason));
    }

    /// Counts the batch that an exporter or a processor had when it panicked.
    fn lose_batch(&self, kind: &'static str, error: String) {
        let lost = self.queue.lose(DropReason::Panic);
        self.queue.note(error, false);
        self.diagnose_loss(kind, lost);
    }

    /// Reports the first failure of a batch, before any records are lost.
    fn diagnose_first_failure(&self, left: usize) {
        let error = self.last_error();
        let text = format_args!("{left} records will be tried again: {}", OneLine(&error));
        diagnose(&self.name, "export failed", text);
    }

    fn diagnose_loss(&self, kind: &'static str, lost: usize) {
        if lost > 0 {
            let error = self.last_error();
            let text = format_args!("{lost} records dropped: {}", OneLine(&error));
            diagnose(&self.name, kind, text);
        }
    }

    fn last_error(&self) -> String {
        self.queue.report(&self.name, S::NAME).last_error.unwrap_or_default()
    }

    /// Reports that the queue was full. This is done here, and not where records are offered: an
    /// application's thread must not wait for stderr.
    fn diagnose_overflow(&mut self) {
        let overflowed = self.queue.n_overflowed();
        let new = overflowed - std::mem::replace(&mut self.n_overflowed, overflowed);
        if new > 0 {
            diagnose(&self.name, "queue full", format_args!("{new} records dropped"));
        }
    }
}

/// The rest of a batch after an attempt.
struct Rest<L> {
    decision: Decision,
    unsent: L,
}

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
        let _ = catch(|| diagnose(name, "exporter hung", text));
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

/// Whether this thread is the worker of `queue`.
pub(super) fn is_own_thread<T>(queue: &Arc<Queue<T>>) -> bool {
    OWN_QUEUE.get() == identity(queue)
}

thread_local! {
    // Without a destructor, so that exit hooks can read it when other thread locals are gone.
    static OWN_QUEUE: Cell<usize> = const { Cell::new(0) };
}

/// The address of the queue: unique while its worker runs, because the worker shares ownership of the
/// queue.
fn identity<T>(queue: &Arc<Queue<T>>) -> usize {
    Arc::as_ptr(queue).addr()
}

fn diagnose(name: &str, kind: &'static str, text: std::fmt::Arguments<'_>) {
    diagnostics::report(kind, format_args!("exporter \"{name}\": {text}"));
}
