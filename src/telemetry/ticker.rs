//! A thread that does something again and again: how it starts, and how it ends.

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
    /// Starts the thread called `name`, which runs `tick` until that returns: when it is stopped.
    pub(super) fn start(
        name: &str,
        tick: impl FnOnce(&Receiver<()>) + Send + 'static,
    ) -> Result<Self, Error> {
        let ((stop, stopped), (ending, ended)) = (bounded(1), bounded(0));
        let run = move || {
            let _ending = ending; // Dropped, it tells that the thread is about to end.
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

/// Whether this thread is one that ticks: it runs callbacks and conditions, and is what a shutdown
/// waits for.
pub(super) fn is_own_thread() -> bool {
    IS_TICKER.get()
}

thread_local! {
    // Without a destructor, so that it can be read in exit hooks, where others are gone.
    static IS_TICKER: Cell<bool> = const { Cell::new(false) };
}
