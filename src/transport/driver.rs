//! A runtime that is driven by the thread that waits for its work, and only meanwhile.
//!
//! Asynchronous clients live on it: those of HTTP, of brokers and of databases. While nothing is sent it stands
//! still, and so do their timers and their answers to what a server says unasked. When work is cancelled, client
//! and driver are dropped together, the client first: this closes its sockets at once. The system's resolver blocks
//! a thread of the runtime; that thread is not waited for.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Instant,
};

use tokio::{
    runtime::{Builder, Runtime},
    task, time,
};

use crate::clock::Deadline;

/// A runtime on the thread that uses it.
#[derive(Debug)]
pub(crate) struct Driver {
    runtime: Option<Runtime>, // Invariant: taken only by the drop.
}

impl Driver {
    pub(crate) fn new() -> Result<Self, String> {
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_all().thread_name("bellwether-dns").build();
        let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// The result of `work`, if it ends by `latest` and by `deadline`, which may move nearer meanwhile.
    pub(crate) fn run<T>(
        &self,
        latest: Instant,
        deadline: &Deadline,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let runtime = self.runtime.as_ref()?;
        runtime.block_on(async {
            // Twice: after that the runtime has seen which idle connections were closed meanwhile.
            task::yield_now().await;
            task::yield_now().await;
            let mut work = pin!(work);
            loop {
                let at = latest.min(deadline.instant());
                let mut over = pin!(time::sleep_until(at.into()));
                let mut moved = pin!(deadline.nearer_than(at));
                let ended = poll_fn(|context| {
                    if let Poll::Ready(result) = work.as_mut().poll(context) {
                        return Poll::Ready(Some(Some(result)));
                    }
                    if over.as_mut().poll(context).is_ready() {
                        return Poll::Ready(Some(None));
                    }
                    moved.as_mut().poll(context).map(|()| None)
                });
                if let Some(ended) = ended.await {
                    return ended;
                }
            }
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Replaces the runtime's own drop, which waits for its threads.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock;

    #[test]
    fn work_that_ends_is_not_cut_short_and_work_that_hangs_is() {
        let (driver, deadline) = (Driver::new().unwrap(), Deadline::after(Duration::from_secs(20)));
        let latest = clock::deadline(Duration::from_secs(20));
        assert_eq!(driver.run(latest, &deadline, async { 7 }), Some(7));
        let hangs = std::future::pending::<u32>;
        assert_eq!(driver.run(clock::real_instant(), &deadline, hangs()), None);
        let mover = deadline.clone();
        let mover = std::thread::spawn(move || mover.bring_nearer(clock::real_instant()));
        assert_eq!(driver.run(latest, &deadline, hangs()), None);
        mover.join().unwrap();
    }

    #[test]
    fn a_driver_that_is_dropped_does_not_wait_for_what_blocks() {
        let (let_go, held) = std::sync::mpsc::channel::<()>();
        let driver = Driver::new().unwrap();
        let deadline = Deadline::after(Duration::from_secs(20));
        driver.run(deadline.instant(), &deadline, async {
            task::spawn_blocking(move || held.recv().is_ok());
        });
        drop(driver);
        // Not before: the drop did not wait for it.
        let_go.send(()).unwrap();
    }
}
