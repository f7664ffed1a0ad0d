//! The thread that does once a second what no caller should wait for.

use std::{
    cell::Cell,
    sync::Weak,
    thread::{self, JoinHandle},
    time::Instant,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::Running;
use crate::{
    alert::{Engine, Transition, notify::Notification},
    clock, diagnostics,
    error::{Error, ErrorKind},
    metric::Snapshot,
    pipeline::{Chunk, Pipe},
    util::catch::catch,
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
    engine: Engine,
    notifiers: Vec<Pipe<Notification>>,
    on_transition: Vec<OnTransition>,
}

impl Ticker {
    pub(super) fn start(
        running: Weak<Running>,
        engine: Engine,
        notifiers: Vec<Pipe<Notification>>,
        on_transition: Vec<OnTransition>,
    ) -> Result<Self, Error> {
        let ticking = Ticking { running, engine, notifiers, on_transition };
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
    fn run(mut self, stopped: &Receiver<()>) {
        IS_TICKER.set(true);
        loop {
            let pause = self.engine.until_next_slot(clock::now());
            if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let Some(running) = self.running.upgrade() else { return };
            clock::anchor();
            running.collect();
            let snapshot = running.registry.snapshot();
            running.history.lock().push(snapshot.clone());
            self.evaluate(&snapshot);
        }
    }

    /// Queues what notifiers are to be told before anybody else hears of it: a callback or a hook may
    /// leave the process, and what is queued is delivered then.
    fn evaluate(&mut self, snapshot: &Snapshot) {
        let mut tick = self.engine.tick(snapshot);
        if !tick.notifications.is_empty() {
            let chunk: Chunk<Notification> = std::mem::take(&mut tick.notifications).into();
            self.notifiers.iter().for_each(|pipe| pipe.push(chunk.clone()));
        }
        for transition in &tick.transitions {
            for call in &self.on_transition {
                if let Err(panic) = catch(|| call(transition)) {
                    let name = transition.alert.name();
                    diagnostics::report(
                        "callback",
                        format_args!("the callback for alert {name} panicked: {panic}"),
                    );
                }
            }
        }
        tick.report();
    }
}

/// Whether this thread is one that ticks: it runs callbacks and conditions, and is what a shutdown
/// waits for.
pub(super) fn is_own_thread() -> bool {
    IS_TICKER.get()
}

thread_local! {
    // Without a destructor, so that it can be read in exit hooks, where others are gone.
    static IS_TICKER: Cell<bool> = const { Cell::new(false) };
}
