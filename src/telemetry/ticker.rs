//! A thread that does something periodically: how it starts and ends.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle, Thread},
    time::Instant,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use crate::{
    clock,
    error::{Error, ErrorKind},
};

/// A running thread that ticks.
pub(super) struct Ticker {
    stop: Asker,
    ended: Receiver<()>,
    thread: JoinHandle<()>,
}

/// Tells a ticking thread to end. A thread that waits for a channel looks for messages several times
/// before it sleeps; this one sleeps at once. It is in no table
/// of waiting threads, as those of parking_lot are, which a forked child would inherit and overwrite.
#[derive(Default)]
pub(super) struct Stop {
    is_asked: AtomicBool,
}

impl Stop {
    /// Waits until `deadline`. Returns whether the thread should end.
    pub(super) fn comes_until(&self, deadline: Instant) -> bool {
        loop {
            // Relaxed: it publishes nothing, and `unpark` orders it before the thread goes on.
            if self.is_asked.load(Relaxed) {
                return true;
            }
            let left = clock::until(deadline);
            if left.is_zero() {
                return false;
            }
            thread::park_timeout(left);
        }
    }
}

/// Asks the thread to end when it is dropped: a ticker that nobody stops leaves none running.
struct Asker {
    stop: Arc<Stop>,
    thread: Thread,
}

impl Asker {
    fn ask(&self) {
        self.stop.is_asked.store(true, Relaxed);
        self.thread.unpark();
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.ask();
    }
}

impl Ticker {
    /// Starts the thread called `name`. It runs `tick`, which returns when it is stopped.
    pub(super) fn start(
        name: &str,
        tick: impl FnOnce(&Stop) + Send + 'static,
    ) -> Result<Self, Error> {
        let (stop, (ending, ended)) = (Arc::<Stop>::default(), bounded(0));
        let asked = stop.clone();
        let run = move || {
            let _ending = ending; // When dropped, it says that the thread is about to end.
            IS_TICKER.set(true);
            tick(&asked);
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
        let thread = thread.map_err(|error| {
            let message = format!("the thread \"{name}\" cannot be started");
            Error::new(ErrorKind::Io, message).with_source(error)
        })?;
        let stop = Asker { stop, thread: thread.thread().clone() };
        Ok(Self { stop, ended, thread })
    }

    /// Makes the thread end, and waits for it until `deadline`.
    pub(super) fn stop(self, deadline: Instant) {
        self.stop.ask();
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_ticker_that_is_dropped_leaves_no_thread_running() {
        let ticker = Ticker::start("test", |stop| {
            assert!(stop.comes_until(clock::deadline(LONG)), "it is asked to end");
        });
        let ended = ticker.map(|ticker| ticker.ended.clone()).unwrap();
        assert_eq!(ended.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
    }
}
