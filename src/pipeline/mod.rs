//! Delivers records: a queue, batches, retries and a worker thread for each exporter.
//!
//! ```text
//! push ─► queue (bounded in items and bytes) ─► batch (by size or delay) ─► processors ─► exporter
//!           full: dropped, counted                       all on the worker's thread       │
//!           after shutdown: dropped, counted        delivered: counted ◄──────────────────┤
//!                                          rejected, panic: dropped, counted ◄────────────┤
//!                                    retry: backoff, then again with the unsent ◄─────────┘
//! ```
//!
//! - A kind of record is a [`Signal`]. A [`Route`] is one exporter of one signal, with its settings and
//!   processors; a [`Pipe`] is a route that was started. A stuck exporter holds back no other.
//! - An [`Exporter`] delivers a batch; an [`Encoder`] encodes it once, and a [`Sender`] sends the bytes.
//! - Each attempt has a [`Deadline`]. A flush or a shutdown moves it nearer, so that the caller
//!   returns on time and the exporter closes what it has open.
//! - Each offered record is counted under the queue's lock, in the same step that queues or drops it:
//!   `offered = delivered + held + spooled + dropped` in every [`QueueReport`], at every instant.
//! - A flush waits until every record that was offered before it is delivered or dropped. Records that
//!   are offered meanwhile do not prolong it.
//! - A route may keep its records on disk until they are delivered (`Route::spool`): then a second thread
//!   sends what the worker has written.
//! - Pushing never fails and never panics, and never blocks on an exporter unless the route says
//!   [`Overflow::Block`].
//!
//! The pipeline is generic over its signal. It depends on neither metrics nor spans.
//!
//! # Defaults
//!
//! | what | default | set by |
//! |---|---|---|
//! | records held by a route, those in the exporter's hands included | 262,144; of metrics 1,048,576; of notifications 1,000 | [`Settings::max_items`] |
//! | bytes held by a route | 64 MiB | [`Settings::max_bytes`] |
//! | a full queue drops | the newest; of metrics and notifications the oldest | [`Settings::overflow`] |
//! | records in a batch | 512; of metrics 8,192, by remote write 2,000; of notifications 1 | [`Settings::batch_items`] |
//! | bytes in a batch | 4 MiB | [`Settings::batch_bytes`] |
//! | how long a record waits for its batch | 1 s; a notification does not | [`Settings::batch_delay`] |
//! | time of an attempt | 10 s | [`Settings::attempt_timeout`] |
//! | delay before another attempt | from 0 to 1 s, to 2 s, to 4 s, and then to 5 s | [`Retry::initial`], [`Retry::max`] |
//! | delay that a backend may ask for | 60 s at most | |
//! | time for all attempts of a batch | 5 min; without end from a spool | [`Retry::max_elapsed`] |
//! | failures in a row that open the breaker | 5 | |
//! | connecting, by HTTP | 5 s | `Endpoint::connect_timeout` |
//! | a request, by HTTP | 10 s | `Endpoint::timeout` |
//! | how long a connection is used, by HTTP | 30 s | `Endpoint::connection_lifetime` |
//! | an answer, by HTTP | 4 MiB | |
//! | the file of what backends refused | none; then 64 MiB at most | [`Route::dead_letters`], [`DeadLetters::max_bytes`] |
//! | interval of metrics | 10 s | [`Route::interval`] |
//! | how long readers wait for a callback | 0.5 s | [`Builder::callback_patience`](crate::Builder::callback_patience) |
//! | the tick | 1 s | [`Builder::tick`](crate::Builder::tick) |
//! | how long another endpoint is asked after a failover | 1 min | |
//! | a spool | 1 GiB, in segments of 16 MiB | `SpoolFolder::max_bytes` |
//! | a payload in a spool | 64 MiB at most | |
//! | an unreadable part of a spool is given up | after 10 s | |
//! | what other processes left is looked for | each minute | |
//! | space that a spool leaves free | 512 MiB, or a twentieth of the file system | `SpoolFolder::free_bytes` |
//! | the memory of the past | 32 MiB | [`Builder::history_budget`](crate::Builder::history_budget) |
//! | delivery at the end of the process | 2 s | [`Telemetry::shutdown`](crate::Telemetry::shutdown) |
//! | a flush that a [signal handler](crate::request_flush_from_signal) asks for | 10 s | |
//! | flushes as [futures](crate::Telemetry::flush_async) at a time | 64 | |
//! | delivery of a [`Pipe`] that is dropped | 5 s | [`Pipe::shutdown`] |

mod answer;
mod batch;
mod dead_letters;
mod delivery;
mod exporter;
mod exports;
mod limits;
#[cfg(all(feature = "spool", unix))]
mod outflow;
#[cfg(not(all(feature = "spool", unix)))]
#[path = "outflow_absent.rs"]
mod outflow;
mod outlet;
#[cfg(all(feature = "spool", unix))]
mod passage;
mod payload;
mod processor;
mod queue;
mod retry;
mod route;
pub(crate) mod series;
mod settings;
mod setup;
mod signal;
#[cfg(all(feature = "spool", unix))]
mod spool;
#[cfg(all(feature = "spool", unix))]
mod spool_folder;
mod state;
mod stats;
mod threads;
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

pub use answer::ExportError;
#[doc(hidden)]
pub use batch::Chunk;
pub use batch::{Batch, Iter};
pub use dead_letters::DeadLetters;
pub use exporter::{Encoder, ExportResult, Exporter, SendResult, Sender};
pub(crate) use exports::{AttemptOutcome, Attempted, Watch};
#[cfg(not(all(feature = "spool", unix)))]
pub(crate) use outflow::SpoolFolder;
pub use payload::Payload;
pub use processor::Processor;
pub(crate) use queue::Ticket;
pub use retry::Retry;
pub use route::Route;
pub use settings::{Overflow, Settings};
pub use setup::Setup;
pub use signal::Signal;
#[doc(hidden)]
#[cfg(all(feature = "spool", unix))]
pub use spool::{
    Spool, SpoolEntry, SpoolError, SpoolFigures, SpoolHandle, SpoolPosition, SpoolReader,
    SpoolSettings, SpoolWriter,
};
#[cfg(all(feature = "spool", unix))]
#[cfg_attr(docsrs, doc(cfg(feature = "spool")))]
pub use spool_folder::SpoolFolder;
pub(crate) use stats::OneLine;
pub use stats::{DropReason, Dropped, QueueReport, Report, SpoolReport, Totals};
pub(crate) use threads::{is_any_thread as is_worker_thread, leaked_workers};

pub use crate::clock::Deadline;

use crate::{
    clock,
    error::{Error, ErrorKind},
};
use outflow::Outflow;
use queue::Queue;

/// A started route: an exporter with its queue and its thread. Clones are handles to the same pipe.
///
/// For benches and for tests of exporters; an application uses
/// [`Builder::export`](crate::Builder::export).
///
/// When the last handle is dropped without a [`shutdown`](Self::shutdown), the worker still delivers
/// what is queued, for at most five seconds, and ends. The drop does not wait for it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::{
///     pipeline::{Batch, Deadline, ExportResult, Exporter, Pipe, Route, Setup},
///     trace::SpanRecord,
/// };
///
/// struct Print;
/// impl Exporter<SpanRecord> for Print {
///     fn export(&mut self, batch: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
///         batch.iter().for_each(|span| println!("{}", span.name()));
///         Ok(())
///     }
/// }
///
/// let pipe = Pipe::start(Route::new(Print), &Setup::default())?;
/// pipe.push(vec![SpanRecord::new("checkout")]);
/// let report = pipe.shutdown(Duration::from_secs(2));
/// assert_eq!((report.delivered, report.held), (1, 0));
/// # Ok::<(), bellwether::Error>(())
/// ```
#[doc(hidden)]
pub struct Pipe<S: Signal>(Arc<Handle<S>>);

struct Handle<S: Signal> {
    name: Arc<str>,
    /// Where the exporter says that it sends to.
    destination: Option<String>,
    queue: Arc<Queue<S>>,
    /// The second half of a route with a spool.
    outflow: Option<Outflow>,
}

impl<S: Signal> Pipe<S> {
    /// Starts the thread `bellwether-NAME` that owns the exporter of `route`.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidOption`] if a limit in the settings is zero, or the name is not 1 to 64
    ///   of `[A-Za-z0-9_.:-]`.
    /// - [`ErrorKind::Io`] if the system grants no thread.
    /// - The error of [`Exporter::start`], if it returns one.
    pub fn start(route: Route<S>, setup: &Setup) -> Result<Self, Error> {
        Self::start_on(std::thread::Builder::new(), route, setup)
    }

    fn start_on(
        thread: std::thread::Builder,
        mut route: Route<S>,
        setup: &Setup,
    ) -> Result<Self, Error> {
        let name: Arc<str> = checked_name(&route.name)?.into();
        let queue = Arc::new(Queue::new(outflow::limits(&route.settings)?));
        let destination = route.exporter.start(setup)?;
        let outflow = worker::start(thread, name.clone(), queue.clone(), route)?;
        Ok(Self(Arc::new(Handle { name, destination, queue, outflow })))
    }

    /// The route's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Offers records. Records that do not fit are dropped and counted. This waits only for the
    /// queue's lock, which is never held while foreign code runs, and for room where
    /// [`Overflow::Block`] says so.
    ///
    /// To offer the same records to several pipes, make one [`Chunk`] and push clones of it: the
    /// records are weighed once and shared.
    pub fn push(&self, records: impl Into<Chunk<S>>) {
        self.0.queue.push(&records.into(), !threads::is_any_thread());
    }

    /// Waits until everything offered before the call is delivered or dropped, for at most `timeout`.
    /// Returns whether it is.
    ///
    /// Ends a running backoff, but not a delay that the backend asked for. At `timeout` it also ends
    /// the running attempt; the records of that attempt are held and tried again later.
    ///
    /// On the exporter's own thread it returns `false` at once: it would wait for itself.
    #[must_use = "false: something is still held"]
    pub fn flush(&self, timeout: Duration) -> bool {
        let deadline = clock::deadline(timeout);
        let ticket = self.begin_flush(deadline);
        self.wait(ticket, deadline)
    }

    /// Delivers what is queued, for at most `timeout`, drops the rest with the reason `shutdown`, and
    /// ends the thread. Records offered after the call are dropped with the same reason.
    ///
    /// `held` is 0 afterwards, even if the exporter hangs. Its thread is then left behind and counted
    /// ([`leaked_workers`]). The records of its batch count as dropped, whatever it does with them
    /// later. A second shutdown waits for the first and returns the same report, with the records
    /// offered since. On the exporter's own thread it only begins the shutdown and returns at once.
    pub fn shutdown(&self, timeout: Duration) -> QueueReport {
        let deadline = clock::deadline(timeout);
        self.begin_shutdown(deadline);
        self.end_shutdown(deadline)
    }

    /// What became of everything offered so far.
    #[must_use]
    pub fn report(&self) -> QueueReport {
        let Handle { name, destination, queue, outflow } = &*self.0;
        let memory = || queue.report(name, S::NAME);
        let report = match outflow {
            Some(outflow) => outflow.report(memory),
            None => memory(),
        };
        QueueReport { destination: destination.clone(), ..report }
    }
}

/// A [`Pipe`] of any signal. Flush and shutdown have two steps here, so that many pipes can work at
/// the same time before the first is waited for.
pub(crate) trait AnyPipe: fmt::Debug + Send + Sync {
    /// The route's name.
    fn name(&self) -> &str;

    /// The signal's name.
    fn signal(&self) -> &'static str;

    /// What became of everything offered so far.
    fn report(&self) -> QueueReport;

    /// Whether its records wait on disk.
    fn has_spool(&self) -> bool;

    /// Whether this is the exporter's own thread, which must not wait for itself.
    fn is_own_thread(&self) -> bool;

    /// Asks the worker to deliver now and to end its attempts by `deadline`. Returns a ticket for
    /// everything offered so far. [`wait`](Self::wait) with the same deadline completes the flush.
    fn begin_flush(&self, deadline: Instant) -> Ticket;

    /// Waits until everything before `ticket` is settled, or durably on disk. Returns `false` if it is not
    /// by `deadline`, and at once on the exporter's own thread.
    fn wait_kept(&self, ticket: Ticket, deadline: Instant) -> bool;

    /// Waits until everything before `ticket` is settled. Returns `false` if it is not by `deadline`,
    /// and at once on the exporter's own thread.
    fn wait(&self, ticket: Ticket, deadline: Instant) -> bool;

    /// Takes no more records, and asks the worker to deliver what it has by `deadline`.
    fn begin_shutdown(&self, deadline: Instant);

    /// Waits for the worker to end. At `deadline`, drops what it has not delivered.
    fn end_shutdown(&self, deadline: Instant) -> QueueReport;
}

impl<S: Signal> AnyPipe for Pipe<S> {
    fn name(&self) -> &str {
        Self::name(self)
    }

    fn signal(&self) -> &'static str {
        S::NAME
    }

    fn report(&self) -> QueueReport {
        Self::report(self)
    }

    fn has_spool(&self) -> bool {
        self.0.outflow.is_some()
    }

    fn is_own_thread(&self) -> bool {
        threads::is_own_thread(&self.0.queue)
    }

    fn begin_flush(&self, deadline: Instant) -> Ticket {
        let ticket = self.0.queue.begin_flush(hurry(deadline));
        self.0.outflow.iter().for_each(|outflow| outflow.hurry(hurry(deadline)));
        ticket
    }

    fn wait_kept(&self, ticket: Ticket, deadline: Instant) -> bool {
        let is_kept = !self.is_own_thread() && self.0.queue.wait_settled(ticket, deadline);
        self.0.outflow.iter().for_each(|outflow| outflow.end_flush(deadline));
        is_kept
    }

    fn wait(&self, ticket: Ticket, deadline: Instant) -> bool {
        if !self.wait_kept(ticket, deadline) {
            return false;
        }
        self.0.outflow.as_ref().is_none_or(|outflow| {
            let ticket = outflow.begin_flush(hurry(deadline));
            outflow.wait_settled(ticket, deadline)
        })
    }

    fn begin_shutdown(&self, deadline: Instant) {
        self.0.queue.close(deadline);
        self.0.outflow.iter().for_each(|outflow| outflow.close(deadline));
    }

    fn end_shutdown(&self, deadline: Instant) -> QueueReport {
        let Handle { name, queue, outflow, .. } = &*self.0;
        if !self.is_own_thread() {
            threads::await_end(name, queue, deadline);
            outflow.iter().for_each(|outflow| outflow.await_end(name, deadline));
        }
        self.report()
    }
}

/// By when a worker is to be done for a flush that returns at `deadline`. A flush from an exporter's thread
/// must not hurry a failing exporter: neither itself nor another.
fn hurry(deadline: Instant) -> Option<Instant> {
    (!threads::is_any_thread()).then_some(deadline)
}

/// Begins to flush all `pipes`, so that they work at the same time.
pub(crate) fn begin_flush(
    pipes: Vec<&dyn AnyPipe>,
    deadline: Instant,
) -> Vec<(&dyn AnyPipe, Ticket)> {
    pipes.into_iter().map(|pipe| (pipe, pipe.begin_flush(deadline))).collect()
}

/// Waits for all flushes that began with this deadline. Returns whether everything is settled.
pub(crate) fn wait<'a>(
    flushes: impl Iterator<Item = (&'a dyn AnyPipe, Ticket)>,
    deadline: Instant,
) -> bool {
    // No short circuit: every pipe is waited for, until the one deadline.
    flushes.fold(true, |all, (pipe, ticket)| pipe.wait(ticket, deadline) && all)
}

/// Waits until all that was offered before these flushes is settled, or durably on disk.
pub(crate) fn wait_kept<'a>(
    flushes: impl Iterator<Item = (&'a dyn AnyPipe, Ticket)>,
    deadline: Instant,
) -> bool {
    flushes.fold(true, |all, (pipe, ticket)| pipe.wait_kept(ticket, deadline) && all)
}

/// Shuts down all `pipes` at the same time, for at most `timeout`.
pub(crate) fn shutdown(pipes: &[Arc<dyn AnyPipe>], timeout: Duration) -> Report {
    let deadline = clock::deadline(timeout);
    pipes.iter().for_each(|pipe| pipe.begin_shutdown(deadline));
    let queues: Vec<_> = pipes.iter().map(|pipe| pipe.end_shutdown(deadline)).collect();
    let settled = queues.iter().all(|queue| queue.held + queue.spooled == 0);
    Report::new(queues, settled)
}

impl<S: Signal> Clone for Pipe<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Signal> fmt::Debug for Pipe<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pipe({})", self.report())
    }
}

impl<S: Signal> Drop for Handle<S> {
    fn drop(&mut self) {
        let deadline = clock::deadline(FAREWELL);
        self.queue.close(deadline);
        self.outflow.iter().for_each(|outflow| outflow.close(deadline));
    }
}

/// How long a worker without handles tries to deliver.
const FAREWELL: Duration = Duration::from_secs(5);

fn checked_name(name: &str) -> Result<&str, Error> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(legal) {
        return Ok(name);
    }
    let message = format!("exporter name {name:.64?} must be 1 to 64 of [A-Za-z0-9_.:-]");
    Err(Error::new(ErrorKind::InvalidOption, message))
}
