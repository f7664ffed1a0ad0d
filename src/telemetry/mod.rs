//! Starting, flushing and stopping: the one place that wires the parts together.
//!
//! ```text
//! Builder::start ─► a pipe (queue, worker thread) for each exporter and notifier
//!                   the tracer, whose sink fans spans out to the pipes
//!                   the ticker: once a second it collects spans, takes a snapshot, keeps it for
//!                       `window`, evaluates the alert rules and hands notifications to the pipes
//!                   parts such as the Prometheus listener, which read snapshots
//! ```
//!
//! What has been started is also known to a static, so that the exit hook can deliver what is queued
//! when the process leaves by `process::exit`.

mod builder;
mod exit;
mod history;
#[cfg(feature = "host")]
mod host_metrics;
mod own_series;
#[cfg(feature = "process")]
mod process_metrics;
#[cfg(feature = "prometheus-listener")]
mod prometheus;
mod sources;
mod ticker;

use std::{
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

pub use builder::Builder;
pub use exit::exit;

use crate::{
    alert::{Alert, Board, RuleStatus},
    clock,
    metric::{self, Observer, Registry, Snapshot, Window},
    pipeline::{self, AnyPipe, Report},
    sync::Mutex,
    trace::{self, Tracer},
    util::process,
};
use history::History;
use ticker::Ticker;

/// How long the end of the process may be held up: at return, at `process::exit` and at a panic.
const FAREWELL: Duration = Duration::from_secs(2);

/// Begins to set up telemetry for the service called `service`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::{Counter, export::Memory};
///
/// static ORDERS: Counter = Counter::new("shop.orders", "Orders accepted");
///
/// let spans = Memory::new();
/// let telemetry = bellwether::builder("shop").exporter(spans.clone()).start()?;
///
/// {
///     let _scope = bellwether::span("checkout").enter();
///     ORDERS.inc();
/// }
/// let report = telemetry.flush(Duration::from_secs(5));
/// assert_eq!((report.totals().delivered, spans.records().len()), (1, 1));
/// # Ok::<(), bellwether::Error>(())
/// ```
pub fn builder(service: &str) -> Builder {
    Builder::new(service)
}

/// Telemetry that has been started; dropping it delivers what is queued, for two seconds at most.
///
/// Keep it in `main` until the end. If the process leaves by `process::exit` instead, an exit hook
/// does the same on Linux and macOS; on Windows leave by [`exit`]. Nothing is delivered after `abort`,
/// SIGKILL or a panic with `panic=abort`.
///
/// A forked child has no part in it: it delivers nothing, its reports are empty and not settled, and
/// dropping it there does nothing. The child starts without the callbacks and sources of its parent
/// (their families are gone and their names free), and with what the instruments had counted by then;
/// it may start telemetry of its own. As with any code, fork where no other thread is in the middle of
/// a call into the crate if you can: a lock that was held at that moment stays held in the child.
#[must_use = "dropping it stops the telemetry at once"]
pub struct Telemetry {
    running: Arc<Running>,
}

/// What runs between start and shutdown. The exit hook holds it too.
struct Running {
    /// The generation of the process that started it: a forked child has none of its threads.
    generation: u32,
    registry: Registry,
    pipes: Vec<Arc<dyn AnyPipe>>,
    tracer: Option<Arc<Tracer>>, // None where telemetry is disabled.
    /// Guards the snapshots kept for windows. Nothing is locked inside it.
    history: Mutex<History>,
    /// How rules and alerts stand. The ticker has the conditions, and its own thread runs them.
    board: Arc<Board>,
    local_addrs: Vec<SocketAddr>,
    /// Guards what is taken down once, at shutdown, and the report of that. Shutdown holds it until
    /// it is done, so that a second one waits and reports the same.
    ending: Mutex<Ending>,
}

#[derive(Default)]
struct Ending {
    ticker: Option<Ticker>,
    parts: Vec<Box<dyn Part>>,
    observers: Vec<Observer>,
    report: Option<Report>,
}

/// Something that serves until shutdown, such as a listener.
trait Part: Send {
    /// Ends it, by `deadline` at the latest.
    fn stop(&mut self, deadline: Instant);

    /// Where it listens, if it does.
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }
}

impl Telemetry {
    /// Delivers everything that ended or was queued before the call, for `timeout` at most, and says
    /// what became of every record so far.
    ///
    /// Where the report is not [`settled`](Report::settled), something is still held: a backend is
    /// away or slow.
    pub fn flush(&self, timeout: Duration) -> Report {
        self.running.flush(timeout)
    }

    /// Flushes, then stops every thread, also that of callbacks, which the next reading that needs it
    /// starts again. What could not be delivered by `timeout` is dropped and
    /// counted, so that nothing is held in the report. A second shutdown reports the same.
    ///
    /// Metrics go on recording; spans are no longer recorded, and only carry their parents' contexts on.
    pub fn shutdown(&self, timeout: Duration) -> Report {
        self.running.shutdown(clock::deadline(timeout))
    }

    /// What became of every record that was handed to a queue so far.
    ///
    /// Spans that ended within the last second may still lie in their threads' buffers, not offered
    /// yet; a [`flush`](Self::flush) hands them over first.
    #[must_use]
    pub fn report(&self) -> Report {
        self.running.report()
    }

    /// All series of the global registry at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.running.registry.snapshot()
    }

    /// What happened within the last `length`, or since the oldest snapshot that is still kept: the
    /// ticker keeps one a tick, for five minutes and within 16 MiB. Where telemetry is
    /// [disabled](Builder::disabled) it spans no time.
    #[must_use]
    pub fn window(&self, length: Duration) -> Window {
        let later = self.snapshot();
        let earlier = self.running.history.lock().before(&later, length);
        later.since(&earlier.unwrap_or_else(|| later.clone()))
    }

    /// Every alert that is pending or firing, or was resolved within the last 15 minutes.
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        self.running.board.alerts()
    }

    /// How each alert rule fares.
    #[must_use]
    pub fn rules(&self) -> Vec<RuleStatus> {
        self.running.board.rules()
    }

    /// Where the listeners listen, in the order they were set up: the port that the system chose,
    /// where port 0 was asked for.
    #[must_use]
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.running.local_addrs.clone()
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if self.running.is_inherited() {
            // Taking it apart could wait for a thread that stayed behind, or for what it held.
            return std::mem::forget(self.running.clone());
        }
        self.running.shutdown(clock::deadline(FAREWELL));
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("pipes", &self.running.pipes).finish_non_exhaustive()
    }
}

impl Running {
    /// Whether this process is a forked child of the one that started it: the threads stayed behind,
    /// and locks may be held by them for ever.
    fn is_inherited(&self) -> bool {
        self.generation != process::generation()
    }

    fn flush(&self, timeout: Duration) -> Report {
        if self.is_inherited() {
            return Report::new(Vec::new(), false);
        }
        self.collect();
        pipeline::flush(&self.pipes, timeout)
    }

    fn report(&self) -> Report {
        if self.is_inherited() {
            return Report::new(Vec::new(), false);
        }
        let queues: Vec<_> = self.pipes.iter().map(|pipe| pipe.report()).collect();
        let settled = queues.iter().all(|queue| queue.held == 0);
        Report::new(queues, settled)
    }

    /// Hands the spans that have ended to the queues.
    fn collect(&self) {
        if let Some(tracer) = &self.tracer {
            tracer.collect();
        }
    }

    fn shutdown(&self, deadline: Instant) -> Report {
        if self.is_inherited() {
            return Report::new(Vec::new(), false);
        }
        if self.pipes.iter().any(|pipe| pipe.is_own_thread()) {
            // An exporter would wait for itself: it only begins the end.
            self.pipes.iter().for_each(|pipe| pipe.begin_shutdown(deadline));
            return self.report();
        }
        // An exit hook must not wait for ever for a shutdown that hangs on another thread, and what the
        // ticker runs not at all for one that waits for the ticker.
        let patience =
            if ticker::is_own_thread() { clock::deadline(Duration::ZERO) } else { deadline };
        let Some(mut ending) = self.ending.try_lock_until(patience) else { return self.report() };
        if let Some(report) = &ending.report {
            return report.clone();
        }
        if let Some(ticker) = ending.ticker.take() {
            // The exporters' time is not for a callback that hangs.
            let patience = clock::until(deadline) / 4;
            ticker.stop(clock::deadline(patience));
        }
        if let Some(tracer) = &self.tracer {
            trace::uninstall();
            tracer.close();
        }
        let report = pipeline::shutdown(&self.pipes, clock::until(deadline));
        ending.parts.iter_mut().for_each(|part| part.stop(deadline));
        ending.observers.clear();
        metric::release_collector(deadline);
        ending.report = Some(report.clone());
        exit::forget(self);
        report
    }
}
