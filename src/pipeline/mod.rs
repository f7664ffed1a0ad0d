//! The way of every record out of the process: queue, batches, one worker thread per exporter.
//!
//! ```text
//! push ─► queue (bounded in items and bytes) ─► batch (by size or delay) ─► exporter, on its own thread
//!           full: dropped, counted                                            │ delivered: counted
//!           after shutdown: dropped, counted                                  │ rejected, panic: dropped, counted
//!                                                    again with the unsent ◄──┘ retry: backoff, within a limit
//! ```
//!
//! - A [`Pipe`] is one exporter with its queue and thread; a stuck exporter holds back no other.
//! - Whatever is offered is counted under the queue's lock, in the same step that queues or drops it:
//!   `offered = delivered + held + spooled + dropped` in every [`QueueReport`], at every instant.
//! - A flush is a ticket: the number of the last record offered before it. It waits until every record
//!   up to that number is delivered or dropped, whatever is offered meanwhile.
//! - Pushing never blocks on an exporter, never fails and never panics.
//!
//! The pipeline is generic over its records and knows neither metrics nor spans.

mod batch;
mod exporter;
mod queue;
mod retry;
mod settings;
mod stats;
mod worker;

#[cfg(all(test, bellwether_loom))]
mod loom_tests;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

pub use batch::{Batch, Chunk, Iter, Weigh};
pub use exporter::{ExportError, Exporter};
pub use queue::Ticket;
pub use retry::Retry;
pub use settings::{Overflow, Settings};
pub(crate) use stats::OneLine;
pub use stats::{DropReason, Dropped, QueueReport, Report, Totals, series};
pub use worker::leaked_workers;

use crate::{
    clock,
    error::{Error, ErrorKind},
};
use queue::{Limits, Queue};
use worker::Worker;

/// One exporter with its queue and its thread; clones are handles to the same.
///
/// When the last handle is dropped without a [`shutdown`](Self::shutdown), the worker delivers on its
/// own what is queued, for five seconds at most, and ends; nobody waits for it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::pipeline::{Batch, ExportError, Exporter, Pipe, Settings, Weigh};
///
/// struct Line(String);
/// impl Weigh for Line {
///     fn weight(&self) -> usize {
///         size_of::<Self>() + self.0.capacity()
///     }
/// }
///
/// struct Print;
/// impl Exporter<Line> for Print {
///     fn export(&mut self, batch: &Batch<Line>) -> Result<(), ExportError<Line>> {
///         batch.iter().for_each(|line| println!("{}", line.0));
///         Ok(())
///     }
/// }
///
/// let pipe = Pipe::start(Print, Settings::default())?;
/// pipe.push(vec![Line("hello".to_owned())]);
/// let report = pipe.shutdown(Duration::from_secs(2));
/// assert_eq!((report.delivered, report.held), (1, 0));
/// # Ok::<(), bellwether::Error>(())
/// ```
pub struct Pipe<T: Send + Sync + 'static>(Arc<Handle<T>>);

struct Handle<T: Send + Sync + 'static> {
    name: Arc<str>,
    queue: Arc<Queue<T>>,
}

impl<T: Send + Sync + 'static> Pipe<T> {
    /// Starts the thread `bellwether-NAME` that owns `exporter`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`] when a limit in `settings` is zero or the exporter's name is not
    /// 1 to 64 of `[A-Za-z0-9_.:-]`; what [`Exporter::check`] says; [`ErrorKind::Io`] when the system grants no thread.
    pub fn start(exporter: impl Exporter<T>, settings: Settings) -> Result<Self, Error> {
        Self::start_on(std::thread::Builder::new(), exporter, settings)
    }

    fn start_on(
        thread: std::thread::Builder,
        exporter: impl Exporter<T>,
        settings: Settings,
    ) -> Result<Self, Error> {
        let name: Arc<str> = checked_name(exporter.name())?.into();
        let queue = Arc::new(Queue::new(Limits::checked(&settings)?));
        exporter.check()?;
        let worker =
            Worker::new(name.clone(), queue.clone(), Box::new(exporter), settings.retry.clone());
        worker.spawn(thread)?;
        Ok(Self(Arc::new(Handle { name, queue })))
    }

    /// The exporter's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Offers records. What does not fit is dropped and counted; nothing is waited for but the queue's
    /// lock, which nobody holds while foreign code runs.
    ///
    /// To offer the same records to several pipes, make one [`Chunk`] and push clones of it: the
    /// records are weighed once and shared.
    pub fn push(&self, records: impl Into<Chunk<T>>) {
        self.0.queue.push(&records.into());
    }

    /// Waits until everything offered before the call is delivered or dropped, for `timeout` at most.
    /// Says whether it is. Ends a running backoff, but not a delay that the backend asked for.
    ///
    /// From the exporter's own thread the answer is `false`, at once: it would wait for itself.
    #[must_use = "false: something is still held"]
    pub fn flush(&self, timeout: Duration) -> bool {
        let ticket = self.begin_flush();
        self.wait(ticket, clock::deadline(timeout))
    }

    /// Delivers what is queued, for `timeout` at most, drops the rest with the reason `shutdown`, and
    /// ends the thread. Whatever is offered from the call on is dropped with the same reason.
    ///
    /// `held` is 0 afterwards, even if the exporter hangs: its thread is then left behind and counted
    /// ([`leaked_workers`]); what it had in its hands counts as dropped, whatever it does with it
    /// later. A second shutdown waits for the first and reports the same, with what came since. From
    /// the exporter's own thread it only begins the shutdown and reports at once.
    pub fn shutdown(&self, timeout: Duration) -> QueueReport {
        let deadline = clock::deadline(timeout);
        self.begin_shutdown(deadline);
        self.end_shutdown(deadline)
    }

    /// What became of everything offered so far.
    #[must_use]
    pub fn report(&self) -> QueueReport {
        self.0.queue.report(&self.0.name)
    }
}

/// A [`Pipe`] of any kind of record: what is needed to flush and end it, in two steps, so that many
/// can work at the same time before the first is waited for.
pub trait AnyPipe: fmt::Debug + Send + Sync {
    /// The exporter's name.
    fn name(&self) -> &str;

    /// What became of everything offered so far.
    fn report(&self) -> QueueReport;

    /// Whether this is the exporter's own thread, which must not wait for itself.
    fn is_own_thread(&self) -> bool;

    /// Tells the worker to hurry, and draws a ticket for everything offered so far.
    fn begin_flush(&self) -> Ticket;

    /// Waits until everything before `ticket` is settled; `false` if it is not by `deadline`, or at
    /// once on the exporter's own thread.
    fn wait(&self, ticket: Ticket, deadline: Instant) -> bool;

    /// Takes no more records, and tells the worker to deliver what it has by `deadline`.
    fn begin_shutdown(&self, deadline: Instant);

    /// Waits for the worker to end, and at `deadline` drops what it has not delivered.
    fn end_shutdown(&self, deadline: Instant) -> QueueReport;
}

impl<T: Send + Sync + 'static> AnyPipe for Pipe<T> {
    fn name(&self) -> &str {
        Self::name(self)
    }

    fn report(&self) -> QueueReport {
        Self::report(self)
    }

    fn is_own_thread(&self) -> bool {
        worker::is_own_thread(&self.0.queue)
    }

    fn begin_flush(&self) -> Ticket {
        // An exporter that fails and flushes is not hurried by itself, nor by another one that does.
        self.0.queue.begin_flush(!worker::is_any_thread())
    }

    fn wait(&self, ticket: Ticket, deadline: Instant) -> bool {
        !self.is_own_thread() && self.0.queue.wait_settled(ticket, deadline)
    }

    fn begin_shutdown(&self, deadline: Instant) {
        self.0.queue.close(deadline);
    }

    fn end_shutdown(&self, deadline: Instant) -> QueueReport {
        if !self.is_own_thread() {
            worker::await_end(&self.0.name, &self.0.queue, deadline);
        }
        self.report()
    }
}

/// Flushes all of `pipes` at the same time, for `timeout` at most.
pub fn flush(pipes: &[Arc<dyn AnyPipe>], timeout: Duration) -> Report {
    let deadline = clock::deadline(timeout);
    let tickets: Vec<Ticket> = pipes.iter().map(|pipe| pipe.begin_flush()).collect();
    // No short circuit: each pipe is waited for, until the one deadline.
    let settled = pipes
        .iter()
        .zip(tickets)
        .fold(true, |all, (pipe, ticket)| pipe.wait(ticket, deadline) && all);
    Report::new(pipes.iter().map(|pipe| pipe.report()).collect(), settled)
}

/// Shuts all of `pipes` down at the same time, for `timeout` at most.
pub fn shutdown(pipes: &[Arc<dyn AnyPipe>], timeout: Duration) -> Report {
    let deadline = clock::deadline(timeout);
    pipes.iter().for_each(|pipe| pipe.begin_shutdown(deadline));
    let queues: Vec<_> = pipes.iter().map(|pipe| pipe.end_shutdown(deadline)).collect();
    let settled = queues.iter().all(|queue| queue.held == 0);
    Report::new(queues, settled)
}

impl<T: Send + Sync + 'static> Clone for Pipe<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Pipe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pipe({})", self.report())
    }
}

impl<T: Send + Sync + 'static> Drop for Handle<T> {
    fn drop(&mut self) {
        self.queue.close(clock::deadline(FAREWELL));
    }
}

/// How long a worker whose handles are gone tries to deliver.
const FAREWELL: Duration = Duration::from_secs(5);

fn checked_name(name: &str) -> Result<&str, Error> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(legal) {
        return Ok(name);
    }
    let message = format!("exporter name {name:.64?} must be 1 to 64 of [A-Za-z0-9_.:-]");
    Err(Error::new(ErrorKind::InvalidOption, message))
}
