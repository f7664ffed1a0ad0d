//! The thread that does once a second what no caller should wait for.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Weak,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::Running;
use crate::{
    alert::{Transition, notify::Notification},
    clock, diagnostics,
    error::{Error, ErrorKind},
    metric::Snapshot,
    pipeline::{Chunk, Pipe},
};

/// What is called at every change of an alert's state.
pub(super) type OnTransition = Box<dyn Fn(&Transition) + Send>;

/// A running thread `bellwether-tick`.
pub(super) struct Ticker {
    stop: Sender<()>,
    ended: Receiver<()>,
    thread: JoinHandle<()>,
}

struct Ticking {
    /// Weak: the thread does not keep what it works for alive.
    running: Weak<Running>,
    notifiers: Vec<Pipe<Notification>>,
    on_transition: Vec<OnTransition>,
}

impl Ticker {
    pub(super) fn start(
        running: Weak<Running>,
        notifiers: Vec<Pipe<Notification>>,
        on_transition: Vec<OnTransition>,
    ) -> Result<Self, Error> {
        let ticking = Ticking { running, notifiers, on_transition };
        let ((stop, stopped), (ending, ended)) = (bounded(1), bounded(0));
        let run = move || {
            let _ending = ending; // Dropped, it tells that the thread is about to end.
            ticking.run(&stopped);
        };
        let thread = thread::Builder::new().name("bellwether-tick".to_owned()).spawn(run);
        let thread = thread.map_err(|error| {
            Error::new(ErrorKind::Io, "cannot start the thread of the tick").with_source(error)
        })?;
        Ok(Self { stop, ended, thread })
    }

    /// Lets the thread end, and waits for it until `deadline`.
    pub(super) fn stop(self, deadline: Instant) {
        let _ = self.stop.try_send(());
        // A callback that hangs, or that is what stops the ticker, is not waited for.
        let itself = self.thread.thread().id() == thread::current().id();
        if !itself && self.ended.recv_deadline(deadline) == Err(RecvTimeoutError::Disconnected) {
            let _ = self.thread.join();
        }
    }
}

impl Ticking {
    /// Ticks at the slots of the interval until it is stopped. Slots that pass meanwhile are skipped,
    /// so that a machine that was suspended does not catch up.
    fn run(&self, stopped: &Receiver<()>) {
        while let Some(pause) = self.until_next_slot()
            && stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout)
        {
            let Some(running) = self.running.upgrade() else { return };
            clock::anchor();
            running.collect();
            let snapshot = running.registry.snapshot();
            running.history.lock().push(snapshot.clone());
            self.evaluate(&running, &snapshot);
        }
    }

    fn until_next_slot(&self) -> Option<Duration> {
        let running = self.running.upgrade()?;
        let engine = running.engine.lock();
        Some(engine.until_next_slot(clock::now()))
    }

    fn evaluate(&self, running: &Running, snapshot: &Snapshot) {
        let tick = running.engine.lock().tick(snapshot);
        for transition in &tick.transitions {
            for call in &self.on_transition {
                if catch_unwind(AssertUnwindSafe(|| call(transition))).is_err() {
                    let name = transition.alert.name();
                    diagnostics::report(
                        "callback",
                        format_args!("the callback for alert {name} panicked"),
                    );
                }
            }
        }
        if !tick.notifications.is_empty() {
            let chunk: Chunk<Notification> = tick.notifications.into();
            self.notifiers.iter().for_each(|pipe| pipe.push(chunk.clone()));
        }
    }
}
