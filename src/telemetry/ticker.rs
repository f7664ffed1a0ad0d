//! A thread that does something periodically: how it starts and ends.

use std::{
    cell::Cell,
    thread::{self, JoinHandle},
    time::Instant,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::error::{Error, ErrorKind};

/// A running thread that ticks.
pub(super) struct Ticker {
    stop: Sender<()>,
    ended: Receiver<()>,
    thread: JoinHandle<()>,
}

impl Ticker {
    /// Starts the thread called `name`. It runs `tick`, which returns when it is stopped.
    pub(super) fn start(
        name: &str,
        tick: impl FnOnce(&Receiver<()>) + Send + 'static,
    ) -> Result<Self, Error> {
        let ((stop, stopped), (ending, ended)) = (bounded(1), bounded(0));
        let run = move || {
            let _ending = ending; // When dropped, it says that the thread is about to end.
            IS_TICKER.set(true);
            tick(&stopped);
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
        let thread = thread.map_err(|error| {
            let message = format!("the thread \"{name}\" cannot be started");
            Error::new(ErrorKind::Io, message).with_source(error)
        })?;
        Ok(Self { stop, ended, thread })
    }

    /// Makes the thread end, and waits for it until `deadline`.
    pub(super) fn stop(self, deadline: Instant) {
        let _ = self.stop.try_send(());
        // A callback that hangs is not waited for, nor one that itself stops the ticker.
        let itself = self.thread.thread().id() == thread::current().id();
        if !itself && self.ended.recv_deadline(deadline) == Err(RecvTimeoutError::Disconnected) {
            let _ = self.thread.join();
        }
    }
}

/// Whether this thread is one that ticks. It runs callbacks and conditions, and a shutdown waits for
/// it.
pub(super) fn is_own_thread() -> bool {
    IS_TICKER.get()
}

thread_local! {
    // Has no destructor, so that exit hooks can read it when other thread-locals are gone.
    static IS_TICKER: Cell<bool> = const { Cell::new(false) };
}
